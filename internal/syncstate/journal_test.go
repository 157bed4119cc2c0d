package syncstate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"btw-backup/internal/durable"
	"btw-backup/internal/lock"
)

var (
	tarball = Entry{Push, "etc/2016-01-01T12:00:00.tbz"}
	chain   = Entry{Sync, "www/2016-01-01T12:00:00/"}
)

const now = "2016-01-01T12:00:00 " // what every line of a fixture begins with

// fixture is a journal file and what was said about it.
type fixture struct {
	*testing.T
	cfg Config

	mu       sync.Mutex
	warnings []string
}

// newFixture makes a journal that holds text, or none when text is "none".
func newFixture(t *testing.T, text string) *fixture {
	t.Helper()
	f := &fixture{T: t}
	f.cfg = Config{
		Path: filepath.Join(t.TempDir(), "sync_state"),
		Now:  func() time.Time { return time.Date(2016, 1, 1, 13, 0, 0, 999, time.FixedZone("", 3600)) },
		Warn: func(message string) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.warnings = append(f.warnings, message)
		},
		Wait: lock.Waiter{Limit: time.Hour},
	}
	if text != "none" {
		ok(t, os.WriteFile(f.cfg.Path, []byte(text), 0o600))
	}
	return f
}

func (f *fixture) open() *Journal {
	f.Helper()
	j, err := Open(context.Background(), f.cfg)
	ok(f.T, err)
	f.Cleanup(func() { ok(f.T, j.Close()) })
	return j
}

func (f *fixture) text() string {
	f.Helper()
	text, err := os.ReadFile(f.cfg.Path)
	ok(f.T, err)
	return string(text)
}

// wants compares the file, whose lines all begin with now, with events.
func (f *fixture) wants(events ...string) {
	f.Helper()
	want := ""
	for _, event := range events {
		want += now + event + "\n"
	}
	if got := f.text(); got != want {
		f.Errorf("the journal holds\n%swant\n%s", got, want)
	}
}

func (f *fixture) wantsPending(j *Journal, want ...Entry) {
	f.Helper()
	got, err := j.Pending()
	ok(f.T, err)
	if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
		f.Errorf("pending: got %v, want %v", got, want)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) begin(j *Journal, e Entry) Ticket {
	f.Helper()
	ticket, err := j.Begin(e)
	ok(f.T, err)
	return ticket
}

func (f *fixture) done(j *Journal, ticket Ticket, want bool) {
	f.Helper()
	done, err := j.Done(ticket)
	ok(f.T, err)
	if done != want {
		f.Errorf("done: got %v, want %v", done, want)
	}
}

func TestCreate(t *testing.T) {
	f := newFixture(t, "none")
	f.wantsPending(f.open())
	info, err := os.Stat(f.cfg.Path)
	ok(t, err)
	if info.Mode().Perm() != 0o600 || info.Size() != 0 {
		t.Errorf("made a file of mode %v and size %d", info.Mode(), info.Size())
	}
	f.cfg.Path = filepath.Join(t.TempDir(), "missing", "sync_state")
	if _, err := Open(context.Background(), f.cfg); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without its directory: got %v", err)
	}
}

func TestRegisterAndDone(t *testing.T) {
	f := newFixture(t, "")
	j := f.open()
	ok(t, j.Register())
	ok(t, j.Register(tarball, Entry{Push, "etc/log.txt"}))
	ok(t, j.Register(chain))
	f.wantsPending(j, tarball, Entry{Push, "etc/log.txt"}, chain)
	f.done(j, f.begin(j, tarball), true)
	ok(t, j.Withdraw(chain))
	ok(t, j.Withdraw(chain))
	f.wantsPending(j, Entry{Push, "etc/log.txt"})
	f.wants("+push etc/2016-01-01T12:00:00.tbz", "+push etc/log.txt", "+sync www/2016-01-01T12:00:00/",
		"-push etc/2016-01-01T12:00:00.tbz", "-sync www/2016-01-01T12:00:00/")

	ok(t, j.Register(Entry{Sync, ""}))
	f.wantsPending(j, Entry{Push, "etc/log.txt"}, Entry{Sync, ""})
}

func TestRegisterRefuses(t *testing.T) {
	f := newFixture(t, "")
	j := f.open()
	for _, e := range []Entry{
		{Push, "a\nb"},
		{Push, "a\tb"},
		{Push, "a\x00"},
		{Push, "a\r"},
		{Push, "\xff"},
		{Push, "/etc"},
		{"pull", "a"},
		{"", "a"},
	} {
		if err := j.Register(tarball, e); err == nil {
			t.Errorf("%q: was registered", e)
		}
	}
	f.wants()
}

// TestRegisteredWhileSending is why there are tickets.
func TestRegisteredWhileSending(t *testing.T) {
	f := newFixture(t, "")
	j := f.open()
	ok(t, j.Register(tarball))
	ticket := f.begin(j, tarball)
	ok(t, j.Register(chain)) // of no concern to it
	ok(t, f.open().Register(tarball))
	f.done(j, ticket, false)
	f.wantsPending(j, tarball, chain)

	f.done(j, f.begin(j, tarball), true)
	f.done(j, ticket, true) // nothing is pending: nothing is written
	f.wants("+push etc/2016-01-01T12:00:00.tbz", "+sync www/2016-01-01T12:00:00/",
		"+push etc/2016-01-01T12:00:00.tbz", "-push etc/2016-01-01T12:00:00.tbz")

	ok(t, j.Register(tarball))
	f.done(j, ticket, false)
	f.wantsPending(j, chain, tarball)
}

func TestNoEventMakesItStop(t *testing.T) {
	text := now + "+push a\r\n" + now + "+push b"
	f := newFixture(t, text)
	_, err := Open(context.Background(), f.cfg)
	if err == nil || !strings.HasPrefix(err.Error(), f.cfg.Path+":1: not an event: ") {
		t.Errorf("got %v", err)
	}
	if _, readErr := Read(durable.OS{}, f.cfg.Path); readErr == nil || readErr.Error() != err.Error() {
		t.Errorf("Read: got %v, want %v", readErr, err)
	}
	if f.text() != text || len(f.warnings) > 0 {
		t.Errorf("the journal was changed to %q, with warnings %q", f.text(), f.warnings)
	}
}

func TestTornTail(t *testing.T) {
	sound := now + "+push a\n"
	for _, test := range []struct{ torn, quoted string }{
		{now + "+push b", `"2016-01-01T12:00:00 +push b"`},
		{"2016-\x00", `"2016-\x00"`},
		{"\x00\x00+push b\n" + now + "+push c\n", `"\x00\x00+push b\n2016-01-01T12:00:00 +push c\n"`},
	} {
		f := newFixture(t, sound+test.torn)
		state, err := Read(durable.OS{}, f.cfg.Path)
		if err != nil || !reflect.DeepEqual(state.Pending, []Entry{{Push, "a"}}) {
			t.Errorf("Read: got %v, %v", state, err)
		}
		if f.text() != sound+test.torn {
			t.Errorf("Read changed the journal to %q", f.text())
		}
		j := f.open()
		f.wants("+push a")
		want := []string{"sync_state: cut off an unfinished last line: " + test.quoted}
		if !reflect.DeepEqual(f.warnings, want) {
			t.Errorf("got %q, want %q", f.warnings, want)
		}

		// Another run dies while we have it open.
		ok(t, os.WriteFile(f.cfg.Path, []byte(sound+test.torn), 0o600))
		ok(t, j.Register(tarball))
		f.wants("+push a", "+push etc/2016-01-01T12:00:00.tbz")
		if len(f.warnings) != 2 {
			t.Errorf("got %q", f.warnings)
		}
	}
}

func TestOddLine(t *testing.T) {
	text := now + "+push a\n" + now + "-push b\n" + now + "-push b\n"
	f := newFixture(t, text)
	j := f.open()
	want := []string{f.cfg.Path + ":2: marks as done what was not pending (and 1 more); this does no harm"}
	if !reflect.DeepEqual(f.warnings, want) {
		t.Errorf("got %q, want %q", f.warnings, want)
	}
	f.wantsPending(j, Entry{Push, "a"})
	if f.text() != text {
		t.Errorf("the journal was changed to %q", f.text())
	}
}

func TestReadMissing(t *testing.T) {
	f := newFixture(t, "none")
	state, err := Read(durable.OS{}, f.cfg.Path)
	if err != nil || len(state.Pending) > 0 {
		t.Errorf("got %v, %v", state, err)
	}
	if _, err := os.Stat(f.cfg.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Read made the file: %v", err)
	}
}

func TestClosed(t *testing.T) {
	f := newFixture(t, "")
	j := f.open()
	ok(t, j.Close())
	if err := j.Register(tarball); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v, want os.ErrClosed", err)
	}
	f.wants()
}

// TestSideBySide has many write at once; whoever overwrote a line, or wrote
// into one, would show.
func TestSideBySide(t *testing.T) {
	const journals, goroutines, rounds = 3, 3, 5
	for name, locker := range map[string]lock.Locker{"OS": lock.OS{}, "Memory": &lock.Memory{}} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, "")
			f.cfg.Locker = locker
			at := f.cfg.Now()
			var writing atomic.Bool
			f.cfg.Now = func() time.Time { // called by whoever is about to write
				if !writing.CompareAndSwap(false, true) {
					t.Error("two write at once")
				}
				runtime.Gosched()
				writing.Store(false)
				return at
			}
			var group sync.WaitGroup
			for i := range journals {
				j := f.open()
				for k := range goroutines {
					group.Go(func() {
						for r := range rounds {
							kept := Entry{Push, fmt.Sprintf("%d/%d/%d", i, k, r)}
							sent := Entry{Sync, kept.Path}
							if err := j.Register(kept, sent); err != nil {
								t.Error(err)
							}
							ticket, err := j.Begin(sent)
							if err != nil {
								t.Error(err)
							}
							if done, err := j.Done(ticket); !done || err != nil {
								t.Errorf("done %v: %v", done, err)
							}
						}
					})
				}
			}
			group.Wait()
			state, err := Read(durable.OS{}, f.cfg.Path)
			ok(t, err)
			if got, want := len(state.Pending), journals*goroutines*rounds; got != want {
				t.Errorf("got %d pending, want %d", got, want)
			}
			if got, want := strings.Count(f.text(), "\n"), 3*journals*goroutines*rounds; got != want {
				t.Errorf("got %d lines, want %d", got, want)
			}
			if len(f.warnings) > 0 || len(state.odd) > 0 {
				t.Errorf("warnings %q, odd lines %v", f.warnings, state.odd)
			}
		})
	}
}
