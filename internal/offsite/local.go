package offsite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/afero"

	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/rdiff"
)

// local is the side that is copied, ROOT_PATH.
type local struct {
	fsys durable.FS
	root string
}

// abs gives a path's name on this machine.
func (l local) abs(p string) string { return filepath.Join(l.root, filepath.FromSlash(p)) }

// item is a file or directory of the local side that is to be off-site.
type item struct {
	path string      // relative to ROOT_PATH
	info fs.FileInfo // as the walk saw it
}

// tree is what the local side holds at a path.
type tree struct {
	path   string // without a slash at the end; empty is all of ROOT_PATH
	isDir  bool
	items  []item          // the path's own included, but for ROOT_PATH; each directory before what it holds
	keep   []string        // paths whose copies are not to be deleted
	repos  map[string]bool // rdiff-backup repositories
	filled map[string]bool // directories that are not empty; see empty.go
}

// read walks the tree at p. It is whole, every directory listed and every
// file opened for reading, or there is an error: an unreadable directory must
// never pass for an empty one.
func (l local) read(ctx context.Context, p string) (*tree, error) {
	p, mustBeDir, err := clean(p)
	if err != nil {
		return nil, err
	}
	info, err := l.topOf(p, mustBeDir)
	if err != nil {
		return nil, err
	}
	t := &tree{path: p, isDir: info.IsDir(), repos: map[string]bool{}, filled: map[string]bool{}}
	if t.keep, err = l.setAside(p); err != nil {
		return nil, l.vanished(err)
	}
	if !t.isDir {
		// A file of a repository on its own: the order within says nothing.
		t.items = []item{{p, info}}
		return t, l.vanished(l.openable(p))
	}
	names := []string{l.abs(p)}
	if p == "" { // which may be a symbolic link
		if names, err = l.names(l.root); err != nil {
			return nil, l.vanished(err)
		}
	}
	for _, name := range names {
		err := durable.Walk(l.fsys, name, func(name string, info fs.FileInfo) error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			return t.visit(l, name, info)
		})
		if err != nil {
			return nil, l.vanished(err)
		}
	}
	return t, nil
}

// names lists a directory.
func (l local) names(dir string) ([]string, error) {
	entries, err := afero.ReadDir(l.fsys, dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = filepath.Join(dir, entry.Name())
	}
	return names, nil
}

// visit takes in one thing that the walk met.
func (t *tree) visit(l local, name string, info fs.FileInfo) error {
	rel, err := filepath.Rel(l.root, name)
	if err != nil {
		return err
	}
	rel = filepath.ToSlash(rel)
	dir, base := path.Split(rel)
	if aside, ok := strings.CutPrefix(base, destination.AsidePrefix); ok {
		t.keep = append(t.keep, dir+aside)
	}
	if fills(rel) {
		t.filled[strings.TrimSuffix(dir, "/")] = true
	}
	switch {
	case ours(rel):
		if info.IsDir() {
			return fs.SkipDir
		}
		return nil
	case info.IsDir():
		if base == rdiff.DataDir {
			t.repos[strings.TrimSuffix(dir, "/")] = true
		}
	case info.Mode().IsRegular():
		if err := l.openable(rel); err != nil {
			return err
		}
	default:
		// Not sent, see the package comment. A link may stand where a whole
		// destination was, moved to a larger disk: what the store holds of it
		// is not known to be gone.
		t.keep = append(t.keep, rel)
		return nil
	}
	t.items = append(t.items, item{rel, info})
	return nil
}

// topOf is top for what is to be sent: a file, or a directory.
func (l local) topOf(p string, mustBeDir bool) (fs.FileInfo, error) {
	info, err := l.top(p)
	if err != nil {
		return nil, err
	}
	if mustBeDir && !info.IsDir() {
		return nil, fmt.Errorf("%s: is not a directory", l.abs(p))
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is neither a file nor a directory", l.abs(p))
	}
	return info, nil
}

// top describes what is at p. Only that p itself is not there is told by an
// error that wraps fs.ErrNotExist. Below ROOT_PATH no symbolic link is
// followed: what it points to may be anything.
func (l local) top(p string) (fs.FileInfo, error) {
	info, err := l.fsys.Stat(l.root)
	if err != nil {
		return nil, onlyOwn(fmt.Errorf("ROOT_PATH: %w", err))
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("ROOT_PATH: %s: is not a directory", l.root)
	}
	if p == "" {
		return info, nil
	}
	for _, dir := range parents(p) {
		info, err := durable.Lstat(l.fsys, l.abs(dir))
		if err == nil && !info.IsDir() {
			return nil, fmt.Errorf("%s: %s is not a directory", l.abs(p), l.abs(dir))
		}
	}
	return durable.Lstat(l.fsys, l.abs(p))
}

// setAside looks whether p, or a directory that it is in, has something set
// aside beside it.
func (l local) setAside(p string) ([]string, error) {
	var keep []string
	if p == "" {
		return nil, nil
	}
	for _, at := range append(parents(p), p) {
		dir, base := path.Split(at)
		aside, err := durable.Exists(l.fsys, l.abs(dir+destination.AsidePrefix+base))
		if errors.Is(err, syscall.ENAMETOOLONG) {
			continue // so nothing can be there
		}
		if err != nil {
			return nil, err
		}
		if aside {
			keep = append(keep, at)
		}
	}
	return keep, nil
}

// gone tells whether a path may really be deleted off-site: a last look,
// since the walk of a large tree takes its time and names may have moved
// during it.
func (l local) gone(p string) (bool, error) {
	there, err := durable.Exists(l.fsys, l.abs(p))
	if err != nil && !errors.Is(err, syscall.ENOTDIR) { // a file is now where its directory was
		return false, err
	}
	keep, err := l.setAside(p)
	if err != nil && !errors.Is(err, syscall.ENOTDIR) {
		return false, err
	}
	return !there && len(keep) == 0, nil
}

// openable tells whether a file can be opened for reading.
func (l local) openable(p string) error {
	f, err := l.fsys.Open(l.abs(p))
	if err != nil {
		return err
	}
	return f.Close()
}

// vanished turns "there is no such file", of anything but the path that was
// asked for, into what it means.
func (l local) vanished(err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		return &ChangedError{Path: pathErr.Path}
	}
	return &ChangedError{Path: l.root}
}

// kept tells whether the copy of p is not to be deleted.
func (t *tree) kept(p string) bool {
	for _, k := range t.keep {
		if below(p, k) {
			return true
		}
	}
	return false
}

// same tells whether a file is as it was: by every mark that a write leaves.
func same(a, b fs.FileInfo) bool {
	if a.Size() != b.Size() || !a.ModTime().Equal(b.ModTime()) || a.Mode() != b.Mode() {
		return false
	}
	as, aok := a.Sys().(*syscall.Stat_t)
	bs, bok := b.Sys().(*syscall.Stat_t)
	if !aok || !bok {
		return true
	}
	return as.Ctim == bs.Ctim && as.Ino == bs.Ino && as.Dev == bs.Dev
}
