package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"btw-backup/internal/testkit/golden"
	"btw-backup/internal/testkit/postgres"
	"btw-backup/internal/testkit/s3server"
	"btw-backup/internal/testkit/tools"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"btw-backup": func() { os.Exit(realMain(scriptClock{os.Getenv("CLOCK")})) },
		"hold":       hold,
	})
}

// TestScripts runs the stories in testdata/script: what a person types, and
// what comes of it, with the real tools. README.md in that folder tells what
// they find there, and which commands they have beside testscript's.
func TestScripts(t *testing.T) {
	tools.Need(t, "tar", "bzip2", "rdiff-backup", "s3cmd", "psql", "pg_dump", "setfattr", "setfacl")
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup:               setup,
		Condition: func(name string) (bool, error) {
			if name == "root" {
				return os.Geteuid() == 0, nil
			}
			if name == "mounts" {
				return exec.Command("unshare", "--mount", "mount", "--bind", ".", ".").Run() == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"clock":    cmdClock,
			"config":   cmdConfig,
			"golden":   cmdGolden,
			"postgres": cmdPostgres,
			"s3server": cmdS3server,
			"sql":      cmdSQL,
			"lines":    cmdLines,
			"names":    cmdNames,
			"truncate": cmdTruncate,
			"samefile": cmdSameFile,
			"modes":    cmdModes,
			"script":   cmdScript,
			"readme":   cmdReadme,
			"monitor":  cmdMonitor,
		},
	})
}

func setup(env *testscript.Env) error {
	home := filepath.Join(env.WorkDir, "home")
	for name, value := range map[string]string{
		"HOME": home, "CONFIG": filepath.Join(home, ".btw-backup"),
		"ROOT": filepath.Join(env.WorkDir, "root"), "COPY": filepath.Join(env.WorkDir, "copy"),
		"SRC": filepath.Join(env.WorkDir, "src"), "CLOCK": filepath.Join(env.WorkDir, "clock"),
		"TZ":     "Asia/Kathmandu",     // no time that a person is told may depend on it
		"GORACE": "atexit_sleep_ms=10", // with the race detector, each program would sleep for a second before it ends
	} {
		env.Setenv(name, value)
	}
	for _, dir := range []string{"home", "root", "copy", "src"} {
		if err := os.MkdirAll(filepath.Join(env.WorkDir, dir), 0o755); err != nil {
			return err
		}
	}
	env.Values["t"] = env.T()
	return setClock(filepath.Join(env.WorkDir, "clock"), time.Date(2026, 1, 31, 13, 5, 9, 0, time.UTC))
}

// scriptClock shows the time that stands in a file. To sleep is to set it on.
type scriptClock struct{ file string }

func (c scriptClock) Now() time.Time {
	text, err := os.ReadFile(c.file)
	if err != nil {
		panic(err)
	}
	now, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		panic(err)
	}
	return now
}

func (c scriptClock) Sleep(_ context.Context, d time.Duration) error {
	return setClock(c.file, c.Now().Add(d))
}

func setClock(file string, now time.Time) error {
	temp, err := os.CreateTemp(filepath.Dir(file), "clock")
	if err != nil {
		return err
	}
	_, err = temp.WriteString(now.Format(time.RFC3339Nano))
	return errors.Join(err, temp.Close(), os.Rename(temp.Name(), file))
}

// hold is another run: it locks a directory, or with "python" a file as the
// Python program does, says so, and holds on until its standard input ends.
func hold() {
	flags := syscall.O_RDONLY
	if os.Args[1] == "python" {
		flags = syscall.O_RDWR
	}
	fd, err := syscall.Open(os.Args[2], flags, 0)
	if err == nil && os.Args[1] == "python" {
		err = syscall.FcntlFlock(uintptr(fd), syscall.F_SETLKW, &syscall.Flock_t{Type: syscall.F_WRLCK})
	} else if err == nil {
		err = syscall.Flock(fd, syscall.LOCK_EX)
	}
	if err == nil {
		err = os.WriteFile(os.Args[3], nil, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {}
}

// usage ends the script over a call that is wrong.
func usage(ts *testscript.TestScript, ok bool, text string) {
	if !ok {
		ts.Fatalf("usage: %s", text)
	}
}

// clock +1h | clock 2026-01-31T13:05:09Z: sets the time.
func cmdClock(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "clock +DURATION|TIME")
	c := scriptClock{ts.Getenv("CLOCK")}
	if d, ok := strings.CutPrefix(args[0], "+"); ok {
		by, err := time.ParseDuration(d)
		ts.Check(err)
		ts.Check(c.Sleep(context.Background(), by))
		return
	}
	at, err := time.Parse(time.RFC3339, args[0])
	ts.Check(err)
	ts.Check(setClock(c.file, at))
}

// config [LINE…]: makes a config directory with the off-site copy in $COPY.
func cmdConfig(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg, "config [LINE…]")
	ts.Check(os.MkdirAll(ts.Getenv("CONFIG"), 0o700))
	lines := append([]string{
		fmt.Sprintf("ROOT_PATH = %q", ts.Getenv("ROOT")),
		fmt.Sprintf("S3_URI_PREFIX = %q", "file://"+ts.Getenv("COPY")),
	}, args...)
	ts.Check(os.WriteFile(filepath.Join(ts.Getenv("CONFIG"), "config.py"), []byte(strings.Join(lines, "\n")+"\n"), 0o600))
}

// golden ARCHIVE DIR: unpacks an installation of the Python program; the script
// rewrites the paths in it.
func cmdGolden(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "golden ARCHIVE DIR")
	golden.Unpack(ts.Value("t").(testing.TB), strings.TrimSuffix(args[0], ".tar.gz"), ts.MkAbs(args[1]))
}

// postgres: has psql and pg_dump reach a server, with a password.
func cmdPostgres(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 0, "postgres")
	s := postgres.Shared(ts.Value("t").(testing.TB))
	for _, pair := range s.Env() {
		name, value, _ := strings.Cut(pair, "=")
		ts.Setenv(name, value)
	}
}

// sql DATABASE STATEMENTS: has psql run them.
func cmdSQL(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "sql DATABASE STATEMENTS")
	s := postgres.Shared(ts.Value("t").(testing.TB))
	ts.Logf("%s", s.SQL(ts.Value("t").(testing.TB), args[0], args[1]))
}

// s3server LINE…: starts an S3 server, and configures btw-backup to use it, with
// these lines besides.
func cmdS3server(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg, "s3server [LINE…]")
	t := ts.Value("t").(testing.TB)
	s := s3server.Start(t)
	cfg := ts.MkAbs("s3cfg")
	s.S3cfg(t, cfg)
	ts.Setenv("BUCKET", s.URI(""))
	ts.Check(os.MkdirAll(ts.Getenv("CONFIG"), 0o700))
	text := fmt.Sprintf("ROOT_PATH = %q\nS3CMD_CONFIG = %q\nS3_URI_PREFIX = %q\n", ts.Getenv("ROOT"), cfg, s.URI("backups"))
	text += strings.Join(args, "\n") + "\n"
	ts.Check(os.WriteFile(filepath.Join(ts.Getenv("CONFIG"), "config.py"), []byte(text), 0o600))
}

// monitor FILE: starts a monitor that notes in the file what it is asked for;
// $MONITOR is its URL. It knows nothing of what begins with /unknown.
func cmdMonitor(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "monitor FILE")
	name := ts.MkAbs(args[0])
	ts.Check(os.WriteFile(name, nil, 0o600))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/unknown") {
			http.NotFound(w, r)
			return
		}
		f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = fmt.Fprintln(f, r.URL.Path)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	ts.Defer(server.Close)
	ts.Setenv("MONITOR", server.URL)
}

// lines N FILE: the file has so many lines; "stdout" is a file too.
func cmdLines(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "lines N FILE")
	got := strings.Count(ts.ReadFile(args[1]), "\n")
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("%s has %d lines, want %s:\n%s", args[1], got, args[0], ts.ReadFile(args[1]))
	}
}

// names DIR NAME…: the directory holds these names and no others.
func cmdNames(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) > 0, "names DIR NAME…")
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if strings.Join(got, "\n") != strings.Join(args[1:], "\n") {
		ts.Fatalf("%s holds %q, want %q", args[0], got, args[1:])
	}
}

// truncate FILE N: cuts the file off after N bytes.
func cmdTruncate(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "truncate FILE N")
	var n int64
	_, err := fmt.Sscan(args[1], &n)
	ts.Check(errors.Join(err, os.Truncate(ts.MkAbs(args[0]), n)))
}

// samefile A B: both names lead to one file.
func cmdSameFile(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2, "samefile A B")
	a, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	b, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if os.SameFile(a, b) == neg {
		ts.Fatalf("same file: %v", !neg)
	}
}

// modes DIR: everything in the directory is for its owner alone.
func cmdModes(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "modes DIR")
	seen := 0
	ts.Check(filepath.Walk(ts.MkAbs(args[0]), func(name string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		seen++
		if info.Mode().Type() != os.ModeSymlink && info.Mode().Perm()&0o077 != 0 {
			ts.Fatalf("%s has the mode %v", name, info.Mode())
		}
		return nil
	}))
	if seen < 2 {
		ts.Fatalf("%s is empty", args[0])
	}
}

// script NAME FILE: puts a shell script from the story on PATH, before the
// real program of that name, whose path it finds in $REAL.
func cmdScript(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "script NAME FILE")
	bin := ts.MkAbs("fakebin")
	ts.Check(os.MkdirAll(bin, 0o755))
	ts.Check(os.WriteFile(filepath.Join(bin, args[0]), []byte(ts.ReadFile(args[1])), 0o755))
	if program, err := exec.LookPath(args[0]); err == nil {
		ts.Setenv("REAL", program)
	}
	if !strings.HasPrefix(ts.Getenv("PATH"), bin+":") {
		ts.Setenv("PATH", bin+":"+ts.Getenv("PATH"))
	}
}
