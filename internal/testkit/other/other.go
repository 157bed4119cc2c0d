// Package other gives a test another process that holds a lock.
//
// The process is the test's own binary: the package under test hands its
// TestMain over to [Main], with the function that takes a lock, and its tests
// [Start] as many others as they need. They end with the test, or, should it
// die, when the pipe to their standard input closes.
package other

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// what is the environment variable that makes the test binary the other
// process: what it shall lock.
const what = "BTW_BACKUP_TEST_OTHER"

// Main is what a TestMain does: it runs the tests, or, as the other process,
// locks what [Start] was told, and holds it.
func Main(m *testing.M, lock func(what string) error) {
	what, isOther := os.LookupEnv(what)
	if !isOther {
		os.Exit(m.Run())
	}
	if err := lock(what); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("locked")
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// Start starts another process, and returns what it said about the lock,
// "locked" or what went wrong, its pid, and a function that kills it.
func Start(t testing.TB, lock string) (said string, pid int, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), what+"="+lock)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := false
	kill = func() {
		if !done {
			done = true
			_ = cmd.Process.Kill()
			_ = stdin.Close()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(kill)
	said, err = bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(said), cmd.Process.Pid, kill
}

// Lockf locks a file as Python's fcntl.lockf(f, LOCK_EX | LOCK_NB) does, until
// the process ends.
func Lockf(path string) error {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.FcntlFlock(uintptr(fd), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart})
}
