package tbz_test

import (
	"io"
	"testing"

	"btw-backup/internal/tbz"
)

func BenchmarkWrite(b *testing.B) {
	plain := text(4 * tbz.MemberSize)
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		w := tbz.NewWriter(io.Discard, nil)
		if _, err := w.Write(plain); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
