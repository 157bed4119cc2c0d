package offsite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/rdiff"
)

// The walk in the order of keys: that of the bytes of the keys that the files
// have off-site. It is not the order of a walk by names: "a-b" comes before
// "a/x", since "-" comes before "/". So that a listing and the walk can be
// laid side by side and neither need be held, a directory is met when its name
// with a slash would be, and a name counts as s3cmd writes it (see printable).

// step is what the ordered walk meets.
type step struct {
	kind stepKind
	key  string // where it stands in the order
	item        // of a file; the path also of all others
	dir  *frame // the directory that was entered
}

type stepKind int

const (
	atFile       stepKind = iota
	atOther               // a symbolic link or special file: nothing is sent, its copy stays
	atRepository          // an rdiff-backup repository: all of it; the key ends in a slash
	enterDir              // the key ends in a slash
	leaveDir              // the key is behind all that lie in it
)

// frame is a directory that the walk is in.
type frame struct {
	parent *frame
	path   string
	key    string // as the path, but printable
	names  []name // those to come, in order
	turns  []item // directories met whose turn, by the slash, is yet to come
	filled bool   // see empty.go
	kept   bool   // nothing of its copy is to be deleted
	keep   map[string]bool

	inWay   *clearing // an object that stands where this directory's must go
	blocked error     // why nothing can be sent into it
}

type name struct{ name, key string }

// ordered is a walk in the order of keys.
type ordered struct {
	local  local
	frames []*frame

	// fail hears of what could not be read. What is meant is left out.
	fail func(error)
}

// walkOrdered begins a walk of the directory at p. The frame of p itself is
// entered without a step.
func (l local) walkOrdered(p string, fail func(error)) (*ordered, error) {
	keep, err := l.setAside(p)
	if err != nil {
		return nil, l.vanished(err)
	}
	w := &ordered{local: l, fail: fail}
	f, err := w.open(p, printable(p))
	if err != nil {
		return nil, l.vanished(err)
	}
	f.kept = len(keep) > 0
	w.frames = []*frame{f}
	return w, nil
}

// top is the innermost directory that the walk is in.
func (w *ordered) top() *frame { return w.frames[len(w.frames)-1] }

// open lists a directory.
func (w *ordered) open(p, key string) (*frame, error) {
	dir, err := w.local.fsys.Open(w.local.abs(p))
	if err != nil {
		return nil, err
	}
	names, err := dir.Readdirnames(-1)
	if err = errors.Join(err, dir.Close()); err != nil {
		return nil, err
	}
	f := &frame{path: p, key: key, keep: map[string]bool{}}
	for _, base := range names {
		rel := join(p, base)
		if aside, ok := strings.CutPrefix(base, destination.AsidePrefix); ok {
			f.keep[printable(aside)] = true
		}
		if fills(rel) {
			f.filled = true
		}
		if !ours(rel) {
			f.names = append(f.names, name{base, printable(base)})
		}
	}
	slices.SortFunc(f.names, func(a, b name) int { return cmp.Or(strings.Compare(a.key, b.key), strings.Compare(a.name, b.name)) })
	for i := 1; i < len(f.names); i++ {
		if f.names[i].key == f.names[i-1].key {
			return nil, fmt.Errorf("%q and %q would have the same name off-site: rename one",
				join(p, f.names[i-1].name), join(p, f.names[i].name))
		}
	}
	return f, nil
}

// next gives the next step; ok is false at the end.
func (w *ordered) next(ctx context.Context) (s step, ok bool, err error) {
	for {
		if err := context.Cause(ctx); err != nil {
			return step{}, false, err
		}
		f := w.top()
		if n := len(f.turns); n > 0 && (len(f.names) == 0 || printable(path.Base(f.turns[n-1].path))+"/" < f.names[0].key) {
			it := f.turns[n-1]
			f.turns = f.turns[:n-1]
			if s, ok := w.enter(f, it); ok {
				return s, true, nil
			}
			continue
		}
		if len(f.names) == 0 {
			if len(w.frames) == 1 {
				return step{}, false, nil
			}
			w.frames = w.frames[:len(w.frames)-1]
			return step{kind: leaveDir, key: f.key + string('/'+1), item: item{path: f.path}}, true, nil
		}
		one := f.names[0]
		f.names = f.names[1:]
		p, key := join(f.path, one.name), join(f.key, one.key)
		info, err := durable.Lstat(w.local.fsys, w.local.abs(p))
		switch {
		case err != nil:
			w.unread(f, one.key, err)
		case info.IsDir():
			f.turns = append(f.turns, item{p, info})
		case info.Mode().IsRegular():
			return step{kind: atFile, key: key, item: item{p, info}}, true, nil
		default:
			f.keep[one.key] = true
			return step{kind: atOther, key: key, item: item{p, info}}, true, nil
		}
	}
}

// unread notes what could not be read. Nothing is deleted then, least of all
// its copy.
func (w *ordered) unread(f *frame, key string, err error) {
	f.keep[key] = true
	w.fail(w.local.vanished(err))
}

// enter goes into a directory, whose turn it is.
func (w *ordered) enter(f *frame, it item) (step, bool) {
	base := printable(path.Base(it.path))
	key := join(f.key, base)
	inner, err := w.open(it.path, key)
	if err != nil {
		w.unread(f, base, err)
		return step{}, false
	}
	if w.isRepository(inner) {
		return step{kind: atRepository, key: key + "/", item: it}, true
	}
	inner.parent = f
	inner.kept = f.kept || f.keep[base]
	inner.inWay, inner.blocked = f.inWay, f.blocked
	w.frames = append(w.frames, inner)
	return step{kind: enterDir, key: key + "/", item: it, dir: inner}, true
}

// isRepository tells whether a directory is an rdiff-backup repository, or the
// part of one that gives it its order.
func (w *ordered) isRepository(f *frame) bool {
	if path.Base(f.path) == rdiff.DataDir {
		return true
	}
	if !slices.ContainsFunc(f.names, func(n name) bool { return n.name == rdiff.DataDir }) {
		return false
	}
	info, err := durable.Lstat(w.local.fsys, w.local.abs(join(f.path, rdiff.DataDir)))
	return err == nil && info.IsDir()
}

// keeps tells whether the copy at a key, which the walk has found nothing
// under, is to stay.
func (f *frame) keeps(key string) bool {
	if f.kept {
		return true
	}
	rest := key
	if f.key != "" {
		rest = strings.TrimPrefix(key, f.key+"/")
	}
	first, _, _ := strings.Cut(rest, "/")
	return f.keep[first]
}

// isVanished tells whether something went away while it was looked at.
func isVanished(err error) bool { return errors.Is(err, fs.ErrNotExist) }
