package crashfs_test

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
)

// TestConformanceOfRandomStories does what nobody thought of: many steps in a
// place with few names, so that they get in each other's way.
func TestConformanceOfRandomStories(t *testing.T) {
	const stories = 150
	for seed := range uint64(stories) {
		want := play(t, durable.OS{}, realDir(t), randomStory(seed))
		fsys, dir := newFS(t)
		got := play(t, fsys, dir, randomStory(seed))
		difference(t, got, want)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func randomStory(seed uint64) func(p *player) {
	return func(p *player) {
		dice := rand.New(rand.NewPCG(seed, 1))
		names := []string{"a", "b", "d", "d/a", "d/e", "d/e/a", "l", "l/a", "d/../b"}
		name := func() string { return names[dice.IntN(len(names))] }
		var open []afero.File
		file := func(use func(afero.File)) {
			if len(open) > 0 {
				use(open[dice.IntN(len(open))])
			}
		}
		steps := []func(){
			func() { p.mkdir(name()) },
			func() { p.mkdir("d") },
			func() { p.mkdirAll(name()) },
			func() { p.write(name(), "content") },
			func() { p.remove(name()) },
			func() { p.removeAll(name()) },
			func() { p.rename(name(), name()) },
			func() { p.link(name(), name()) },
			func() { p.exchange(name(), name()) },
			func() { p.symlink([]string{"d", "a", "l", "../b", "nothing"}[dice.IntN(5)], name()) },
			func() { p.readlink(name()) },
			func() { p.stat(name()) },
			func() { p.list(name()) },
			func() {
				flags := []int{os.O_RDWR, os.O_RDWR | os.O_CREATE, os.O_RDWR | os.O_APPEND, os.O_RDONLY, os.O_RDWR | os.O_CREATE | os.O_EXCL}
				if f := p.open(name(), flags[dice.IntN(len(flags))]); f != nil {
					if info, err := f.Stat(); err == nil && !info.IsDir() {
						open = append(open, f)
					}
				}
			},
			func() { file(func(f afero.File) { p.saw(second(f.WriteString("more")), "write to an open file") }) },
			func() { file(func(f afero.File) { p.saw(f.Truncate(int64(dice.IntN(12))), "truncate") }) },
			func() {
				file(func(f afero.File) {
					buf := make([]byte, 5)
					n, err := f.Read(buf)
					p.saw(err, "read %q", buf[:n])
				})
			},
			func() { file(func(f afero.File) { p.saw(f.Sync(), "sync") }) },
		}
		for range 80 {
			steps[dice.IntN(len(steps))]()
		}
		for _, dir := range []string{".", "d", "d/e"} {
			p.list(dir)
		}
		for _, name := range names {
			p.read(name)
		}
	}
}
