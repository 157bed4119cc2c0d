package pgdump_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"btw-backup/internal/exec"
	"btw-backup/internal/pgdump"
	"btw-backup/internal/testkit/postgres"
	"btw-backup/internal/testkit/tools"
)

const keyLetters = "NoKZ4xnVRhCHaD0Zuqdp9rYbJVmXBc6lN1TSLhFgXWtEAv8o7iUwQ2kM3j5PsyG"

func TestIsKey(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		`\restrict ` + keyLetters:          true,
		`\unrestrict ` + keyLetters:        true,
		`\restrict ` + keyLetters + "\n":   true,
		`\unrestrict ` + keyLetters + "\n": true,
		"":                                 false,
		"\n":                               false,
		`\restrict`:                        false,
		`\restrict ` + "\n":                false,
		`\connect shop`:                    false,
		`\restricted ` + keyLetters:        false,
		` \restrict ` + keyLetters:         false,
		`-- \restrict ` + keyLetters:       false,
		`\restrict is what a function's body may say`: false,
		`\restrict x`:                           false,
		`\restrict ` + keyLetters + " and more": false,
		`\restrict ` + keyLetters + "\nCREATE":  false,
	} {
		if pgdump.IsKey([]byte(line)) != want {
			t.Errorf("%q: got %v", line, !want)
		}
	}
}

func TestCompletePlain(t *testing.T) {
	t.Parallel()
	const end = "\n--\n-- PostgreSQL database cluster dump complete\n--\n\n"
	for _, tail := range []string{end, "CREATE ROLE x;\n" + end, end + `\unrestrict ` + keyLetters + "\n\n"} {
		if err := pgdump.CompletePlain(int64(len(tail)), []byte(tail)); err != nil {
			t.Errorf("%q: %v", tail, err)
		}
	}
	for _, tail := range []string{"", "CREATE ROLE x;\n", "-- PostgreSQL database cluster dump\n", end[:20]} {
		if pgdump.CompletePlain(int64(len(tail)), []byte(tail)) == nil {
			t.Errorf("%q is taken for the end", tail)
		}
	}
}

// dump makes up a dump in custom format, of a version.
func dump(minor, intSize byte, clock byte, rest string) []byte {
	integer := func(n byte) []byte {
		b := make([]byte, 1+intSize) // a sign, and the least significant byte first
		b[1] = n
		return b
	}
	d := append([]byte("PGDMP"), 1, minor, 0, intSize, 8, 1)
	if minor >= 15 {
		d = append(d, 1)
	} else {
		d = append(d, integer(6)...)
	}
	for range 7 {
		d = append(d, integer(clock)...)
	}
	return append(d, rest...)
}

var rest = strings.Repeat("names, table of contents and data; ", 10_000)

func same(t *testing.T, a, b []byte) bool {
	t.Helper()
	got, err := pgdump.SameButTime(bytes.NewReader(a), bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	// It does not matter in which pieces they come, nor which comes first.
	for _, pieces := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
		for _, again := range [][2]io.Reader{
			{pieces(bytes.NewReader(a)), bytes.NewReader(b)},
			{pieces(bytes.NewReader(b)), iotest.HalfReader(bytes.NewReader(a))},
		} {
			if g, err := pgdump.SameButTime(again[0], again[1]); err != nil || g != got {
				t.Errorf("in other pieces: got %v, %v, not %v", g, err, got)
			}
		}
	}
	return got
}

func TestSameButTime(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		a, b []byte
		want bool
	}{
		{"1.12", dump(12, 4, 1, rest), dump(12, 4, 2, rest), true},
		{"1.13", dump(13, 4, 1, rest), dump(13, 4, 2, rest), true},
		{"1.14", dump(14, 4, 1, rest), dump(14, 4, 2, rest), true},
		{"1.15", dump(15, 4, 1, rest), dump(15, 4, 2, rest), true},
		{"1.16", dump(16, 4, 1, rest), dump(16, 4, 2, rest), true},
		{"large integers", dump(14, 8, 1, rest), dump(14, 8, 2, rest), true},
		{"byte by byte", dump(14, 4, 1, rest), dump(14, 4, 1, rest), true},
		{"1.11, unknown", dump(11, 4, 1, rest), dump(11, 4, 1, rest), false},
		{"1.17, unknown", dump(17, 4, 1, rest), dump(17, 4, 1, rest), false},
		{"two versions", dump(13, 4, 1, rest), dump(14, 4, 1, rest), false},
		{"two layouts", dump(14, 4, 1, rest), dump(15, 4, 1, rest), false},
		{"integers of no size", replaced(dump(14, 4, 1, rest), 8, 0), replaced(dump(14, 4, 1, rest), 8, 0), false},
		{"integers of a wild size", dump(14, 9, 1, rest), dump(14, 9, 1, rest), false},
		{"first byte after the time", dump(14, 4, 1, "a"+rest), dump(14, 4, 1, "b"+rest), false},
		{"last byte", dump(14, 4, 1, rest+"a"), dump(14, 4, 1, rest+"b"), false},
		{"longer", dump(14, 4, 1, rest), dump(14, 4, 1, rest+"x"), false},
		{"compression", dump(14, 4, 1, rest), replaced(dump(14, 4, 1, rest), 12, 9), false},
		{"offset size", dump(14, 4, 1, rest), replaced(dump(14, 4, 1, rest), 9, 4), false},
		{"a directory's format", replaced(dump(14, 4, 1, rest), 10, 3), replaced(dump(14, 4, 1, rest), 10, 3), false},
		{"another magic", replaced(dump(14, 4, 1, rest), 0, 'p'), replaced(dump(14, 4, 1, rest), 0, 'p'), false},
		{"version 2", replaced(dump(14, 4, 1, rest), 5, 2), replaced(dump(14, 4, 1, rest), 5, 2), false},
		{"empty", nil, nil, false},
		{"one empty", nil, dump(14, 4, 1, rest), false},
		{"shorter than a header", dump(14, 4, 1, ""), dump(14, 4, 1, ""), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := same(t, test.a, test.b); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func replaced(b []byte, at int, by byte) []byte {
	b = bytes.Clone(b)
	b[at] = by
	return b
}

func TestEqual(t *testing.T) {
	t.Parallel()
	const buffer = 64 << 10
	long := strings.Repeat("0123456789abcdef", 3*buffer/16)
	for _, test := range []struct {
		name, a, b string
		want       bool
	}{
		{"empty", "", "", true},
		{"short", "abc", "abc", true},
		{"long", long, long, true},
		{"a buffer and a byte", long[:buffer+1], long[:buffer+1], true},
		{"one empty", "", "a", false},
		{"first byte", "x" + long[1:], long, false},
		{"last byte", long[:len(long)-1] + "x", long, false},
		{"the beginning of the other", long[:2*buffer], long, false},
		{"the beginning of the other, odd", long[:2*buffer-7], long, false},
		{"a byte more", long, long + "x", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, pieces := range []func(io.Reader) io.Reader{
				func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader,
			} {
				if got, err := pgdump.Equal(pieces(strings.NewReader(test.a)), strings.NewReader(test.b)); err != nil || got != test.want {
					t.Errorf("got %v, %v", got, err)
				}
				if got, err := pgdump.Equal(strings.NewReader(test.b), pieces(strings.NewReader(test.a))); err != nil || got != test.want {
					t.Errorf("the other way round: got %v, %v", got, err)
				}
			}
		})
	}
}

// No comparison may pass on something that could not be read to its end. A
// compressed file that was cut short reads as io.ErrUnexpectedEOF.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	d := string(dump(14, 4, 1, rest))
	for _, failure := range []error{io.ErrUnexpectedEOF, errors.New("input/output error"), io.ErrClosedPipe} {
		for _, n := range []int{0, 5, 127, 128, 129, 128 + 64<<10, 1000, len(d)} {
			cut := func() io.Reader { return io.MultiReader(strings.NewReader(d[:n]), iotest.ErrReader(failure)) }
			for name, compare := range map[string]func(a, b io.Reader) (bool, error){"Equal": pgdump.Equal, "SameButTime": pgdump.SameButTime} {
				// Whatever the other one is: as short, or whole.
				for _, other := range []string{d[:n], d} {
					if got, err := compare(cut(), strings.NewReader(other)); got || n == len(other) && n > 127 && !errors.Is(err, failure) {
						t.Errorf("%s, %v after %d bytes: got %v, %v", name, failure, n, got, err)
					}
					if got, err := compare(strings.NewReader(other), cut()); got || n == len(other) && n > 127 && !errors.Is(err, failure) {
						t.Errorf("%s, the other way, %v after %d bytes: got %v, %v", name, failure, n, got, err)
					}
				}
				if got, err := compare(cut(), cut()); got || err == nil {
					t.Errorf("%s, both, %v after %d bytes: got %v, %v", name, failure, n, got, err)
				}
			}
		}
	}
}

// It stops at the first difference: dumps can be large.
func TestStopsEarly(t *testing.T) {
	t.Parallel()
	endless := iotest.ErrReader(errors.New("read on"))
	a := io.MultiReader(strings.NewReader("a"+rest), endless)
	b := io.MultiReader(strings.NewReader("b"+rest), endless)
	if got, err := pgdump.Equal(a, b); got || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

func FuzzSameButTime(f *testing.F) {
	short := strings.Repeat("x", 100)
	for _, minor := range []byte{11, 12, 13, 14, 15, 16, 17} {
		f.Add(dump(minor, 4, 1, short), dump(minor, 4, 2, short))
	}
	f.Add(dump(14, 8, 1, short), dump(14, 8, 1, short+"x"))
	f.Add([]byte{}, []byte("PGDMP"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		got := same(t, a, b)
		if !got {
			return
		}
		// What passes differs at most where a time can be.
		if len(a) != len(b) {
			t.Errorf("%d and %d bytes are the same", len(a), len(b))
		}
		for i := range a {
			if a[i] != b[i] && (i < 12 || i >= 11+9+7*9) {
				t.Errorf("they differ at %d", i)
			}
		}
	})
}

// archive is what the real pg_dump writes of a database, into a file as our
// backups have it.
func archive(t *testing.T, s *postgres.Server, db string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "db.dump")
	run(t, s, "pg_dump", "-Fc", "-f", file, "--dbname", db)
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func run(t *testing.T, s *postgres.Server, args ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	result, err := exec.OS{}.Run(t.Context(), exec.Cmd{Args: args, Env: append(s.SocketEnv(), "LC_ALL=C.UTF-8"), Stdout: &out})
	if err != nil {
		t.Fatalf("%v\n%s", err, result.Stderr)
	}
	return out.Bytes()
}

func TestRealDumps(t *testing.T) {
	t.Parallel()
	tools.Need(t, "pg_dump")
	s := postgres.Shared(t)
	s.SQL(t, "postgres", "CREATE DATABASE dumped")
	s.SQL(t, "dumped", "CREATE TABLE item (n int, name text); INSERT INTO item SELECT i, 'item ' || i FROM generate_series(1, 5000) i")
	first := archive(t, s, "dumped")
	second := archive(t, s, "dumped")
	if !same(t, first, second) {
		t.Error("an unchanged database differs")
	}
	// The clock goes on by itself; the test need not wait for it. A second
	// later is a dump whose fields, least significant bytes, are others.
	later := bytes.Clone(first)
	at := 11 + 5 // the compression of 1.14 and below is an integer
	if first[6] >= 15 {
		at = 11 + 1
	}
	for field := range 7 {
		later[at+5*field+1]++
		if !same(t, first, later) {
			t.Errorf("another time, in field %d, makes a difference", field)
		}
	}
	// And nothing but the time does.
	for i := range 400 {
		if i >= at && i < at+35 {
			continue
		}
		if got, err := pgdump.SameButTime(bytes.NewReader(first), bytes.NewReader(replaced(first, i, first[i]+1))); got || err != nil {
			t.Errorf("byte %d makes no difference", i)
		}
	}
	s.SQL(t, "dumped", "UPDATE item SET name = 'Item 77' WHERE n = 77")
	if same(t, first, archive(t, s, "dumped")) {
		t.Error("a changed row makes no difference")
	}
}

func TestRealGlobals(t *testing.T) {
	t.Parallel()
	tools.Need(t, "pg_dumpall")
	s := postgres.Start(t) // the globals are the whole server's
	s.SQL(t, "postgres", `CREATE ROLE clerk; COMMENT ON ROLE clerk IS E'a comment\n\\restrict is no key'`)
	globals := func() []byte { return run(t, s, "pg_dumpall", "-g") }
	lines := func(dump []byte) (kept []string, keys int) {
		for line := range strings.Lines(string(dump)) {
			if pgdump.IsKey([]byte(line)) {
				keys++
				continue
			}
			kept = append(kept, line)
		}
		return kept, keys
	}
	first, second := globals(), globals()
	keptFirst, keys := lines(first)
	keptSecond, _ := lines(second)
	if !slices.Equal(keptFirst, keptSecond) {
		t.Errorf("unchanged globals differ:\n%s", first)
	}
	// Minor releases before August 2025 write none.
	if bytes.Contains(first, []byte("\n\\unrestrict ")) != (keys == 2) || keys != 0 && keys != 2 {
		t.Errorf("%d keys were found in\n%s", keys, first)
	}
	if !strings.Contains(strings.Join(keptFirst, ""), "restrict is no key") {
		t.Error("what only looks like a key is left out")
	}
	tail := func(dump []byte) []byte { return dump[max(0, len(dump)-1024):] }
	if err := pgdump.CompletePlain(int64(len(first)), tail(first)); err != nil {
		t.Errorf("%v:\n%s", err, first)
	}
	cut := first[:bytes.LastIndex(first, []byte("-- PostgreSQL"))]
	if pgdump.CompletePlain(int64(len(cut)), tail(cut)) == nil {
		t.Error("a dump without its end is complete")
	}
	s.SQL(t, "postgres", "CREATE ROLE intern")
	if changed, _ := lines(globals()); slices.Equal(changed, keptFirst) {
		t.Error("a new role makes no difference")
	}
}
