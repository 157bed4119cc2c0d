package lock

import (
	"context"
	"sync"
)

// Locker is where locks are taken.
//
// Dir and File return an error that wraps errors.ErrUnsupported where the file
// system has no such locks; a file on another one has to stand in then.
type Locker interface {
	// Dir locks the directory path, which must exist, exclusively.
	Dir(ctx context.Context, path string, wait Waiter) (*Lock, error)

	// File locks the file path exclusively, and makes it if it is missing.
	// The file stays when the lock is released: to remove it would let two
	// processes hold locks on two files of one name.
	File(ctx context.Context, path string, wait Waiter) (*Lock, error)

	// Join enters the group of those who use the file path, which must exist.
	Join(ctx context.Context, path string, wait Waiter) (Group, error)
}

// Group is one's place among those who use a file side by side. It is not for
// use by several goroutines at once: each of them has to join for itself.
type Group interface {
	// Moment locks the file against the other members for a short while. A
	// file that was replaced by another one of its name, as editors do, is
	// joined anew first.
	Moment(ctx context.Context, wait Waiter) (*Lock, error)

	// Alone waits until there is no other member, and keeps new ones out.
	// Whoever waits leaves the group meanwhile, or two who want to be alone
	// would wait for each other. After an error one is a member again; if
	// that cannot be had at once, every later call fails.
	Alone(ctx context.Context, wait Waiter) error

	// Together ends Alone and lets others in again.
	Together() error

	// Leave ends the membership; further calls of it do nothing.
	Leave() error
}

// Lock is a lock that is held.
type Lock struct {
	once    sync.Once
	release func() error
	err     error
}

// Release gives the lock back; further calls return what the first one did.
func (l *Lock) Release() error {
	l.once.Do(func() { l.err = l.release() })
	return l.err
}
