package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/afero"
	"golang.org/x/sys/unix"
)

// FS is a file system on which durable files can be made. A file's Sync and a
// directory's Sync (open it, call Sync) have the meaning of fsync(2).
type FS interface {
	afero.Fs
	afero.Symlinker

	// Link makes newname a hard link of oldname, as link(2): it does not
	// follow a symbolic link, and newname must not exist.
	Link(oldname, newname string) error

	// Exchange swaps two names in one instant, so that a reader sees either
	// the one state or the other. It returns an error that wraps
	// errors.ErrUnsupported where the file system cannot.
	Exchange(a, b string) error

	// Lchown changes owner and group; -1 leaves one as it is. It does not
	// follow a symbolic link.
	Lchown(name string, uid, gid int) error
}

// OS is the operating system's file system.
type OS struct{ afero.OsFs }

var _ FS = OS{}

// Link implements [FS].
func (OS) Link(oldname, newname string) error { return os.Link(oldname, newname) }

// Lchown implements [FS].
func (OS) Lchown(name string, uid, gid int) error { return os.Lchown(name, uid, gid) }

// Exchange implements [FS] with renameat2(RENAME_EXCHANGE), Linux 3.15.
func (OS) Exchange(a, b string) error {
	err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
	switch {
	case err == nil:
		return nil
	// Old kernels answer ENOSYS, file systems that do not know the flag
	// EINVAL: NFS, older FUSE.
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOTSUP):
		err = errors.ErrUnsupported
	}
	return &os.LinkError{Op: "exchange", Old: a, New: b, Err: err}
}

// Lstat describes name itself, not what a symbolic link points to.
func Lstat(fsys FS, name string) (fs.FileInfo, error) {
	info, _, err := fsys.LstatIfPossible(name)
	return info, err
}

// Exists tells whether there is something of that name, be it a dangling
// symbolic link. An error means that this cannot be told, and is never to be
// taken for "no".
func Exists(fsys FS, name string) (bool, error) {
	_, err := Lstat(fsys, name)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	}
	return false, err
}

// Identity is what tells one file on this machine from another.
type Identity struct{ Device, Inode uint64 }

// IdentityOf returns the identity of a file that [FS.Stat] described, and
// whether the file system tells it.
func IdentityOf(info fs.FileInfo) (Identity, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Identity{}, false
	}
	return Identity{Device: uint64(stat.Dev), Inode: stat.Ino}, true //nolint:unconvert // Dev is narrower on other architectures
}

// Walk calls visit for root and everything below it, directories before
// their contents, in the order of names. Symbolic links are not followed.
// The first error ends it: a tree that was not read whole was not read. Only
// fs.SkipDir, for a directory, is none: its contents are passed over.
func Walk(fsys FS, root string, visit func(name string, info fs.FileInfo) error) error {
	info, err := Lstat(fsys, root)
	if err != nil {
		return err
	}
	return walk(fsys, root, info, visit)
}

func walk(fsys FS, name string, info fs.FileInfo, visit func(string, fs.FileInfo) error) error {
	err := visit(name, info)
	if err != nil {
		if errors.Is(err, fs.SkipDir) && info.IsDir() {
			return nil
		}
		return err
	}
	if !info.IsDir() {
		return nil
	}
	entries, err := afero.ReadDir(fsys, name)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := walk(fsys, filepath.Join(name, entry.Name()), entry, visit); err != nil {
			return err
		}
	}
	return nil
}

// OwnerOf returns who owns a file; ok is false where the file system does not
// tell.
func OwnerOf(info fs.FileInfo) (uid, gid int, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(stat.Uid), int(stat.Gid), true
}
