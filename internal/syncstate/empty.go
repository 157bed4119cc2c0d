package syncstate

import (
	"context"
	"errors"

	"github.com/spf13/afero"

	"btw-backup/internal/lock"
)

// ErrPending is returned by [Journal.Reset] while there is something pending.
var ErrPending = errors.New("cannot reset: some files must be synced or pushed")

// Reset empties the journal, or returns [ErrPending] and changes nothing. It
// waits for the other runs that have the journal open: a [lock.BusyError] says
// that one of them stayed.
func (j *Journal) Reset() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	// Asked before the wait too: what is pending now is a reason to refuse now.
	if err := j.momentLocked(refusePending); err != nil {
		return err
	}
	// The journal may be emptied by somebody else while we are out of the
	// group to wait: no ticket outlives that.
	j.generation++
	if err := j.group.Alone(j.ctx, j.cfg.Wait); err != nil {
		return err
	}
	return errors.Join(j.momentLocked(func(f afero.File, state State) error {
		if err := refusePending(f, state); err != nil {
			return err
		}
		return shorten(f, 0)
	}), j.group.Together())
}

func refusePending(_ afero.File, state State) error {
	if len(state.Pending) > 0 {
		return ErrPending
	}
	return nil
}

// Compact empties the journal if nothing is pending and if it is larger than
// maxSize, names a path that is gone, or has a line that was worth a warning.
// It does not wait: with another run about, it leaves the journal to a later
// one. gone may be nil; whether a path is gone is asked once for each.
func (j *Journal) Compact(maxSize int64, gone func(path string) bool) (emptied bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var before State
	err = j.momentLocked(func(_ afero.File, state State) error {
		before = state
		return nil
	})
	// To look at all the paths may take its time: not while others wait.
	if err != nil || !before.worthEmptying(maxSize, gone) {
		return false, err
	}
	err = j.group.Alone(j.ctx, lock.Waiter{})
	var busy *lock.BusyError
	if errors.As(err, &busy) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	j.generation++
	err = errors.Join(j.momentLocked(func(f afero.File, now State) error {
		emptied = len(now.Pending) == 0
		if !emptied {
			return nil
		}
		return shorten(f, 0)
	}), j.group.Together())
	return emptied && err == nil, err
}

// worthEmptying tells whether the journal can be emptied, and should be.
func (s State) worthEmptying(maxSize int64, gone func(path string) bool) bool {
	if len(s.Pending) > 0 || s.whole == 0 {
		return false
	}
	return s.whole > maxSize || len(s.odd) > 0 || s.namesGone(gone)
}

// namesGone tells whether an event names a path that is gone.
func (s State) namesGone(gone func(path string) bool) bool {
	if gone == nil {
		return false
	}
	asked := map[string]bool{}
	for e := range s.entries {
		if asked[e.Path] {
			continue
		}
		asked[e.Path] = true
		if gone(e.Path) {
			return true
		}
	}
	return false
}

// Reset opens the journal of cfg, empties it and closes it: see [Journal.Reset].
func Reset(ctx context.Context, cfg Config) error {
	j, err := Open(ctx, cfg)
	if err != nil {
		return err
	}
	return errors.Join(j.Reset(), j.Close())
}
