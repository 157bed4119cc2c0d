package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/afero"
)

// TempPrefix begins the name of every temporary file and directory. Whoever
// finds such a name under the lock of its directory may remove it: nothing
// that matters was ever kept under one.
const TempPrefix = ".btw-tmp-"

// Modes of everything that this program makes: its owner's alone.
const (
	FileMode fs.FileMode = 0o600
	DirMode  fs.FileMode = 0o700
)

// IsTemp tells whether name, a path's last part, is a temporary one.
func IsTemp(name string) bool { return strings.HasPrefix(name, TempPrefix) }

// SyncDir makes the names in dir durable.
func SyncDir(fsys FS, dir string) error {
	d, err := fsys.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// WriteFile makes or replaces the file name with what write produces, in the
// five steps of the package comment. On an error the old file, if there was
// one, is still there untouched, unless it was the very last step that
// failed: then the new file is there, and may not outlive a power cut. own,
// when it is not nil, is called with the temporary name before anything is
// written, so that what it sets is durable with the rest.
//
// The temporary name follows from the final one, so that what a crash leaves
// is gone once the file is written again. Two who write one file need a lock.
func WriteFile(fsys FS, name string, own func(tempname string) error, write func(io.Writer) error) (err error) {
	temp := filepath.Join(filepath.Dir(name), TempPrefix+filepath.Base(name))
	if err := RemoveIfThere(fsys, temp); err != nil {
		return err
	}
	f, err := Create(fsys, temp)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, RemoveIfThere(fsys, f.Name()))
		}
	}()
	if own != nil {
		if err := own(f.Name()); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	if err := fill(f, write); err != nil {
		return err
	}
	return Publish(fsys, f.Name(), name)
}

// WriteBytes is [WriteFile] for content that is at hand.
func WriteBytes(fsys FS, name string, content []byte, own func(tempname string) error) error {
	return WriteFile(fsys, name, own, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// fill writes, syncs and closes f.
func fill(f afero.File, write func(io.Writer) error) error {
	err := write(f)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// RemoveIfThere removes a name; that there is none is as good.
func RemoveIfThere(fsys FS, name string) error {
	if err := fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Create makes the file name, which must not exist, for writing.
func Create(fsys FS, name string) (afero.File, error) {
	return fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, FileMode)
}

// Publish gives a file or directory, whose contents are durable already, its
// final name, and makes the name durable. Both names are in one directory.
func Publish(fsys FS, tempname, name string) error {
	if err := fsys.Rename(tempname, name); err != nil {
		return err
	}
	return SyncDir(fsys, filepath.Dir(name))
}

// Replace puts the directory tempname, whose contents are durable already, in
// the place of the directory name, and leaves the old one under tempname.
//
// Where the file system cannot exchange two names, the old one steps aside to
// asidename first; a crash between the two renames leaves no directory called
// name, and whoever recovers has to bring asidename back under it.
func Replace(fsys FS, tempname, name, asidename string) error {
	err := fsys.Exchange(tempname, name)
	if err == nil {
		return SyncDir(fsys, filepath.Dir(name))
	}
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	// Durable before the next step: else a power cut could keep the new name
	// and forget where the old directory went.
	if err := Publish(fsys, name, asidename); err != nil {
		return err
	}
	if err := fsys.Rename(tempname, name); err != nil {
		return errors.Join(err, Publish(fsys, asidename, name))
	}
	if err := SyncDir(fsys, filepath.Dir(name)); err != nil {
		return err
	}
	return fsys.Rename(asidename, tempname)
}

// SyncTree makes everything in the directory dir durable: bytes and names,
// the innermost first, dir itself last, so that a directory is never durable
// before what it names.
func SyncTree(fsys FS, dir string) error {
	var names []string
	err := Walk(fsys, dir, func(name string, info fs.FileInfo) error {
		if info.IsDir() || info.Mode().IsRegular() {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := len(names) - 1; i >= 0; i-- {
		if err := SyncDir(fsys, names[i]); err != nil { // a file syncs like a directory: open, fsync, close
			return err
		}
	}
	return nil
}

// MkdirAll makes the directory dir and the parents it lacks, each durable
// before the next, and returns those that it made, outermost first, also when
// an error ended it half-way. base, which contains dir, must exist.
//
// Those that are there already are made durable as well: another run may have
// made them a moment ago, or been killed before it could.
//
// A directory is made in place, not renamed there: rename(2) replaces an empty
// directory silently, and with it the lock that another run holds on it.
func MkdirAll(fsys FS, base, dir string) (made []string, err error) {
	rel, err := filepath.Rel(base, dir)
	if err != nil {
		return nil, err
	}
	if rel == "." {
		return nil, nil
	}
	if !filepath.IsLocal(rel) {
		return nil, fmt.Errorf("%s: does not lie in %s", dir, base)
	}
	at := base
	for part := range strings.SplitSeq(rel, string(filepath.Separator)) {
		parent := at
		at = filepath.Join(at, part)
		err := fsys.Mkdir(at, DirMode)
		if errors.Is(err, fs.ErrExist) {
			info, err := fsys.Stat(at)
			if err != nil {
				return made, err
			}
			if !info.IsDir() {
				return made, fmt.Errorf("%s: is %w", at, syscall.ENOTDIR)
			}
			// A directory that we may not read is not one that we made.
			if err := SyncDir(fsys, parent); err != nil && !errors.Is(err, fs.ErrPermission) {
				return made, err
			}
			continue
		}
		if err != nil {
			return made, err
		}
		made = append(made, at)
		if err := SyncDir(fsys, parent); err != nil {
			return made, err
		}
	}
	return made, nil
}

// Clone makes newdir, which must not exist, a copy of the tree dir in which
// every file is a hard link of the original, so that it takes no space and a
// program that replaces files (and never changes one in place) can work on
// the one and leave the other as it is. Files for which copyIt says yes, the
// ones that are changed in place or given to somebody else, are copied, and so
// is everything where the file system has no hard links. Modes and times of directories
// are kept; anything but files and directories is an error.
func Clone(fsys FS, dir, newdir string, copyIt func(name string, info fs.FileInfo) bool) error {
	type stamp struct {
		name string
		info fs.FileInfo
	}
	var dirs []stamp
	dir = filepath.Clean(dir)
	err := Walk(fsys, dir, func(name string, info fs.FileInfo) error {
		target := newdir + strings.TrimPrefix(name, dir)
		switch {
		case info.IsDir():
			dirs = append(dirs, stamp{target, info})
			return fsys.Mkdir(target, DirMode)
		case !info.Mode().IsRegular():
			return fmt.Errorf("%s: is neither a file nor a directory", name)
		case copyIt(name, info):
			return copyFile(fsys, name, target, info)
		}
		if err := fsys.Link(name, target); !cannotLink(err) {
			return err
		}
		return copyFile(fsys, name, target, info)
	})
	if err != nil {
		return err
	}
	// Times last and innermost first: making an entry changes its directory's.
	for i := len(dirs) - 1; i >= 0; i-- {
		d := dirs[i]
		if err := keepAttributes(fsys, d.name, d.info); err != nil {
			return err
		}
	}
	return nil
}

// cannotLink tells whether a file has to be copied, because the file system
// has no hard links, or allows this file no more of them.
func cannotLink(err error) bool {
	for _, no := range []error{syscall.EPERM, syscall.ENOTSUP, syscall.ENOSYS, syscall.EMLINK} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}

func copyFile(fsys FS, name, target string, info fs.FileInfo) error {
	in, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // only read
	out, err := Create(fsys, target)
	if err != nil {
		return err
	}
	if err := fill(out, func(w io.Writer) error { _, err := io.Copy(w, in); return err }); err != nil {
		return err
	}
	return keepAttributes(fsys, target, info)
}

func keepAttributes(fsys FS, name string, info fs.FileInfo) error {
	if uid, gid, ok := OwnerOf(info); ok {
		// Only root may give files away; for anybody else they are his own.
		if err := fsys.Lchown(name, uid, gid); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	const bits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	if err := fsys.Chmod(name, info.Mode()&bits); err != nil {
		return err
	}
	return fsys.Chtimes(name, info.ModTime(), info.ModTime())
}
