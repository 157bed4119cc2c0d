package lock

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Memory is a [Locker] inside one process, for simulations: it asks for no
// files, and to drop it is to kill every holder. The zero Memory is ready.
type Memory struct {
	mu     sync.Mutex
	held   map[string]bool // exclusive locks, by kind and path
	inside map[string]int  // members of groups, by path; -1 is one who is alone
}

var _ Locker = (*Memory)(nil)

// Dir implements [Locker].
func (m *Memory) Dir(ctx context.Context, path string, wait Waiter) (*Lock, error) {
	return m.exclusive(ctx, "directory", path, wait)
}

// File implements [Locker].
func (m *Memory) File(ctx context.Context, path string, wait Waiter) (*Lock, error) {
	return m.exclusive(ctx, "file", path, wait)
}

func (m *Memory) exclusive(ctx context.Context, kind, path string, wait Waiter) (*Lock, error) {
	key := kind + " " + filepath.Clean(path)
	err := m.until(ctx, path, wait, func() bool {
		if m.held[key] {
			return false
		}
		if m.held == nil {
			m.held = map[string]bool{}
		}
		m.held[key] = true
		return true
	})
	if err != nil {
		return nil, err
	}
	return &Lock{release: func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.held, key)
		return nil
	}}, nil
}

// until waits for try, which is called under the mutex.
func (m *Memory) until(ctx context.Context, path string, wait Waiter, try func() bool) error {
	holder := func() string { return "another run" }
	return wait.until(ctx, path, holder, func() (bool, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		return try(), nil
	})
}

// Join implements [Locker].
func (m *Memory) Join(ctx context.Context, path string, wait Waiter) (Group, error) {
	g := &memoryGroup{memory: m, path: filepath.Clean(path)}
	if err := m.until(ctx, path, wait, g.enter); err != nil {
		return nil, err
	}
	return g, nil
}

type memoryGroup struct {
	memory *Memory
	path   string
	joined bool
	alone  bool
}

// enter makes g a member; the mutex is held.
func (g *memoryGroup) enter() bool {
	m := g.memory
	if m.inside[g.path] < 0 {
		return false
	}
	if m.inside == nil {
		m.inside = map[string]int{}
	}
	m.inside[g.path]++
	g.joined = true
	return true
}

// there tells whether the membership is alive.
func (g *memoryGroup) there() error {
	if !g.joined {
		return fmt.Errorf("%s: its lock is not held: %w", g.path, os.ErrClosed)
	}
	return nil
}

func (g *memoryGroup) Moment(ctx context.Context, wait Waiter) (*Lock, error) {
	if err := g.there(); err != nil {
		return nil, err
	}
	return g.memory.exclusive(ctx, "moment", g.path, wait)
}

func (g *memoryGroup) Alone(ctx context.Context, wait Waiter) error {
	if err := g.there(); err != nil || g.alone {
		return err
	}
	inside := func() int { return g.memory.inside[g.path] }
	err := g.memory.until(ctx, g.path, wait, func() bool {
		if g.joined && inside() == 1 || !g.joined && inside() == 0 {
			g.memory.inside[g.path] = -1
			g.joined, g.alone = true, true
			return true
		}
		if g.joined && wait.Limit > 0 {
			g.memory.inside[g.path]--
			g.joined = false
		}
		return false
	})
	if err != nil && !g.joined {
		g.memory.mu.Lock()
		defer g.memory.mu.Unlock()
		g.enter()
	}
	return err
}

func (g *memoryGroup) Together() error {
	if err := g.there(); err != nil {
		return err
	}
	g.memory.mu.Lock()
	defer g.memory.mu.Unlock()
	if g.alone {
		g.memory.inside[g.path] = 1
		g.alone = false
	}
	return nil
}

func (g *memoryGroup) Leave() error {
	g.memory.mu.Lock()
	defer g.memory.mu.Unlock()
	switch {
	case g.alone:
		g.memory.inside[g.path] = 0
	case g.joined:
		g.memory.inside[g.path]--
	}
	g.joined, g.alone = false, false
	return nil
}
