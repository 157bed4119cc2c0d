package tbz_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"btw-backup/internal/tbz"
)

// text is data that compresses like source code does: words again and again.
func text(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for b.Len() < n {
		b.WriteString([]string{"func ", "return ", "err ", "!= ", "nil ", "{\n", "}\n"}[r.IntN(7)])
	}
	return b.Bytes()[:n]
}

// runs is data that compresses quickly, for what needs whole members: the race
// detector takes a minute over some megabytes of text.
func runs(n int) []byte {
	r := rand.New(rand.NewPCG(5, 6))
	b := make([]byte, 0, n+250)
	for len(b) < n {
		b = append(b, bytes.Repeat([]byte{"abcdefgh\n"[r.IntN(9)]}, 250)...)
	}
	return b[:n]
}

func noise(n int) []byte {
	b := make([]byte, n)
	for i, r := 0, rand.New(rand.NewPCG(3, 4)); i < n; i++ {
		b[i] = byte(r.Uint32())
	}
	return b
}

func compress(plain []byte) ([]byte, tbz.Index) {
	var out bytes.Buffer
	w := tbz.NewWriter(&out, nil)
	for chunk := range chunks(plain, 32<<10) {
		if _, err := w.Write(chunk); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes(), w.Index()
}

func chunks(b []byte, n int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			k := min(n, len(b))
			if !yield(b[:k]) {
				return
			}
			b = b[k:]
		}
	}
}

// A sample is some content and the file that it makes.
type sample struct {
	plain  []byte
	stored func() ([]byte, tbz.Index) // compressed once for all tests
}

var samples = func() map[string]sample {
	all := map[string]sample{}
	for name, plain := range map[string][]byte{
		"empty":                    {},
		"one byte":                 {'x'},
		"a run":                    bytes.Repeat([]byte{0}, 3_000_000),
		"one member exactly":       runs(tbz.MemberSize),
		"one byte more":            runs(tbz.MemberSize + 1),
		"three members":            runs(2*tbz.MemberSize + 12345),
		"text":                     text(100_000),
		"does not compress":        noise(900_000 + 999), // two of bzip2's blocks
		"noise across two members": append(runs(tbz.MemberSize-500), noise(1499)...),
		"zeros between noises":     append(append(noise(1000), make([]byte, 5000)...), noise(1000)...),
	} {
		all[name] = sample{plain, sync.OnceValues(func() ([]byte, tbz.Index) { return compress(plain) })}
	}
	return all
}()

func TestEveryReaderReadsIt(t *testing.T) {
	for name, s := range samples {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain := s.plain
			stored, index := s.stored()
			p, s := index.Sizes()
			if p != int64(len(plain)) || s != int64(len(stored)) {
				t.Errorf("the index counts %d and %d bytes, want %d and %d", p, s, len(plain), len(stored))
			}
			ours, err := io.ReadAll(tbz.NewReader(bytes.NewReader(stored)))
			if err != nil || !bytes.Equal(ours, plain) {
				t.Errorf("our own reader: %v, equal %v", err, bytes.Equal(ours, plain))
			}
			cmd := exec.Command("bzip2", "-dc")
			cmd.Stdin = bytes.NewReader(stored)
			theirs, err := cmd.Output()
			if err != nil || !bytes.Equal(theirs, plain) {
				t.Errorf("bzip2: %v, equal %v", err, bytes.Equal(theirs, plain))
			}
		})
	}
}

func TestAFileMayBeginWithAnothersMembers(t *testing.T) {
	old := runs(2*tbz.MemberSize + 100)
	stored, index := compress(old)
	changed := append(bytes.Clone(old[:tbz.MemberSize]), noise(777)...)

	var out bytes.Buffer
	out.Write(stored[:index[0].Stored])
	w := tbz.NewWriter(&out, index[:1])
	if _, err := w.Write(changed[tbz.MemberSize:]); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	again, whole := compress(changed)
	if !bytes.Equal(out.Bytes(), again) {
		t.Error("continuing another file's members differs from compressing everything")
	}
	if len(w.Index()) != len(whole) || w.Index()[0] != whole[0] || w.Index()[1] != whole[1] {
		t.Errorf("index %v, want %v", w.Index(), whole)
	}
}

func TestLooksWhole(t *testing.T) {
	for name, s := range samples {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stored, index := s.stored()
			if ok, err := tbz.LooksWhole(bytes.NewReader(stored), int64(len(stored))); err != nil || !ok {
				t.Errorf("LooksWhole = %v, %v", ok, err)
			}
			for cut := range stored {
				if cut > 100 && cut < len(stored)-100 {
					continue
				}
				border := len(index) > 1 && int64(cut) == index[0].Stored
				if ok, _ := tbz.LooksWhole(bytes.NewReader(stored[:cut]), int64(cut)); ok && !border {
					t.Errorf("cut at %d of %d bytes it still looks whole", cut, len(stored))
				}
			}
		})
	}
}

func TestLooksWholeWithBzip2sOwnFiles(t *testing.T) {
	for n := range 40 { // so many lengths meet every padding of the end mark
		name := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(name, noise(n), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("bzip2", name).CombinedOutput(); err != nil {
			t.Fatalf("bzip2: %v\n%s", err, out)
		}
		stored, err := os.ReadFile(name + ".bz2")
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := tbz.LooksWhole(bytes.NewReader(stored), int64(len(stored))); err != nil || !ok {
			t.Errorf("%d bytes: LooksWhole = %v, %v", n, ok, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("BZh9\x17\x72\x45\x38\x50\x90\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, stored []byte) {
		ok, err := tbz.LooksWhole(bytes.NewReader(stored), int64(len(stored)))
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, io.LimitReader(tbz.NewReader(bytes.NewReader(stored)), 1<<24))
		if err == nil && !ok && len(stored) > 0 {
			t.Error("it reads to the end, and does not look whole")
		}
	})
}
