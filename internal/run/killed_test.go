package run_test

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/afero"

	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/exec"
	"btw-backup/internal/run"
	"btw-backup/internal/syncstate"
	"btw-backup/internal/tbz"
	"btw-backup/internal/testkit/tools"
)

// errKilled is what every operation returns from the moment on in which the
// process is as good as dead.
var errKilled = errors.New("killed")

// mortal is a file system, and a runner of programs, that dies before its nth
// change.
type mortal struct {
	durable.OS
	runner exec.Runner
	left   int // changes until death
	dead   bool
	kinds  []string // of the changes so far: what was done, and where
}

func (m *mortal) change(what, name string) error {
	kind := what + " in " + filepath.Dir(name)
	switch {
	case strings.Contains(name, "/copy/"): // the off-site package has tests of its own for each
		kind = "copy"
	case strings.Contains(name, "/.btw-tmp-"):
		kind = what + " temporarily"
	}
	m.kinds = append(m.kinds, kind)
	if m.left--; m.left < 0 {
		m.dead = true
	}
	if m.dead {
		return errKilled
	}
	return nil
}

func (m *mortal) Run(ctx context.Context, cmd exec.Cmd) (exec.Result, error) {
	if err := m.change("run", cmd.Args[0]); err != nil {
		return exec.Result{}, err
	}
	return m.runner.Run(ctx, cmd)
}

func (m *mortal) Mkdir(name string, perm fs.FileMode) error {
	if err := m.change("mkdir", name); err != nil {
		return err
	}
	return m.OS.Mkdir(name, perm)
}

func (m *mortal) Rename(a, b string) error {
	if err := m.change("rename", b); err != nil {
		return err
	}
	return m.OS.Rename(a, b)
}

func (m *mortal) Link(a, b string) error {
	if err := m.change("link", b); err != nil {
		return err
	}
	return m.OS.Link(a, b)
}

func (m *mortal) Exchange(a, b string) error {
	if err := m.change("exchange", b); err != nil {
		return err
	}
	return m.OS.Exchange(a, b)
}

func (m *mortal) Remove(name string) error {
	if err := m.change("remove", name); err != nil {
		return err
	}
	return m.OS.Remove(name)
}

// RemoveAll dies with half of the tree removed.
func (m *mortal) RemoveAll(name string) error {
	entries, _ := os.ReadDir(name)
	for _, entry := range entries {
		if err := m.RemoveAll(filepath.Join(name, entry.Name())); err != nil {
			return err
		}
	}
	if err := m.change("removeall", name); err != nil {
		return err
	}
	return m.OS.RemoveAll(name)
}

func (m *mortal) OpenFile(name string, flag int, perm fs.FileMode) (afero.File, error) {
	if flag&os.O_CREATE != 0 {
		if err := m.change("openfile", name); err != nil {
			return nil, err
		}
	}
	if m.dead {
		return nil, errKilled
	}
	f, err := m.OS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &mortalFile{f, m}, nil
}

type mortalFile struct {
	afero.File
	m *mortal
}

// Write dies with half of it written.
func (f *mortalFile) Write(p []byte) (int, error) {
	if err := f.m.change("write", f.Name()); err != nil {
		if f.m.left == -1 {
			_, _ = f.File.Write(p[:len(p)/2])
		}
		return 0, err
	}
	return f.File.Write(p)
}

func (f *mortalFile) WriteString(s string) (int, error) { return f.Write([]byte(s)) }

func (f *mortalFile) Truncate(n int64) error {
	if err := f.m.change("truncate", f.Name()); err != nil {
		return err
	}
	return f.File.Truncate(n)
}

// TestKilledBeforeEveryChange stops a run before the changes that it makes to
// the disk, in the middle of each write, and before each program that it runs;
// then it looks whether everything that is listed is whole, and whether one
// ordinary run brings everything right. What a power cut may do beside, to
// what was not synced, is not tried here.
func TestKilledBeforeEveryChange(t *testing.T) {
	tools.Need(t, "rdiff-backup")
	t.Parallel()
	type act func(context.Context, string) func(*run.Run) error
	for _, story := range []struct {
		name   string
		keep   act
		before []string // what was kept before
		now    string   // what is to be kept in the run that is killed
	}{
		{"tar, first", keepTar, nil, "one"},
		{"tar, changed", keepTar, []string{"one"}, "two"},
		{"tar, unchanged", keepTar, []string{"one"}, "one"},
		{"tar, unchanged again", keepTar, []string{"one", "one"}, "one"},
		{"rdiff, full", keepRdiff, nil, "one"},
		{"rdiff, first increment", keepRdiff, []string{"one"}, "two"},
		{"rdiff, second increment", keepRdiff, []string{"one", "two"}, "three"},
	} {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			base := newStage(t)
			var held []string
			for _, content := range story.before {
				base.perform(story.keep(t.Context(), content))
				base.now = base.now.Add(time.Hour)
				if len(held) == 0 || held[len(held)-1] != content {
					held = append(held, content)
				}
			}
			act := story.keep(t.Context(), story.now)
			const never = 1 << 30
			kinds := killAt(t, base, act, held, story.now, never)
			killed := 0
			for n := range kinds {
				if telling(kinds, n) {
					killAt(t, base, act, held, story.now, n)
					killed++
				}
			}
			t.Logf("killed %d times in %d changes", killed, len(kinds))
			if killed < 10 {
				t.Errorf("only %d changes were made", len(kinds))
			}
		})
	}
}

// killAt does a run that dies before its nth change, on a copy of base, and one
// after it that does not. It returns the changes up to there.
func killAt(t *testing.T, base *stage, act func(*run.Run) error, held []string, now string, n int) []string {
	t.Helper()
	s := newStage(t)
	s.now = base.now
	defer os.RemoveAll(s.dir) //nolint:errcheck // the test's own end sees to the rest
	for _, dir := range []string{"config", "root", "copy"} {
		if out, err := osexec.Command("cp", "-a", filepath.Join(base.dir, dir), s.dir).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	// The store knows its place by its path.
	if err := os.Remove(filepath.Join(s.dir, "config", "offsite-id")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	world := s.world()
	m := &mortal{runner: world.Exec, left: n}
	world.FS, world.Exec, world.Config.FS = m, m, m
	r := run.New(world)
	err := r.Finish(t.Context(), act(r))
	if !m.dead {
		if err != nil {
			t.Fatalf("undisturbed: %v", err)
		}
		return m.kinds
	}
	after := held
	if len(held) == 0 || held[len(held)-1] != now {
		after = append(held[:len(held):len(held)], now)
	}
	s.check(fmt.Sprintf("killed before change %d", n), false, held, after)

	s.now = s.now.Add(time.Hour)
	s.perform(act)
	s.check(fmt.Sprintf("killed before change %d, and run again", n), true, after)
	return m.kinds
}

// check holds DESIGN.md's invariants against the stage: what is listed can be
// restored, and holds one of wants; and after an undisturbed run nothing is
// pending, nothing lies about, and both sides are equal.
func (s *stage) check(when string, undisturbed bool, wants ...[]string) {
	s.t.Helper()
	var got []string
	for _, dst := range []string{"tar", "rdiff"} {
		contents, err := run.New(s.world()).Look(dst)
		if err != nil {
			continue // not made yet
		}
		for _, b := range contents.Backups {
			got = append(got, s.restore(b)...)
		}
	}
	if !slices.ContainsFunc(wants, func(want []string) bool { return slices.Equal(got, want) }) {
		s.t.Errorf("%s: the backups hold %q, want one of %q", when, got, wants)
	}
	if !undisturbed {
		return
	}
	state, err := syncstate.Read(durable.OS{}, run.StatePath(filepath.Join(s.dir, "config")))
	if err != nil || len(state.Pending) > 0 {
		s.t.Errorf("%s: pending %v, %v", when, state.Pending, err)
	}
	out, err := osexec.Command("diff", "-r", filepath.Join(s.dir, "root"), filepath.Join(s.dir, "copy")).CombinedOutput()
	if text := strings.TrimSpace(string(out)); text != "Only in "+filepath.Join(s.dir, "copy")+": .btw-offsite" {
		s.t.Errorf("%s: both sides differ: %v\n%s", when, err, out)
	}
	if err := filepath.Walk(s.dir, func(name string, _ os.FileInfo, err error) error {
		if durable.IsTemp(filepath.Base(name)) || strings.Contains(name, ".btw-aside") {
			s.t.Errorf("%s: %s lies about", when, name)
		}
		return err
	}); err != nil {
		s.t.Error(err)
	}
}

// restore returns the contents of all states of a backup.
func (s *stage) restore(b destination.Backup) []string {
	s.t.Helper()
	stored := filepath.Join(s.dir, "root", b.Path())
	if b.Kind == destination.Tar {
		f, err := os.Open(stored)
		if err != nil {
			s.t.Fatal(err)
		}
		defer f.Close() //nolint:errcheck // only read
		plain, err := io.ReadAll(tbz.NewReader(f))
		if err != nil {
			s.t.Error(err)
		}
		return []string{string(plain)}
	}
	key := chainKey(s.t, stored)
	if known, ok := restored.Load(key); ok {
		return known.([]string)
	}
	var contents []string
	for _, at := range append([]time.Time{b.Time}, b.Increments...) {
		out := filepath.Join(s.t.TempDir(), "restored")
		cmd := osexec.Command("rdiff-backup", "restore", "--at", at.Format(time.RFC3339), filepath.Join(stored, "backup.tar"), out)
		if text, err := cmd.CombinedOutput(); err != nil {
			s.t.Errorf("%v\n%s", err, text)
		}
		plain, err := os.ReadFile(out)
		if err != nil {
			s.t.Error(err)
		}
		contents = append(contents, string(plain))
	}
	// restore leaves a log of its own in the repository.
	if err := os.Remove(filepath.Join(stored, "rdiff-backup-data", "restore.log")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Error(err)
	}
	restored.Store(key, contents)
	return contents
}

// restored remembers what chains hold, by chainKey: most kills leave one of
// few, and each restoring takes a Python.
var restored sync.Map

// chainKey is the same for two chains in which all that a restoring reads is
// equal: every file but the logs and statistics.
func chainKey(t *testing.T, chain string) string {
	t.Helper()
	sum := sha256.New()
	err := filepath.Walk(chain, func(name string, info os.FileInfo, err error) error {
		base := filepath.Base(name)
		if err != nil || info.IsDir() || strings.Contains(base, "statistics") || strings.Contains(base, "log") {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // only read
		_, _ = fmt.Fprintf(sum, "%q\n", strings.TrimPrefix(name, chain))
		var r io.Reader = f
		if strings.HasSuffix(base, ".gz") { // whose header bears the time of day
			if r, err = gzip.NewReader(f); err != nil {
				return err
			}
		}
		_, err = io.Copy(sum, r)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(sum.Sum(nil))
}
