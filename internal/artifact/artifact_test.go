package artifact_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"btw-backup/internal/artifact"
	"btw-backup/internal/durable"
	"btw-backup/internal/tbz"
)

func data(n int) []byte {
	r := rand.New(rand.NewPCG(7, uint64(n)))
	b := make([]byte, 0, n+250) // runs, which compress quickly
	for len(b) < n {
		b = append(b, bytes.Repeat([]byte{"abcdefgh\n"[r.IntN(9)]}, 250)...)
	}
	return b[:n]
}

// producing returns an artifact of the content, which comes in pieces.
func producing(form artifact.Form, content []byte, piece int) *artifact.Artifact {
	return &artifact.Artifact{
		Name: "backup.tar", Form: form,
		Produce: func(_ context.Context, w io.Writer) error {
			for rest := content; len(rest) > 0; {
				n := min(piece, len(rest))
				if _, err := w.Write(rest[:n]); err != nil {
					return err
				}
				rest = rest[n:]
			}
			return nil
		},
	}
}

func readBack(t *testing.T, name string, form artifact.Form) []byte {
	t.Helper()
	stored, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if form == artifact.Plain {
		return stored
	}
	plain, err := io.ReadAll(tbz.NewReader(bytes.NewReader(stored)))
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// The pairs that a comparison can meet: the difference at the start, on and
// around the border of a member, at the end, the one a prefix of the other.
func pairs() map[string][2][]byte {
	const m = tbz.MemberSize
	long := data(2*m + 1000)
	changed := func(at int) []byte {
		b := bytes.Clone(long)
		b[at] ^= 1
		return b
	}
	return map[string][2][]byte{
		"equal":                  {long, long},
		"equal, one member":      {long[:m], long[:m]},
		"equal, tiny":            {[]byte("x"), []byte("x")},
		"first byte":             {long, changed(0)},
		"before the border":      {long, changed(m - 1)},
		"after the border":       {long, changed(m)},
		"last byte":              {long, changed(len(long) - 1)},
		"longer":                 {long, append(bytes.Clone(long), 'x')},
		"shorter":                {long, long[:len(long)-1]},
		"longer by a member":     {long[:m], long[:2*m]},
		"shorter by a member":    {long[:2*m], long[:m]},
		"previous was empty":     {nil, long[:10]},
		"nothing in common":      {data(100), long},
		"shorter, in one member": {long[:100], long[:50]},
	}
}

func TestCompareAnswersAndLeavesTheSpool(t *testing.T) {
	fsys := durable.OS{}
	for name, pair := range pairs() {
		for _, form := range []artifact.Form{artifact.Plain, artifact.Bzip2} {
			for _, how := range []string{"content", "index", "foreign index"} {
				if form == artifact.Plain && how != "content" {
					continue
				}
				t.Run(fmt.Sprintf("%s/%d/%s", name, form, how), func(t *testing.T) {
					t.Parallel()
					dir := t.TempDir()
					previous := artifact.Previous{File: filepath.Join(dir, "previous"), Form: form}
					keepPrevious(t, &previous, pair[0], how)
					a := producing(form, pair[1], 32<<10)
					spool := filepath.Join(dir, "spool")
					equal, err := a.Compare(t.Context(), fsys, previous, spool)
					if err != nil {
						t.Fatal(err)
					}
					if want := bytes.Equal(pair[0], pair[1]); equal != want {
						t.Fatalf("Compare = %v, want %v", equal, want)
					}
					made := a.Made()
					if made.Plain.Size != int64(len(pair[1])) {
						t.Errorf("made %d bytes, want %d", made.Plain.Size, len(pair[1]))
					}
					if equal {
						if _, err := os.Stat(spool); !errors.Is(err, os.ErrNotExist) || made.Spool != "" {
							t.Errorf("equal, and there is a spool: %v, %q", err, made.Spool)
						}
						return
					}
					if !bytes.Equal(readBack(t, spool, form), pair[1]) {
						t.Error("the spool does not hold what was produced")
					}
					if sum, err := artifact.SumFile(fsys, spool); err != nil || sum != made.Stored {
						t.Errorf("SumFile = %v, %v, want %v", sum, err, made.Stored)
					}
					if form == artifact.Bzip2 {
						index, sum, err := artifact.IndexFile(fsys, spool)
						if err != nil || sum != made.Plain || len(index) != len(made.Index) {
							t.Errorf("IndexFile = %d members, %v, %v, want %d, %v", len(index), sum, err, len(made.Index), made.Plain)
						}
						if _, stored := made.Index.Sizes(); stored != made.Stored.Size {
							t.Errorf("the index counts %d bytes of %d", stored, made.Stored.Size)
						}
					}
				})
			}
		}
	}
}

func keepPrevious(t *testing.T, previous *artifact.Previous, content []byte, how string) {
	t.Helper()
	stored := content
	if previous.Form == artifact.Bzip2 {
		var b bytes.Buffer
		w := tbz.NewWriter(&b, nil)
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		stored = b.Bytes()
		if how != "content" {
			previous.Index = w.Index()
		}
		if how == "foreign index" {
			for i := range previous.Index {
				previous.Index[i].Stored = 0
			}
		}
	}
	if err := os.WriteFile(previous.File, stored, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNothingIsKeptOfABadProducer(t *testing.T) {
	boom := errors.New("boom")
	content := data(1000)
	for name, c := range map[string]struct {
		produce  func(io.Writer) error
		complete func(int64, []byte) error
		want     string
	}{
		"fails before it begins": {func(io.Writer) error { return boom }, nil, "boom"},
		"fails after all of it":  {func(w io.Writer) error { _, _ = w.Write(content); return boom }, nil, "boom"},
		"is empty":               {func(io.Writer) error { return nil }, nil, "nothing was produced to be kept as backup.tar"},
		"is truncated": {
			func(w io.Writer) error { _, err := w.Write(content); return err },
			func(size int64, tail []byte) error {
				if size != 1000 || !bytes.Equal(tail, content) {
					return fmt.Errorf("got %d bytes", size)
				}
				return errors.New("no end mark")
			}, "no end mark",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			previous := artifact.Previous{File: filepath.Join(dir, "previous")}
			keepPrevious(t, &previous, content, "content")
			a := &artifact.Artifact{
				Name:     "backup.tar",
				Produce:  func(_ context.Context, w io.Writer) error { return c.produce(w) },
				Complete: c.complete,
			}
			equal, err := a.Compare(t.Context(), durable.OS{}, previous, filepath.Join(dir, "spool"))
			if equal || err == nil || err.Error() != c.want || a.Made() != nil {
				t.Errorf("Compare = %v, %v, made %v; want %q", equal, err, a.Made(), c.want)
			}
			err = a.Spool(t.Context(), durable.OS{}, filepath.Join(dir, "spool2"))
			if err == nil || err.Error() != c.want || a.Made() != nil {
				t.Errorf("Spool = %v, made %v; want %q", err, a.Made(), c.want)
			}
		})
	}
}

func TestIgnoredLinesDoNotCountAndAreKept(t *testing.T) {
	ignore := func(line []byte) bool { return bytes.HasPrefix(line, []byte("#")) }
	for name, c := range map[string]struct {
		old, fresh string
		equal      bool
	}{
		"other keys":          {"#a\nx\ny\n#b\n", "#cc\nx\ny\n#dd\n", true},
		"no keys before":      {"x\ny\n", "#cc\nx\ny\n#dd\n", true},
		"changed in between":  {"#a\nx\ny\n#b\n", "#cc\nx\nz\n#dd\n", false},
		"longer":              {"#a\nx\n#b\n", "#cc\nx\ny\n#dd\n", false},
		"shorter":             {"#a\nx\ny\n#b\n", "#cc\nx\n#dd\n", false},
		"no newline at last":  {"x\ny", "#k\nx\ny", true},
		"one without newline": {"x\ny\n", "#k\nx\ny", false},
		"key in a word":       {"x#y\n", "x#z\n", false},
	} {
		for piece := 1; piece < 12; piece++ {
			t.Run(fmt.Sprintf("%s/%d", name, piece), func(t *testing.T) {
				dir := t.TempDir()
				previous := artifact.Previous{File: filepath.Join(dir, "previous"), Form: artifact.Bzip2}
				keepPrevious(t, &previous, []byte(c.old), "content")
				a := producing(artifact.Bzip2, []byte(c.fresh), piece)
				a.Ignore = ignore
				spool := filepath.Join(dir, "spool")
				equal, err := a.Compare(t.Context(), durable.OS{}, previous, spool)
				if err != nil || equal != c.equal {
					t.Fatalf("Compare = %v, %v, want %v", equal, err, c.equal)
				}
				if !equal {
					if got := string(readBack(t, spool, artifact.Bzip2)); got != c.fresh {
						t.Errorf("the spool holds %q, want %q", got, c.fresh)
					}
				}
			})
		}
	}
}

func TestWithoutLines(t *testing.T) {
	long := strings.Repeat("y", 200_000)
	got, err := io.ReadAll(artifact.WithoutLines(strings.NewReader("#1\na\n#2\n"+long+"\n#3"),
		func(line []byte) bool { return line[0] == '#' }))
	if err != nil || string(got) != "a\n"+long+"\n" {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}
