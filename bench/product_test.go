package bench_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

func TestMain(m *testing.M) {
	var err error
	if programs, err = os.MkdirTemp("", "btw-bench-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	_ = os.RemoveAll(programs)
	os.Exit(status)
}

var programs string // a directory

// product builds the program, once, and returns its path.
func product(b *testing.B) string {
	b.Helper()
	program, err := built()
	if err != nil {
		b.Fatal(err)
	}
	return program
}

var built = sync.OnceValues(func() (string, error) {
	program := filepath.Join(programs, "btw-backup")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "btw-backup/cmd/btw-backup")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", build, err, output)
	}
	return program, nil
})
