package main

import (
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"btw-backup/internal/crashfs"
	"btw-backup/internal/destination"
)

// The first ring: every command that writes, in every state of the destination
// (ring_scenes_test.go), crashed at every point, with every survival; then one
// ordinary run, and DESIGN.md's invariants.
//
// Each scene is run once, undisturbed, on a file system in memory that keeps a
// journal: see package crashfs. From that, every crash is computed: before each
// operation of the program and of the programs that it runs, in the middle of
// each write, between any two requests to the store, which is a directory on
// the same file system. Of a crash there are as many outcomes as there are
// survivals; equal outcomes are tried once.
//
// Environment:
//
//	RING=full    tries all, and crashes many recoveries, too; else a sample
//	RING_REPLAY  one outcome, as a failure prints it, with a trace
//	RING_SCENES  only scenes whose names hold this text

// scene is a command in a state of the site.
type scene struct {
	name string
	// before brings the site there.
	before func(s *site)
	act    []string      // the command that is crashed
	after  []string      // the next ordinary command; nil means the same
	first  func(s *site) // what a person does before, who sees that act did not end well
	dst    string        // of which the backups are looked at

	was, now []string // what the backups held before act, and hold after it

	// wild says that there is something that no run of this program leaves: it
	// may be set aside, and off-site nobody knows of it.
	wild bool

	// between says that a chain is under no name that list knows for a moment,
	// since the file system cannot exchange two. The next run finds it.
	between bool
}

// crash is what happened to a site.
type crash struct {
	at       crashfs.Point
	survival string
}

const killed = "killed"

func (c crash) String() string { return fmt.Sprintf("%v|%s", c.at, c.survival) }

// tally counts what the ring has tried.
type tally struct{ points, outcomes, tried, again atomic.Int64 }

// TestRing is the first ring.
func TestRing(t *testing.T) {
	t.Parallel()
	if replay := os.Getenv("RING_REPLAY"); replay != "" {
		replayRing(t, replay)
		return
	}
	// Most of what is made is gone a millisecond later.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	var all tally
	scenes := scenes()
	t.Run("scenes", func(t *testing.T) {
		for _, sc := range scenes {
			if !strings.Contains(sc.name, os.Getenv("RING_SCENES")) {
				continue
			}
			t.Run(sc.name, func(t *testing.T) {
				t.Parallel()
				(&explorer{scene: sc, report: t.Errorf, all: &all}).explore()
			})
		}
	})
	t.Logf("%d scenes (commands × states), %d crash points, %d outcomes (crash points × survivals); %d of these, all different, were tried and recovered from, %d of them after a second crash, during recovery",
		len(scenes), all.points.Load(), all.outcomes.Load(), all.tried.Load(), all.again.Load())
}

// slowness makes the sample smaller.
var slowness = 1

// sample tells of how many outcomes one is tried, where there are so many
// points.
func sample(points int) uint32 {
	if ringMode() == "full" {
		return 1
	}
	const outcomes, most = 14, 36                        // of a point; of a scene
	return uint32(max(1, slowness*points*outcomes/most)) //nolint:gosec // small numbers
}

// explorer tries the crashes of one scene.
type explorer struct {
	scene
	report func(format string, args ...any)
	all    *tally

	wrap     func(s *site)     // makes the site another one: a mutant, say
	caught   func(what string) // hears of the first failure, if it is not nil
	thorough bool              // tries each outcome
	// spared says that a fault may have kept what the sync state says from the
	// disk: what is done already may then be pending again after a power cut.
	spared   bool
	oneIn    uint32 // of so many outcomes one is tried; 0 is each
	tried    int
	failures int
	seen     map[string]bool
}

// mostFailures of one scene are reported; more would say the same.
const mostFailures = 4

// stage builds the scene's site.
func (x *explorer) stage() *site {
	s := newSite()
	x.before(s)
	s.settle()
	if x.wrap != nil {
		x.wrap(s)
	}
	return s
}

// explore tries everything.
func (x *explorer) explore() {
	x.seen = map[string]bool{}
	s := x.stage()
	if x.failed(nil, "before", x.checkAnytime(s, true)) {
		return
	}
	from := s.fs.Now()
	if status := s.run(x.act...); status != 0 {
		x.report("undisturbed, %q exits with %d:\n%s", x.act, status, s.stderr)
		return
	}
	if x.after == nil && x.failed(nil, "undisturbed", x.checkAfter(s)) {
		return
	}
	x.crashes(s, from, nil)
}

// crashes tries each crash of what a site has done since a point. past are the
// crashes before.
func (x *explorer) crashes(s *site, from crashfs.Point, past []crash) {
	points := s.fs.Points(from)
	events := s.fs.Events()
	x.all.points.Add(int64(len(points)))
	if x.oneIn = sample(len(points)); x.thorough {
		x.oneIn = 1
	}
	signatures := map[uint64]bool{}
	for i, p := range points {
		if x.failures >= mostFailures || x.failures > 0 && x.caught != nil {
			return
		}
		moment := s.fs.At(p)
		x.all.outcomes.Add(1)
		if by := append(slices.Clip(past), crash{p, killed}); x.chosen(by) {
			x.try(s, moment.Kill(), by, fmt.Sprintf("%d %d ", moment.Signature(crashfs.OnlySynced), moment.Loose()))
		}
		// What else can be lost is the same until the next fsync.
		last := i == len(points)-1 || p.Event < len(events) && events[p.Event].Sync()
		for _, survival := range survivals(moment.Loose(), last, p) {
			x.all.outcomes.Add(1)
			by := append(slices.Clip(past), crash{p, survival.Name})
			if !x.chosen(by) {
				continue
			}
			if signature := moment.Signature(survival); !signatures[signature] {
				signatures[signature] = true
				x.try(s, moment.PowerCut(survival), by, "")
			}
		}
	}
}

// survivals are those that are tried at a point.
func survivals(loose int, last bool, p crashfs.Point) []crashfs.Survival {
	all := crashfs.Named()
	if !last {
		return all
	}
	most, seeds := 8, 1
	if ringMode() == "full" {
		most, seeds = loose, 6
	}
	step := max(1, loose/max(1, most))
	for n := 1; n < loose; n += step {
		all = append(all, crashfs.Prefix(n))
	}
	for n := range seeds {
		all = append(all, crashfs.Random(uint64(p.Event*1000+n))) //nolint:gosec // small numbers
	}
	return all
}

// try looks at what a crash left, lets the next ordinary command bring
// everything right, and crashes some of these, too. mark tells apart outcomes
// that look alike.
func (x *explorer) try(before *site, left *crashfs.FS, past []crash, mark string) {
	key := mark + left.Fingerprint()
	if x.seen[key] {
		return
	}
	x.seen[key] = true
	x.all.tried.Add(1)
	x.tried++
	s := before.on(left)
	if x.failed(past, "right after the crash", x.checkAnytime(s, true)) {
		return
	}
	if n := x.tried % 8; n < 2 && !x.wild || ringMode() == "full" {
		x.recoverOtherwise(s, past, n == 0)
	}
	from := s.fs.Now()
	x.recover(s, past)
	if len(past) > 1 {
		x.all.again.Add(1)
		return
	}
	// Of the recoveries, some are crashed.
	every, points := 10, 3
	if ringMode() == "full" {
		every, points = 7, 12
	}
	if x.tried%every != 0 || x.failures > 0 {
		return
	}
	all := s.fs.Points(from)
	for k := range points {
		p := all[(k*len(all)/points+x.tried)%len(all)]
		moment := s.fs.At(p)
		x.try(s, moment.Kill(), append(slices.Clip(past), crash{p, killed}), fmt.Sprint(past, p))
		for _, survival := range []crashfs.Survival{crashfs.OnlySynced, crashfs.Everything, crashfs.NamesWithoutBytes, crashfs.Random(uint64(k))} { //nolint:gosec // small
			x.try(s, moment.PowerCut(survival), append(slices.Clip(past), crash{p, survival.Name}), "")
		}
	}
}

func (sc *scene) next() []string {
	if sc.after == nil {
		return sc.act
	}
	return sc.after
}

// chosen tells whether a crash is among those that are tried: in full all of
// them, else a sample that is always the same.
func (x *explorer) chosen(past []crash) bool {
	if x.oneIn <= 1 {
		return true
	}
	h := fnv.New32a()
	_, _ = io.WriteString(h, x.name+past[len(past)-1].String())
	return h.Sum32()%x.oneIn == 0
}

// recover runs the next ordinary command, and checks what it leaves.
func (x *explorer) recover(s *site, past []crash) {
	if x.first != nil {
		x.first(s)
	}
	if status := s.run(x.next()...); status != 0 {
		x.failed(past, "recovering", fmt.Errorf("exit %d:\n%s", status, s.stderr))
		return
	}
	x.failed(past, "after the next run", x.checkAfter(s))
}

// recoverOtherwise tries, on a copy, another next command than the same once
// more: the same with other data, or sync.
func (x *explorer) recoverOtherwise(s *site, past []crash, sync bool) {
	if x.wild || x.after != nil || x.act[0] == "sync" || x.act[0] == "sync-state" {
		return
	}
	s = s.on(s.fs.Clone())
	if sync {
		if status := s.run("sync"); status != 0 {
			x.failed(past, "recovering by sync", fmt.Errorf("exit %d:\n%s", status, s.stderr))
			return
		}
		x.failed(past, "after a sync", x.checkAnytime(s, true))
		if pending, err := s.pending(); err != nil || len(pending) > 0 {
			x.failed(past, "after a sync", fmt.Errorf("pending: %v, %w", pending, err))
		}
		// A directory that was made for nothing is the next backup's affair.
		here := s.tree("/root")
		names := slices.DeleteFunc(s.differing(), func(name string) bool { return strings.HasPrefix(here[name], "d") })
		if len(names) > 0 {
			x.failed(past, "after a sync", fmt.Errorf("both sides differ in %q", names))
		}
		return
	}
	s.holds("other")
	if status := s.run(x.act...); status != 0 {
		x.failed(past, "recovering, with other data", fmt.Errorf("exit %d:\n%s", status, s.stderr))
		return
	}
	other := *x
	other.now = append(slices.Clip(x.now), "other")
	err := other.checkAfter(s)
	if err != nil && !slices.Equal(x.was, x.now) {
		other.now = append(slices.Clip(x.was), "other")
		err = other.checkAfter(s)
	}
	x.failed(past, "after the next run, with other data", err)
}

// failed reports an error, with what there is to replay it.
func (x *explorer) failed(past []crash, when string, err error) bool {
	if err == nil {
		return false
	}
	if x.failures++; x.failures > mostFailures {
		return true
	}
	id := x.name
	for _, c := range past {
		id += "|" + c.String()
	}
	if x.caught != nil {
		x.caught(fmt.Sprintf("%s: %s: %v", id, when, err))
	}
	x.report("%s: %s: %v\nto see what was done: RING_REPLAY=%q go test -run TestRing ./cmd/btw-backup", x.name, when, err, id)
	return true
}

// checkAnytime holds the invariants that hold at every instant.
func (x *explorer) checkAnytime(s *site, loose bool) error {
	// 1: whatever list shows can be restored. 2: what was there is there.
	listed, err := s.listed(x.dst)
	if x.wild && err != nil {
		return nil // it is mended by the next run, not before
	}
	if err != nil {
		return err
	}
	if !slices.Equal(listed, x.now) && !(loose && (x.wild || slices.Equal(listed, x.was) || x.between && len(listed) == 0)) {
		return fmt.Errorf("the backups hold %q; before the run it was %q, after it %q", listed, x.was, x.now)
	}
	// 3: what differs off-site is registered.
	if x.wild {
		return nil
	}
	pending, err := s.pending()
	if err != nil {
		return err
	}
	here := s.tree("/root")
	for _, name := range s.differing() {
		if _, isHere := here[name]; !isHere || strings.HasPrefix(here[name], "d") {
			continue
		}
		covered := false
		for _, e := range pending {
			local := strings.TrimSuffix(e.Path, "/")
			covered = covered || local == "" || name == local || strings.HasPrefix(name, local+"/")
			// A record goes with its backup, and so does the list of digests.
			_, _, isBackup := destination.ParseName(path.Base(local))
			goesWith := path.Base(path.Dir(name)) == destination.RecordDir || path.Base(name) == destination.DigestsName
			covered = covered || goesWith && isBackup && destination.Of(e.Path) == destination.Of(name)
		}
		if !covered {
			return fmt.Errorf("%s differs off-site, and is not registered: pending is %v", name, pending)
		}
	}
	return nil
}

// checkAfter holds the invariants that hold after a run that exits with 0, for
// what a power cut would leave of it, too.
func (x *explorer) checkAfter(s *site) error {
	if err := x.checkDone(s, false); err != nil {
		return err
	}
	// 4: no litter.
	if litter := s.litter(); len(litter) > 0 && !x.wild {
		return fmt.Errorf("litter: %q", litter)
	}
	// 5: exit 0 means done, durably.
	moment := s.fs.At(s.fs.Now())
	for _, survival := range []crashfs.Survival{crashfs.OnlySynced, crashfs.RemovalsFirst, crashfs.RenamesLost} {
		if err := x.checkDone(s.on(moment.PowerCut(survival)), x.spared); err != nil {
			return fmt.Errorf("it exited with 0, then the power failed and left %s: %w", survival, err)
		}
	}
	return nil
}

func (x *explorer) checkDone(s *site, spared bool) error {
	listed, err := s.listed(x.dst)
	if err == nil && !slices.Equal(listed, x.now) {
		err = fmt.Errorf("the backups hold %q, want %q", listed, x.now)
	}
	if err != nil {
		return err
	}
	pending, err := s.pending()
	if err == nil && len(pending) > 0 && !spared {
		err = fmt.Errorf("pending: %v", pending)
	}
	if err != nil {
		return err
	}
	if names := s.differing(); len(names) > 0 {
		return fmt.Errorf("both sides differ in %q", names)
	}
	return nil
}
