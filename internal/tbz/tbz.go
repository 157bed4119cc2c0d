// Package tbz writes and reads bzip2 files made of independent members.
//
// # Concepts
//
// A bzip2 file may be several bzip2 streams, one after the other: bzip2, tar
// and every other reader take them for one. We call such a stream a member,
// and write a new one every [MemberSize] bytes of input. That gives three
// things that a single stream cannot: members are compressed side by side on
// all processors; a later file that begins with the same data can begin with
// the same bytes, copied instead of compressed again; and a digest for each
// member tells where two streams part without decompressing either.
//
// An [Index] lists the members. It is not stored in the file, which stays
// plain bzip2, but is kept beside it by whoever wants these advantages.
package tbz

import (
	"bytes"
	"crypto/sha256"
	"io"
	"runtime"

	"github.com/dsnet/compress/bzip2"
)

// MemberSize is the length of the input of a member: five of bzip2's largest
// blocks (900,000 bytes), so that no block is cut short but the last.
const MemberSize = 5 * 900_000

// Member is one bzip2 stream of a file.
type Member struct {
	Plain  int64  `json:"plain"`  // bytes of input
	Stored int64  `json:"stored"` // bytes in the file
	SHA256 Digest `json:"sha256"` // of the input
}

// Digest is a SHA-256 that stands in JSON as hexadecimal digits.
type Digest [sha256.Size]byte

// Index lists the members of a file in order.
type Index []Member

// Sizes returns the lengths of all members together.
func (x Index) Sizes() (plain, stored int64) {
	for _, m := range x {
		plain += m.Plain
		stored += m.Stored
	}
	return plain, stored
}

// Writer compresses what is written to it. Close it to learn whether all of
// it was written; only then Index is whole.
type Writer struct {
	out     io.Writer
	index   Index
	input   []byte
	running []chan result // in the order of the file
	workers int
	err     error
}

type result struct {
	member Member
	stored []byte
	err    error
}

// NewWriter returns a Writer onto out. have lists the members that out holds
// already, copied from another file.
func NewWriter(out io.Writer, have Index) *Writer {
	return &Writer{
		out:     out,
		index:   append(Index(nil), have...),
		workers: min(runtime.GOMAXPROCS(0), 4), // each takes some 50 MB
	}
}

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 && w.err == nil {
		if w.input == nil {
			w.input = make([]byte, 0, MemberSize)
		}
		n := min(len(p), MemberSize-len(w.input))
		w.input = append(w.input, p[:n]...)
		p = p[n:]
		written += n
		if len(w.input) == MemberSize {
			w.startMember()
		}
	}
	return written, w.err
}

// Close writes what is left. It does not close the file below.
func (w *Writer) Close() error {
	if len(w.input) > 0 || len(w.index)+len(w.running) == 0 {
		w.startMember() // an empty file is one empty member
	}
	for len(w.running) > 0 {
		w.finishMember()
	}
	return w.err
}

// Index returns the members of the whole file, once it is closed.
func (w *Writer) Index() Index { return w.index }

func (w *Writer) startMember() {
	for len(w.running) >= w.workers {
		w.finishMember()
	}
	input := w.input
	w.input = nil
	done := make(chan result, 1)
	w.running = append(w.running, done)
	go func() {
		stored, err := compress(input)
		done <- result{
			member: Member{Plain: int64(len(input)), Stored: int64(len(stored)), SHA256: sha256.Sum256(input)},
			stored: stored,
			err:    err,
		}
	}()
}

func (w *Writer) finishMember() {
	r := <-w.running[0]
	w.running = w.running[1:]
	if w.err == nil {
		w.err = r.err
	}
	if w.err == nil {
		_, w.err = w.out.Write(r.stored)
		w.index = append(w.index, r.member)
	}
}

func compress(input []byte) ([]byte, error) {
	var stored bytes.Buffer
	z, err := bzip2.NewWriter(&stored, &bzip2.WriterConfig{Level: bzip2.BestCompression})
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(input); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return stored.Bytes(), nil
}
