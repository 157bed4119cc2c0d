package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"btw-backup/internal/durable"
	"btw-backup/internal/lock"
	"btw-backup/internal/offsite"
	"btw-backup/internal/rdiff"
	"btw-backup/internal/settings"
	"btw-backup/internal/syncstate"
)

// Run is one execution of a recipe. It is not for several goroutines.
type Run struct {
	World

	general *settings.General // nil until Prepare
	state   *syncstate.Journal
	store   offsite.Store
	rdiff   *rdiff.Program

	places  map[string]*Place // by destination
	doubt   bool              // the disk failed in the moment of a renaming
	kept    []string          // the paths of the backups that were made
	sent    int               // how many entries were sent
	failed  []failure         // what could not be sent
	refused []error           // what was not deleted off-site, and why
	tried   map[syncstate.Entry]bool
	spent   map[string]bool   // spools that became backups
	newest  map[string]string // by a backup's path: the record that this run made for it
	fresh   map[string]bool   // paths that were not pending before this run registered them
	down    error             // why the store cannot be used any more in this run
	sources map[string]string // by destination: whose settings say how it is backed up
	begun   []string          // the destinations to which it is to make a backup
	sending string            // what is being sent, for a person

	allowDeletions bool // most of what is off-site may be deleted
	previewed      bool // nothing is sent, only shown
}

type failure struct {
	entry syncstate.Entry
	err   error
}

// New begins a run. Nothing is read or locked yet.
func New(w World) *Run {
	return &Run{
		World:  w,
		rdiff:  &rdiff.Program{Exec: w.Exec},
		places: map[string]*Place{},
		tried:  map[syncstate.Entry]bool{},
		newest: map[string]string{},
		spent:  map[string]bool{},
		fresh:  map[string]bool{},

		sources: map[string]string{},
	}
}

// Kept returns the paths of the backups that this run made. They are there and
// registered, whatever went wrong since.
func (r *Run) Kept() []string { return r.kept }

// Doubt tells whether the disk failed in the moment in which a backup got its
// name, so that only the next run can tell whether it was kept.
func (r *Run) Doubt() bool { return r.doubt }

// Names in the config directory.
const (
	stateName = "sync_state"
	lockDir   = "locks"
)

// StatePath is where the sync state of a config directory lies.
func StatePath(configDir string) string { return filepath.Join(configDir, stateName) }

// CheckState refuses a sync state that is no file: to open a pipe would take
// for ever.
func (w *World) CheckState() error {
	path := StatePath(w.Config.Path)
	info, err := w.FS.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return Refuse("%s is not a file", path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// StateConfig is how the sync state is opened, with how long to wait for it.
func (w *World) StateConfig(limit time.Duration) syncstate.Config {
	return syncstate.Config{
		Path: StatePath(w.Config.Path),
		Now:  w.Clock.Now, FS: w.FS, Locker: w.Locker,
		Wait: w.waiter(limit), Warn: w.Log.Warn,
	}
}

// General returns the general configuration, with what the command line says
// instead of it.
func (w *World) General() (settings.General, error) {
	general, err := w.Config.General()
	if w.LockTimeout != nil {
		general.LockTimeout = *w.LockTimeout
	}
	return general, Refused(err)
}

// Root returns ROOT_PATH, after looking that it is a directory.
func (w *World) Root() (string, error) {
	general, err := w.General()
	if err != nil {
		return "", err
	}
	return general.RootPath, w.checkRoot(general.RootPath)
}

func (w *World) checkRoot(root string) error {
	info, err := w.FS.Stat(root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Refuse("ROOT_PATH %s does not exist: is it mounted? btw-backup does not make it", root)
	case err != nil:
		return err
	case !info.IsDir():
		return Refuse("ROOT_PATH %s is not a directory", root)
	}
	return nil
}

// Prepare does what must be done before the first destination is opened:
// settings, the sync state, and the guards of ROOT_PATH. Further calls do
// nothing.
func (r *Run) Prepare(ctx context.Context) error {
	if r.general != nil {
		return nil
	}
	general, err := r.General()
	if err != nil {
		return err
	}
	if err := r.Config.NeedOffsite(general); err != nil {
		return Refused(err)
	}
	if err := r.checkRoot(general.RootPath); err != nil {
		return err
	}
	if err := r.CheckState(); err != nil {
		return err
	}
	// Everything below goes by the real name: a link is no directory.
	if general.RootPath, err = durable.Resolve(r.FS, general.RootPath); err != nil {
		return err
	}
	r.store, err = offsite.New(offsite.Config{
		FS: r.FS, Exec: r.Exec, Root: general.RootPath, URI: general.S3Prefix,
		S3cmdConfig: general.S3cmdConfig, ConfigDir: r.Config.Path, Verify: r.verify,
		Engine: general.S3Engine, S3NoSSE: general.S3NoSSE, S3Workers: general.S3Workers, S3Timeout: general.S3Timeout,
		Clock: r.Clock, Getenv: r.Getenv, Warn: r.Log.Warn, Verbose: r.Verbose,
		AllowDeletions: func() bool { return r.allowDeletions },
		Progress:       func(p offsite.Progress) { r.Log.Transfer(r.sending, p) },
	})
	if err != nil {
		return Refused(err)
	}
	if err := r.Config.Guard(r.Config.Path); err != nil {
		return Refused(err)
	}
	state, err := syncstate.Open(ctx, r.StateConfig(general.LockTimeout))
	if err != nil {
		return Refused(err)
	}
	if err := r.guardRoot(ctx, general, state); err != nil {
		return errors.Join(err, state.Close())
	}
	r.general, r.state = &general, state
	return nil
}

// wait is how a run waits for what it needs.
func (r *Run) wait() lock.Waiter { return r.waiter(r.general.LockTimeout) }

// lockFile takes a lock that has a file of its own in the config directory.
func (w *World) lockFile(ctx context.Context, name string, wait lock.Waiter) (*lock.Lock, error) {
	dir := filepath.Join(w.Config.Path, lockDir)
	if _, err := durable.MkdirAll(w.FS, w.Config.Path, dir); err != nil {
		return nil, err
	}
	return w.Locker.File(ctx, filepath.Join(dir, name), wait)
}

// path returns where a path of the sync state lies.
func (r *Run) path(statePath string) string {
	return filepath.Join(r.general.RootPath, filepath.FromSlash(statePath))
}

// Finish ends the run: it sends what is pending, if the run came to where
// that makes sense, lets go of everything, and remembers what became of the
// backups that it was to make. It returns runErr, or what is wrong with the
// ending.
func (r *Run) Finish(ctx context.Context, runErr error) error {
	err := r.finish(ctx, runErr)
	r.ended(ctx, err)
	return err
}

func (r *Run) finish(ctx context.Context, runErr error) error {
	if r.general == nil {
		return runErr
	}
	// What is due is sent even if the recipe failed: an old backup that waits
	// for its copy has not become less dear.
	if r.previewed {
		// Whoever asks what would be done does not want it done.
	} else if runErr == nil || ctx.Err() == nil && (len(r.kept) > 0 || !errors.As(runErr, new(*Refusal))) {
		if err := r.SendPending(ctx, false); runErr == nil {
			runErr = err
		}
	}
	for _, p := range r.places {
		r.doubt = r.doubt || p.doubt
		runErr = join(runErr, p.close(ctx))
	}
	if runErr == nil && len(r.refused) > 0 {
		runErr = Refused(errors.Join(r.refused...))
	}
	if runErr == nil {
		runErr = r.pendingError()
	}
	if runErr == nil {
		if r.sent > 0 {
			r.Log.Info("off-site: " + r.store.String() + " is up to date")
		}
		_, runErr = r.state.Compact(largeState, r.gone)
	}
	return join(runErr, r.state.Close())
}

// join is errors.Join that leaves a lone error as it is.
func join(a, b error) error {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return errors.Join(a, b)
}

// largeState is the size in bytes from which on the sync state is emptied when
// nothing is pending: some ten thousand lines.
const largeState = 1 << 20

// gone tells whether a path that the sync state names is surely not there.
func (r *Run) gone(statePath string) bool {
	there, err := durable.Exists(r.FS, r.path(statePath))
	return err == nil && !there
}

// A Refusal is a no from before anything was done. It says all there is to
// say.
type Refusal struct{ err error }

func (e *Refusal) Error() string { return e.err.Error() }

// Unwrap returns what was refused for.
func (e *Refusal) Unwrap() error { return e.err }

// Refuse makes a [Refusal] of a message.
func Refuse(format string, args ...any) error {
	return &Refusal{fmt.Errorf(format, args...)}
}

// Refused makes a [Refusal] of an error. A nil error stays one.
func Refused(err error) error {
	if err == nil {
		return nil
	}
	return &Refusal{err}
}

// PendingError says that something that is due off-site stays pending.
type PendingError struct {
	Count int
	Why   []error // one for each thing that could not be sent; may be fewer
}

func (e *PendingError) Error() string {
	things := "1 path stays"
	if e.Count != 1 {
		things = fmt.Sprintf("%d paths stay", e.Count)
	}
	state := "the local backup is safe, but not off-site: "
	var why strings.Builder
	seen := map[string]bool{}
	for _, err := range e.Why {
		if errors.As(err, new(*rottenError)) {
			state = "not all is off-site: "
		}
		if text := err.Error(); !seen[text] {
			seen[text] = true
			why.WriteString("; " + text)
		}
	}
	return state + things + " pending" + why.String() + "; when that is mended: btw-backup sync"
}
