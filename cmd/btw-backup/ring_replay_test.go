package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"btw-backup/internal/crashfs"
)

// TestFoundByTheRing keeps what only RING=full has found: crashes of a run, and
// of the run that recovers from it.
func TestFoundByTheRing(t *testing.T) {
	t.Parallel()
	// A run was killed when it had given the marker of the off-site copy its
	// name, and had not synced it. The next one remembered the marker, durably.
	// Then the power failed: the marker was gone, the memory of it was not, and
	// only a person could have told that nothing was unmounted.
	for _, marker := range []string{"/copy/.btw-offsite", "/root/.btw-root"} {
		x := &explorer{scene: scenes()[0], report: t.Errorf, all: &tally{}, seen: map[string]bool{}}
		s := x.stage()
		s.run(x.act...)
		named := slices.IndexFunc(s.fs.Events(), func(e crashfs.Event) bool { return strings.HasSuffix(e.What, " "+marker) })
		if named < 0 {
			t.Fatalf("%s never got its name", marker)
		}
		s = s.on(s.fs.At(crashfs.Point{Event: named + 1}).Kill())
		from := s.fs.Now()
		s.run("sync")
		for _, p := range s.fs.Points(from) {
			x.try(s, s.fs.At(p).PowerCut(crashfs.OnlySynced), []crash{{crashfs.Point{Event: named + 1}, killed}, {p, "sync, then a power cut"}}, "")
		}
	}
}

// replayRing does again what a failure printed.
func replayRing(t *testing.T, id string) {
	parts := strings.Split(id, "|")
	all := scenes()
	i := slices.IndexFunc(all, func(sc scene) bool { return sc.name == parts[0] })
	if i < 0 {
		t.Fatalf("there is no scene %q", parts[0])
	}
	x := &explorer{scene: all[i], report: t.Errorf, all: &tally{}, seen: map[string]bool{}}
	s := x.stage()
	command := x.act
	var past []crash
	for rest := parts[1:]; len(rest) > 1; rest = rest[2:] {
		c := crash{survival: rest[1]}
		number, half := strings.CutSuffix(rest[0], ".5")
		if _, err := fmt.Sscan(number, &c.at.Event); err != nil {
			t.Fatal(err)
		}
		c.at.Half = half
		from := s.fs.Now()
		status := s.run(command...)
		t.Logf("%q, which would exit with %d, did:\n%sthen came a crash: %s\n%s", command, status, s.fs.Trace(from, c.at), c.survival, s.stderr)
		moment := s.fs.At(c.at)
		left := moment.Kill
		if c.survival != killed {
			survival, err := crashfs.ParseSurvival(c.survival)
			if err != nil {
				t.Fatal(err)
			}
			left = func() *crashfs.FS { return moment.PowerCut(survival) }
		}
		s = s.on(left())
		past = append(past, c)
		x.failed(past, "right after the crash", x.checkAnytime(s, true))
		command = x.next()
	}
	s.fs.Visit(func(name string, mode os.FileMode, data []byte) { t.Logf("left: %v %s %q", mode, name, data) })
	from := s.fs.Now()
	x.recover(s, past)
	t.Logf("%q did:\n%s\n%s", command, s.fs.Trace(from, s.fs.Now()), s.stderr)
}
