package offsite

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// merging lays the local walk and the listing side by side, in the order of
// keys. What it holds is little: the directories that it is in, and the few
// things of which a later key decides, such as an object "a" that will be in
// the way if a directory "a" follows, after "a-b".
type merging struct {
	*sending
	path      string
	deletions bool
	walk      *ordered
	list      *remote
	dir       *frame // the directory that the keys have come to
	blind     bool   // the key may not list: all may be there

	files   []held   // files whose names may be a directory's off-site
	objects []held   // objects with nothing of that name here, whose names may be a directory's here
	late    []task   // files that stand where a directory's keys are off-site
	under   int64    // how many objects those are
	empty   []string // directories in whose copies nothing is deleted; see empty.go
	listed  int64
	last    []object // markers, deleted when all else is
}

// held waits until the keys have passed by that begin with its key and a slash.
type held struct {
	key     string
	task    task
	object  object
	stays   bool // an object that is not to be deleted
	blocked bool // a file below whose name something stays
	below   int64
}

// over tells whether a key comes after all that begin with another and a
// slash; between "a" and "a/x" there may be "a-b".
func over(key, passed string) bool {
	return !strings.HasPrefix(passed, key) || len(passed) > len(key) && passed[len(key)] > '/'
}

// tree makes the copy of the directory at p equal to it, or sends it.
func (s *sending) tree(p string, deletions bool) error {
	m := &merging{sending: s, path: p, deletions: deletions}
	var err error
	if m.walk, err = s.local.walkOrdered(p, s.fail); err != nil {
		return err
	}
	s.memory = s.openMemory(printable(p))
	s.spool = &spool{native: s.native}
	begin := printable(p)
	if begin != "" {
		begin += "/"
	}
	m.list = s.listRemote(s.ctx, begin)
	defer m.list.stop()
	if _, _, err := m.list.peek(s.ctx); err != nil {
		switch {
		case isDenied(err) && !deletions && s.show == nil:
			// Then each file counts as one that would overwrite another: judged
			// for nothing is better than not judged.
			m.blind = true
			m.list = &remote{closed: true, stop: func() {}}
		case isDenied(err):
			return s.denied("list", err)
		default:
			return err
		}
	}
	err = m.merge()
	if err == nil {
		err = m.finish()
	}
	if cause := context.Cause(s.ctx); cause != nil { // what ended it, rather than what that led to
		return cause
	}
	return err
}

func (m *merging) merge() error {
	m.dir = m.walk.top()
	if m.walk.isRepository(m.dir) { // all of it is one, or a part of one
		return m.repository(step{item: item{path: m.path}})
	}
	s, more, err := m.walk.next(m.ctx)
	for err == nil {
		o, listed, listErr := m.list.peek(m.ctx)
		if listErr != nil {
			return listErr
		}
		switch {
		case !more && !listed:
			m.pass("\xff")
			return nil
		case listed && (!more || o.path < s.key):
			m.pass(o.path)
			m.listed++
			m.alone(m.list.take())
			continue
		}
		m.pass(s.key)
		var there *object
		if listed && o.path == s.key {
			m.listed++
			object := m.list.take()
			there = &object
		}
		if err := m.step(s, there); err != nil {
			return err
		}
		s, more, err = m.walk.next(m.ctx)
	}
	return err
}

// step does what the walk has met. there is the object of that key.
func (m *merging) step(s step, there *object) error {
	f := m.dir
	switch s.kind {
	case atFile:
		if there == nil && m.blind {
			there = &object{path: s.key, size: unknownSize}
		}
		t := task{item: s.item, key: s.key, there: there, inWay: f.inWay}
		if f.blocked != nil {
			m.fail(fmt.Errorf("%s: %w", s.path, f.blocked))
			return nil
		}
		t.md5 = m.memory.recall(s.key, s.path, s.info)
		m.files = append(m.files, held{key: s.key, task: t})
	case enterDir:
		m.dir = s.dir
		m.enter(s, s.dir)
	case leaveDir:
		m.dir = f.parent
	case atRepository:
		return m.repository(s)
	case atOther: // an object of that name stays, as the frame knows
	}
	return nil
}

// enter looks whether an object stands where the keys of a directory must go.
func (m *merging) enter(s step, f *frame) {
	if h := m.obstacle(s); h != nil {
		if h.stays {
			f.blocked = inItsWay(h.object.path)
			return
		}
		f.inWay = m.clearObject(h.object, f.inWay)
	}
}

func inItsWay(key string) error {
	return fmt.Errorf("in its way off-site is %s, which is not deleted, since something was set aside here", key)
}

// obstacle finds the object that has a directory's name.
func (m *merging) obstacle(s step) *held {
	for i := range m.objects {
		if m.objects[i].key+"/" == s.key {
			h := m.objects[i]
			m.objects = append(m.objects[:i:i], m.objects[i+1:]...)
			return &h
		}
	}
	return nil
}

// clearObject deletes an object when the first thing is sent that it is in
// the way of; or with all others, when there is none.
func (m *merging) clearObject(o object, outer *clearing) *clearing {
	c := &clearing{object: o, outer: outer}
	c.clear = func() error {
		if m.show != nil {
			m.preview(Change{Path: o.path, Size: o.size, Delete: true})
			return nil
		}
		m.say("deleting %s, which is in the way", o.path)
		return m.removeKeys([]string{o.path})
	}
	m.spool.unless(c)
	return c
}

// alone deals with an object of whose key there is nothing here.
func (m *merging) alone(o object) {
	f := m.dir
	stays := f.keeps(o.path) || fixed(o.path)
	for i := range m.files { // below a file's name
		if h := &m.files[i]; strings.HasPrefix(o.path, h.key+"/") {
			h.below++
			h.blocked = h.blocked || stays
			return
		}
	}
	if !stays && !f.filled && !ours(o.path) {
		stays = true
		if n := len(m.empty); n == 0 || m.empty[n-1] != f.path {
			m.empty = append(m.empty, f.path)
		}
	} else if !f.filled && m.isEmptied(f.path) {
		stays = true
	}
	m.objects = append(m.objects, held{key: o.path, object: o, stays: stays})
}

func (m *merging) isEmptied(p string) bool {
	return len(m.empty) > 0 && m.empty[len(m.empty)-1] == p
}

// pass decides on what was waiting for a key like this one.
func (m *merging) pass(key string) {
	for n := len(m.objects); n > 0 && over(m.objects[n-1].key, key); n-- {
		h := m.objects[n-1]
		m.objects = m.objects[:n-1]
		if !h.stays {
			m.spool.add(h.object)
		}
	}
	for n := len(m.files); n > 0 && over(m.files[n-1].key, key); n-- {
		h := m.files[n-1]
		m.files = m.files[:n-1]
		m.send(h)
	}
}

// send has a file sent, now or when all others have been.
func (m *merging) send(h held) {
	switch {
	case h.blocked && !m.surelyEqual(&h.task):
		m.fail(fmt.Errorf("%s: %w", h.task.path, inItsWay(h.key+"/")))
	case h.below > 0:
		m.under += h.below
		m.late = append(m.late, h.task)
	case m.surelyEqual(&h.task):
	default:
		m.start(func() {
			if err := m.file(h.task); err != nil {
				m.fail(err)
			}
		}, func() {})
	}
}

// finish waits for what is under way, and deletes.
func (m *merging) finish() error {
	m.count.whole.Store(true)
	m.busy.Wait()
	if err := context.Cause(m.ctx); err != nil {
		return err
	}
	errs := m.local.emptyErrors(m.empty)
	deleting := m.under
	if m.deletions {
		deleting += m.spool.count() + int64(len(m.last))
	}
	tooMany := m.tooMany(m.path, deleting, m.listed)
	if tooMany != nil && len(m.late) > 0 {
		return together(append(errs, tooMany))
	}
	m.sendLate()
	if err := context.Cause(m.ctx); err != nil {
		return err
	}
	if err := m.memory.save(); err != nil {
		m.fail(err)
	}
	if trouble := m.trouble(); len(trouble) > 0 {
		return together(append(errs, trouble...))
	}
	if m.deletions {
		if tooMany != nil && m.show == nil {
			return errors.Join(append(errs, tooMany)...)
		}
		if err := m.spool.carryOut(m.sending); err != nil {
			return err
		}
		if err := m.remove(m.last); err != nil {
			return err
		}
		if tooMany != nil {
			return errors.Join(append(errs, tooMany)...)
		}
		m.sweepUploads(m.path)
	}
	if len(errs) > 0 {
		return &EmptyError{together(errs)}
	}
	return nil
}

// sendLate sends the files that stand where a directory's keys are. Those are
// deleted just before, or, when the file is there already, with all others.
func (m *merging) sendLate() {
	for _, t := range m.late {
		t.inWay = &clearing{outer: t.inWay, clear: func() error { return m.removeBelow(t.key) }}
		if err := m.file(t); err != nil {
			m.fail(err)
			continue
		}
		if m.deletions && !t.inWay.used.Load() {
			if err := m.spoolBelow(t.key); err != nil {
				m.fail(err)
			}
		}
	}
}
