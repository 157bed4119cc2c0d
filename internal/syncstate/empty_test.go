package syncstate

import (
	"context"
	"errors"
	"os"
	"reflect"
	"testing"
	"time"

	"btw-backup/internal/lock"
)

func TestReset(t *testing.T) {
	f := newFixture(t, "")
	j := f.open()
	ok(t, j.Register(tarball))
	if err := j.Reset(); !errors.Is(err, ErrPending) || err.Error() != "cannot reset: some files must be synced or pushed" {
		t.Errorf("got %v, want %v", err, ErrPending)
	}
	f.wants("+push etc/2016-01-01T12:00:00.tbz")
	f.done(j, f.begin(j, tarball), true)
	ok(t, j.Reset())
	f.wants()
	ok(t, j.Register(chain)) // it is open as before
	ok(t, f.open().Register(tarball))
	f.wantsPending(j, chain, tarball)
}

// TestResetWaits resets while another run is about, and that run leaves
// something behind, or nothing.
func TestResetWaits(t *testing.T) {
	for _, left := range []bool{false, true} {
		f := newFixture(t, now+"+push a\n"+now+"-push a\n")
		other := f.open()
		f.cfg.Wait.Notice = 1
		f.cfg.Wait.OnWait = func(_, _ string) {
			if left {
				ok(t, other.Register(chain))
			}
			ok(t, other.Close())
		}
		err := Reset(context.Background(), f.cfg)
		if left {
			if !errors.Is(err, ErrPending) {
				t.Errorf("got %v, want %v", err, ErrPending)
			}
			f.wants("+push a", "-push a", "+sync www/2016-01-01T12:00:00/")
			continue
		}
		ok(t, err)
		f.wants()
	}
}

func TestResetGivesUp(t *testing.T) {
	f := newFixture(t, now+"+push a\n"+now+"-push a\n")
	other := f.open()
	f.cfg.Wait = lock.Waiter{Limit: time.Millisecond}
	j := f.open()
	var busy *lock.BusyError
	if err := j.Reset(); !errors.As(err, &busy) || busy.What != f.cfg.Path {
		t.Errorf("got %v, want a BusyError", err)
	}
	f.wants("+push a", "-push a")
	ok(t, j.Register(chain))
	f.wantsPending(other, chain)
}

func TestCompact(t *testing.T) {
	const settled, harmless = now + "+push a\n" + now + "-push a\n", now + "-push x\n"
	never := func(string) bool { return false }
	for _, test := range []struct {
		name    string
		text    string
		maxSize int64
		gone    func(string) bool
		want    bool
	}{
		{"empty", "", -1, never, false},
		{"small", settled, int64(len(settled)), never, false},
		{"large", settled, int64(len(settled)) - 1, never, true},
		{"nobody asked", settled, 1000, nil, false},
		{"gone", settled + now + "+sync b\n" + now + "-sync b\n", 1000, func(p string) bool { return p == "b" }, true},
		{"another is gone", settled, 1000, func(p string) bool { return p == "b" }, false},
		{"odd", settled + harmless, 1000, never, true},
		{"large, but pending", settled + now + "+push a\n", 0, never, false},
		{"odd and gone, but pending", harmless + now + "+push b\n", 1000, func(string) bool { return true }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t, test.text)
			emptied, err := f.open().Compact(test.maxSize, test.gone)
			ok(t, err)
			want := test.text
			if test.want {
				want = ""
			}
			if emptied != test.want || f.text() != want {
				t.Errorf("emptied: got %v, want %v, and the journal holds\n%s", emptied, test.want, f.text())
			}
		})
	}
}

func TestCompactAsksOnce(t *testing.T) {
	f := newFixture(t, now+"+push a\n"+now+"-push a\n"+now+"+sync a\n"+now+"-sync a\n"+now+"+push a\n"+now+"-push a\n")
	var asked []string
	_, err := f.open().Compact(1000, func(path string) bool {
		asked = append(asked, path)
		return false
	})
	ok(t, err)
	if !reflect.DeepEqual(asked, []string{"a"}) {
		t.Errorf("asked for %q", asked)
	}
}

// TestCompactRegisteredMeanwhile has somebody register while paths are looked
// at, and leave.
func TestCompactRegisteredMeanwhile(t *testing.T) {
	f := newFixture(t, now+"+push a\n"+now+"-push a\n")
	emptied, err := f.open().Compact(1000, func(string) bool {
		other := f.open()
		ok(t, other.Register(chain))
		ok(t, other.Close())
		return true
	})
	if emptied || err != nil {
		t.Errorf("emptied: %v, %v", emptied, err)
	}
	f.wants("+push a", "-push a", "+sync www/2016-01-01T12:00:00/")
}

// TestTicketAndEmptying is the reason for emptying a journal only when alone
// with it. Two runs send the same file, the first one is done with it, empties
// the journal and registers the file anew. To the second one, which counts, it
// would look as if nothing had happened.
func TestTicketAndEmptying(t *testing.T) {
	t.Run("another run's", func(t *testing.T) {
		f := newFixture(t, "")
		first, second := f.open(), f.open()
		ok(t, first.Register(tarball))
		ticket := f.begin(second, tarball)
		f.done(first, f.begin(first, tarball), true)
		if emptied, err := first.Compact(0, nil); emptied || err != nil {
			t.Errorf("emptied while another run was about: %v, %v", emptied, err)
		}
		ok(t, first.Register(tarball))
		f.done(second, ticket, false)
		f.wantsPending(first, tarball)
	})
	for name, empty := range map[string]func(*Journal) error{
		"Compact": func(j *Journal) error { _, err := j.Compact(0, nil); return err },
		"Reset":   (*Journal).Reset,
	} {
		t.Run("our own, "+name, func(t *testing.T) {
			f := newFixture(t, "")
			j := f.open()
			ok(t, j.Register(tarball))
			late := f.begin(j, tarball)
			f.done(j, f.begin(j, tarball), true)
			ok(t, empty(j))
			f.wants()
			f.done(j, late, true) // nothing is pending
			ok(t, j.Register(tarball))
			f.done(j, late, false)
			f.wantsPending(j, tarball)
		})
	}
	// With anything pending there is no emptying, and so no ticket for what is
	// pending can be of another journal than the one it counts in.
	t.Run("pending", func(t *testing.T) {
		f := newFixture(t, "")
		j := f.open()
		ok(t, j.Register(tarball))
		ticket := f.begin(j, tarball)
		if emptied, err := j.Compact(0, func(string) bool { return true }); emptied || err != nil {
			t.Errorf("emptied: %v, %v", emptied, err)
		}
		if err := j.Reset(); !errors.Is(err, ErrPending) {
			t.Errorf("got %v", err)
		}
		f.done(j, ticket, true)
	})
}

// TestRemovedMeanwhile: what would be registered in a file that has no name
// would be lost.
func TestRemovedMeanwhile(t *testing.T) {
	f := newFixture(t, "")
	j := f.open()
	ok(t, os.Remove(f.cfg.Path))
	if err := j.Register(tarball); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want os.ErrNotExist", err)
	}
}

// TestReplacedMeanwhile edits the journal as editors do.
func TestReplacedMeanwhile(t *testing.T) {
	f := newFixture(t, now+"+push a\n"+now+"-push a\n")
	j := f.open()
	ok(t, os.WriteFile(f.cfg.Path+"~", []byte(now+"+push b\n"), 0o600))
	ok(t, os.Rename(f.cfg.Path+"~", f.cfg.Path))
	ok(t, j.Register(tarball))
	f.wants("+push b", "+push etc/2016-01-01T12:00:00.tbz")
}
