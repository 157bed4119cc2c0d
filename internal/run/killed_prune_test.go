package run_test

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"btw-backup/internal/durable"
	"btw-backup/internal/run"
	"btw-backup/internal/syncstate"
	"btw-backup/internal/testkit/tools"
)

// archiveOf returns a tar archive of some files that hold a text.
func archiveOf(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range []string{"./", "./a", "./b"} {
		h := &tar.Header{Name: name, Mode: 0o700, Typeflag: tar.TypeDir}
		if name != "./" {
			h = &tar.Header{Name: name, Mode: 0o600, Size: int64(len(text)), Typeflag: tar.TypeReg}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// mortally performs act in a world that dies before its nth change, on a copy
// of base, and returns the copy and the world.
func mortally(t *testing.T, base *stage, act func(s *stage, r *run.Run) error, n int) (*stage, *mortal) {
	t.Helper()
	s := newStage(t)
	s.now = base.now
	for _, dir := range []string{"config", "root", "copy"} {
		if out, err := osexec.Command("cp", "-a", filepath.Join(base.dir, dir), s.dir).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	// The store knows its place by its path.
	_ = os.Remove(filepath.Join(s.dir, "config", "offsite-id"))
	world := s.world()
	m := &mortal{runner: world.Exec, left: n}
	world.FS, world.Exec, world.Config.FS = m, m, m
	world.Config.Eval = s.keepOne(world.Config.Eval)
	r := run.New(world)
	if err := r.Finish(t.Context(), act(s, r)); !m.dead && err != nil {
		t.Fatalf("undisturbed: %v", err)
	}
	return s, m
}

// telling tells whether to die before the nth change. Of a series of like ones,
// the links of a clone, say, the first and the last two stand for all.
func telling(kinds []string, n int) bool {
	return n == 0 || kinds[n-1] != kinds[n] || n+2 >= len(kinds) || kinds[n+1] != kinds[n] || kinds[n+2] != kinds[n]
}

// keepOne has the settings of the database shop say KEEP_LAST = 1.
func (s *stage) keepOne(eval func(string, []byte) (map[string]any, error)) func(string, []byte) (map[string]any, error) {
	if err := os.WriteFile(filepath.Join(s.dir, "config", "shop.py"), nil, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return func(name string, text []byte) (map[string]any, error) {
		if filepath.Base(name) == "shop.py" {
			return map[string]any{"KEEP_LAST": int64(1)}, nil
		}
		return eval(name, text)
	}
}

// TestPruneKilledBeforeEveryChange stops prune before each change that it makes:
// the newest backup is there at every instant, what is listed is whole, and one
// more prune brings everything right, off-site too.
func TestPruneKilledBeforeEveryChange(t *testing.T) {
	tools.Need(t, "rdiff-backup")
	t.Parallel()
	for _, story := range []struct {
		dst  string
		keep func(context.Context, string) func(*run.Run) error
		full bool // each one is a chain of its own
	}{{"tar", keepTar, false}, {"rdiff", keepFull, true}} {
		t.Run(story.dst, func(t *testing.T) {
			t.Parallel()
			base := newStage(t)
			var all []string
			for _, text := range []string{"one", "two", "three"} {
				all = append(all, archiveOf(t, text))
				base.perform(story.keep(t.Context(), all[len(all)-1]))
				base.now = base.now.Add(time.Hour)
			}
			prune := func(_ *stage, r *run.Run) error {
				p, err := r.Open(t.Context(), story.dst, nil)
				if err != nil {
					return err
				}
				p.From("db:shop")
				plan, err := r.PlanPrune(t.Context(), story.dst)
				if err == nil {
					err = r.Prune(t.Context(), plan)
				}
				if err == nil && len(plan.Removed()) > 0 {
					_, err = r.Send(t.Context(), syncstate.Sync, story.dst+"/")
				}
				return err
			}
			s, m := mortally(t, base, prune, 1<<30)
			s.check("undisturbed", true, all[2:])
			if len(m.kinds) < 10 {
				t.Errorf("only %d changes were made", len(m.kinds))
			}
			for n := range m.kinds {
				if !telling(m.kinds, n) {
					continue
				}
				s, _ := mortally(t, base, prune, n)
				s.check("killed", false, all, all[1:], all[2:])
				r := run.New(s.world())
				if err := r.Finish(t.Context(), r.SendPending(t.Context(), true)); err != nil {
					t.Errorf("killed before change %d, then sync: %v", n, err)
				}
				world := s.world()
				world.Config.Eval = s.keepOne(world.Config.Eval)
				r = run.New(world)
				if err := r.Finish(t.Context(), prune(s, r)); err != nil {
					t.Errorf("killed before change %d, then prune: %v", n, err)
				}
				s.check("killed and pruned again", true, all[2:])
				r = run.New(s.world())
				checked, err := r.Verify(t.Context(), story.dst, true, false)
				if err = r.Finish(t.Context(), err); err != nil || len(checked.Problems) > 0 {
					t.Errorf("killed before change %d: %q, %v", n, checked.Problems, err)
				}
				_ = os.RemoveAll(s.dir)
			}
		})
	}
}

// keepFull keeps a content as a chain of its own.
func keepFull(ctx context.Context, content string) func(*run.Run) error {
	return func(r *run.Run) error {
		p, err := r.Open(ctx, "rdiff", nil)
		if err != nil {
			return err
		}
		_, err = p.Rdiff(ctx, text("backup.tar", 0, content), nil)
		return err
	}
}

// TestRestoreKilledBeforeEveryChange stops restores before each change: there is
// never a part of a tree under its name, and the next restore leaves no litter.
func TestRestoreKilledBeforeEveryChange(t *testing.T) {
	tools.Need(t, "rdiff-backup", "tar")
	t.Parallel()
	base := newStage(t)
	for _, content := range []string{"one", "two"} {
		base.perform(keepTar(t.Context(), archiveOf(t, content)))
		base.perform(keepRdiff(t.Context(), archiveOf(t, content)))
		base.now = base.now.Add(time.Hour)
	}
	for _, story := range []struct{ dst, at, want string }{
		{"tar", "", "two"}, {"rdiff", "", "two"}, {"rdiff", "2026-01-31T13:30", "one"},
	} {
		t.Run(story.dst+" "+story.want, func(t *testing.T) {
			t.Parallel()
			restore := func(s *stage, r *run.Run) error {
				state, err := r.Find(story.dst, story.at)
				if err == nil {
					_, err = r.RestoreTree(t.Context(), run.TreeWanted{State: state, Target: filepath.Join(s.dir, "target")})
				}
				return err
			}
			whole := func(s *stage) bool {
				a, errA := os.ReadFile(filepath.Join(s.dir, "target", "a"))
				b, errB := os.ReadFile(filepath.Join(s.dir, "target", "b"))
				return errA == nil && errB == nil && string(a) == story.want && string(b) == story.want
			}
			s, m := mortally(t, base, restore, 1<<30)
			if !whole(s) {
				t.Error("undisturbed: it is not whole")
			}
			if len(m.kinds) < 6 {
				t.Errorf("only %d changes were made: %q", len(m.kinds), m.kinds)
			}
			for n := range m.kinds {
				if !telling(m.kinds, n) {
					continue
				}
				s, _ := mortally(t, base, restore, n)
				there, err := durable.Exists(durable.OS{}, filepath.Join(s.dir, "target"))
				if err != nil || there && !whole(s) {
					t.Errorf("killed before change %d: there is half a tree, %v", n, err)
				}
				if err := os.RemoveAll(filepath.Join(s.dir, "target")); err != nil {
					t.Error(err)
				}
				r := run.New(s.world())
				if err := r.Finish(t.Context(), restore(s, r)); err != nil || !whole(s) {
					t.Errorf("killed before change %d, and done again: %v", n, err)
				}
				err = filepath.Walk(s.dir, func(name string, _ os.FileInfo, err error) error {
					if strings.HasPrefix(filepath.Base(name), durable.TempPrefix) {
						t.Errorf("killed before change %d (%s): %s lies about", n, m.kinds[n], name)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
				_ = os.RemoveAll(s.dir)
			}
		})
	}
}
