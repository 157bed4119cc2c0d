package crashfs

import (
	"errors"
	"math"
	"syscall"
)

// ErrKilled is what a program gets for everything that it does once it is
// killed: see [Fault].
var ErrKilled = errors.New("killed")

// Fault makes operations fail that would have succeeded.
type Fault struct {
	// Err is the error, a syscall.Errno or ErrKilled; nil means that there is
	// no fault.
	Err error

	// At is the first operation that fails: the index of the event that it
	// would have been, or, of Reads, how many come before it.
	At int

	// Lasting says that everything from then on fails. With ENOSPC that is
	// what takes space, with EROFS what changes anything.
	Lasting bool

	// Half says that of a write that fails half is done.
	Half bool

	// Reads says that it is not changes that fail, but looking and reading.
	Reads bool

	// Actor is the program that it happens to; "*" is each.
	Actor string
}

// SetFault sets the one fault that there is.
func (f *FS) SetFault(fault Fault) {
	f.core.mu.Lock()
	defer f.core.mu.Unlock()
	f.core.fault, f.core.reads = fault, 0
}

// Reads returns how many times something was looked at or read since the last
// SetFault.
func (f *FS) Reads() int {
	f.core.mu.Lock()
	defer f.core.mu.Unlock()
	return f.core.reads
}

// meets tells whether the fault concerns the nth operation of an actor.
func (t Fault) meets(actor string, n int) bool {
	if t.Err == nil || t.Actor != "*" && t.Actor != actor {
		return false
	}
	return n == t.At || t.Lasting && n > t.At
}

// faulty returns the error that keeps a change from being done.
func (c *core) faulty(actor string, change *change) error {
	t := c.fault
	if t.Reads || !t.meets(actor, len(c.events)) {
		return nil
	}
	if errors.Is(t.Err, syscall.ENOSPC) && !change.takesSpace() || errors.Is(t.Err, syscall.EROFS) && change.kind == ofNothing {
		return nil
	}
	if !t.Lasting {
		// The next operation will be the event with that index.
		c.fault.At = math.MaxInt
	}
	return t.Err
}

// unreadable returns the error that keeps something from being read.
func (c *core) unreadable(actor string) error {
	c.reads++
	if t := c.fault; t.Reads && t.meets(actor, c.reads-1) {
		return t.Err
	}
	return nil
}

// takesSpace tells whether a change needs room on the disk.
func (c *change) takesSpace() bool {
	return c.kind == ofBytes || c.kind == ofNames && (c.made != nil || len(c.entries) == 1 && !c.removal())
}
