package crashfs

import (
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// Point is an instant in the life of a file system: before an event, or in the
// middle of one that is a write.
type Point struct {
	Event int
	Half  bool
}

func (p Point) String() string {
	if p.Half {
		return fmt.Sprintf("%d.5", p.Event)
	}
	return fmt.Sprint(p.Event)
}

// Now is the point after all that happened.
func (f *FS) Now() Point {
	f.core.mu.Lock()
	defer f.core.mu.Unlock()
	return Point{Event: len(f.core.events)}
}

// Events returns the journal. It is not to be changed.
func (f *FS) Events() []Event {
	f.core.mu.Lock()
	defer f.core.mu.Unlock()
	return slices.Clip(f.core.events)
}

// Points returns the points from one on, the last one being now.
func (f *FS) Points(from Point) []Point {
	var points []Point
	events := f.Events()
	for n := from.Event; n < len(events); n++ {
		points = append(points, Point{Event: n})
		if events[n].Write() && len(events[n].data) > 1 {
			points = append(points, Point{Event: n, Half: true})
		}
	}
	return append(points, Point{Event: len(events)})
}

// Trace returns what happened between two points, one line for each event.
func (f *FS) Trace(from, to Point) string {
	var b strings.Builder
	for n, e := range f.Events() {
		if n < from.Event || n > to.Event || n == to.Event && !to.Half {
			continue
		}
		actor, end := e.Actor, ""
		if actor == "" {
			actor = "btw-backup"
		}
		if n == to.Event {
			end = ", of which half was done"
		}
		if e.dropped {
			end = ", dropped by an fsync that failed"
		}
		_, _ = fmt.Fprintf(&b, "%5d %s: %s%s\n", n, actor, e.What, end)
	}
	return b.String()
}

// Settle makes everything durable and forgets how it came about.
func (f *FS) Settle() {
	f.core.mu.Lock()
	defer f.core.mu.Unlock()
	f.core.live.check()
	f.core.base, f.core.events = f.core.live.clone(), nil
}

// fork makes a file system of a tree and what happened to it.
func (f *FS) fork(base tree, events []Event) *FS {
	c := &core{clock: f.core.clock, base: base, events: events, next: f.core.next, live: base.clone(), noExchange: f.core.noExchange}
	for n := range events {
		c.live.apply(&events[n].change)
	}
	return &FS{core: c}
}

// Moment is what there was at a point, from which to see what a crash leaves.
type Moment struct {
	fs     *FS
	events []Event
	loose  []int // indexes of the changes that are not durable
	firm   uint64
}

// At returns the moment of a point. What became durable later is not durable in
// it.
func (f *FS) At(p Point) *Moment {
	f.core.mu.Lock()
	defer f.core.mu.Unlock()
	events := slices.Clone(f.core.events[:p.Event])
	if p.Half {
		half := f.core.events[p.Event]
		half.data = half.data[:len(half.data)/2]
		events = append(events, half)
	}
	m := &Moment{fs: f, events: events}
	h := fnv.New64a()
	for n := range events {
		if events[n].durable >= p.Event {
			events[n].durable = never
		}
		switch {
		case events[n].Sync():
		case events[n].durable == never:
			m.loose = append(m.loose, n)
		default:
			_, _ = fmt.Fprint(h, n, " ")
		}
	}
	m.firm = h.Sum64()
	return m
}

// Loose counts the changes that are not durable.
func (m *Moment) Loose() int { return len(m.loose) }

// Kill returns what there is after every process ended. The journal goes on
// from there.
func (m *Moment) Kill() *FS { return m.fs.fork(m.fs.core.base, slices.Clone(m.events)) }

// Clone returns a copy.
func (f *FS) Clone() *FS { return f.At(f.Now()).Kill() }

// PowerCut returns what there is after the power failed.
func (m *Moment) PowerCut(s Survival) *FS {
	base := m.fs.core.base.clone()
	for n := range m.events {
		// An inode is there as soon as any name of it is, be it not the first.
		base.make(&m.events[n].change)
	}
	fates := s.fates(m.events, m.loose)
	next := 0
	for n := range m.events {
		e := &m.events[n]
		what := kept
		if next < len(m.loose) && m.loose[next] == n {
			what = fates[next]
			next++
		}
		if e.dropped {
			what = lost
		}
		if c, ok := e.suffer(what); ok {
			base.apply(&c)
		}
	}
	base.check()
	return m.fs.fork(base, nil)
}

// Signature tells apart what power cuts leave, without making it: where two of
// one file system are equal, so is what is left.
func (m *Moment) Signature(s Survival) uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintln(h, m.firm)
	for i, what := range s.fates(m.events, m.loose) {
		e := &m.events[m.loose[i]]
		if what != lost && e.kind != ofBytes {
			what = kept
		}
		if what != lost {
			_, _ = fmt.Fprint(h, m.loose[i], what, len(e.data), " ")
		}
	}
	return h.Sum64()
}

// Visit calls see for each name, directories before what they hold. data is a
// file's content or a link's target.
func (f *FS) Visit(see func(name string, mode fs.FileMode, data []byte)) {
	f.core.mu.Lock()
	defer f.core.mu.Unlock()
	var visit func(name string, at id)
	visit = func(name string, at id) {
		n := f.core.live[at]
		data := n.data
		if n.kind == fs.ModeSymlink {
			data = []byte(n.target)
		}
		see(name, n.kind|n.perm, data)
		for _, child := range slices.Sorted(maps.Keys(n.entries)) {
			visit(strings.TrimSuffix(name, "/")+"/"+child, n.entries[child])
		}
	}
	visit("/", rootID)
}

// Fingerprint is equal for file systems whose names, modes, contents and owners
// are equal, and in which nothing is still to become durable.
func (f *FS) Fingerprint() string {
	h := fnv.New128a()
	f.core.mu.Lock()
	live := f.core.live
	f.core.mu.Unlock()
	var visit func(name string, at id)
	visit = func(name string, at id) {
		n := live[at]
		_, _ = fmt.Fprintf(h, "%q %o %d:%d %d %q\n", name, uint32(n.kind|n.perm), n.uid, n.gid, len(n.data), n.target)
		_, _ = h.Write(n.data)
		for _, child := range slices.Sorted(maps.Keys(n.entries)) {
			visit(child, n.entries[child])
		}
		_, _ = io.WriteString(h, "\n")
	}
	visit("/", rootID)
	return string(h.Sum(nil))
}
