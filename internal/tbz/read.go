package tbz

import (
	"compress/bzip2"
	"encoding/hex"
	"fmt"
	"io"
)

// NewReader returns what the bzip2 file r holds, of however many members,
// whoever wrote them. A file that was cut short reads as
// io.ErrUnexpectedEOF, a damaged one as a bzip2.StructuralError.
func NewReader(r io.Reader) io.Reader { return bzip2.NewReader(r) }

const (
	headLength = 4  // "BZh" and the block size
	tailLength = 10 // the end mark, 48 bits, and the check sum, 32
	padding    = 1  // at most 7 bits, up to a whole byte
	endMark    = 0x177245385090
)

// LooksWhole tells from its two ends whether a bzip2 file of that size was
// written to its end, in no time and without decompressing it. It does not
// see damage in the middle, and a file cut exactly between two members is a
// whole file of fewer members.
func LooksWhole(file io.ReaderAt, size int64) (bool, error) {
	if size < headLength+tailLength {
		return false, nil
	}
	var head [headLength]byte
	if _, err := file.ReadAt(head[:], 0); err != nil {
		return false, err
	}
	if string(head[:3]) != "BZh" || head[3] < '1' || head[3] > '9' {
		return false, nil
	}
	var end [tailLength + padding]byte
	if _, err := file.ReadAt(end[:], size-int64(len(end))); err != nil {
		return false, err
	}
	// The mark begins at any bit. As its check sum is followed by 0 to 7
	// bits of padding, it ends 32 to 39 bits before the end of the file.
	var mark uint64
	for _, b := range end[:7] { // 56 bits: the mark and up to 8 bits more
		mark = mark<<8 | uint64(b)
	}
	for shift := range 8 {
		if mark>>shift&(1<<48-1) == endMark {
			return true, nil
		}
	}
	return false, nil
}

// MarshalText implements encoding.TextMarshaler.
func (d Digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) != 2*len(d) {
		return fmt.Errorf("a SHA-256 has %d hexadecimal digits, not %d", 2*len(d), len(text))
	}
	_, err := hex.Decode(d[:], text)
	return err
}

// String gives the hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }
