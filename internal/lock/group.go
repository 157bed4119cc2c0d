package lock

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// group is the kernel's [Group]: an OFD lock and an flock, both on file.
type group struct {
	path string
	file *os.File // nil: left, or the lock was lost
	kind int16    // of the OFD lock that is held
}

// Join implements [Locker].
func (OS) Join(ctx context.Context, path string, wait Waiter) (Group, error) {
	g := &group{path: path, kind: unix.F_RDLCK}
	var err error
	if g.file, err = g.open(ctx, wait); err != nil {
		return nil, err
	}
	return g, nil
}

func (g *group) open(ctx context.Context, wait Waiter) (*os.File, error) {
	return hold(ctx, g.path, os.O_RDWR, wait, recordKinds, func(f *os.File) (bool, error) {
		return tryRecord(f, g.kind)
	})
}

// there tells whether the membership is alive.
func (g *group) there() error {
	if g.file == nil {
		return fmt.Errorf("%s: its lock is not held: %w", g.path, os.ErrClosed)
	}
	return nil
}

func (g *group) Moment(ctx context.Context, wait Waiter) (*Lock, error) {
	for {
		if err := g.there(); err != nil {
			return nil, err
		}
		f := g.file
		err := wait.until(ctx, g.path, func() string { return holderOf(f, flockKinds) }, func() (bool, error) {
			return tryFlock(f)
		})
		if err != nil {
			return nil, err
		}
		lock := &Lock{release: func() error { return unflock(f) }}
		same, err := leadsTo(g.path, f)
		if err == nil && same {
			return lock, nil
		}
		if err := errors.Join(err, lock.Release()); err != nil {
			return nil, err
		}
		// The old file stays ours until the new one is.
		next, err := g.open(ctx, wait)
		if err != nil {
			return nil, err
		}
		g.file = next
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
}

func (g *group) Alone(ctx context.Context, wait Waiter) error {
	if err := g.there(); err != nil {
		return err
	}
	got, err := tryRecord(g.file, unix.F_WRLCK)
	if err == nil && !got {
		err = g.waitAlone(ctx, wait)
	}
	if err == nil {
		g.kind = unix.F_WRLCK
	}
	return err
}

func (g *group) waitAlone(ctx context.Context, wait Waiter) error {
	if wait.Limit > 0 {
		if _, err := tryRecord(g.file, unix.F_UNLCK); err != nil {
			return err
		}
	}
	holder := func() string { return holderOf(g.file, recordKinds) }
	err := wait.until(ctx, g.path, holder, func() (bool, error) { return tryRecord(g.file, unix.F_WRLCK) })
	if err == nil {
		return nil
	}
	// Without a wait the lock was never given up, and this changes nothing.
	if got, back := tryRecord(g.file, unix.F_RDLCK); back != nil || !got {
		err = errors.Join(err, back, g.Leave())
	}
	return err
}

func (g *group) Together() error {
	if err := g.there(); err != nil {
		return err
	}
	got, err := tryRecord(g.file, unix.F_RDLCK)
	if err == nil && !got {
		err = fmt.Errorf("%s: the kernel would not turn an exclusive lock into a shared one", g.path)
	}
	if err == nil {
		g.kind = unix.F_RDLCK
	}
	return err
}

func (g *group) Leave() error {
	if g.file == nil {
		return nil
	}
	_, err := tryRecord(g.file, unix.F_UNLCK)
	err = errors.Join(err, g.file.Close())
	g.file = nil
	return err
}
