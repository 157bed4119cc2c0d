package syncstate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
	"btw-backup/internal/lock"
)

// Config says where a journal is and what it stands on.
type Config struct {
	Path string           // of the file
	Now  func() time.Time // the time that lines bear
	Wait lock.Waiter      // for every lock on the file

	FS     durable.FS  // nil: the operating system's
	Locker lock.Locker // nil: the kernel's; takes its locks on Path

	// Warn hears, in one line, of what was found and does no harm. It may be nil.
	Warn func(message string)
}

// Journal is an open journal. Its methods may be called by several goroutines.
type Journal struct {
	cfg Config

	// ctx ends the waiting for a lock. It is the run's, as the journal is;
	// methods without it would have to be given it all over the program.
	ctx context.Context

	mu         sync.Mutex // one Group is one member: our goroutines need an order of their own
	group      lock.Group
	generation int // counts how often the journal may have been emptied since Open
}

// Ticket is a sending that has begun.
type Ticket struct {
	entry      Entry
	pluses     int
	generation int
}

// Open opens the journal, and makes it if it is missing; its directory must
// exist. Until Close the Python program is kept out.
//
// What a power cut left of a line is cut off, and Warn told. A line that is no
// event is an error, and nothing is changed.
func Open(ctx context.Context, cfg Config) (*Journal, error) {
	if cfg.FS == nil {
		cfg.FS = durable.OS{}
	}
	if cfg.Locker == nil {
		cfg.Locker = lock.OS{}
	}
	if cfg.Warn == nil {
		cfg.Warn = func(string) {}
	}
	if err := create(cfg.FS, cfg.Path); err != nil {
		return nil, err
	}
	group, err := cfg.Locker.Join(ctx, cfg.Path, cfg.Wait)
	if err != nil {
		return nil, err
	}
	j := &Journal{cfg: cfg, ctx: ctx, group: group}
	err = j.moment(func(_ afero.File, state State) error {
		j.tellOdd(state)
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

// create sees to it that the file is there, and that it is durable: its name,
// and what a run wrote that was killed before it could sync it.
func create(fsys durable.FS, path string) error {
	f, err := fsys.OpenFile(path, os.O_RDWR|os.O_CREATE, durable.FileMode)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() > 0 {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if info.Size() > 0 {
		return nil // whoever wrote to it has been here before
	}
	return durable.SyncDir(fsys, filepath.Dir(path))
}

func (j *Journal) tellOdd(state State) {
	if len(state.odd) == 0 {
		return
	}
	more := ""
	if n := len(state.odd) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	j.cfg.Warn(fmt.Sprintf("%s:%d: marks as done what was not pending%s; this does no harm",
		j.cfg.Path, state.odd[0], more))
}

// Close lets go of the journal; further calls of it do nothing.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.group.Leave()
}

// State returns what the journal says.
func (j *Journal) State() (State, error) {
	var state State
	err := j.moment(func(_ afero.File, s State) error {
		state = s
		return nil
	})
	return state, err
}

// Pending returns what is registered and not done, in the order of registration.
func (j *Journal) Pending() ([]Entry, error) {
	state, err := j.State()
	return state.Pending, err
}

// Register registers entries. When it returns without an error they are on
// the disk; with one, none is registered. To register again what is pending
// is not in vain: a sending that has begun will then not count as done.
func (j *Journal) Register(entries ...Entry) error {
	for _, e := range entries {
		if err := e.check(); err != nil {
			return err
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return j.moment(func(f afero.File, state State) error {
		return j.append(f, state.whole, false, entries...)
	})
}

// Begin says that the sending of e begins: what is read of the file from now
// on is what [Journal.Done] vouches for. e need not be pending.
func (j *Journal) Begin(e Entry) (Ticket, error) {
	var ticket Ticket
	err := j.moment(func(_ afero.File, state State) error {
		ticket = Ticket{entry: e, pluses: state.pluses(e), generation: j.generation}
		return nil
	})
	return ticket, err
}

// Done says that what t began is off-site now. It returns false when the entry
// was registered again in between: then it stays pending, and has to be sent
// once more.
func (j *Journal) Done(t Ticket) (done bool, err error) {
	err = j.moment(func(f afero.File, state State) error {
		switch _, pending := state.Since(t.entry); {
		case !pending:
			done = true
			return nil
		case t.generation != j.generation || t.pluses != state.pluses(t.entry):
			return nil
		}
		err := j.append(f, state.whole, true, t.entry)
		done = err == nil
		return err
	})
	return done, err
}

// Withdraw takes back the registrations of paths that are not there. A path is
// registered before it gets its final name; so only the holder of the lock of
// its destination can know that it will not be there in a moment.
func (j *Journal) Withdraw(entries ...Entry) error {
	return j.moment(func(f afero.File, state State) error {
		entries = slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool {
			_, pending := state.Since(e)
			return !pending
		})
		if len(entries) == 0 {
			return nil
		}
		return j.append(f, state.whole, true, entries...)
	})
}

// moment calls act with the journal as it is, whole, and kept from changing.
func (j *Journal) moment(act func(f afero.File, state State) error) (err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.momentLocked(act)
}

// momentLocked is moment for those who have j.mu.
func (j *Journal) momentLocked(act func(f afero.File, state State) error) (err error) {
	held, err := j.group.Moment(j.ctx, j.cfg.Wait)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Release()) }()

	// Opened by its name each time: the lock is on the file of that name.
	f, err := j.cfg.FS.OpenFile(j.cfg.Path, os.O_RDWR|os.O_APPEND, durable.FileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	state, err := parse(text, j.cfg.Path)
	if err != nil {
		return err
	}
	if len(state.torn) > 0 {
		if err := shorten(f, state.whole); err != nil {
			return err
		}
		j.cfg.Warn(fmt.Sprintf("%s: cut off an unfinished last line: %s",
			filepath.Base(j.cfg.Path), excerpt(string(state.torn))))
	}
	return act(f, state)
}

// append writes an event for each entry, in one write, at the end of f, which
// is at the offset size. An error leaves f as it was, if that can be had.
func (j *Journal) append(f afero.File, size int64, done bool, entries ...Entry) error {
	now := j.cfg.Now()
	var lines strings.Builder
	for _, e := range entries {
		lines.WriteString(event{time: now, done: done, entry: e}.line())
	}
	n, err := f.Write([]byte(lines.String()))
	if err == nil && n < lines.Len() {
		err = &fs.PathError{Op: "write", Path: j.cfg.Path, Err: io.ErrShortWrite}
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		return nil
	}
	// Should this fail too, the rest is an unfinished line to the next reader,
	// or registers what nobody has made, which recovery withdraws.
	return errors.Join(err, shorten(f, size))
}

// shorten cuts f to size, durably.
func shorten(f afero.File, size int64) error {
	if err := f.Truncate(size); err != nil {
		return err
	}
	return f.Sync()
}
