package run

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/afero"

	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/lock"
	"btw-backup/internal/syncstate"
)

// Place is a destination that is locked and recovered, for a run to write to.
type Place struct {
	run   *Run
	Dst   string // as destination.Clean returns it
	Dir   string // where it lies
	owner *Owner

	held     *lock.Lock
	contents destination.Contents
	made     []string // directories that this run made for it, outermost first
	spools   int      // how many artifacts have had a directory
	doubt    bool     // a rename failed half-way, perhaps: nothing may be removed
}

// Open opens the destination dst, and makes it if it is missing. A
// destination that is open in this run already is returned as it is. What
// the run makes there is given to owner, if that is not nil.
func (r *Run) Open(ctx context.Context, dst string, owner *Owner) (*Place, error) {
	clean, err := destination.Clean(dst)
	if err != nil {
		return nil, Refused(err)
	}
	if p := r.places[clean]; p != nil {
		return p, p.give(owner)
	}
	if err := r.Prepare(ctx); err != nil {
		return nil, err
	}
	if clean, err = r.inside(r.general.RootPath, clean); err != nil {
		return nil, err
	}
	if p := r.places[clean]; p != nil {
		return p, p.give(owner)
	}
	// Two runs that each hold what the other one waits for would both wait in
	// vain. So nobody waits for a name that sorts before one he holds.
	wait := r.wait()
	for held := range r.places {
		if held > clean {
			wait = r.waiter(0)
		}
	}
	if err := r.away(clean); err != nil {
		return nil, err
	}
	if r.gone(clean) {
		if err := r.know(ctx, clean, false); err != nil {
			return nil, err
		}
	}
	for {
		made, err := durable.MkdirAll(r.FS, r.general.RootPath, r.path(clean))
		if errors.Is(err, syscall.ENOTDIR) {
			return nil, Refused(err)
		}
		if err != nil {
			return nil, err
		}
		p, err := r.take(ctx, clean, wait)
		if errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil && r.gone(clean) {
			continue // whoever held it had made it in vain, and removed it
		}
		if err != nil {
			return nil, err
		}
		p.made = made
		return p, p.give(owner)
	}
}

// give says who is to own what the run makes, if anybody in particular. A
// destination that is fresh, and the directories that were made for it, are
// given away at once. Whether this run made them does not matter: one that was
// killed before it got here may have.
func (p *Place) give(owner *Owner) error {
	if owner == nil {
		return nil
	}
	p.owner = owner
	fsys := p.run.FS
	if len(p.contents.Backups)+len(p.contents.Odd) > 0 || p.contents.HasLog {
		return nil
	}
	most := 0 // entries of a directory that has no other purpose
	for dir := p.Dir; dir != p.run.general.RootPath; dir = filepath.Dir(dir) {
		entries, err := afero.ReadDir(fsys, dir)
		if err != nil {
			return err
		}
		if len(entries) > most {
			return nil
		}
		if err := fsys.Lchown(dir, p.owner.UID, p.owner.GID); err != nil {
			return err
		}
		most = 1
	}
	return nil
}

// take locks and recovers a destination that is there.
func (r *Run) take(ctx context.Context, dst string, wait lock.Waiter) (_ *Place, err error) {
	p := &Place{run: r, Dst: dst, Dir: r.path(dst)}
	p.held, err = r.Locker.Dir(ctx, p.Dir, wait)
	if errors.Is(err, errors.ErrUnsupported) {
		// Some network file systems have no locks: a file of the config
		// directory stands in.
		p.held, err = r.lockFile(ctx, "dst-"+strings.ReplaceAll(dst, "/", "\\"), wait)
	}
	if err != nil {
		return nil, err
	}
	err = r.away(dst) // before anything is withdrawn because it is not there
	if err == nil {
		err = p.recover(ctx)
	}
	if err != nil {
		return nil, join(err, p.held.Release())
	}
	r.places[dst] = p
	return p, nil
}

// inside follows the symbolic links in a destination's name, and returns the
// name under which it really lies below root. One that lies elsewhere is
// refused. The off-site copy has no links: there a backup stands under its
// real name.
func (w *World) inside(root, dst string) (string, error) {
	top, err := durable.Resolve(w.FS, root)
	if err != nil {
		return "", err
	}
	dir, err := durable.Resolve(w.FS, filepath.Join(root, dst))
	if err != nil {
		return "", err
	}
	inside, err := durable.Within(w.FS, dir, top)
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(top, dir)
	if err != nil || !inside || !filepath.IsLocal(rel) {
		return "", Refuse("the dst argument %q leads out of ROOT_PATH by a symbolic link, to %s", dst, dir)
	}
	clean, err := destination.Clean(filepath.ToSlash(rel))
	return clean, Refused(err)
}

// close removes what the run left under temporary names, remembers that there
// are backups, and lets go of the destination.
func (p *Place) close(ctx context.Context) error {
	delete(p.run.places, p.Dst)
	var err error
	if len(p.contents.Backups) > 0 {
		err = p.run.know(context.WithoutCancel(ctx), p.Dst, true)
	}
	if !p.doubt {
		err = join(err, p.removeTemps())
	}
	// What was made in vain goes again; what holds something, stays.
	for _, dir := range slices.Backward(p.made) {
		if p.run.FS.Remove(dir) != nil {
			break
		}
	}
	return join(err, p.held.Release())
}

// rescan looks at the destination again, after a change.
func (p *Place) rescan() (err error) {
	p.contents, err = destination.Scan(p.run.FS, p.Dir, p.Dst)
	return err
}

// Latest returns the newest backup of a kind.
func (p *Place) Latest(kind destination.Kind) (destination.Backup, bool) {
	return p.contents.Newest(kind)
}

// longestWait is how long a run waits for the second that the newest backup
// bears to be over. A clock that is further behind was set back.
const longestWait = 5 * time.Second

// nextTime decides on the time that a new state bears: this second, if it is
// later than that of every other.
func (p *Place) nextTime(ctx context.Context) (time.Time, error) {
	clock := p.run.Clock
	now := clock.Now().UTC()
	first := p.contents.Latest().Add(time.Second)
	if !now.Before(first) {
		return now.Truncate(time.Second), nil
	}
	if wait := first.Sub(now); wait <= longestWait {
		return first, clock.Sleep(ctx, wait)
	}
	p.run.Log.Warn("the clock shows " + destination.Name(now) + ", but the newest backup in " + p.Dst +
		" is of " + destination.Name(first.Add(-time.Second)) + ": was it set back? Naming the new one " + destination.Name(first))
	return first, nil
}

// temp returns a temporary name in the destination. Each of the few purposes
// has one name; what an earlier run left there is gone by now.
func (p *Place) temp(purpose string) string {
	return filepath.Join(p.Dir, destination.TempPrefix+purpose)
}

// freshDir makes an empty temporary directory in the destination.
func (p *Place) freshDir(purpose string) (string, error) {
	dir := p.temp(purpose)
	if err := p.run.FS.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, p.run.FS.Mkdir(dir, durable.DirMode)
}

// register registers a path of this destination in the sync state.
func (p *Place) register(op syncstate.Op, name string) error {
	entry := syncstate.Entry{Op: op, Path: p.Dst + "/" + name}
	pending, err := p.run.state.Pending()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(pending, func(e syncstate.Entry) bool { return e.Path == entry.Path }) {
		p.run.fresh[entry.Path] = true
	}
	return p.run.state.Register(entry)
}
