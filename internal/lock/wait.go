package lock

import (
	"context"
	"fmt"
	"time"
)

// Waiter says how to wait for a lock. The zero Waiter does not wait: a lock
// that is not free at once is a [BusyError].
type Waiter struct {
	// Limit is how long to wait at most.
	Limit time.Duration

	// Notice is the time after which OnWait is called, once; 0 means 3 s.
	Notice time.Duration

	// OnWait hears that something takes long: what is waited for, and who
	// holds it. It may be nil.
	OnWait func(what, holder string)
}

const (
	defaultNotice = 3 * time.Second

	// The first lock to become free is often free at once, the last one
	// after an hour: ask often at first, and seldom later.
	shortestPause = 2 * time.Millisecond
	longestPause  = 200 * time.Millisecond
)

// BusyError says that another run holds what this one needs, and that the
// wait for it ran out.
type BusyError struct {
	What   string        // the path
	Holder string        // a description, such as "process 4711 (btw-backup fs /etc etc)"
	Waited time.Duration // 0: there was no wait
}

func (e *BusyError) Error() string {
	if e.Waited == 0 {
		return fmt.Sprintf("%s is in use by %s", e.What, e.Holder)
	}
	return fmt.Sprintf("%s is in use by %s; waited %s", e.What, e.Holder, e.Waited)
}

// until calls try until it succeeds or fails. It tries at least once, whatever
// ctx says: a run that is being stopped may still take what is free, to leave
// things in order.
func (w Waiter) until(ctx context.Context, what string, holder func() string, try func() (bool, error)) error {
	notice := w.Notice
	if notice == 0 {
		notice = defaultNotice
	}
	begin := time.Now()
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		got, err := try()
		if err != nil || got {
			return err
		}
		waited := time.Since(begin)
		if waited >= w.Limit {
			return &BusyError{What: what, Holder: holder(), Waited: w.Limit}
		}
		if w.OnWait != nil && waited >= notice {
			w.OnWait(what, holder())
			w.OnWait = nil
		}
		timer := time.NewTimer(min(pause, w.Limit-waited))
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%s: waiting for the lock: %w", what, context.Cause(ctx))
		case <-timer.C:
		}
	}
}
