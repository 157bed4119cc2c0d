package offsite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
)

// directory is a store in a directory: a second disk, or something mounted.
//
// A symbolic link in it is never followed, but for the directory itself. One
// that stands where a file is to go is replaced, one that nothing here answers
// to is deleted, the link and not what it points to; where a directory must
// be, it is an error: somebody put it there for a reason, and writing through
// it would write anywhere.
type directory struct {
	base
	target string
}

func newDirectory(b base) (Store, error) {
	target, ok := DirectoryOf(b.URI)
	if !ok {
		return nil, fmt.Errorf("S3_URI_PREFIX %q: a directory is written file:///PATH, with three slashes", b.URI)
	}
	if strings.Contains(target, "\n") { // which would end a line in what is remembered
		return nil, fmt.Errorf("S3_URI_PREFIX %q: may not hold a line break", b.URI)
	}
	d := &directory{base: b, target: target}
	// What cannot be looked at now, a mount that hangs, say, is Check's matter:
	// it must not keep a backup from being made.
	if inside, err := overlap(b.FS, d.target, b.Root); err == nil && inside {
		return nil, &OverlapError{URI: b.URI, Root: b.Root}
	}
	return d, nil
}

// abs gives a path's name in the target.
func (d *directory) abs(p string) string { return filepath.Join(d.target, filepath.FromSlash(p)) }

// Push implements [Store]. It looks at what is there all the same: to write
// equal bytes again would only wear the disk, and reading finds out what a
// journal cannot know, that a copy has rotted.
func (d *directory) Push(ctx context.Context, p string) error { return d.send(ctx, p, false) }

// Sync implements [Store].
func (d *directory) Sync(ctx context.Context, p string) error { return d.send(ctx, p, true) }

func (d *directory) send(ctx context.Context, p string, deletions bool) error {
	t, err := d.local.read(ctx, p)
	if err != nil {
		return err
	}
	return onlyOwn(d.sendTree(ctx, t, deletions))
}

func (d *directory) sendTree(ctx context.Context, t *tree, deletions bool) error {
	// Looked at each time, not only when a run begins: a disk can go away.
	if err := d.Check(ctx); err != nil {
		return err
	}
	there, err := d.list(ctx, t.path)
	if err != nil {
		return err
	}
	e := &directoryRun{directory: d, swept: map[string]bool{}}
	return d.carryOut(ctx, e, newPlan(t, there, true, deletions && t.isDir))
}

// Preview implements [Store].
func (d *directory) Preview(ctx context.Context, p string, deletions bool, show func(Change)) error {
	t, err := d.local.read(ctx, p)
	if err == nil {
		err = d.Check(ctx)
	}
	if err != nil {
		return err
	}
	there, err := d.list(ctx, t.path)
	if err != nil {
		return onlyOwn(err)
	}
	return onlyOwn(d.preview(ctx, &directoryRun{directory: d}, newPlan(t, there, true, deletions && t.isDir), show))
}

// list finds what the target holds at p and below it.
func (d *directory) list(ctx context.Context, p string) ([]object, error) {
	names := []string{d.abs(p)}
	if p == "" { // which may be a symbolic link
		var err error
		if names, err = (local{d.FS, d.target}).names(d.target); err != nil {
			return nil, err
		}
	} else if err := d.noLinks(p); err != nil {
		return nil, err
	}
	var there []object
	for _, name := range names {
		err := durable.Walk(d.FS, name, func(name string, info fs.FileInfo) error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			rel, err := filepath.Rel(d.target, name)
			if err != nil {
				return err
			}
			o := object{path: filepath.ToSlash(rel), kind: info.Mode().Type(), size: info.Size()}
			there = append(there, o)
			if fixed(o.path) && info.IsDir() {
				return fs.SkipDir
			}
			return nil
		})
		if errors.Is(err, fs.ErrNotExist) && name == d.abs(p) {
			return nil, nil // nothing was sent yet
		}
		if err != nil {
			return nil, err
		}
	}
	return there, nil
}

// noLinks makes sure that the way to p, in the target, leads through no
// symbolic link.
func (d *directory) noLinks(p string) error {
	for _, dir := range parents(p) {
		info, err := durable.Lstat(d.FS, d.abs(dir))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if info.Mode().Type() == fs.ModeSymlink {
			return fmt.Errorf("%s: is a symbolic link, which is not followed: put a directory in its place", d.abs(dir))
		}
	}
	return nil
}

// directoryRun is the engine of one Push or Sync.
type directoryRun struct {
	*directory
	swept map[string]bool
}

// put implements engine.
func (d *directoryRun) put(ctx context.Context, batch []put) ([]failure, error) {
	var failures []failure
	for _, one := range batch {
		err := d.putOne(ctx, one)
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		if err != nil {
			failures = append(failures, failure{one, err})
		}
	}
	return failures, nil
}

func (d *directoryRun) putOne(ctx context.Context, one put) error {
	dir := one.path
	if !one.info.IsDir() {
		dir = path.Dir(one.path)
		if dir == "." {
			dir = ""
		}
	}
	// What is in the way may be a file in the place of the directory.
	for i := len(one.inWay) - 1; i >= 0; i-- {
		if err := d.removeOne(one.inWay[i]); err != nil {
			return err
		}
	}
	if err := d.noLinks(join(dir, "x")); err != nil {
		return err
	}
	if _, err := durable.MkdirAll(d.FS, d.target, d.abs(dir)); err != nil {
		return err
	}
	if err := d.sweep(dir); err != nil {
		return err
	}
	if one.info.IsDir() {
		return nil
	}
	var replace func() error
	if one.there != nil && one.there.kind.IsRegular() {
		replace = func() error { return d.mayReplace(ctx, one.path) }
	}
	sent, err := copyFile(ctx, d.FS, d.local.abs(one.path), d.abs(one.path), replace)
	if sent && err == nil {
		d.say("sent %s", one.path)
	}
	return err
}

// differs tells whether a file would be sent.
func (d *directoryRun) differs(ctx context.Context, one *put) (bool, error) {
	if one.there == nil || !one.there.kind.IsRegular() {
		return true, nil
	}
	f, err := d.FS.Open(d.local.abs(one.path))
	if err != nil {
		return false, err
	}
	defer f.Close() //nolint:errcheck // only read
	equal, err := sameContent(ctx, d.FS, f, one.info.Size(), d.abs(one.path))
	return !equal, err
}

// sweep removes what an interrupted copy left in a directory of the target.
// There is one sender at a time, so nobody is writing it now. What that copy
// did finish may not be durable yet, and is not sent again: it is made so.
func (d *directoryRun) sweep(dir string) error {
	if d.swept[dir] {
		return nil
	}
	d.swept[dir] = true
	entries, err := afero.ReadDir(d.FS, d.abs(dir))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if durable.IsTemp(entry.Name()) && entry.Mode().IsRegular() {
			if err := durable.RemoveIfThere(d.FS, filepath.Join(d.abs(dir), entry.Name())); err != nil {
				return err
			}
		}
	}
	return durable.SyncDir(d.FS, d.abs(dir))
}

// remove implements engine. The deletions are durable before it returns, so
// that a marker that is deleted last is.
func (d *directoryRun) remove(ctx context.Context, objects []object) error {
	if len(objects) == 0 {
		return nil
	}
	if err := d.Check(ctx); err != nil { // sending may have taken hours
		return err
	}
	touched := map[string]bool{}
	for _, o := range objects {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := d.removeOne(o); err != nil {
			return err
		}
		delete(touched, o.path)
		touched[path.Dir(o.path)] = true
	}
	for _, dir := range slices.Sorted(maps.Keys(touched)) {
		if err := durable.SyncDir(d.FS, d.abs(dir)); err != nil {
			return err
		}
	}
	return nil
}

func (d *directoryRun) removeOne(o object) error {
	if err := d.noLinks(o.path); err != nil {
		return err
	}
	if err := durable.RemoveIfThere(d.FS, d.abs(o.path)); err != nil {
		return err
	}
	if !durable.IsTemp(path.Base(o.path)) {
		d.say("deleted %s", o.path)
	}
	return nil
}
