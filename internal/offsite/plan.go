package offsite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sort"
	"strings"
)

// object is something that is off-site.
type object struct {
	path string      // as an item's
	kind fs.FileMode // its type bits: 0 for a file
	size int64
	md5  string // empty where the store does not tell
}

// put is one thing to send.
type put struct {
	item
	there *object  // what is off-site under that name, where it is known
	inWay []object // what must be deleted first, each directory before what it holds
	repo  string   // the repository that it belongs to; empty is none

	blocked error // why it cannot be sent
}

// plan is what is to be done, in order.
type plan struct {
	puts    [phases][]put
	deletes [2][]object // the second only when the first are gone
	empty   []string    // directories in whose copies nothing is deleted; see empty.go
	path    string      // what it is of
	listed  int64       // how many files are off-site
}

// deletions tells how many files are to be deleted.
func (p *plan) deletions() (n int64) {
	for _, objects := range p.deletes {
		for _, o := range objects {
			if !o.kind.IsDir() {
				n++
			}
		}
	}
	return n
}

// failure is a thing that could not be sent, while others could.
type failure struct {
	put put
	err error
}

// engine carries a plan out.
type engine interface {
	// put sends a batch: what comes first is sent first. It may pass over what
	// is off-site already. The error is one after which nothing more can be
	// sent; a failure concerns one thing.
	put(ctx context.Context, batch []put) ([]failure, error)

	// remove deletes objects, in this order.
	remove(ctx context.Context, objects []object) error
}

// newPlan compares what is here with what is there; there may be left out
// (nil) by who wants to send all of it without asking. Directories are
// planned for where the store has such things.
func newPlan(t *tree, there []object, directories, deletions bool) *plan {
	slices.SortFunc(there, func(a, b object) int { return strings.Compare(a.path, b.path) })
	byPath := make(map[string]*object, len(there))
	for i := range there {
		byPath[there[i].path] = &there[i]
	}
	p := &plan{path: t.path}
	for _, o := range there {
		if !o.kind.IsDir() {
			p.listed++
		}
	}
	wanted, gone := map[string]bool{}, map[string]bool{}
	for _, it := range t.items {
		if it.info.IsDir() && !directories {
			continue
		}
		wanted[it.path] = true
		one := put{item: it, there: byPath[it.path]}
		if repo, ok := repoOf(t.repos, it.path); ok {
			one.repo = repo + "/" // so that ROOT_PATH's is not the empty string
		}
		for _, o := range obstacles(it, there, byPath) {
			if t.kept(o.path) || fixed(o.path) {
				one.blocked = fmt.Errorf("%s: in its way off-site is %s, which is not deleted, since something was set aside here", it.path, o.path)
			}
		}
		if one.blocked == nil {
			for _, o := range obstacles(it, there, byPath) {
				if !gone[o.path] {
					gone[o.path] = true
					one.inWay = append(one.inWay, o)
				}
			}
		}
		phase := phaseOf(t.repos, it.path)
		p.puts[phase] = append(p.puts[phase], one)
	}
	if !deletions {
		return p
	}
	empty, spared := t.emptied(there, wanted)
	p.empty = empty
	stays := map[string]bool{}                 // directories that hold something that stays
	for _, o := range slices.Backward(there) { // what a directory holds comes before it
		switch {
		case gone[o.path] || wanted[o.path] || stays[o.path]:
		case t.kept(o.path) || fixed(o.path) || spared(o):
			for _, dir := range parents(o.path) {
				stays[dir] = true
			}
		default:
			last := 0
			if _, ok := repoOf(t.repos, o.path); ok && isMarker(o.path) {
				last = 1
			}
			p.deletes[last] = append(p.deletes[last], o)
		}
	}
	return p
}

// obstacles finds what must go before it can be sent: a file where one of its
// directories must be; what has its name and is of the wrong kind; and, when
// it is a file, what lies below its name.
func obstacles(it item, there []object, byPath map[string]*object) []object {
	var found []object
	for _, dir := range append(parents(it.path), it.path) {
		o := byPath[dir]
		if o == nil || o.kind == fs.ModeSymlink { // see the engine: nothing is sent through one
			continue
		}
		if mustBeDir := dir != it.path || it.info.IsDir(); o.kind.IsDir() != mustBeDir {
			found = append(found, *o)
		}
	}
	if it.info.IsDir() {
		return found
	}
	from := sort.Search(len(there), func(i int) bool { return there[i].path > it.path+"/" })
	for _, o := range there[from:] {
		if !below(o.path, it.path) {
			break
		}
		found = append(found, o)
	}
	return found
}

// carryOut does what the plan says: uploads, phase by phase, then deletions.
//
// One thing that fails does not keep the others from being sent, except for
// the later phases of its own repository; but then nothing is deleted. A
// store that is full is therefore not made room in: the copy that would be
// deleted may be the last one of what could not be sent anew.
//
// That a directory is empty, and should perhaps not be, is known to concern
// that directory alone: the others are made equal, deletions included.
func (b *base) carryOut(ctx context.Context, e engine, p *plan) error {
	var failures []failure
	failed := map[string]bool{}
	for _, puts := range p.puts {
		var batch []put
		for _, one := range puts {
			switch {
			case one.repo != "" && failed[one.repo]:
			case one.blocked != nil:
				failures = append(failures, failure{one, one.blocked})
			default:
				batch = append(batch, one)
			}
		}
		more, err := e.put(ctx, batch)
		if err != nil {
			return err
		}
		failures = append(failures, more...)
		for _, f := range failures {
			failed[f.put.repo] = true
		}
	}
	errs := b.local.emptyErrors(p.empty)
	if len(failures) > 0 {
		for _, f := range failures {
			errs = append(errs, f.err)
		}
		return together(errs)
	}
	if err := b.tooMany(p.path, p.deletions(), p.listed); err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, objects := range p.deletes {
		var sure []object
		for _, o := range objects {
			gone, err := b.local.gone(o.path)
			if err != nil {
				return err
			}
			if gone {
				sure = append(sure, o)
			}
		}
		if err := e.remove(ctx, sure); err != nil {
			return err
		}
	}
	if len(errs) > 0 {
		return &EmptyError{together(errs)}
	}
	return nil
}

// together makes one error of many, and names only the first: when a disk is
// full there are as many as files.
func together(errs []error) error {
	const most = 5
	if more := len(errs) - most; more > 0 {
		errs = append(errs[:most], fmt.Errorf("and %d more", more))
	}
	return errors.Join(errs...)
}

// onlyOwn sees to what [Store] promises: that an error wraps fs.ErrNotExist
// only when the local path is not there.
func onlyOwn(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New(err.Error())
	}
	return err
}
