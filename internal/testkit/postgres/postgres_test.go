package postgres_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"btw-backup/internal/testkit/postgres"
)

func TestSQL(t *testing.T) {
	s := postgres.Shared(t)
	const name = "a b@c=d'é"
	s.SQL(t, "postgres", `CREATE DATABASE "`+name+`"`)
	t.Cleanup(func() { s.SQL(t, "postgres", `DROP DATABASE "`+name+`"`) })
	s.SQL(t, name, "CREATE TABLE t (n int, s text); INSERT INTO t VALUES (1, 'x'), (2, 'ü')")
	if got, want := s.SQL(t, name, "SELECT * FROM t ORDER BY n"), "1|x\n2|ü"; got != want {
		t.Errorf("the rows are %q, want %q", got, want)
	}
	if got := s.SQL(t, name, "SELECT current_database()"); got != name {
		t.Errorf("connected to %q, want %q", got, name)
	}
}

// The doors: a password is asked for at the one, and comes from the file.
func TestEnv(t *testing.T) {
	s := postgres.Shared(t)
	no := filepath.Join(t.TempDir(), "none")
	for _, test := range []struct {
		name string
		env  []string
		ok   bool
	}{
		{"TCP, password file", s.Env(), true},
		{"TCP, no password", append(s.Env(), "PGPASSFILE="+no), false},
		{"TCP, wrong password", append(s.Env(), "PGPASSWORD=wrong"), false},
		{"TCP, password", append(s.Env(), "PGPASSFILE="+no, "PGPASSWORD="+s.Password), true},
		{"socket", s.SocketEnv(), true},
	} {
		out, err := psql(test.env)
		if (err == nil) != test.ok {
			t.Errorf("%s: %v: %s", test.name, err, out)
		}
		if err != nil && !strings.Contains(out, "password") {
			t.Errorf("%s: psql complains about something else: %s", test.name, out)
		}
	}
}

func psql(env []string) (string, error) {
	cmd := exec.Command("psql", "-Xwc", "SELECT 1")
	cmd.Env = append(append(os.Environ(), "PGDATABASE=postgres"), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestStopAndRestart(t *testing.T) {
	s := postgres.Start(t)
	s.SQL(t, "postgres", "CREATE TABLE t (n int)")
	for n, end := range []func(testing.TB){s.Stop, s.Crash} {
		s.SQL(t, "postgres", fmt.Sprintf("INSERT INTO t VALUES (%d)", n))
		end(t)
		if out, err := psql(s.Env()); err == nil || !strings.Contains(out, "refused") {
			t.Errorf("the server that was ended answers: %v: %s", err, out)
		}
		s.Restart(t)
	}
	if got := s.SQL(t, "postgres", "SELECT * FROM t ORDER BY n"); got != "0\n1" {
		t.Errorf("after a stop and a crash the rows are %q, want 0 and 1", got)
	}
}

func TestStartLeavesNothing(t *testing.T) {
	var dir, pid string
	t.Run("server", func(t *testing.T) {
		s := postgres.Start(t)
		dir, pid = s.Dir, serverPID(t, s)
	})
	if rest := remains(dir, pid); rest != "" {
		t.Errorf("after the test there is still %s", rest)
	}
}

// A test binary that is killed cannot clean up: the guard does.
func TestKilledLeavesNothing(t *testing.T) {
	for _, kind := range []string{"own", "shared"} {
		t.Run(kind, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestToBeKilled$")
			cmd.Env = append(os.Environ(), "BTW_TO_BE_KILLED="+kind)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(out).ReadString('\n')
			dir, pid, ok := strings.Cut(strings.TrimSpace(line), " ")
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
			_ = cmd.Wait() // killed
			if err != nil || !ok {
				t.Fatalf("the test to be killed said %q: %v", line, err)
			}
			rest := remains(dir, pid)
			for end := time.Now().Add(10 * time.Second); rest != "" && time.Now().Before(end); rest = remains(dir, pid) {
				time.Sleep(10 * time.Millisecond)
			}
			if rest != "" {
				t.Errorf("10 seconds after the kill there is still %s", rest)
			}
		})
	}
}

// TestToBeKilled is what TestKilledLeavesNothing runs, no test by itself.
func TestToBeKilled(t *testing.T) {
	var s *postgres.Server
	switch os.Getenv("BTW_TO_BE_KILLED") {
	case "own":
		s = postgres.Start(t)
	case "shared":
		s = postgres.Shared(t)
	default:
		return
	}
	fmt.Println(s.Dir, serverPID(t, s))
	time.Sleep(time.Minute)
}

func serverPID(t *testing.T, s *postgres.Server) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(s.Dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, _, _ := strings.Cut(string(content), "\n")
	if rest := remains("/nonexistent", pid); rest == "" {
		t.Fatalf("process %s: is not there", pid)
	}
	return pid
}

// remains tells what is left of a server.
func remains(dir, pid string) string {
	var rest []string
	for _, name := range []string{dir, "/proc/" + pid} {
		if _, err := os.Stat(name); err == nil {
			rest = append(rest, name)
		}
	}
	return strings.Join(rest, " and ")
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		s := postgres.Start(b)
		s.Stop(b)
	}
}
