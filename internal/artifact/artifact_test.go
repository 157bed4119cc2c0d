package artifact_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
// They are as short as shows that: the race detector is slow over megabytes.
func pairs(m int) map[string][2][]byte {
	long := data(2*m + 1000)
	short := long[:1000]
	changed := func(content []byte, at int) []byte {
		b := bytes.Clone(content)
		b[at] ^= 1
		return b
	}
	return map[string][2][]byte{
		"equal":               {long, long},
		"equal, one member":   {long[:m], long[:m]},
		"equal, tiny":         {[]byte("x"), []byte("x")},
		"first byte":          {short, changed(short, 0)},
		"last byte":           {short, changed(short, len(short)-1)},
		"before a border":     {long[:m+1000], changed(long[:m+1000], m-1)},
		"after a border":      {long, changed(long, m)}, // members before and after
		"after the last one":  {long[:m+1000], changed(long[:m+1000], m+999)},
		"longer":              {short, long[:1001]},
		"shorter":             {short, long[:999]},
		"longer, by a border": {long[:m], long[:m+1]},
		"shorter, to it":      {long[:m+1], long[:m]},
		"longer by a member":  {long[:m], long[:2*m]},
		"shorter by a member": {long[:2*m], long[:m]},
		"previous was empty":  {nil, long[:10]},
		"nothing in common":   {data(100), long[:m]},
	}
}

// store compresses content, and does so but once for the same content.
func store(t *testing.T, content []byte) ([]byte, tbz.Index) {
	t.Helper()
	once, _ := compressed.LoadOrStore(sha256.Sum256(content), sync.OnceValues(func() ([]byte, tbz.Index) {
		return compress(t, content)
	}))
	file, index := once.(func() ([]byte, tbz.Index))()
	return file, slices.Clone(index)
}

var compressed sync.Map

func compress(t *testing.T, content []byte) ([]byte, tbz.Index) {
	t.Helper()
	var b bytes.Buffer
	w := tbz.NewWriter(&b, nil)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), w.Index()
}

func TestCompareAnswersAndLeavesTheSpool(t *testing.T) {
	fsys := durable.OS{}
	for _, how := range []struct {
		name   string
		form   artifact.Form
		member int
	}{
		{"plain", artifact.Plain, 9000},
		// Any bzip2 file will do, so it may have small members.
		{"content", artifact.Bzip2, 9000},
		{"index", artifact.Bzip2, tbz.MemberSize},
		{"foreign index", artifact.Bzip2, tbz.MemberSize},
	} {
		for name, pair := range pairs(how.member) {
			t.Run(how.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				form := how.form
				previous := artifact.Previous{File: filepath.Join(t.TempDir(), "previous"), Form: form}
				var file []byte
				switch how.name {
				case "plain":
					file = pair[0]
				case "content":
					file, _ = compress(t, pair[0][:min(len(pair[0]), how.member)])
					for i := how.member; i < len(pair[0]); i += how.member {
						member, _ := compress(t, pair[0][i:min(len(pair[0]), i+how.member)])
						file = append(file, member...)
					}
				case "index":
					file, previous.Index = store(t, pair[0])
				case "foreign index":
					file, previous.Index = store(t, pair[0])
					for i := range previous.Index {
						previous.Index[i].Stored = 0
					}
				}
				if err := os.WriteFile(previous.File, file, 0o600); err != nil {
					t.Fatal(err)
				}
				a := producing(form, pair[1], how.member/137) // no piece ends with a member
				spool := filepath.Join(filepath.Dir(previous.File), "spool")
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
				want, index := pair[1], tbz.Index(nil)
				if form == artifact.Bzip2 {
					want, index = store(t, pair[1]) // see TestStoredFilesReadBack
				}
				if got, err := os.ReadFile(spool); err != nil || !bytes.Equal(got, want) {
					t.Errorf("the spool does not hold what was produced: %d bytes, want %d, %v", len(got), len(want), err)
				}
				if !slices.Equal(made.Index, index) {
					t.Errorf("Index = %v, want %v", made.Index, index)
				}
				if sum, err := artifact.SumFile(t.Context(), fsys, spool); err != nil || sum != made.Stored {
					t.Errorf("SumFile = %v, %v, want %v", sum, err, made.Stored)
				}
			})
		}
	}
}

// What the other tests take for the stored form of some content reads back as
// that, and has the index that it had when it was written.
func TestStoredFilesReadBack(t *testing.T) {
	const m = tbz.MemberSize
	long := data(2*m + 1000)
	for _, content := range [][]byte{nil, long[:1], long[:m], long[:m+1], long[:2*m], long} {
		t.Run(fmt.Sprint(len(content)), func(t *testing.T) {
			t.Parallel()
			file, index := store(t, content)
			spool := filepath.Join(t.TempDir(), "spool")
			if err := os.WriteFile(spool, file, 0o600); err != nil {
				t.Fatal(err)
			}
			if plain, stored := index.Sizes(); plain != int64(len(content)) || stored != int64(len(file)) {
				t.Errorf("the index counts %d and %d bytes, want %d and %d", plain, stored, len(content), len(file))
			}
			for i := range index {
				index[i].Stored = 0 // IndexFile cannot tell
			}
			found, sum, err := artifact.IndexFile(t.Context(), durable.OS{}, spool)
			if want := (artifact.Sum{Size: int64(len(content)), SHA256: sha256.Sum256(content)}); err != nil || sum != want {
				t.Errorf("IndexFile = %v, %v, want %v", sum, err, want)
			}
			if len(content) > 0 && !slices.Equal(found, index) { // nothing has no member, or an empty one
				t.Errorf("IndexFile = %v, want %v", found, index)
			}
		})
	}
}

// keepPrevious writes the previous artifact, of a form without index.
func keepPrevious(t *testing.T, previous *artifact.Previous, content []byte) {
	t.Helper()
	if previous.Form == artifact.Bzip2 {
		content, _ = compress(t, content)
	}
	if err := os.WriteFile(previous.File, content, 0o600); err != nil {
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
			keepPrevious(t, &previous, content)
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
				keepPrevious(t, &previous, []byte(c.old))
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
