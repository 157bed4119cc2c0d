package offsite

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// An rdiff-backup repository is small in files, and has an order of its own
// (rdiff.go): it is read whole, planned (plan.go), and sent phase by phase,
// beside whatever else is sent. Its deletions wait with all others.

// repository has a repository sent, or the part of one that the Sync is of.
func (m *merging) repository(s step) error {
	there, err := m.takeBelow(s.key)
	if err != nil {
		return err
	}
	t, err := m.local.read(m.ctx, s.path)
	if err == nil {
		err = collisions(t)
	}
	if err != nil {
		m.fail(onlyOwn(err))
		return nil
	}
	translate(t, there)
	p := newPlan(t, there, false, m.deletions)
	for i, objects := range p.deletes {
		for _, o := range objects {
			if o.path = printable(o.path); i == 0 {
				m.spool.add(o)
			} else {
				m.last = append(m.last, o)
			}
		}
	}
	p.deletes = [2][]object{}

	e := &repositorySending{merging: m, inWay: m.dir.inWay, md5s: map[string]string{}}
	if h := m.obstacle(s); h != nil && h.stays || m.dir.blocked != nil {
		m.fail(inItsWay(s.path))
		return nil
	} else if h != nil {
		e.inWay = m.clearObject(h.object, e.inWay)
	}
	e.remember(t)
	m.busy.Add(1)
	m.repos <- struct{}{}
	go func() {
		defer func() { <-m.repos; m.busy.Done() }()
		if err := m.carryOut(m.ctx, e, p); err != nil {
			m.fail(err)
		}
	}()
	return nil
}

// takeBelow takes all objects off the listing whose keys begin like that.
func (m *merging) takeBelow(key string) ([]object, error) {
	var there []object
	for {
		o, ok, err := m.list.peek(m.ctx)
		if err != nil || !ok || !strings.HasPrefix(o.path, key) {
			return there, err
		}
		there = append(there, m.list.take())
		m.listed++
	}
}

// repositorySending is the engine for one repository.
type repositorySending struct {
	*merging
	inWay *clearing
	md5s  map[string]string
}

// remember asks for the MD5s of a repository's files, in the order of keys.
func (e *repositorySending) remember(t *tree) {
	files := slices.Clone(t.items)
	slices.SortFunc(files, func(a, b item) int { return strings.Compare(printable(a.path), printable(b.path)) })
	for _, it := range files {
		if it.info.Mode().IsRegular() {
			e.md5s[it.path] = e.memory.recall(printable(it.path), it.path, it.info)
		}
	}
}

// put implements engine.
func (e *repositorySending) put(_ context.Context, batch []put) ([]failure, error) {
	var mu sync.Mutex
	var failures []failure
	var phase sync.WaitGroup
	for _, one := range batch {
		t := task{item: one.item, key: printable(one.path), there: one.there, md5: e.md5s[one.path], inWay: e.inWay}
		if t.there == nil && e.blind {
			t.there = &object{path: t.key, size: unknownSize}
		}
		if len(one.inWay) > 0 {
			t.inWay = &clearing{outer: e.inWay, clear: func() error { return e.clearAll(one.inWay) }}
		}
		if e.surelyEqual(&t) {
			continue
		}
		phase.Add(1)
		e.start(func() {
			defer phase.Done()
			if err := e.file(t); err != nil {
				mu.Lock()
				failures = append(failures, failure{one, err})
				mu.Unlock()
			}
		}, phase.Done)
	}
	phase.Wait()
	if err := context.Cause(e.ctx); err != nil {
		return nil, err
	}
	for _, f := range failures {
		if isUnavailable(f.err) {
			return nil, f.err
		}
	}
	return failures, nil
}

// clearAll deletes what is in the way of one file.
func (e *repositorySending) clearAll(objects []object) error {
	var keys []string
	for _, o := range objects {
		if e.show != nil {
			e.preview(Change{Path: o.path, Size: o.size, Delete: true})
			continue
		}
		keys = append(keys, printable(o.path))
	}
	return e.removeKeys(keys)
}

// remove implements engine. Nothing is left to it.
func (e *repositorySending) remove(context.Context, []object) error { return nil }
