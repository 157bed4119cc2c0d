package tools_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"btw-backup/internal/testkit/tools"
)

// verdict is a test that remembers how it failed.
type verdict struct {
	testing.TB
	said string
}

func (v *verdict) Helper() {}

func (v *verdict) Fatalf(format string, args ...any) {
	v.said = fmt.Sprintf(format, args...)
	panic(v) // like FailNow, it does not return
}

func need(t *testing.T, programs ...string) string {
	t.Helper()
	v := &verdict{TB: t}
	func() {
		defer func() {
			if r := recover(); r != nil && r != any(v) {
				panic(r)
			}
		}()
		tools.Need(v, programs...)
	}()
	return v.said
}

func TestNeed(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "tar"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	sudo := ""
	if os.Geteuid() != 0 {
		sudo = "sudo "
	}
	for _, test := range []struct {
		programs []string
		want     string // at the end of what the test says
	}{
		{nil, ""},
		{[]string{"tar"}, ""},
		{
			[]string{"tar", "s3cmd", "rdiff-backup"},
			"\t" + sudo + "apt-get update && " + sudo + "apt-get install -y --no-install-recommends rdiff-backup s3cmd",
		},
		{[]string{"tra"}, "tra: is not in the list of internal/testkit/tools: add it, with its Debian package"},
	} {
		got := need(t, test.programs...)
		if !strings.HasSuffix(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("Need(%q) says\n%q, want at its end\n%q", test.programs, got, test.want)
		}
	}
}

func TestMissing(t *testing.T) {
	here := filepath.Join(t.TempDir(), "here")
	if err := os.WriteFile(here, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got := tools.Missing([]tools.Tool{
		{Program: "no-such-program-b", Package: "b"},
		{Program: here, Package: "here"},
		{Program: here + "-not", Package: "a"},
		{Program: "no-such-program-c", Package: "b"},
	})
	if strings.Join(got, " ") != "a b" {
		t.Errorf("missing: %q, want a and b", got)
	}
}

// The server's programs are not in PATH on Debian.
func TestFindServer(t *testing.T) {
	tools.Need(t, "initdb")
	path, err := tools.Find("initdb")
	if err != nil || !filepath.IsAbs(path) {
		t.Errorf("Find(initdb) = %q, %v", path, err)
	}
}
