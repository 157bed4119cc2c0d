package bench_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"btw-backup/internal/testkit/s3server"
)

// rounds is how often each takes its turn; the median counts.
const rounds = 3

// A race is the same work done by several, in turns.
type race struct {
	b      *testing.B
	server *s3server.Server
	access s3server.Access // how to reach it
	root   string          // what to sync
	files  int             // so many
	fresh  bool            // each time to a place where nothing is; otherwise to where all is already

	racers []racer
	took   map[string][]time.Duration
}

// run lets the racers run in turns, so that what disturbs one disturbs all.
func (r *race) run(racers ...racer) {
	r.racers, r.took = racers, map[string][]time.Duration{}
	if r.fresh {
		for round := range rounds {
			for _, racer := range racers {
				prefix := fmt.Sprint(racer.name, "-", round)
				r.time(racer, newOffsite(r.b, racer, r.access, r.root, prefix))
				r.clean(prefix)
			}
		}
		return
	}
	// All on the same objects: what one of them sent, the others find equal.
	runs := map[string]*offsite{}
	for _, racer := range racers {
		runs[racer.name] = newOffsite(r.b, racer, r.access, r.root, "same")
		runs[racer.name].sync(r.b) // the first of them sends, all get used to it
	}
	for range rounds {
		for _, racer := range racers {
			r.time(racer, runs[racer.name])
		}
	}
	r.clean("same")
}

func (r *race) time(racer racer, run *offsite) {
	syscall.Sync() // what was written before is not written while we measure
	start := time.Now()
	run.sync(r.b)
	r.took[racer.name] = append(r.took[racer.name], time.Since(start))
	if got := r.objects(run.prefix); got < r.files {
		r.b.Fatalf("%s: there are %d objects, want %d", racer.name, got, r.files)
	}
}

// objects counts the objects below a prefix, in the server's directory.
func (r *race) objects(prefix string) int {
	n := 0
	err := filepath.WalkDir(filepath.Join(r.server.Dir, prefix), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && (r.server.Kind != s3server.MinIO || d.Name() == "xl.meta") {
			n++
		}
		return err
	})
	if err != nil {
		r.b.Fatal(err)
	}
	return n
}

func (r *race) clean(prefix string) {
	if err := os.RemoveAll(filepath.Join(r.server.Dir, prefix)); err != nil {
		r.b.Fatal(err)
	}
}

// want is how many times faster than another the native engine must be.
type want struct {
	than  string
	times float64
}

// row reports what was measured, and gives a line of the table.
func (r *race) row(what string, wants ...want) string {
	columns := []string{what}
	base := r.median(native.name)
	for _, racer := range all {
		if r.took[racer.name] == nil {
			columns = append(columns, "", "")
			continue
		}
		median := r.median(racer.name)
		r.b.ReportMetric(median.Seconds(), racer.name+"-s")
		columns = append(columns, fmt.Sprintf("%.2f s", median.Seconds()))
		if racer.name == native.name {
			continue
		}
		ratio := median.Seconds() / base.Seconds()
		r.b.ReportMetric(ratio, racer.name+"/native")
		text := fmt.Sprintf("%.1f ×", ratio)
		for _, want := range wants {
			if want.than != racer.name {
				continue
			}
			text += fmt.Sprintf(" (≥ %g)", want.times)
			if ratio < want.times {
				text += " BELOW"
				r.b.Errorf("%s: %s takes %.2f s, the native engine %.2f s: %.1f ×, want %g ×",
					what, racer.name, median.Seconds(), base.Seconds(), ratio, want.times)
			}
		}
		columns = append(columns, text)
	}
	return strings.Join(columns, "\t")
}

func (r *race) median(name string) time.Duration {
	took := slices.Sorted(slices.Values(r.took[name]))
	return took[len(took)/2]
}

// board is the table of all races.
type board struct{ rows []string }

func (t *board) add(row string) { t.rows = append(t.rows, row) }

func (t *board) print() {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	heads := []string{fmt.Sprintf("median of %d", rounds)}
	for _, racer := range all {
		heads = append(heads, racer.name)
		if racer.name != native.name {
			heads = append(heads, "/native")
		}
	}
	_, _ = fmt.Fprintln(w, strings.Join(heads, "\t"))
	for _, row := range t.rows {
		_, _ = fmt.Fprintln(w, row)
	}
	_ = w.Flush()
	fmt.Printf("\n%s\n", &text)
}

// tree makes a directory of files with random contents. It is so old that a
// memory of them may be trusted.
func tree(b *testing.B, files, size int) string {
	b.Helper()
	root := b.TempDir()
	command(b, exec.Command("sh", "-c", `
		cd "$1" && head -c $(($2 * $3)) /dev/urandom >all &&
		split -a 5 -b $3 -d all f && rm all &&
		for d in 0 1 2 3 4 5 6 7 8 9; do mkdir d$d; find . -maxdepth 1 -name "f*$d" -exec mv -t d$d {} +; done`,
		"tree", root, fmt.Sprint(files), fmt.Sprint(size)))
	time.Sleep(3 * time.Second)
	return root
}

// inMemory makes a directory in memory, where there is such a thing.
func inMemory(b *testing.B) string {
	b.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "btw-bench-")
	if err != nil {
		return b.TempDir()
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
