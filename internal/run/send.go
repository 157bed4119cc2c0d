package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/afero"

	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/lock"
	"btw-backup/internal/offsite"
	"btw-backup/internal/syncstate"
)

// Send sends what is at a path of the sync state: it registers the path, if
// that has not been done, and works it off. A failure to send is no error: the
// path stays pending, and the run says so when it ends. sent tells which it was.
func (r *Run) Send(ctx context.Context, op syncstate.Op, statePath string) (sent bool, err error) {
	if err := r.Prepare(ctx); err != nil {
		return false, err
	}
	entry := syncstate.Entry{Op: op, Path: statePath}
	if err := r.checkPath(statePath); err != nil {
		return false, err
	}
	pending, err := r.state.Pending()
	if err != nil {
		return false, err
	}
	if !slices.Contains(pending, entry) {
		if err := r.state.Register(entry); err != nil {
			return false, err
		}
		pending = append(pending, entry)
	}
	// Who holds a destination must not wait for another one: its holder may
	// be waiting for ours.
	wait := r.waiter(0)
	if len(r.places) == 0 {
		wait = r.wait()
	}
	sent = true
	for _, e := range pending {
		if e.Path != statePath {
			continue
		}
		if err := r.attempt(ctx, e, wait); err != nil {
			return false, err
		}
		sent = sent && !r.isPending(e)
	}
	return sent, nil
}

// checkPath refuses a path that is not there, or not below ROOT_PATH.
func (r *Run) checkPath(statePath string) error {
	if !validPath(statePath) {
		return Refuse("%q is no path below ROOT_PATH", statePath)
	}
	there, err := durable.Exists(r.FS, r.path(statePath))
	if err == nil && !there {
		err = Refuse("%q: there is nothing of that name in ROOT_PATH", statePath)
	}
	return err
}

// validPath tells whether a path in the sync state is one below ROOT_PATH, or
// all of it.
func validPath(statePath string) bool {
	local := strings.TrimSuffix(statePath, "/")
	return statePath == "" || filepath.IsLocal(local) && path.Clean(local) == local && local != "."
}

// RegisterAll registers all of ROOT_PATH.
func (r *Run) RegisterAll(ctx context.Context) error {
	if err := r.Prepare(ctx); err != nil {
		return err
	}
	return r.state.Register(syncstate.Entry{Op: syncstate.Sync})
}

// SendPending works off what is pending and has not been tried in this run.
// Where another run holds a destination, its work is waited for if wait is
// set, after all else has been sent; otherwise it is left to that run.
func (r *Run) SendPending(ctx context.Context, wait bool) error {
	if err := r.Prepare(ctx); err != nil {
		return err
	}
	waiters := []lock.Waiter{r.waiter(0)}
	if wait {
		waiters = append(waiters, r.wait())
	}
	for _, waiter := range waiters {
		pending, err := r.state.Pending()
		if err != nil {
			return err
		}
		for _, entry := range pending {
			if r.tried[entry] {
				continue
			}
			if err := r.attempt(ctx, entry, waiter); err != nil {
				return err
			}
		}
	}
	return nil
}

// attempt sends an entry with the locks of the destinations that it lies in.
// Only what ends the run is an error.
func (r *Run) attempt(ctx context.Context, entry syncstate.Entry, wait lock.Waiter) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if !validPath(entry.Path) {
		r.notSent(entry, fmt.Errorf("%q is no path below ROOT_PATH: remove the lines that name it from %s",
			entry.Path, StatePath(r.Config.Path)))
		return nil
	}
	if !r.isPending(entry) {
		return nil // withdrawn meanwhile, with others of its destination
	}
	err := r.sendLocked(ctx, entry, wait)
	var busy *lock.BusyError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &busy) && wait.Limit == 0:
		return nil // left to the one who is at work there
	case errors.As(err, &busy):
		return err
	}
	// Trouble in one destination is no reason to leave the others.
	r.notSent(entry, err)
	return nil
}

// notSent notes a failure.
func (r *Run) notSent(entry syncstate.Entry, err error) {
	r.tried[entry] = true
	r.failed = append(r.failed, failure{entry, err})
}

// sendLocked takes the locks and sends. A BusyError says that one of them is
// held; nothing was sent then.
func (r *Run) sendLocked(ctx context.Context, entry syncstate.Entry, wait lock.Waiter) (err error) {
	dsts, err := r.destinationsOf(entry)
	if err != nil {
		return err
	}
	var opened []*Place
	defer func() {
		for _, p := range opened {
			err = join(err, p.close(ctx))
		}
	}()
	for _, dst := range dsts {
		if r.places[dst] != nil {
			continue
		}
		p, err := r.take(ctx, dst, wait)
		if err != nil {
			return err
		}
		opened = append(opened, p)
	}
	// Recovery may have withdrawn it, or somebody else sent it while we waited.
	if !r.isPending(entry) {
		return nil
	}
	return r.sendHeld(ctx, entry)
}

// destinationsOf lists the destinations whose contents an entry covers, in
// the order in which their locks are to be taken.
func (r *Run) destinationsOf(entry syncstate.Entry) ([]string, error) {
	if dst := destination.Of(entry.Path); dst != "" && destination.IsPart(entry.Path) {
		there, err := durable.Exists(r.FS, r.path(dst))
		if err != nil || !there {
			return nil, err
		}
		return []string{dst}, nil
	}
	top := r.path(entry.Path)
	info, err := r.FS.Stat(top)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return nil, nil // it is gone, or a file in no destination: the marker
	}
	if err != nil {
		return nil, err
	}
	var dsts []string
	err = durable.Walk(r.FS, top, func(name string, info fs.FileInfo) error {
		if !info.IsDir() {
			return nil
		}
		if name != top && !destination.MayBe(filepath.Base(name)) {
			return fs.SkipDir
		}
		rel, err := filepath.Rel(r.general.RootPath, name)
		if err != nil {
			return err
		}
		if isDestination, err := r.isDestination(name); err != nil || !isDestination {
			return err
		}
		dsts = append(dsts, filepath.ToSlash(rel))
		return nil
	})
	slices.Sort(dsts)
	return dsts, err
}

// isDestination tells whether a directory holds backups, or what a run leaves.
func (r *Run) isDestination(dir string) (bool, error) {
	if dir == r.general.RootPath {
		return false, nil
	}
	entries, err := afero.ReadDir(r.FS, dir)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(entries, func(entry fs.FileInfo) bool {
		_, _, isBackup := destination.ParseName(entry.Name())
		return isBackup || entry.Name() == destination.LogName || strings.HasPrefix(entry.Name(), destination.HiddenPrefix)
	}), nil
}

// sendHeld sends one entry, whose destinations are locked, and notes a failure.
// The lock of the one who sends is held for the one entry only: whoever has it
// must not wait for a destination, whose holder may be waiting for it.
func (r *Run) sendHeld(ctx context.Context, entry syncstate.Entry) error {
	if r.down == nil {
		held, err := r.lockFile(ctx, "offsite", r.wait())
		switch {
		case errors.As(err, new(*lock.BusyError)):
			r.down = fmt.Errorf("another run is sending: %w", err)
		case err != nil:
			return err
		default:
			defer held.Release() //nolint:errcheck // the kernel releases what we cannot
		}
	}
	ticket, err := r.state.Begin(entry)
	if err != nil {
		return err
	}
	r.sending = "sending " + shown(entry.Path)
	r.Log.Progress(r.sending, -1)
	err = r.transfer(ctx, entry)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, fs.ErrNotExist):
		return r.vanished(entry)
	case errors.As(err, new(*offsite.EmptyError)):
		// Withdrawn, not left pending: the next run, at night, must not do what
		// this one refused to, only because the directory is no longer empty.
		r.tried[entry] = true
		r.refused = append(r.refused, err)
		return r.state.Withdraw(entry)
	case errors.As(err, new(*offsite.DeletionsError)):
		// It stays pending, so that "sync --allow-deletions" finds it; until
		// then it is refused again and again.
		r.tried[entry] = true
		r.refused = append(r.refused, err)
		return nil
	case err != nil:
		r.notSent(entry, err)
		return nil
	}
	r.tried[entry] = true
	r.sent++
	_, err = r.state.Done(ticket)
	return err
}

// shown is how a path of the sync state is named to a person.
func shown(statePath string) string {
	if statePath == "" {
		return "ROOT_PATH"
	}
	return statePath
}

// transfer has the store carry out an entry. A backup takes its record along:
// that has no registration of its own, which older programs would not expect.
func (r *Run) transfer(ctx context.Context, entry syncstate.Entry) error {
	// To find out anew for each path that a server is gone can take a minute
	// for each.
	if r.down != nil {
		return r.down
	}
	err := r.store.Check(ctx)
	if err == nil && entry.Op == syncstate.Sync {
		err = r.store.Sync(ctx, entry.Path)
	} else if err == nil {
		err = r.store.Push(ctx, entry.Path)
	}
	if err == nil {
		err = r.transferRecord(ctx, entry.Path)
	}
	if errors.As(err, new(*offsite.UnavailableError)) {
		r.down = err
	}
	return err
}

// transferRecord sends the record of the state that this run added to a
// backup, and the list of digests in which its files stand. If there is older
// work in the entry, records of several states may be missing off-site, and all
// of them are pushed.
func (r *Run) transferRecord(ctx context.Context, statePath string) error {
	dst := destination.Of(statePath)
	_, _, isBackup := destination.ParseName(path.Base(statePath))
	newest := r.newest[statePath]
	switch {
	case !isBackup:
		return nil
	case r.fresh[statePath] && newest != "":
		err := r.store.Push(ctx, dst+"/"+newest)
		if err != nil {
			return err
		}
	default:
		err := r.store.Push(ctx, dst+"/"+destination.RecordDir+"/")
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // one that the Python program made has none
			return err
		}
	}
	if err := r.store.Push(ctx, dst+"/"+destination.DigestsName); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// vanished withdraws what is no longer there, if we hold the destination that
// it was in, or that is no longer there either.
func (r *Run) vanished(entry syncstate.Entry) error {
	dst := destination.Of(entry.Path)
	if !r.gone(entry.Path) || r.places[dst] == nil && dst != "" && !r.gone(dst) {
		r.notSent(entry, fmt.Errorf("%s: went away while it was read", entry.Path))
		return nil
	}
	if dst != "" {
		if err := r.away(dst); err != nil {
			r.notSent(entry, err)
			return nil
		}
	}
	r.Log.Info(entry.Path + " was registered and is not there: withdrawn")
	return r.state.Withdraw(entry)
}

func (r *Run) isPending(entry syncstate.Entry) bool {
	pending, err := r.state.Pending()
	return err != nil || slices.Contains(pending, entry)
}

// pendingError says what stays pending although this run should have sent
// it. What another run holds is its holder's to send.
func (r *Run) pendingError() error {
	pending, err := r.state.Pending()
	if err != nil {
		return err
	}
	e := &PendingError{}
	for _, entry := range pending {
		if r.tried[entry] {
			e.Count++
		}
	}
	for _, f := range r.failed {
		if slices.Contains(pending, f.entry) {
			e.Why = append(e.Why, f.err)
		}
	}
	if e.Count == 0 {
		return nil
	}
	return e
}
