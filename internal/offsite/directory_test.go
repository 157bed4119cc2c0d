package offsite

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestDirectoryCopy(t *testing.T) {
	s := newSite(t)
	store := s.store("")
	ctx := context.Background()
	s.write(s.root, map[string]string{"d/a": "1", "d/empty/": "", "b": "2"})
	when := time.Date(2026, 1, 31, 13, 5, 9, 123456789, time.UTC)
	s.ok(os.Chtimes(s.root+"/d/a", when, when))
	s.ok(os.Chmod(s.root+"/d/a", 0o644))
	s.ok(store.Sync(ctx, "d/"))
	s.want(s.target, map[string]string{"d/a": "1", "d/empty/": ""})
	for name, mode := range map[string]fs.FileMode{"d": 0o700, "d/empty": 0o700, "d/a": 0o600} {
		info, err := os.Stat(filepath.Join(s.target, name))
		s.ok(err)
		if info.Mode().Perm() != mode {
			t.Errorf("%s has mode %o, want %o", name, info.Mode().Perm(), mode)
		}
		if name == "d/a" && !info.ModTime().Equal(when) {
			t.Errorf("%s is of %v, want %v", name, info.ModTime(), when)
		}
	}
	// Times tell nothing: same size, same time, other content.
	s.ok(os.WriteFile(s.target+"/d/a", []byte("X"), 0o600))
	s.ok(os.Chtimes(s.target+"/d/a", when, when))
	s.ok(store.Push(ctx, "d/a"))
	s.want(s.target, map[string]string{"d/a": "1", "d/empty/": ""})
	// And no time makes equal content differ.
	before, err := os.Stat(s.target + "/d/a")
	s.ok(err)
	s.ok(os.Chtimes(s.root+"/d/a", when.Add(time.Hour), when.Add(time.Hour)))
	s.ok(store.Sync(ctx, ""))
	after, err := os.Stat(s.target + "/d/a")
	s.ok(err)
	if !os.SameFile(before, after) {
		t.Error("equal content was written again")
	}
}

// TestDirectoryUnreadable: nothing off-site is touched when something here
// cannot be read.
func TestDirectoryUnreadable(t *testing.T) {
	for _, what := range []string{"d", "d/sub", "d/sub/file", "d/e"} {
		t.Run(what, func(t *testing.T) {
			s := newSite(t)
			s.write(s.root, map[string]string{"d/sub/file": "1", "d/e": "2"})
			s.ok(s.store("").Sync(context.Background(), ""))
			s.write(s.root, map[string]string{"d/new": "3"})
			s.remove("d/e")
			if what == "d/e" {
				s.write(s.root, map[string]string{"d/e": "5"})
			}
			spy := &spyFS{target: s.target, deny: map[string]error{filepath.Join(s.root, what): syscall.EACCES}}
			s.fsys = spy
			for _, path := range []string{"", "d/"} {
				err := s.store("").Sync(context.Background(), path)
				if !errors.Is(err, fs.ErrPermission) {
					t.Errorf("sync %q: got error %v, want permission denied", path, err)
				}
			}
			if done := spy.done(); len(done) > 0 {
				t.Errorf("something was done all the same: %q", done)
			}
			s.want(s.target, map[string]string{"d/sub/file": "1", "d/e": "2"})
		})
	}
}

// TestDirectoryRepositoryOrder: see rdiff.go.
func TestDirectoryRepositoryOrder(t *testing.T) {
	s := newSite(t)
	const data = "d/T/rdiff-backup-data/"
	old := map[string]string{
		"d/T/backup.tar":                            "old",
		data + "current_mirror.2026-01-01.data":     "PID 1",
		data + "mirror_metadata.2026-01-01.snap.gz": "old metadata",
		data + "session_statistics.2026-01-01.data": "s",
		data + "backup.log":                         "1",
		data + "increments/":                        "",
	}
	spy := &spyFS{target: s.target}
	s.fsys = spy
	store := s.store("")
	s.write(s.root, old)
	s.ok(store.Push(context.Background(), "d/T/"))
	s.want(s.target, old)
	s.wantDone(spy, []string{
		"rename .btw-offsite",
		"mkdir d", "mkdir d/T", "mkdir d/T/rdiff-backup-data", "mkdir " + data + "increments",
		"rename " + data + "current_mirror.2026-01-01.data",
		"rename " + data + "mirror_metadata.2026-01-01.snap.gz",
		"rename d/T/backup.tar",
		"rename " + data + "backup.log",
		"rename " + data + "session_statistics.2026-01-01.data",
	})

	s.remove(data+"current_mirror.2026-01-01.data", data+"mirror_metadata.2026-01-01.snap.gz")
	s.write(s.root, map[string]string{
		"d/T/backup.tar":                                   "new",
		data + "current_mirror.2026-01-02.data":            "PID 2",
		data + "mirror_metadata.2026-01-01.diff.gz":        "diff",
		data + "mirror_metadata.2026-01-02.snap.gz":        "new metadata",
		data + "session_statistics.2026-01-02.data":        "s2",
		data + "file_statistics.2026-01-02.data":           "f2",
		data + "backup.log":                                "12",
		data + "increments/backup.tar.2026-01-01.diff":     "delta",
		data + "increments/rdiff-backup-data/x":            "no marker",
		"d/T/rdiff-backup-data.d/current_mirror.is.mirror": "m",
	})
	s.ok(store.Sync(context.Background(), "d/T"))
	s.want(s.target, s.tree(s.root))
	s.wantDone(spy, []string{
		"rename " + data + "increments/backup.tar.2026-01-01.diff",
		"mkdir " + data + "increments/rdiff-backup-data",
		"rename " + data + "increments/rdiff-backup-data/x",
		"rename " + data + "current_mirror.2026-01-02.data",
		"rename " + data + "mirror_metadata.2026-01-01.diff.gz",
		"rename " + data + "mirror_metadata.2026-01-02.snap.gz",
		"rename d/T/backup.tar",
		"mkdir d/T/rdiff-backup-data.d",
		"rename d/T/rdiff-backup-data.d/current_mirror.is.mirror",
		"rename " + data + "backup.log",
		"rename " + data + "file_statistics.2026-01-02.data",
		"rename " + data + "session_statistics.2026-01-02.data",
		"remove " + data + "mirror_metadata.2026-01-01.snap.gz",
		"remove " + data + "current_mirror.2026-01-01.data",
	})

	// A repository that is gone here goes as a whole, its directories too.
	s.remove("d/T")
	s.write(s.root, map[string]string{"d/x": ""})
	s.ok(store.Sync(context.Background(), "d/"))
	s.want(s.target, map[string]string{"d/x": ""})
}

func (s *site) wantDone(spy *spyFS, want []string) {
	s.Helper()
	if got := spy.done(); !slices.Equal(got, want) {
		s.Errorf("in this order:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// TestDirectoryFailure: what cannot be sent keeps everything from being
// deleted, and what follows in its repository from being sent.
func TestDirectoryFailure(t *testing.T) {
	s := newSite(t)
	s.write(s.root, map[string]string{"a": "1", "gone": "1", "R/rdiff-backup-data/current_mirror.1.data": "1", "R/m": "old"})
	s.ok(s.store("").Sync(context.Background(), ""))
	s.remove("gone")
	s.write(s.root, map[string]string{"a": "2", "R/rdiff-backup-data/increments/x": "1", "R/m": "new", "S/m": "new", "S/rdiff-backup-data/x": "1"})
	s.fsys = &spyFS{full: s.target + "/R/rdiff-backup-data/increments"}
	err := s.store("").Sync(context.Background(), "")
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got error %v, want no space left on device", err)
	}
	s.want(s.target, map[string]string{
		"a": "2", "gone": "1", // sent, not deleted
		"R/rdiff-backup-data/current_mirror.1.data": "1", "R/m": "old", "R/rdiff-backup-data/increments/": "",
		"S/m": "new", "S/rdiff-backup-data/x": "1",
	})
	// With nothing in the way any more it is all made good.
	s.fsys = &spyFS{}
	s.ok(s.store("").Sync(context.Background(), ""))
	s.want(s.target, s.tree(s.root))
}

// TestDirectoryChanged: a file that changes while it is read is no copy.
func TestDirectoryChanged(t *testing.T) {
	s := newSite(t)
	s.write(s.root, map[string]string{"d/log.txt": "one line\n"})
	s.ok(s.store("").Sync(context.Background(), ""))
	s.write(s.root, map[string]string{"d/log.txt": "another line\n"})
	s.fsys = &spyFS{target: s.target, before: func(op, name string) {
		if op == "create" && strings.HasPrefix(name, s.target+"/d/") {
			s.write(s.root, map[string]string{"d/log.txt": "another line\nand one more\n"})
		}
	}}
	err := s.store("").Push(context.Background(), "d/log.txt")
	s.fails(err, s.root+"/d/log.txt: changed while it was being read")
	if changed := (*ChangedError)(nil); !errors.As(err, &changed) {
		t.Errorf("%v is no *ChangedError", err)
	}
	s.want(s.target, map[string]string{"d/log.txt": "one line\n"})
}

// TestDirectoryVanished: only the path itself is ever told to be gone.
func TestDirectoryVanished(t *testing.T) {
	s := newSite(t)
	s.write(s.root, map[string]string{"d/a": "1", "d/b": "2"})
	s.fsys = &spyFS{before: func(op, name string) {
		if name == s.root+"/d/a" {
			s.remove("d/b")
		}
	}}
	err := s.store("").Sync(context.Background(), "d/")
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got error %v, want one that is not fs.ErrNotExist", err)
	}
	s.fsys = &spyFS{}
	s.ok(os.Rename(s.root, s.root+"-away"))
	err = s.store("").Sync(context.Background(), "d/")
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ROOT_PATH away: got error %v, want one that is not fs.ErrNotExist", err)
	}
}

// TestDirectoryInterrupted: a copy that was cut off leaves a temporary file
// at most, and the next one removes it.
func TestDirectoryInterrupted(t *testing.T) {
	s := newSite(t)
	s.write(s.root, map[string]string{"d/a": strings.Repeat("long", 1<<20), "d/b": "2", "e/c": "3"})
	s.write(s.target, map[string]string{"d/.btw-tmp-123": "rest", "e/.btw-tmp-4": "rest", "d/.btw-tmp-dir/x": "rest"})
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := errors.New("stopped by a signal")
	spy := &spyFS{target: s.target, before: func(op, name string) {
		if op == "create" && strings.HasPrefix(name, s.target+"/d/") {
			cancel(stop)
		}
	}}
	s.fsys = spy
	if err := s.store("").Sync(ctx, ""); !errors.Is(err, stop) {
		t.Fatalf("got error %v, want %v", err, stop)
	}
	s.want(s.target, map[string]string{"e/.btw-tmp-4": "rest", "d/.btw-tmp-dir/x": "rest"})
	spy.before = nil
	s.ok(s.store("").Push(context.Background(), "e/c"))
	s.want(s.target, map[string]string{"e/c": "3", "d/.btw-tmp-dir/x": "rest"})
	s.ok(s.store("").Sync(context.Background(), ""))
	s.want(s.target, s.tree(s.root))
}

// TestDirectoryKept: what was set aside here keeps its copy, whatever the
// sync concerns; so does what is now a symbolic link.
func TestDirectoryKept(t *testing.T) {
	s := newSite(t)
	ctx := context.Background()
	s.write(s.root, map[string]string{"d/T/x": "good", "d/T/y/z": "good", "d/U.tbz": "good", "d/V/x": "1", "d/W": "", "moved/x": "1"})
	s.ok(s.store("").Sync(ctx, ""))
	s.ok(os.Rename(s.root+"/d/T", s.root+"/d/.btw-aside-T"))
	s.ok(os.Rename(s.root+"/d/U.tbz", s.root+"/d/.btw-aside-U.tbz"))
	s.remove("d/V", "moved")
	s.write(s.root, map[string]string{"moved": "-> /elsewhere"})
	s.ok(s.store("").Sync(ctx, "d"))
	s.ok(s.store("").Sync(ctx, ""))
	kept := map[string]string{"d/T/x": "good", "d/T/y/z": "good", "d/U.tbz": "good", "d/W": "", "moved/x": "1"}
	s.want(s.target, kept)
	// Made anew in part: what it lacks is not deleted.
	s.write(s.root, map[string]string{"d/T/x": "new"})
	s.ok(s.store("").Sync(ctx, "d/T/"))
	kept["d/T/x"] = "new"
	s.want(s.target, kept)
	// As a file, where the kept one is a directory: an error, and no loss.
	s.remove("d/T")
	s.write(s.root, map[string]string{"d/T": "file"})
	s.fails(s.store("").Sync(ctx, "d/"), "d/T: in its way off-site is")
	s.want(s.target, kept)
}

// TestDirectoryLinks: nothing is written or deleted through a symbolic link
// in the target.
func TestDirectoryLinks(t *testing.T) {
	s := newSite(t)
	ctx := context.Background()
	outside := t.TempDir()
	s.write(outside, map[string]string{"precious": "1", "d": "2"})
	s.write(s.root, map[string]string{"d/a": "1", "f": "1"})
	s.ok(s.store("").Sync(ctx, ""))
	s.write(s.target, map[string]string{"stray": "-> " + outside, "l": "-> " + outside})
	s.ok(os.Remove(s.target + "/f"))
	s.write(s.target, map[string]string{"f": "-> " + outside + "/precious"})
	s.ok(s.store("").Sync(ctx, ""))
	s.want(s.target, map[string]string{"d/a": "1", "f": "1"})
	s.ok(os.RemoveAll(s.target + "/d"))
	s.write(s.target, map[string]string{"d": "-> " + outside})
	for name, err := range map[string]error{
		"sync all":  s.store("").Sync(ctx, ""),
		"sync":      s.store("").Sync(ctx, "d/"),
		"push":      s.store("").Push(ctx, "d/"),
		"push file": s.store("").Push(ctx, "d/a"),
	} {
		if err == nil || !strings.Contains(err.Error(), "symbolic link") {
			t.Errorf("%s: got error %v, want one that names the link", name, err)
		}
	}
	s.want(outside, map[string]string{"precious": "1", "d": "2"})
}

// TestDirectoryLate: what came while the walk was going on is not deleted.
func TestDirectoryLate(t *testing.T) {
	s := newSite(t)
	s.write(s.root, map[string]string{"d/a": "1"})
	s.write(s.target, map[string]string{"d/late": "1", "d/old": "1"})
	s.fsys = &spyFS{target: s.target, before: func(op, name string) {
		if op == "rename" && name == s.target+"/d/a" {
			s.write(s.root, map[string]string{"d/late": "1"})
		}
	}}
	s.ok(s.store("").Sync(context.Background(), ""))
	s.want(s.target, map[string]string{"d/a": "1", "d/late": "1"})
}

func TestDirectoryPaths(t *testing.T) {
	s := newSite(t)
	s.write(s.root, map[string]string{"d/a": "1", "link": "-> d", ".btw-tmp-x": ""})
	for path, want := range map[string]string{
		"/etc":       "not a path below ROOT_PATH",
		"../x":       "not a path below ROOT_PATH",
		"d/../x":     "not a path below ROOT_PATH",
		"d//a":       "not a path below ROOT_PATH",
		".":          "not a path below ROOT_PATH",
		"d/a\x00":    "not a path below ROOT_PATH",
		"/":          "not a path below ROOT_PATH",
		".btw-tmp-x": "never sent",
		"d/a/":       "is not a directory",
		"link":       "neither a file nor a directory",
		"link/a":     "is not a directory",
	} {
		s.fails(s.store("").Push(context.Background(), path), want)
		s.fails(s.store("").Sync(context.Background(), path), want)
	}
	s.want(s.target, nil)
}
