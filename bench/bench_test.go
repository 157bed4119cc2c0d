// Package bench_test measures what backups of a large tree take: memory, bytes
// written, time. The floor below which they must stay is checked by the same
// run: go tool mage bench.
//
// It has a folder of its own because it looks at the program from outside, as
// cron would run it: the built binary, without anything of the tests in it.
package bench_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"btw-backup/internal/testkit/tools"
)

// What a run that finds nothing changed may take.
const (
	maxMemory  = 64 << 20
	maxWritten = 64 << 10 // four files get a line, a page each; the rest is the file system's own
)

func BenchmarkTar(b *testing.B) {
	tools.Need(b, "tar")
	backups(b, "tar")
}

func BenchmarkRdiff(b *testing.B) {
	tools.Need(b, "tar", "rdiff-backup")
	backups(b, "rdiff")
}

// backups measures the backups of one type of a copy of the Go source tree:
// the first, one of the unchanged tree, one after a small file changed.
func backups(b *testing.B, kind string) {
	s := newSite(b, kind)
	n := 0
	b.Run("first", func(b *testing.B) {
		var most usage
		for b.Loop() {
			n++
			most.add(s.backUp(b, fmt.Sprint("first", n)))
		}
		most.report(b, s)
		// What is written to a file system in memory is not counted.
		if most.written < s.size/100 {
			b.Errorf("%d bytes were written: TMPDIR (%s) must be on a disk", most.written, os.TempDir())
		}
	})
	s.backUp(b, "tree")
	s.backUp(b, "tree") // makes the log, for which a file system may write some pages of its own
	b.Run("unchanged", func(b *testing.B) {
		var most usage
		for b.Loop() {
			most.add(s.backUp(b, "tree"))
		}
		most.report(b, s)
		if most.memory > maxMemory {
			b.Errorf("it took %d bytes of memory, more than %d", most.memory, maxMemory)
		}
		if most.written > maxWritten {
			b.Errorf("it wrote %d bytes, more than %d", most.written, maxWritten)
		}
		if got := s.states(b, "tree"); got != 1 {
			b.Errorf("there are %d states, want 1: something was taken for changed", got)
		}
	})
	b.Run("changed", func(b *testing.B) {
		before := s.states(b, "tree")
		runs := 0
		var most usage
		for b.Loop() {
			runs++
			s.change(b)
			most.add(s.backUp(b, "tree"))
		}
		most.report(b, s)
		if got := s.states(b, "tree"); got != before+runs {
			b.Errorf("there are %d states, want %d", got, before+runs)
		}
	})
}

// A site is an installation of the program, with a tree to back up.
type site struct {
	program, config, tree string
	size                  int64 // of the tree
	edits                 int
}

func newSite(b *testing.B, kind string) *site {
	dir := b.TempDir()
	s := &site{
		program: product(b),
		config:  filepath.Join(dir, "config"),
		tree:    filepath.Join(dir, "tree"),
	}

	root, offSite := filepath.Join(dir, "root"), filepath.Join(dir, "off-site")
	for _, name := range []string{s.config, root, offSite} {
		if err := os.Mkdir(name, 0o700); err != nil {
			b.Fatal(err)
		}
	}
	text := fmt.Sprintf("ROOT_PATH = %q\nS3_URI_PREFIX = %q\n", root, "file://"+offSite)
	if err := os.WriteFile(filepath.Join(s.config, "config.py"), []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}

	// A copy, since one file is to change.
	goroot := strings.TrimSpace(command(b, exec.Command("go", "env", "GOROOT")))
	command(b, exec.Command("cp", "-a", goroot, s.tree))
	err := filepath.WalkDir(s.tree, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			s.size += info.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	syscall.Sync() // so that the copy's pages are not written while we measure

	command(b, exec.Command(s.program, "--config-dir", s.config, "fs-init", "--type", kind, s.tree, "tree"))
	return s
}

// change edits a small file in the middle of the archive.
func (s *site) change(b *testing.B) {
	s.edits++
	name := filepath.Join(s.tree, "src", "fmt", "doc.go")
	text, err := os.ReadFile(name)
	if err == nil {
		err = os.Chmod(name, 0o600)
	}
	if err == nil {
		err = os.WriteFile(name, fmt.Appendf(text, "// %d\n", s.edits), 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// states returns how many states of the tree the destination holds.
func (s *site) states(b *testing.B, dst string) int {
	list := command(b, exec.Command(s.program, "--config-dir", s.config, "list", dst))
	return strings.Count(list, "\n")
}

// command returns what a command prints, and fails the benchmark unless it
// ends well.
func command(b *testing.B, cmd *exec.Cmd) string {
	b.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		b.Fatalf("%s: %v\n%s", cmd, err, &stderr)
	}
	return stdout.String()
}

// usage is what runs of the program took.
type usage struct{ memory, written int64 }

func (u *usage) add(v usage) {
	u.memory, u.written = max(u.memory, v.memory), max(u.written, v.written)
}

func (u *usage) report(b *testing.B, s *site) {
	b.SetBytes(s.size)
	b.ReportMetric(float64(u.memory)/(1<<20), "peak-MiB")
	b.ReportMetric(float64(u.written)/(1<<10), "written-KiB")
}

// backUp backs the tree up.
//
// The memory is the high-water mark of the program's own pages (VmHWM), without
// its children. Getrusage would not do: a process begins with the memory of its
// parent, this test, whose peak stays in ru_maxrss, and those of tar and
// rdiff-backup come in when they end. The mark only rises, so that looking now
// and then misses no peak but one in the last moment.
//
// The bytes are those that the program and all of its children caused to be
// sent to disk, in pages, also for files that were removed again: ru_oublock,
// which is write_bytes of /proc/PID/io with that of the children added. The
// pages of directories and the like that they were the first to touch are in it.
func (s *site) backUp(b *testing.B, dst string) usage {
	b.Helper()
	cmd := exec.Command(s.program, "--config-dir", s.config, "fs", s.tree, dst)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var u usage
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			memory, err := highWater(cmd.Process.Pid)
			if err != nil {
				b.Fatal(err)
			}
			u.memory = max(u.memory, memory)
		case err := <-ended:
			if err != nil || output.Len() > 0 {
				b.Fatalf("%s: %v\n%s", cmd, err, &output)
			}
			if u.memory == 0 {
				b.Fatalf("%s: it ended before its memory could be measured", cmd)
			}
			u.written = 512 * cmd.ProcessState.SysUsage().(*syscall.Rusage).Oublock
			return u
		}
	}
}

// highWater returns the VmHWM of a process, 0 when it has ended.
func highWater(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, nil // a zombie
}
