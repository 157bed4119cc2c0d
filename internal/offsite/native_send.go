package offsite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// sending is one Push or Sync of the native engine.
//
// One thing that fails does not keep the others from being sent; that the
// store cannot be used does. The goroutine that lays the streams side by side
// starts a request as soon as one of the workers is free, and waits until one
// is: so nothing piles up.
type sending struct {
	*native
	ctx   context.Context //nolint:containedctx // that of the Push or Sync, which it is made for
	stop  context.CancelCauseFunc
	slots chan struct{}  // one for each request under way
	parts chan struct{}  // one for each part of a large file under way
	repos chan struct{}  // one for each repository under way
	busy  sync.WaitGroup // what has been started

	memory *memory
	spool  *spool
	show   func(Change) // not nil: nothing is done, only shown
	showMu sync.Mutex

	mu       sync.Mutex
	failures []error // the first few
	failed   int

	count counts
}

// counts is what is shown to a person who watches.
type counts struct {
	files, bytes, doneFiles, doneBytes atomic.Int64
	whole                              atomic.Bool
}

// most is how many things at most are done at once besides files.
const (
	mostRepositories = 4
	mostFailures     = 20
)

func newSending(ctx context.Context, n *native, show func(Change)) *sending {
	s := &sending{
		native: n, show: show,
		slots: make(chan struct{}, n.S3Workers),
		parts: make(chan struct{}, max(n.S3Workers, 2)),
		repos: make(chan struct{}, mostRepositories),
	}
	s.ctx, s.stop = context.WithCancelCause(ctx)
	return s
}

// end lets go of everything.
func (s *sending) end() {
	s.stop(nil)
	s.busy.Wait()
	if s.memory != nil {
		s.memory.close()
	}
	if s.spool != nil {
		s.spool.close()
	}
}

// fail notes that something could not be sent. What concerns everything ends
// it all.
func (s *sending) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed++
	if len(s.failures) < mostFailures {
		s.failures = append(s.failures, err)
	}
	if isUnavailable(err) {
		s.stop(err)
	}
}

func isUnavailable(err error) bool { return errors.As(err, new(*UnavailableError)) }

// trouble is the error of all that failed.
func (s *sending) trouble() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := append([]error{}, s.failures...)
	if more := s.failed - len(errs); more > 0 {
		errs = append(errs, fmt.Errorf("and %d more", more))
	}
	return errs
}

// start does something on one of the workers, once one is free; or does not
// when it is all over.
func (s *sending) start(act, not func()) {
	select {
	case s.slots <- struct{}{}:
	case <-s.ctx.Done():
		not()
		return
	}
	s.busy.Add(1)
	go func() {
		defer func() { <-s.slots; s.busy.Done() }()
		act()
	}()
}

// task is a file that may have to be sent.
type task struct {
	item
	key   string
	there *object
	md5   string // of the local file, if it is remembered
	inWay *clearing
}

// clearing is what must be deleted before something is sent that it is in the
// way of: once, and only if something really is sent.
type clearing struct {
	once   sync.Once
	err    error
	used   atomic.Bool
	clear  func() error
	outer  *clearing
	object object
}

// do clears the way. A nil clearing has nothing in it.
func (c *clearing) do() error {
	if c == nil {
		return nil
	}
	if err := c.outer.do(); err != nil {
		return err
	}
	c.used.Store(true)
	c.once.Do(func() { c.err = c.clear() })
	return c.err
}

// file sends a file unless it is off-site already.
func (s *sending) file(t task) error {
	err := s.fileOnce(&t)
	if cause := context.Cause(s.ctx); cause != nil {
		return cause
	}
	if isVanished(err) {
		err = &ChangedError{Path: s.local.abs(t.path)}
	}
	return err
}

func (s *sending) fileOnce(t *task) error {
	if !utf8.ValidString(t.path) {
		return fmt.Errorf("%q: is not valid UTF-8, and S3 has no such names: rename it", t.path)
	}
	if err := s.checkKey(t.key); err != nil {
		return err
	}
	l, err := s.open(t)
	if err != nil {
		return err
	}
	defer l.close()
	equal, err := s.equal(t, l)
	if err != nil || equal {
		return err
	}
	if s.show != nil {
		s.preview(Change{Path: t.path, Size: l.info.Size()})
		return t.inWay.do()
	}
	if t.there != nil {
		if err := s.mayReplace(s.ctx, t.path); err != nil {
			return err
		}
		if err := context.Cause(s.ctx); err != nil {
			return err
		}
	}
	s.count.files.Add(1)
	s.count.bytes.Add(l.info.Size())
	s.progress()
	if err := t.inWay.do(); err != nil {
		return err
	}
	if err := s.upload(t, l); err != nil {
		return err
	}
	s.count.doneFiles.Add(1)
	s.progress()
	s.say("sent %s", t.path)
	return nil
}

// checkKey refuses names that S3 servers part on.
func (s *sending) checkKey(key string) error {
	if length := len(s.prefix) + len(key); length > 1024 {
		return fmt.Errorf("%s: the name is %d bytes long with the prefix, and S3 has room for 1024: shorten it", key, length)
	}
	return nil
}

// preview shows a change, one at a time.
func (s *sending) preview(c Change) {
	s.showMu.Lock()
	defer s.showMu.Unlock()
	s.show(c)
}

// progress tells how far it has come.
func (s *sending) progress() {
	if s.Progress == nil {
		return
	}
	s.Progress(Progress{
		Files: s.count.doneFiles.Load(), Bytes: s.count.doneBytes.Load(),
		TotalFiles: s.count.files.Load(), TotalBytes: s.count.bytes.Load(),
		Whole: s.count.whole.Load(),
	})
}
