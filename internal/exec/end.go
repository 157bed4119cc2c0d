package exec

import (
	"context"
	"errors"
	"os"
	osexec "os/exec"
	"sync"
	"syscall"
	"time"
)

// wait waits for a program to end, by itself or because it hangs or ctx ended.
// gone is false when it did not even when it was killed.
func (o OS) wait(ctx context.Context, c *osexec.Cmd, end *ending) (gone bool, err error) {
	ended, over, hangs := make(chan struct{}), make(chan struct{}), make(chan struct{})
	defer close(over)
	var waited error
	go func() {
		waited = c.Wait()
		close(ended)
	}()
	if o.Stall > 0 {
		ticker := time.NewTicker(max(o.Stall/looks, time.Millisecond))
		defer ticker.Stop()
		go watchStall(ticker.C, over, func() string { return workOf(c.Process.Pid) }, func() { close(hangs) })
	}
	select {
	case <-ended:
		return true, waited
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-hangs:
		err = &StallError{Program: c.Args[0], After: o.Stall}
		_ = end.begin(c.Process.Pid)
	}
	select {
	case <-ended:
		return true, err
	case <-time.After(grace + unkillable):
		return false, err
	}
}

// ending is how a program is made to end: asked first, then made to.
type ending struct {
	mu    sync.Mutex
	timer *time.Timer
	done  bool
}

// begin asks the process group of pid to end, and makes it end if it has not
// done so after the grace.
func (e *ending) begin(pid int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done {
		return os.ErrProcessDone
	}
	if e.timer == nil {
		e.timer = time.AfterFunc(grace, func() {
			e.mu.Lock()
			defer e.mu.Unlock()
			if !e.done {
				kill(pid)
			}
		})
	}
	if err := syscall.Kill(-pid, syscall.SIGTERM); !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return os.ErrProcessDone
}

// over says that the program was waited for: its number may be another's now.
func (e *ending) over() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.done = true
	if e.timer != nil {
		e.timer.Stop()
	}
}
