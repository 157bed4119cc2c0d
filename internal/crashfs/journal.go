package crashfs

import (
	"io/fs"
	"math"
	"time"
)

// Event is a change of the file system, or an fsync.
type Event struct {
	// Actor is the program that did it: see [FS.As]. "" is the one under test.
	Actor string

	// What was done, with "write", "sync", "rename" and so on before the
	// names.
	What string

	change
	durable int  // the event by which it became durable; never, if none did
	dropped bool // an fsync that failed has dropped it
}

// never is an event that does not come.
const never = math.MaxInt

// Write tells whether the event writes bytes, so that a crash may come in the
// middle of it.
func (e *Event) Write() bool { return e.kind == ofBytes }

// Sync tells whether the event is an fsync, which changes nothing that a
// program sees.
func (e *Event) Sync() bool { return e.kind == ofNothing }

// kind is what a change is about.
type kind int

const (
	ofNames      kind = iota // of one or two directories
	ofBytes                  // bytes of a file
	ofLength                 // length of a file
	ofAttributes             // mode, owner, times
	ofNothing                // nothing: it makes others durable
)

// change is what an event does to the tree.
type change struct {
	kind kind
	file id // whose bytes or attributes; what is synced

	entries []entry // for names
	made    *node   // what the first entry names, if it is new; as it was made

	data []byte // for write
	at   int64  // where; for truncate the new length

	attrs attrs // for attr
	time  time.Time
}

// entry is a name with what it leads to from now on; 0 is nothing.
type entry struct {
	dir  id
	name string
	to   id
}

type attrs struct {
	perm     *fs.FileMode
	uid, gid int // -1 leaves it
	mtime    *time.Time
}

// removal tells whether the change only takes names away.
func (c *change) removal() bool {
	if c.kind != ofNames {
		return false
	}
	for _, e := range c.entries {
		if e.to != 0 {
			return false
		}
	}
	return true
}

// renaming tells whether the change moves something.
func (c *change) renaming() bool { return c.kind == ofNames && len(c.entries) > 1 }

// touches tells whether an fsync of the inode i makes the change durable.
func (c *change) touches(i id) bool {
	if c.kind == ofNames {
		for _, e := range c.entries {
			if e.dir == i {
				return true
			}
		}
		return false
	}
	return c.kind != ofNothing && c.file == i
}

// make makes the inode that is new in a change, if there is one.
func (t tree) make(c *change) {
	if c.made == nil || t[c.entries[0].to] != nil {
		return
	}
	made := *c.made
	made.mtime = c.time
	if made.kind.IsDir() {
		made.entries = map[string]id{}
	}
	t[c.entries[0].to] = &made
}

// apply does a change. After a crash that lost what came before it, it does
// what is left to do.
func (t tree) apply(c *change) {
	t.make(c)
	switch c.kind {
	case ofNames:
		for _, e := range c.entries {
			dir := t[e.dir]
			if dir == nil || t[e.to] == nil && e.to != 0 {
				continue // it is lost, and what was in it
			}
			t.set(dir, e.name, e.to)
			dir.mtime, dir.ctime = c.time, c.time
		}
		for _, e := range c.entries {
			if n := t[e.to]; n != nil {
				n.ctime = c.time
			}
		}
	case ofBytes, ofLength:
		n := t[c.file]
		if n == nil {
			return
		}
		size := int64(len(n.data))
		if c.kind == ofLength {
			size = c.at
		} else {
			size = max(size, c.at+int64(len(c.data)))
		}
		data := make([]byte, size)
		copy(data, n.data)
		if c.kind == ofBytes {
			copy(data[c.at:], c.data)
		}
		n.data, n.mtime, n.ctime = data, c.time, c.time
	case ofAttributes:
		n := t[c.file]
		if n == nil {
			return
		}
		if c.attrs.perm != nil {
			n.perm = *c.attrs.perm
		}
		if c.attrs.uid >= 0 {
			n.uid = c.attrs.uid
		}
		if c.attrs.gid >= 0 {
			n.gid = c.attrs.gid
		}
		if c.attrs.mtime != nil {
			n.mtime = *c.attrs.mtime
		}
		n.ctime = c.time
	case ofNothing:
	}
}

// do does a change: it appends an event to the journal and applies it, unless a
// [Fault] is in its way. The mutex is held.
func (c *core) do(actor, what string, change change) error {
	if err := c.faulty(actor, &change); err != nil {
		if c.fault.Half && change.kind == ofBytes && len(change.data) > 1 {
			change.data = change.data[:len(change.data)/2]
			c.note(actor, what+", half of it", change)
		}
		return err
	}
	c.note(actor, what, change)
	return nil
}

func (c *core) note(actor, what string, change change) {
	// Every change has a time of its own, as with nanoseconds on a disk.
	change.time = c.clock().Add(time.Duration(len(c.events)))
	if change.kind == ofBytes {
		for n := range c.events {
			if e := &c.events[n]; e.dropped && e.file == change.file && e.shares(&change) {
				e.dropped = false
			}
		}
	}
	c.events = append(c.events, Event{Actor: actor, What: what, change: change, durable: never})
	c.live.apply(&change)
}

// shares tells whether two writes to one file have a page in common.
func (c *change) shares(other *change) bool {
	const page = 4096
	first, last := c.at/page, (c.at+int64(len(c.data))-1)/page
	otherFirst, otherLast := other.at/page, (other.at+int64(len(other.data))-1)/page
	return first <= otherLast && otherFirst <= last
}

// fsync makes durable what there is of an inode.
func (c *core) fsync(actor, name string, i id) error {
	if err := c.do(actor, "sync "+name, change{kind: ofNothing, file: i}); err != nil {
		// The kernel takes the pages for clean now: no later fsync writes them,
		// unless they are written to again.
		for n := range c.events {
			if e := &c.events[n]; e.durable == never && e.kind == ofBytes && e.file == i {
				e.dropped = true
			}
		}
		return err
	}
	now := len(c.events) - 1
	for n := range c.events {
		if e := &c.events[n]; e.durable == never && !e.dropped && e.touches(i) {
			e.durable = now
		}
	}
	return nil
}
