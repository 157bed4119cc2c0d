package syncstate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spf13/afero"
	"golang.org/x/sys/unix"

	"btw-backup/internal/durable"
	"btw-backup/internal/lock"
	"btw-backup/internal/testkit/other"
)

// faultyFS is the real file system, in which writing goes wrong.
type faultyFS struct {
	durable.OS
	calls *[]string // what was done to files, in order

	most     int   // bytes that a write gets done; -1: all
	writeErr error // what it returns
	syncErrs []error
	noCut    error // what Truncate returns
}

func (fsys *faultyFS) Open(name string) (afero.File, error) {
	return fsys.OpenFile(name, os.O_RDONLY, 0)
}

func (fsys *faultyFS) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	f, err := fsys.OS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &faultyFile{File: f, fsys: fsys}, nil
}

type faultyFile struct {
	afero.File
	fsys *faultyFS
}

func (f *faultyFile) log(call string) {
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		call += " directory"
	}
	*f.fsys.calls = append(*f.fsys.calls, call)
}

func (f *faultyFile) Write(p []byte) (int, error) {
	f.log("write")
	if f.fsys.most < 0 {
		return f.File.Write(p)
	}
	n, err := f.File.Write(p[:f.fsys.most])
	return n, errors.Join(err, f.fsys.writeErr)
}

func (f *faultyFile) Sync() error {
	f.log("sync")
	if errs := f.fsys.syncErrs; len(errs) > 0 {
		f.fsys.syncErrs = errs[1:]
		return errs[0]
	}
	return f.File.Sync()
}

func (f *faultyFile) Truncate(size int64) error {
	f.log("truncate")
	if f.fsys.noCut != nil {
		return f.fsys.noCut
	}
	return f.File.Truncate(size)
}

func TestOrderOfCalls(t *testing.T) {
	var calls []string
	f := newFixture(t, "none")
	f.cfg.FS = &faultyFS{calls: &calls, most: -1}
	expect := func(when, want string) {
		t.Helper()
		if got := strings.Join(calls, ", "); got != want {
			t.Errorf("%s: got %q, want %q", when, got, want)
		}
		calls = nil
	}
	j := f.open()
	expect("Open", "sync directory")
	ok(t, j.Register(tarball, chain))
	expect("Register", "write, sync")
	f.done(j, f.begin(j, tarball), true)
	expect("Done", "write, sync")
	ok(t, j.Withdraw(chain))
	expect("Withdraw", "write, sync")
	_, err := j.Compact(0, nil)
	ok(t, err)
	expect("Compact", "truncate, sync")
	ok(t, os.WriteFile(f.cfg.Path, []byte("2016"), 0o600))
	f.wantsPending(j)
	expect("repair", "truncate, sync")
}

func TestFailedAppend(t *testing.T) {
	for _, test := range []struct {
		name string
		fsys faultyFS
		want error
	}{
		{"disk full", faultyFS{most: 40, writeErr: unix.ENOSPC}, unix.ENOSPC},
		{"short write", faultyFS{most: 40}, io.ErrShortWrite},
		{"nothing written", faultyFS{most: 0, writeErr: unix.EIO}, unix.EIO},
		{"not synced", faultyFS{most: -1, syncErrs: []error{unix.EIO}}, unix.EIO},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t, now+"+push a\n")
			test.fsys.calls = new([]string)
			f.cfg.FS = &test.fsys
			later := test.fsys.syncErrs // Open syncs what there is
			test.fsys.syncErrs = nil
			j := f.open()
			test.fsys.syncErrs = later
			if err := j.Register(tarball, chain); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			f.wants("+push a")
		})
	}
	t.Run("Done", func(t *testing.T) {
		f := newFixture(t, now+"+push a\n")
		f.cfg.FS = &faultyFS{calls: new([]string), most: 20, writeErr: unix.ENOSPC}
		j := f.open()
		if done, err := j.Done(f.begin(j, Entry{Push, "a"})); done || !errors.Is(err, unix.ENOSPC) {
			t.Errorf("got %v, %v", done, err)
		}
		f.wantsPending(j, Entry{Push, "a"})
	})
	t.Run("and it cannot be undone", func(t *testing.T) {
		f := newFixture(t, now+"+push a\n")
		fsys := &faultyFS{calls: new([]string), most: 10, writeErr: unix.ENOSPC, noCut: unix.EROFS}
		f.cfg.FS = fsys
		j := f.open()
		if err := j.Register(chain); !errors.Is(err, unix.ENOSPC) || !errors.Is(err, unix.EROFS) {
			t.Errorf("got %v, want both errors", err)
		}
		if got, want := f.text(), now+"+push a\n2016-01-01"; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		fsys.most, fsys.noCut = -1, nil // the disk has room again
		ok(t, j.Register(chain))
		f.wants("+push a", "+sync www/2016-01-01T12:00:00/")
	})
}

// The other process holds a journal as the Python program does.
func TestMain(m *testing.M) { other.Main(m, other.Lockf) }

func TestPythonKeepsUsOut(t *testing.T) {
	f := newFixture(t, now+"+push a\n")
	said, pid, kill := other.Start(t, f.cfg.Path)
	if said != "locked" {
		t.Fatal(said)
	}
	cfg := f.cfg
	cfg.Wait = lock.Waiter{}
	var busy *lock.BusyError
	if _, err := Open(context.Background(), cfg); !errors.As(err, &busy) ||
		!strings.HasPrefix(busy.Holder, fmt.Sprintf("process %d (", pid)) {
		t.Errorf("got %v, want a BusyError that names process %d", err, pid)
	}
	// Looking on is allowed.
	if _, err := Read(durable.OS{}, cfg.Path); err != nil {
		t.Error(err)
	}

	f.cfg.Wait.Notice = 1
	f.cfg.Wait.OnWait = func(_, _ string) { kill() }
	f.wantsPending(f.open(), Entry{Push, "a"})
}

func TestWeKeepPythonOut(t *testing.T) {
	f := newFixture(t, "")
	j := f.open()
	ok(t, j.Register(tarball)) // opens and closes the file; a classic lock would be gone
	f.wantsPending(f.open(), tarball)
	if said, _, _ := other.Start(t, f.cfg.Path); said == "locked" {
		t.Error("the Python program could lock the journal while it was open")
	}
	f.done(j, f.begin(j, tarball), true)
	ok(t, j.Close())
}
