// Package tools knows the programs that the tests run and the Debian packages
// that bring them.
//
// Tests are run against the real things, and never skipped because one of
// them is missing: `go tool mage test` installs what it may, and a test that
// needs a program says so with [Need]. [All] is the one list that both use.
package tools

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Tool is a program and the Debian package that brings it.
type Tool struct {
	// Program is a name to be found by [Find], or the path of a file.
	Program string
	Package string
}

// All lists what the tests need, besides Go and what every Debian has.
var All = []Tool{
	{"tar", "tar"},
	{"bzip2", "bzip2"},
	{"rdiff-backup", "rdiff-backup"},
	{"s3cmd", "s3cmd"},
	// What the benchmarks measure us against.
	{"rclone", "rclone"},
	{"psql", "postgresql-client"},
	{"pg_dump", "postgresql-client"},
	{"pg_dumpall", "postgresql-client"},
	{"pg_restore", "postgresql-client"},
	{"setfattr", "attr"},
	{"setfacl", "acl"},
	{"initdb", "postgresql"},
	{"postgres", "postgresql"},
	// Kills rdiff-backup at each of its system calls.
	{"strace", "strace"},
	// A stand-in for the Python program that may run beside ours.
	{"python3", "python3"},
	// The race detector is linked by the C compiler.
	{"gcc", "gcc"},
	{"/usr/include/stdlib.h", "libc6-dev"},
}

// serverDirs is where Debian puts what belongs to one version of PostgreSQL,
// out of PATH.
const serverDirs = "/usr/lib/postgresql/*/bin"

// Find returns the path of a program, from PATH or, where it is not there,
// from the newest PostgreSQL.
func Find(program string) (string, error) {
	if strings.Contains(program, "/") {
		_, err := os.Stat(program)
		return program, err
	}
	path, err := exec.LookPath(program)
	if err == nil {
		return path, nil
	}
	found, globErr := filepath.Glob(filepath.Join(serverDirs, program))
	if globErr != nil || len(found) == 0 {
		return "", err
	}
	return slices.MaxFunc(found, func(a, b string) int {
		return cmp.Compare(version(a), version(b))
	}), nil
}

// version reads 15 from /usr/lib/postgresql/15/bin/initdb.
func version(path string) float64 {
	v, err := strconv.ParseFloat(filepath.Base(filepath.Dir(filepath.Dir(path))), 64)
	if err != nil {
		return 0
	}
	return v
}

// Missing returns the packages, sorted, of those tools that are not there.
func Missing(tools []Tool) []string {
	var packages []string
	for _, tool := range tools {
		if _, err := Find(tool.Program); err != nil {
			packages = append(packages, tool.Package)
		}
	}
	slices.Sort(packages)
	return slices.Compact(packages)
}

// Install returns the command that installs packages.
func Install(packages []string) []string {
	return append([]string{"apt-get", "install", "-y", "--no-install-recommends"}, packages...)
}

// Advice says in one line how a person installs packages.
func Advice(packages []string) string {
	sudo := ""
	if os.Geteuid() != 0 {
		sudo = "sudo "
	}
	return sudo + "apt-get update && " + sudo + strings.Join(Install(packages), " ")
}

// MayInstall tells whether this process can install packages: it is root, on
// a Debian.
func MayInstall() bool {
	_, err := exec.LookPath("apt-get")
	_, statErr := os.Stat("/etc/debian_version")
	return err == nil && !errors.Is(statErr, fs.ErrNotExist) && os.Geteuid() == 0
}

// Need fails the test, with the command to type, when one of the programs is
// not there.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	var needed []Tool
	for _, program := range programs {
		i := slices.IndexFunc(All, func(tool Tool) bool { return tool.Program == program })
		if i < 0 {
			t.Fatalf("%s: is not in the list of internal/testkit/tools: add it, with its Debian package", program)
		}
		needed = append(needed, All[i])
	}
	if packages := Missing(needed); len(packages) > 0 {
		t.Fatalf("this test runs the real programs, and some are missing:\n\t%s", Advice(packages))
	}
}
