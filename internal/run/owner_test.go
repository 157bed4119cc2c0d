package run_test

import (
	"os"
	"syscall"
	"testing"

	"btw-backup/internal/artifact"
	"btw-backup/internal/destination"
	"btw-backup/internal/run"
)

// giving notes what is given away, instead of giving it.
type giving struct {
	*trace
	t     *testing.T
	given int
}

func (g *giving) Lchown(name string, uid, gid int) error {
	info, err := os.Lstat(name)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if uid != 12345 || !ok { // a copy that keeps its owner
		return nil
	}
	g.given++
	if info.Mode().IsRegular() && stat.Nlink > 1 {
		g.t.Errorf("%s: is given away, and so is the published file that it is a link of", name)
	}
	return nil
}

// TestAnIncrementGivesAwayOnlyWhatItPublishes: until the clone of a chain takes
// the chain's place, the chain belongs to whom it belonged.
func TestAnIncrementGivesAwayOnlyWhatItPublishes(t *testing.T) {
	s := newStage(t)
	s.perform(keepRdiff(t.Context(), "one\n"))
	world := s.world()
	fsys := &giving{trace: s.trace, t: t}
	world.FS, world.Config.FS = fsys, fsys
	r := run.New(world)
	err := r.Finish(t.Context(), func() error {
		p, err := r.Open(t.Context(), "rdiff", &run.Owner{UID: 12345, GID: -1})
		if err != nil {
			return err
		}
		b, _ := p.Latest(destination.Rdiff)
		_, err = p.Rdiff(t.Context(), text("backup.tar", artifact.Plain, "two\n"), &b)
		return err
	}())
	if err != nil {
		t.Fatal(err)
	}
	if fsys.given < 10 {
		t.Errorf("%d files and directories were given away: not all of the chain", fsys.given)
	}
}
