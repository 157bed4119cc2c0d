package crashfs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/afero"

	"btw-backup/internal/crashfs"
	"btw-backup/internal/durable"
)

// disk is an empty file system with a directory /d, all of it durable.
func disk(t *testing.T) *crashfs.FS {
	t.Helper()
	fsys := crashfs.New(time.Now)
	ok(t, fsys.Mkdir("/d", 0o700))
	fsys.Settle()
	return fsys
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// files tells what is in /d.
func files(fsys *crashfs.FS) string {
	var all []string
	fsys.Visit(func(name string, mode fs.FileMode, data []byte) {
		if rel, ok := strings.CutPrefix(name, "/d/"); ok && mode.IsRegular() {
			all = append(all, fmt.Sprintf("%s=%s", rel, strings.ReplaceAll(string(data), "\x00", "0")))
		}
	})
	return strings.Join(all, " ")
}

// now lets the power fail.
func now(fsys *crashfs.FS, s crashfs.Survival) string {
	return files(fsys.At(fsys.Now()).PowerCut(s))
}

func wants(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func write(t *testing.T, fsys durable.FS, name, content string) {
	t.Helper()
	ok(t, afero.WriteFile(fsys, name, []byte(content), 0o600))
}

func syncs(t *testing.T, fsys durable.FS, names ...string) {
	t.Helper()
	for _, name := range names {
		ok(t, durable.SyncDir(fsys, name))
	}
}

func TestWhatIsNotSyncedIsLost(t *testing.T) {
	fsys := disk(t)
	write(t, fsys, "/d/a", "1234")
	wants(t, "nothing synced", now(fsys, crashfs.OnlySynced), "")
	syncs(t, fsys, "/d/a")
	wants(t, "the file synced, not its name", now(fsys, crashfs.OnlySynced), "")
	syncs(t, fsys, "/d")
	wants(t, "both synced", now(fsys, crashfs.OnlySynced), "a=1234")
	write(t, fsys, "/d/b", "5678")
	syncs(t, fsys, "/d")
	wants(t, "the name synced, not the file", now(fsys, crashfs.OnlySynced), "a=1234 b=")
	ok(t, fsys.Remove("/d/a"))
	wants(t, "a removal that is not synced", now(fsys, crashfs.OnlySynced), "a=1234 b=")
}

func TestSurvivals(t *testing.T) {
	fsys := disk(t)
	write(t, fsys, "/d/old", "old")
	write(t, fsys, "/d/gone", "gone")
	fsys.Settle()
	write(t, fsys, "/d/new", "1234")
	ok(t, fsys.Rename("/d/old", "/d/renamed"))
	ok(t, fsys.Remove("/d/gone"))
	for s, want := range map[*crashfs.Survival]string{
		&crashfs.Everything:        "new=1234 renamed=old",
		&crashfs.OnlySynced:        "gone=gone old=old",
		&crashfs.NamesWithoutBytes: "new= renamed=old",
		&crashfs.BytesWithoutNames: "gone=gone old=old",
		&crashfs.LengthsWithZeros:  "new=0000 renamed=old",
		&crashfs.TornTails:         "new=1200 renamed=old",
		&crashfs.CutTails:          "new=12 renamed=old",
		&crashfs.RemovalsFirst:     "old=old",
		&crashfs.RemovalsLost:      "gone=gone new=1234 renamed=old",
		&crashfs.RenamesFirst:      "gone=gone renamed=old",
		&crashfs.RenamesLost:       "new=1234 old=old",
	} {
		wants(t, s.Name, now(fsys, *s), want)
		if again, err := crashfs.ParseSurvival(s.Name); err != nil || now(fsys, again) != want {
			t.Errorf("%s is not found by its name: %v", s.Name, err)
		}
	}
	for n, want := range []string{"gone=gone old=old", "gone=gone new= old=old", "gone=gone new=1234 old=old", "gone=gone new=1234 renamed=old", "new=1234 renamed=old"} {
		wants(t, "prefix", now(fsys, crashfs.Prefix(n)), want)
	}
}

// TestRandomSurvivalsAreRepeatable shows that dice do not decide between two
// names of one rename, nor between two runs of one seed.
func TestRandomSurvivalsAreRepeatable(t *testing.T) {
	fsys := disk(t)
	write(t, fsys, "/d/a", "a")
	fsys.Settle()
	ok(t, fsys.Rename("/d/a", "/d/b"))
	seen := map[string]bool{}
	for seed := range uint64(50) {
		left := now(fsys, crashfs.Random(seed))
		wants(t, "the same seed", now(fsys, crashfs.Random(seed)), left)
		seen[left] = true
	}
	if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, []string{"a=a", "b=a"}) {
		t.Errorf("a rename that is there or is not gives %q", got)
	}
}

// TestAKillLosesNothingYet shows the difference between a process that ends and
// a machine that does.
func TestAKillLosesNothingYet(t *testing.T) {
	fsys := disk(t)
	write(t, fsys, "/d/a", "1234")
	left := fsys.At(crashfs.Point{Event: 1, Half: true}).Kill()
	wants(t, "killed in the middle of a write", files(left), "a=12")
	wants(t, "and then the power", now(left, crashfs.OnlySynced), "")
	syncs(t, left, "/d/a", "/d")
	wants(t, "synced by the next one", now(left, crashfs.OnlySynced), "a=12")
	wants(t, "the first one", files(fsys), "a=1234")
}

func TestPointsAreBeforeEachEventAndInEachWrite(t *testing.T) {
	fsys := disk(t)
	from := fsys.Now()
	write(t, fsys, "/d/a", "1234")
	syncs(t, fsys, "/d/a")
	if got := fmt.Sprint(fsys.Points(from)); got != "[0 1 1.5 2 3]" {
		t.Errorf("got %s\n%s", got, fsys.Trace(from, fsys.Now()))
	}
}

// TestAMomentKnowsNothingOfLater: an fsync that comes after it does not count.
func TestAMomentKnowsNothingOfLater(t *testing.T) {
	fsys := disk(t)
	write(t, fsys, "/d/a", "1234")
	before := fsys.Now()
	syncs(t, fsys, "/d/a", "/d")
	wants(t, "before the fsync", files(fsys.At(before).PowerCut(crashfs.OnlySynced)), "")
	wants(t, "after it", now(fsys, crashfs.OnlySynced), "a=1234")
}

func TestFaults(t *testing.T) {
	fsys := disk(t)
	f, err := fsys.OpenFile("/d/a", os.O_RDWR|os.O_CREATE, 0o600)
	ok(t, err)
	syncs(t, fsys, "/d")

	fsys.SetFault(crashfs.Fault{Err: syscall.ENOSPC, At: fsys.Now().Event, Half: true, Actor: "*"})
	if n, err := f.WriteString("1234"); n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a short write: %d, %v", n, err)
	}
	ok(t, second(f.WriteString("56")))
	wants(t, "once", files(fsys), "a=1256")

	fsys.SetFault(crashfs.Fault{Err: syscall.EIO, At: fsys.Now().Event, Actor: "*"})
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("sync: %v", err)
	}
	ok(t, f.Sync())
	wants(t, "an fsync that failed drops its bytes", now(fsys, crashfs.OnlySynced), "a=")
	ok(t, second(f.WriteString("78")))
	ok(t, f.Sync())
	wants(t, "but not if their page is written to again", now(fsys, crashfs.OnlySynced), "a=125678")

	fsys.SetFault(crashfs.Fault{Err: syscall.ENOSPC, At: 0, Lasting: true, Actor: "*"})
	for range 2 {
		if err := fsys.Mkdir("/d/x", 0o700); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("mkdir on a full disk: %v", err)
		}
	}
	ok(t, fsys.Rename("/d/a", "/d/b"))
	ok(t, f.Truncate(1))
	wants(t, "what takes no space goes on", files(fsys), "b=1")

	fsys.SetFault(crashfs.Fault{Err: syscall.EIO, Reads: true, At: 1, Actor: "*"})
	ok(t, second(fsys.Stat("/d")))
	if _, err := afero.ReadDir(fsys, "/d"); !errors.Is(err, syscall.EIO) {
		t.Errorf("reading: %v", err)
	}

	fsys.SetFault(crashfs.Fault{Err: crashfs.ErrKilled, At: 0, Lasting: true, Actor: "tool"})
	if err := fsys.As("tool").Remove("/d/b"); !errors.Is(err, crashfs.ErrKilled) {
		t.Errorf("a program that was killed: %v", err)
	}
	ok(t, fsys.Remove("/d/b"))
}
