package crashfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// linkError gives an error the form that it has when two names are concerned.
func linkError(op, oldname, newname string, err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		err = path.Err
	}
	if err == nil {
		err = syscall.ENOENT
	}
	return &os.LinkError{Op: op, Old: oldname, New: newname, Err: err}
}

// both finds two names, of which the first must lead to something.
func (f *FS) both(oldname, newname string) (from, to spot, err error) {
	if from, err = f.core.live.find(oldname, false); err != nil {
		return from, to, err
	}
	// The kernel finds the directories of both names before it looks for
	// either in them.
	if to, err = f.core.live.find(newname, false); err == nil && from.at == 0 {
		err = syscall.ENOENT
	}
	return from, to, err
}

// Rename implements [afero.Fs].
func (f *FS) Rename(oldname, newname string) error {
	f.core.mu.Lock()
	defer f.core.mu.Unlock()
	if err := f.rename(oldname, newname); err != nil {
		return linkError("rename", oldname, newname, err)
	}
	return nil
}

func (f *FS) rename(oldname, newname string) error {
	t := f.core.live
	from, to, err := f.both(oldname, newname)
	if err != nil {
		return err
	}
	if from.name == "" || to.name == "" && to.at == 0 {
		return syscall.EBUSY
	}
	isDir := t[from.at].kind.IsDir()
	switch {
	// os.Rename does not let a directory be replaced, not even an empty one.
	case to.at != 0 && t[to.at].kind.IsDir() && (from.at != to.at || oldname == newname):
		return syscall.EEXIST
	case from.at == to.at:
		return nil // two names of one thing: nothing happens
	case isDir && t.above(from.at, to.dir):
		return syscall.EINVAL
	case isDir && to.at != 0:
		return syscall.ENOTDIR
	case !isDir && strings.HasSuffix(newname, "/"):
		return syscall.ENOTDIR
	}
	return f.core.do(f.actor, fmt.Sprintf("rename %s %s", oldname, newname), change{
		entries: []entry{{to.dir, to.name, from.at}, {from.dir, from.name, 0}},
	})
}

// Link implements [durable.FS].
func (f *FS) Link(oldname, newname string) error {
	f.core.mu.Lock()
	defer f.core.mu.Unlock()
	from, err := f.core.live.find(oldname, false) // all of it, before newname is looked at
	if err == nil && from.at == 0 {
		err = syscall.ENOENT
	}
	var to spot
	if err == nil {
		to, err = f.core.live.find(newname, false)
	}
	switch {
	case err != nil:
	case to.at != 0:
		err = syscall.EEXIST
	case f.core.live[from.at].kind.IsDir():
		err = syscall.EPERM
	case strings.HasSuffix(newname, "/"):
		err = syscall.ENOENT
	default:
		err = f.core.do(f.actor, fmt.Sprintf("link %s %s", oldname, newname), change{
			entries: []entry{{to.dir, to.name, from.at}},
		})
	}
	if err != nil {
		return linkError("link", oldname, newname, err)
	}
	return nil
}

// Exchange implements [durable.FS].
func (f *FS) Exchange(a, b string) error {
	f.core.mu.Lock()
	defer f.core.mu.Unlock()
	t := f.core.live
	from, to, err := f.both(a, b)
	switch {
	case err != nil:
	case f.core.noExchange:
		err = errors.ErrUnsupported
	case to.at == 0:
		err = syscall.ENOENT
	case from.name == "" || to.name == "":
		err = syscall.EBUSY
	case t[from.at].kind.IsDir() && from.at != to.at && t.above(from.at, to.dir),
		t[to.at].kind.IsDir() && from.at != to.at && t.above(to.at, from.dir):
		err = errors.ErrUnsupported // EINVAL, which durable.OS takes for that
	case from.at == to.at:
		return nil
	default:
		err = f.core.do(f.actor, fmt.Sprintf("exchange %s %s", a, b), change{
			entries: []entry{{from.dir, from.name, to.at}, {to.dir, to.name, from.at}},
		})
	}
	if err != nil {
		return linkError("exchange", a, b, err)
	}
	return nil
}
