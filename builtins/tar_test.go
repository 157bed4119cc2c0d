package builtins

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestWhatTarLeavesOut runs the real tar with names that it could take for
// patterns.
func TestWhatTarLeavesOut(t *testing.T) {
	src := t.TempDir()
	for _, name := range []string{"proc/1/x", "proc2/x", "p[a]/x", "pa/x", "st*r/x", "stir/x", `back\slash/x`, "cache/x", "deep/cache/x", "deep/proc/x"} {
		if err := os.MkdirAll(filepath.Join(src, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(src, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := tarArgs(src, []string{"cache"}, []string{"proc", "p[a]", "st*r", `back\slash`}, false)
	archive := exec.Command(args[0], args[1:]...)
	list := exec.Command("tar", "--list", "--quoting-style=literal")
	var err error
	if list.Stdin, err = archive.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := archive.Start(); err != nil {
		t.Fatal(err)
	}
	names, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := archive.Wait(); err != nil {
		t.Fatal(err)
	}
	want := `./
./back\slash/
./deep/
./deep/cache/
./deep/cache/x
./deep/proc/
./deep/proc/x
./p[a]/
./pa/
./pa/x
./proc/
./proc2/
./proc2/x
./st*r/
./stir/
./stir/x
`
	if got := string(names); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestQuoteConninfo(t *testing.T) {
	for value, want := range map[string]string{
		"shop": "'shop'", "a b": "'a b'", "a'b": `'a\'b'`, `a\b`: `'a\\b'`, "dbname=x": "'dbname=x'",
	} {
		if got := quoteConninfo(value); got != want {
			t.Errorf("quoteConninfo(%q) = %s, want %s", value, got, want)
		}
	}
}
