package scripted_test

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/afero"

	"btw-backup/internal/crashfs"
	"btw-backup/internal/exec"
	"btw-backup/internal/testkit/scripted"
)

const repo = "/repo"

// backup runs the nth session, scripted.
func backup(t *testing.T, m *scripted.Machine, n int) {
	t.Helper()
	if err := afero.WriteFile(m.FS, "/spool/backup.tar", contents(n), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.FS.Chtimes("/spool/backup.tar", at(n), at(n)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Run(t.Context(), exec.Cmd{Args: []string{
		"rdiff-backup", "--current-time", seconds(n), "backup", "/spool", repo,
	}}); err != nil {
		t.Fatal(err)
	}
}

// scriptedLeaves kills the scripted rdiff-backup before everything that it does.
func scriptedLeaves(t *testing.T, s session) []left {
	t.Helper()
	m := &scripted.Machine{FS: crashfs.New(begin.Local)}
	if err := m.FS.Mkdir("/spool", 0o700); err != nil {
		t.Fatal(err)
	}
	for n := range s.before {
		backup(t, m, n)
	}
	from := m.FS.Now()
	backup(t, m, s.before)
	var all []left
	for n, e := range m.FS.Events() {
		if n < from.Event || e.Actor != "rdiff-backup" {
			continue
		}
		fsys := m.FS.At(crashfs.Point{Event: n}).Kill()
		names, isNew := scriptedNames(fsys), false
		if all, isNew = add(all, names); isNew && markers(names) > 1 {
			all[len(all)-1].regress = scriptedRegress(t, fsys)
		}
	}
	all, _ = add(all, scriptedNames(m.FS))
	return all
}

func scriptedNames(fsys *crashfs.FS) []string {
	names := []string{}
	fsys.Visit(func(name string, _ fs.FileMode, _ []byte) {
		if rel, ok := strings.CutPrefix(name, repo); ok {
			names = append(names, "/"+strings.TrimPrefix(rel, "/"))
		}
	})
	slices.Sort(names)
	return names
}

func scriptedRegress(t *testing.T, fsys *crashfs.FS) string {
	t.Helper()
	before := scriptedNames(fsys)
	m := &scripted.Machine{FS: fsys}
	result, err := m.Run(t.Context(), exec.Cmd{Args: []string{"rdiff-backup", "--force", "regress", repo}})
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	return fmt.Sprintf("exit %d, %s", result.Status, changes(before, scriptedNames(fsys)))
}

// TestStatesOfAScriptedChain restores what was backed up.
func TestStatesOfAScriptedChain(t *testing.T) {
	m := &scripted.Machine{FS: crashfs.New(begin.Local)}
	if err := m.FS.Mkdir("/spool", 0o700); err != nil {
		t.Fatal(err)
	}
	var want []string
	for n := range 4 {
		backup(t, m, n)
		want = append(want, content(n))
	}
	got, err := scripted.States(m.FS, repo, "backup.tar")
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
	// What a power cut makes of a mirror that nobody synced is noticed.
	left := m.FS.At(m.FS.Now()).PowerCut(crashfs.NamesWithoutBytes)
	if got, err := scripted.States(left, repo, "backup.tar"); err == nil {
		t.Errorf("the mirror is empty, and it restores %q", got)
	}
}
