package run

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
	"btw-backup/internal/lock"
)

// checkTarget refuses a target to which nothing is to be restored.
func (r *Run) checkTarget(target string, into bool) error {
	root, err := r.Root()
	if err != nil {
		return err
	}
	if root, err = durable.Resolve(r.FS, root); err != nil {
		return err
	}
	resolved, err := durable.Resolve(r.FS, target)
	if err != nil {
		return err
	}
	inside, err := durable.Within(r.FS, resolved, root)
	if err != nil {
		return err
	}
	if inside {
		return Refuse("%s lies in ROOT_PATH, which is for backups: restore to another place", target)
	}
	there, err := durable.Exists(r.FS, target)
	switch {
	case err != nil:
		return err
	case there && !into:
		return Refuse("%s is there already: restore to a name that is not, or into it with --into-existing", target)
	case into:
		if info, err := r.FS.Stat(target); errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
			return Refuse("%s is no directory that is there: leave --into-existing out", target)
		}
		return nil
	}
	parent := filepath.Dir(target)
	if info, err := r.FS.Stat(parent); errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return Refuse("%s, in which %s is to be made, is no directory", parent, filepath.Base(target))
	}
	return nil
}

// takeRoom makes, or finds, a temporary directory and locks it, so that nobody
// else takes what is made there for litter.
func (r *Run) takeRoom(ctx context.Context, room string) (*lock.Lock, error) {
	for {
		if err := r.FS.Mkdir(room, durable.DirMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		held, err := r.Locker.Dir(ctx, room, r.waiter(0))
		if errors.Is(err, errors.ErrUnsupported) {
			held, err = r.lockFile(ctx, "restore-"+strings.ReplaceAll(room, "/", "\\"), r.waiter(0))
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if there, err := durable.Exists(r.FS, room); err != nil || there {
			return held, err
		}
		// Whoever held it was done with it and removed it.
		if err := held.Release(); err != nil {
			return nil, err
		}
	}
}

// emptyDir removes what is in a directory.
func emptyDir(fsys durable.FS, dir string) error {
	entries, err := afero.ReadDir(fsys, dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := fsys.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// LockName takes a lock of a name, for what no directory stands for. It waits
// for nobody.
func (r *Run) LockName(ctx context.Context, name string) (*lock.Lock, error) {
	return r.lockFile(ctx, name, r.waiter(0))
}
