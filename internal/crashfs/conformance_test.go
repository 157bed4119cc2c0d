package crashfs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"btw-backup/internal/crashfs"
	"btw-backup/internal/durable"
)

// The conformance suite: each story is done on the real file system and on
// another one, and what a program sees, errors included, has to be the same.
// Crashfs passes all of it. afero.MemMapFs does not, which is why there is a
// crashfs: see TestMemMapFsFails.

func second[T any](_ T, err error) error { return err }

// play does a story in an empty directory and returns what was seen. A file
// system that panics has been seen to.
func play(t *testing.T, fsys durable.FS, dir string, story func(*player)) (seen []string) {
	p := &player{t: t, fs: fsys, dir: dir}
	defer func() {
		seen = p.seen
		if what := recover(); what != nil {
			seen = append(seen, fmt.Sprint("panic: ", what))
		}
	}()
	story(p)
	return p.seen
}

// realDir is an empty directory of the machine.
func realDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "place")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func newFS(t *testing.T) (fsys *crashfs.FS, dir string) {
	t.Helper()
	fsys = crashfs.New(time.Now)
	if err := fsys.MkdirAll("/tmp/place", 0o755); err != nil {
		t.Fatal(err)
	}
	return fsys, "/tmp/place"
}

func TestConformance(t *testing.T) {
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := play(t, durable.OS{}, realDir(t), story)
			fsys, dir := newFS(t)
			got := play(t, fsys, dir, story)
			difference(t, got, want)
		})
	}
}

// difference points at the first line that differs.
func difference(t *testing.T, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Errorf("step %d:\n got %s\nwant %s\nafter\n%s", i+1, g, w, strings.Join(want[:min(i, len(want))], "\n"))
			return
		}
	}
}

// memMap is afero.MemMapFs, with what it lacks.
type memMap struct{ afero.Fs }

func (memMap) SymlinkIfPossible(string, string) error    { return errors.ErrUnsupported }
func (memMap) ReadlinkIfPossible(string) (string, error) { return "", errors.ErrUnsupported }
func (memMap) Link(string, string) error                 { return errors.ErrUnsupported }
func (memMap) Exchange(string, string) error             { return errors.ErrUnsupported }
func (memMap) Lchown(string, int, int) error             { return errors.ErrUnsupported }
func (m memMap) LstatIfPossible(n string) (fs.FileInfo, bool, error) {
	info, err := m.Stat(n)
	return info, false, err
}

// TestMemMapFsFails is why there is a crashfs. None of these stories has to do
// with links.
func TestMemMapFsFails(t *testing.T) {
	for _, name := range []string{
		"nothing is made in a directory that is missing",
		"nothing lies below a file",
		"a directory that holds something stays",
		"appending goes to the end, wherever that is",
		"handles outlive names",
		"renaming",
	} {
		want := play(t, durable.OS{}, realDir(t), stories[name])
		fsys := memMap{afero.NewMemMapFs()}
		if err := fsys.MkdirAll("/tmp/place", 0o755); err != nil {
			t.Fatal(err)
		}
		if got := play(t, fsys, "/tmp/place", stories[name]); slices.Equal(got, want) {
			t.Errorf("%s: MemMapFs behaves like the real file system: is crashfs still needed?", name)
		}
	}
}
