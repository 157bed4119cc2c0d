// Package postgres gives tests a real PostgreSQL server of their own.
//
// # Concepts
//
// A [Server] is a throw-away cluster in a directory below /tmp, whose path is
// short enough for a Unix socket and open to the unprivileged user that the
// server runs as when the tests are root (it refuses root). It has one
// superuser, postgres, and two doors: TCP on 127.0.0.1, where a password is
// asked for, and a Unix socket in its own directory, where none is. Go through
// the first with [Server.Env] to prove that a program finds its password where
// libpq does, and through the second with [Server.SocketEnv].
//
// [Start] makes a server for one test, which may stop and crash it; [Shared]
// gives all tests of a binary the same one, which is faster.
//
// A shell script, the guard, owns the directory and the server. It lives as
// long as a pipe from the test process is open, so that nothing is left when
// a test panics, times out or is killed.
package postgres

import (
	"bufio"
	"crypto/rand"
	_ "embed" // for the guard
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"btw-backup/internal/testkit/tools"
)

//go:embed guard.sh
var guardScript string

// User is the server's superuser.
const User = "postgres"

// Server is a PostgreSQL server.
type Server struct {
	// Dir holds everything of the server: its log, its socket, the password
	// file. It is gone after the test.
	Dir string

	// Port is the TCP port on 127.0.0.1. It stays the same over restarts.
	Port string

	// Password is what [User] has to give over TCP.
	Password string

	psql     string
	shared   bool
	guard    *exec.Cmd
	commands io.WriteCloser
	answers  *bufio.Reader
}

// Start makes a server, which is running. It ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	tools.Need(t, "initdb", "postgres", "psql")
	s, err := start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.end(); err != nil {
			t.Errorf("PostgreSQL: the guard ended: %v", err)
		}
	})
	return s
}

var shared = sync.OnceValues(func() (*Server, error) {
	s, err := start()
	if err == nil {
		s.shared = true
	}
	return s, err
})

// Shared returns the one server of this test binary, and starts it at the
// first call. It ends with the process. The tests share its databases: each
// should make its own, and none may stop the server.
func Shared(t testing.TB) *Server {
	t.Helper()
	tools.Need(t, "initdb", "postgres", "psql")
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func start() (*Server, error) {
	s := &Server{Password: rand.Text()}
	if err := s.begin(); err != nil {
		return nil, fmt.Errorf("PostgreSQL: %w", err)
	}
	var err error
	for range 3 { // another process can be faster to take the port
		if s.Port, err = freePort(); err != nil {
			break
		}
		if err = s.tell("start " + s.Port); err == nil {
			return s, nil
		}
	}
	return nil, fmt.Errorf("PostgreSQL: %w", errors.Join(err, s.end()))
}

// begin starts the guard, which makes the cluster.
func (s *Server) begin() error {
	initdb, err := tools.Find("initdb")
	if err != nil {
		return err
	}
	bin := filepath.Dir(initdb)
	// Debian's psql in PATH is a script that looks for a version.
	s.psql = filepath.Join(bin, "psql")
	if _, err := os.Stat(s.psql); err != nil {
		s.psql = "psql"
	}
	s.guard = exec.Command("/bin/sh", "-c", guardScript, "postgres-guard", bin)
	s.guard.Dir = "/"
	s.guard.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"}
	// Out of reach of the terminal's Control-C, which would end it before
	// the test.
	s.guard.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if os.Geteuid() == 0 {
		if s.guard.SysProcAttr.Credential, err = unprivileged(); err != nil {
			return err
		}
	}
	if s.commands, err = s.guard.StdinPipe(); err != nil {
		return err
	}
	answers, err := s.guard.StdoutPipe()
	if err != nil {
		return err
	}
	s.answers = bufio.NewReader(answers)
	if err := s.guard.Start(); err != nil {
		return err
	}
	dir, err := s.answers.ReadString('\n')
	if err != nil {
		return fmt.Errorf("the guard could not make a directory below /tmp: %w", s.end())
	}
	s.Dir = strings.TrimSuffix(dir, "\n")
	if err := s.tell(s.Password); err != nil {
		return errors.Join(err, s.end())
	}
	return nil
}

// end has the guard stop the server and remove the directory.
func (s *Server) end() error {
	_ = s.commands.Close() // it may be closed: the guard is gone
	return s.guard.Wait()
}

// tell sends the guard a line and waits for its answer.
func (s *Server) tell(line string) error {
	if _, err := io.WriteString(s.commands, line+"\n"); err != nil {
		return err
	}
	answer, err := s.answers.ReadString('\n')
	if err != nil {
		return fmt.Errorf("the guard gives no answer: %w", err)
	}
	if answer != "ok\n" {
		return fmt.Errorf("the server's log ends:\n%s", s.log())
	}
	return nil
}

// log returns the last lines of the server's log.
func (s *Server) log() string {
	log, err := os.ReadFile(filepath.Join(s.Dir, "log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.SplitAfter(string(log), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "")
}

// unprivileged returns a user that the server accepts.
func unprivileged() (*syscall.Credential, error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "", err
	}
	return port, l.Close()
}

// Env returns the variables with which libpq reaches the server over TCP, its
// password in a file, as NAME=VALUE.
func (s *Server) Env() []string {
	return []string{"PGHOST=127.0.0.1", "PGPORT=" + s.Port, "PGUSER=" + User, "PGPASSFILE=" + s.PassFile()}
}

// SocketEnv returns the variables with which libpq reaches the server through
// its Unix socket, where no password is asked for, as NAME=VALUE.
func (s *Server) SocketEnv() []string {
	return []string{"PGHOST=" + s.Dir, "PGPORT=" + s.Port, "PGUSER=" + User}
}

// PassFile is the password file, for PGPASSFILE.
func (s *Server) PassFile() string { return filepath.Join(s.Dir, "pgpass") }

// SQL has psql run statements in a database and returns the rows that they
// give: a line for each, without alignment, columns parted by |. The first
// statement that fails fails the test.
func (s *Server) SQL(t testing.TB, database, statements string) string {
	t.Helper()
	cmd := exec.Command(s.psql, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align",
		"--set=ON_ERROR_STOP=1", "--file=-")
	cmd.Env = append(withoutPG(os.Environ()), s.SocketEnv()...)
	// In an argument, a name such as a=b would be a connection string.
	cmd.Env = append(cmd.Env, "PGDATABASE="+database, "PGCLIENTENCODING=UTF8")
	cmd.Stdin = strings.NewReader(statements)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	rows, err := cmd.Output()
	if err != nil {
		t.Fatalf("psql, database %q: %v\n%s", database, err, complaints.String())
	}
	return strings.TrimSuffix(string(rows), "\n")
}

// withoutPG leaves out what may be set for some other server.
func withoutPG(env []string) []string {
	return slices.DeleteFunc(env, func(pair string) bool { return strings.HasPrefix(pair, "PG") })
}

// Stop ends the server in good order: its clients are turned away, and until
// Restart nobody answers on its port.
func (s *Server) Stop(t testing.TB) { t.Helper(); s.control(t, "end INT") }

// Crash ends the server at once, as SIGQUIT does: its clients are cut off, and
// Restart has to recover.
func (s *Server) Crash(t testing.TB) { t.Helper(); s.control(t, "end QUIT") }

// Restart starts a server that was stopped, or crashed, on the same port.
func (s *Server) Restart(t testing.TB) { t.Helper(); s.control(t, "start "+s.Port) }

func (s *Server) control(t testing.TB, line string) {
	t.Helper()
	if s.shared {
		t.Fatal("PostgreSQL: the server is shared by all tests: use Start for one that can be stopped")
	}
	if err := s.tell(line); err != nil {
		t.Fatalf("PostgreSQL: %s: %v", line, err)
	}
}
