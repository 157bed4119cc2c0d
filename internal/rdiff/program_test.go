package rdiff_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"btw-backup/internal/durable"
	"btw-backup/internal/exec"
	"btw-backup/internal/rdiff"
	"btw-backup/internal/testkit/tools"
)

// scripted is an rdiff-backup of some version, which does nothing.
type scripted struct {
	t       *testing.T
	version string // what --version prints
	missing bool
	fails   error
	calls   []string
}

func (s *scripted) Run(_ context.Context, cmd exec.Cmd) (exec.Result, error) {
	if s.missing {
		return exec.Result{Status: -1}, &exec.MissingError{Program: cmd.Args[0], Package: cmd.Package}
	}
	if cmd.Args[0] != "rdiff-backup" || !slices.Contains(cmd.Env, "TZ=UTC") || !slices.Contains(cmd.Env, "LC_ALL=C.UTF-8") || cmd.Dir != "" {
		s.t.Errorf("it is run as %+v", cmd)
	}
	s.calls = append(s.calls, strings.Join(cmd.Args[1:], " "))
	if cmd.Args[1] == "--version" {
		return exec.Result{Stdout: s.version}, nil
	}
	return exec.Result{}, s.fails
}

func TestCommandLines(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 14, 5, 9, 0, time.FixedZone("CET", 3600))
	old := []string{"--version", "--current-time 1769864709 /spool /chain", "--force --check-destination-dir /chain"}
	modern := []string{"--version", "--current-time 1769864709 backup /spool /chain", "--force regress /chain"}
	for version, want := range map[string][]string{
		"1.2.8": old, "2.0.0": old, "2.0.5": old,
		"2.1.0": modern, "2.1.3b2": modern, "2.2.2": modern, "2.10.1": modern, "3.0.0": modern, "10.0": modern,
	} {
		s := &scripted{t: t, version: "rdiff-backup " + version}
		p := rdiff.Program{Exec: s}
		if err := errors.Join(p.Backup(t.Context(), "/spool", "/chain", at), p.Regress(t.Context(), "/chain")); err != nil {
			t.Errorf("%s: %v", version, err)
		}
		if !slices.Equal(s.calls, want) { // it is asked once
			t.Errorf("%s: got %q, want %q", version, s.calls, want)
		}
	}
}

func TestNoVersion(t *testing.T) {
	t.Parallel()
	for _, said := range []string{"", "rdiff-backup", "rdiff-backup DEV", "command not found", "tar 1.34", "rdiff-backup 2"} {
		s := &scripted{t: t, version: said}
		p := rdiff.Program{Exec: s}
		want := fmt.Sprintf("rdiff-backup --version says %q, which names no version", said)
		for range 2 { // it is asked again: no guess is remembered
			if err := p.Backup(t.Context(), "/spool", "/chain", time.Unix(0, 0)); err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		if !slices.Equal(s.calls, []string{"--version", "--version"}) {
			t.Errorf("ran %q", s.calls)
		}
	}
}

func TestProgramFails(t *testing.T) {
	t.Parallel()
	p := rdiff.Program{Exec: &scripted{t: t, missing: true}}
	if err := p.Regress(t.Context(), "/chain"); err == nil || err.Error() != "rdiff-backup is not installed: apt-get install rdiff-backup" {
		t.Errorf("got %v", err)
	}
	full := &exec.ExitError{Program: "rdiff-backup", Result: exec.Result{Status: 1, Stderr: "no space left"}}
	p = rdiff.Program{Exec: &scripted{t: t, version: "rdiff-backup 2.2.2", fails: full}}
	var exit *exec.ExitError
	if err := p.Backup(t.Context(), "/spool", "/chain", time.Unix(0, 0)); !errors.As(err, &exit) || exit.Stderr != "no space left" {
		t.Errorf("got %v", err)
	}
}

// The story of a chain, told to the real rdiff-backup.
func TestRealProgram(t *testing.T) {
	t.Parallel()
	tools.Need(t, "rdiff-backup")
	spool, chain := t.TempDir(), filepath.Join(t.TempDir(), "2026-01-31T13:05:09")
	start := time.Date(2026, 1, 31, 13, 5, 9, 0, time.UTC)
	p := rdiff.Program{Exec: exec.OS{}}
	name := "my shop @home\\é.dump" // what a database may be called
	backup := func(n int) {
		t.Helper()
		at := start.Add(time.Duration(n) * time.Hour)
		file := filepath.Join(spool, name)
		content := strings.Repeat(fmt.Sprintf("state %d\n", n), 1000)
		if err := errors.Join(os.WriteFile(file, []byte(content), 0o600), os.Chtimes(file, at, at)); err != nil {
			t.Fatal(err)
		}
		if err := p.Backup(t.Context(), spool, chain, at); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 3 {
		backup(n)
		s, err := rdiff.Read(durable.OS{}, chain)
		if err != nil || len(s.Sessions()) != n+1 || !s.Markers[0].Equal(start.Add(time.Duration(n)*time.Hour)) {
			t.Fatalf("after backup %d: %+v, %v", n, s, err)
		}
	}
	s := check(t, chain)
	if s.Mirror[0] != name {
		t.Errorf("its mirror is %q", s.Mirror[0])
	}

	// A run that died before it deleted the older marker: two of them.
	data := filepath.Join(chain, rdiff.DataDir)
	older := filepath.Join(data, "current_mirror."+start.Add(time.Hour).Format(time.RFC3339)+".data")
	if err := os.WriteFile(older, []byte("PID 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := rdiff.Read(durable.OS{}, chain); err != nil || s.Whole() || len(s.Markers) != 2 || len(s.Sessions()) != 2 {
		t.Fatalf("with two markers: %+v, %v", s, err)
	}
	// It exits 2 when it has succeeded. By state it is judged.
	var exit *exec.ExitError
	if err := p.Regress(t.Context(), chain); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	s = check(t, chain)
	if len(s.Sessions()) != 2 {
		t.Errorf("after the regress it holds %s", clocks(s.Sessions()))
	}
	content, err := os.ReadFile(filepath.Join(chain, name))
	if err != nil || !strings.HasPrefix(string(content), "state 1\n") {
		t.Errorf("the mirror holds %.20q, %v", content, err)
	}

	// And on it goes.
	backup(3)
	if s := check(t, chain); len(s.Sessions()) != 3 {
		t.Errorf("in the end it holds %s", clocks(s.Sessions()))
	}
	if entries, err := os.ReadDir(spool); err != nil || len(entries) != 1 {
		t.Errorf("the source was touched: %v, %v", entries, err)
	}
}
