package lock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"btw-backup/internal/testkit/other"
)

func TestMain(m *testing.M) { other.Main(m, lockAsOther) }

// lockAsOther locks, as another process, "KIND PATH".
func lockAsOther(what string) error {
	kind, path, _ := strings.Cut(what, " ")
	var err error
	switch kind {
	case "dir":
		_, err = OS{}.Dir(context.Background(), path, Waiter{})
	case "join":
		_, err = OS{}.Join(context.Background(), path, Waiter{})
	case "lockf":
		err = other.Lockf(path)
	}
	return err
}

// wait is a Waiter that waits as long as it takes, and calls do as soon as it
// has had to wait.
func wait(do func(what, holder string)) Waiter {
	return Waiter{Limit: time.Hour, Notice: 1, OnWait: do}
}

func mustBusy(t *testing.T, err error) {
	t.Helper()
	_ = busyOf(t, err)
}

func busyOf(t *testing.T, err error) *BusyError {
	t.Helper()
	var busy *BusyError
	if !errors.As(err, &busy) {
		t.Fatalf("got %v, want a BusyError", err)
	}
	return busy
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestLocker holds all implementations to one behaviour.
func TestLocker(t *testing.T) {
	for name, locker := range map[string]Locker{"OS": OS{}, "Memory": &Memory{}} {
		t.Run(name, func(t *testing.T) { testLocker(t, locker) })
	}
}

func testLocker(t *testing.T, locker Locker) {
	ctx := context.Background()
	lock := must[*Lock](t)

	for name, take := range map[string]func(context.Context, string, Waiter) (*Lock, error){
		"Dir": locker.Dir, "File": locker.File,
	} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			if name == "File" {
				path = filepath.Join(path, "file")
			}
			first := lock(take(ctx, path, Waiter{}))
			_, err := take(ctx, path, Waiter{})
			if busy := busyOf(t, err); busy.What != path || busy.Holder == "" || busy.Waited != 0 {
				t.Errorf("got %+v", busy)
			}
			_, err = take(ctx, path, Waiter{Limit: time.Millisecond})
			if busy := busyOf(t, err); busy.Waited != time.Millisecond {
				t.Errorf("got %+v", busy)
			}

			// A second one waits, says so, and gets it.
			calls := 0
			second := lock(take(ctx, path, wait(func(what, _ string) {
				calls++
				if what != path {
					t.Errorf("waits for %s, want %s", what, path)
				}
				ok(t, first.Release())
			})))
			if calls != 1 {
				t.Errorf("OnWait was called %d times", calls)
			}

			// A lock released twice does not release another one's.
			ok(t, first.Release())
			mustBusy(t, errOf(take(ctx, path, Waiter{})))

			// A context that ends, ends the wait.
			stopping, stop := context.WithCancel(ctx)
			_, err = take(stopping, path, wait(func(_, _ string) { stop() }))
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled", err)
			}

			// What is free can be had even so.
			ok(t, second.Release())
			ok(t, lock(take(stopping, path, Waiter{})).Release())
		})
	}

	t.Run("Group", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "journal")
		ok(t, os.WriteFile(path, nil, 0o600))
		group := must[Group](t)
		a, b := group(locker.Join(ctx, path, Waiter{})), group(locker.Join(ctx, path, Waiter{}))

		moment := lock(a.Moment(ctx, Waiter{}))
		mustBusy(t, errOf(b.Moment(ctx, Waiter{})))
		ok(t, moment.Release())
		ok(t, lock(b.Moment(ctx, Waiter{})).Release())

		// Refused, a is still a member, and so b is not alone either.
		mustBusy(t, a.Alone(ctx, Waiter{}))
		mustBusy(t, b.Alone(ctx, Waiter{}))
		mustBusy(t, a.Alone(ctx, Waiter{Limit: time.Millisecond}))
		mustBusy(t, b.Alone(ctx, Waiter{}))

		// Of two who want to be alone, the one who waits lets the other one.
		ok(t, a.Alone(ctx, wait(func(_, _ string) {
			ok(t, b.Alone(ctx, Waiter{}))
			ok(t, b.Leave())
		})))
		ok(t, a.Alone(ctx, Waiter{}))
		mustBusy(t, errOf(locker.Join(ctx, path, Waiter{})))
		ok(t, lock(a.Moment(ctx, Waiter{})).Release())
		ok(t, a.Together())
		ok(t, a.Together())
		b = group(locker.Join(ctx, path, Waiter{}))

		ok(t, b.Leave())
		ok(t, b.Leave())
		for _, err := range []error{errOf(b.Moment(ctx, Waiter{})), b.Alone(ctx, Waiter{}), b.Together()} {
			if !errors.Is(err, os.ErrClosed) {
				t.Errorf("after Leave: got %v, want os.ErrClosed", err)
			}
		}
		ok(t, a.Alone(ctx, Waiter{}))
		ok(t, a.Leave())
		ok(t, group(locker.Join(ctx, path, Waiter{})).Leave())
	})
}

func errOf[T any](_ T, err error) error { return err }

func TestDirExchangedWhileWaiting(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "dst")
	aside := path + ".aside"
	ok(t, os.Mkdir(path, 0o700))
	first := must[*Lock](t)(OS{}.Dir(ctx, path, Waiter{}))

	// The old directory stays locked for ever: only its name went away.
	second := must[*Lock](t)(OS{}.Dir(ctx, path, wait(func(_, _ string) {
		ok(t, os.Rename(path, aside))
		ok(t, os.Mkdir(path, 0o700))
	})))
	mustBusy(t, errOf(OS{}.Dir(ctx, path, Waiter{})))
	mustBusy(t, errOf(OS{}.Dir(ctx, aside, Waiter{})))
	ok(t, second.Release())
	mustBusy(t, errOf(OS{}.Dir(ctx, aside, Waiter{})))
	ok(t, first.Release())
}

func TestDirThatIsNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if _, err := (OS{}).Dir(context.Background(), file, Waiter{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	ok(t, os.WriteFile(file, nil, 0o600))
	if _, err := (OS{}).Dir(context.Background(), file, Waiter{}); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("got %v", err)
	}
}

func TestOtherProcess(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	said, pid, kill := other.Start(t, "dir "+dir)
	if said != "locked" {
		t.Fatal(said)
	}
	busy := busyOf(t, errOf(OS{}.Dir(ctx, dir, Waiter{})))
	want := fmt.Sprintf("process %d (%s), started ", pid, filepath.Base(os.Args[0]))
	if !strings.HasPrefix(busy.Holder, want) {
		t.Errorf("got holder %q, want it to begin with %q", busy.Holder, want)
	}
	kill() // with SIGKILL: it released nothing itself
	ok(t, must[*Lock](t)(OS{}.Dir(ctx, dir, Waiter{})).Release())
}

func TestGroupAndPython(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "sync_state")
	ok(t, os.WriteFile(path, nil, 0o600))

	_, pid, kill := other.Start(t, "lockf "+path)
	busy := busyOf(t, errOf(OS{}.Join(ctx, path, Waiter{})))
	if !strings.HasPrefix(busy.Holder, fmt.Sprintf("process %d (", pid)) {
		t.Errorf("got holder %q, want process %d", busy.Holder, pid)
	}
	kill()

	group := must[Group](t)(OS{}.Join(ctx, path, Waiter{}))
	// A classic lock would not survive this.
	ok(t, must[*os.File](t)(os.Open(path)).Close())
	ok(t, must[*Lock](t)(group.Moment(ctx, Waiter{})).Release())
	if said, _, _ := other.Start(t, "lockf "+path); said == "locked" {
		t.Error("a lockf was had beside a group")
	}

	// Somebody else's OFD lock, whose holder is in no list but his own.
	_, pid, _ = other.Start(t, "join "+path)
	busy = busyOf(t, group.Alone(ctx, Waiter{}))
	if !strings.HasPrefix(busy.Holder, fmt.Sprintf("process %d (", pid)) {
		t.Errorf("got holder %q, want process %d", busy.Holder, pid)
	}
	ok(t, group.Leave())
}

// TestGroupAfterReplacement edits the file as editors do, which write another
// one and give it the name.
func TestGroupAfterReplacement(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "sync_state")
	ok(t, os.WriteFile(path, nil, 0o600))
	group := must[Group](t)(OS{}.Join(ctx, path, Waiter{}))
	ok(t, os.WriteFile(path+"~", nil, 0o600))
	ok(t, os.Rename(path+"~", path))

	moment := must[*Lock](t)(group.Moment(ctx, Waiter{}))
	if said, _, _ := other.Start(t, "lockf "+path); said == "locked" {
		t.Error("the new file was not locked")
	}
	ok(t, moment.Release())

	// Whoever is alone stays so.
	ok(t, must[Group](t)(OS{}.Join(ctx, path, Waiter{})).Leave())
	ok(t, group.Alone(ctx, Waiter{}))
	ok(t, os.WriteFile(path+"~", nil, 0o600))
	ok(t, os.Rename(path+"~", path))
	ok(t, must[*Lock](t)(group.Moment(ctx, Waiter{})).Release())
	mustBusy(t, errOf(OS{}.Join(ctx, path, Waiter{})))

	ok(t, os.Remove(path))
	if _, err := group.Moment(ctx, Waiter{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("with the file removed: got %v", err)
	}
	ok(t, group.Leave())
}

// TestAloneLost has the Python program come in while a run that wants to be
// alone is out of the group, and stay.
func TestAloneLost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync_state")
	ok(t, os.WriteFile(path, nil, 0o600))
	ctx, stop := context.WithCancel(context.Background())
	a := must[Group](t)(OS{}.Join(ctx, path, Waiter{}))
	b := must[Group](t)(OS{}.Join(ctx, path, Waiter{}))
	err := a.Alone(ctx, wait(func(_, _ string) {
		ok(t, b.Leave())
		if said, _, _ := other.Start(t, "lockf "+path); said != "locked" {
			t.Error(said)
		}
		stop()
	}))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if _, err := a.Moment(context.Background(), Waiter{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v, want os.ErrClosed", err)
	}
}

func TestBusyError(t *testing.T) {
	err := &BusyError{What: "/backups/etc", Holder: "process 4711"}
	if got, want := err.Error(), "/backups/etc is in use by process 4711"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	err.Waited = time.Hour
	if got, want := err.Error(), "/backups/etc is in use by process 4711; waited 1h0m0s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestVerdict(t *testing.T) {
	f := must[*os.File](t)(os.Open(t.TempDir()))
	defer f.Close() //nolint:errcheck // only opened
	for _, errno := range []error{unix.ENOLCK, unix.EOPNOTSUPP, unix.ENOSYS, unix.EINVAL, unix.EBADF} {
		got, err := verdict("flock", f, errno)
		if got || !errors.Is(err, errors.ErrUnsupported) || !errors.Is(err, errno) {
			t.Errorf("%v: got %v, %v", errno, got, err)
		}
	}
	if got, err := verdict("flock", f, unix.EWOULDBLOCK); got || err != nil {
		t.Errorf("EWOULDBLOCK: got %v, %v", got, err)
	}
	if got, err := verdict("flock", f, unix.EIO); got || err == nil || errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("EIO: got %v, %v", got, err)
	}
}
