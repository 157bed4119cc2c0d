// Package pgdump knows what differs between two dumps of one unchanged
// PostgreSQL database, so that these can be left out of a comparison.
//
// A dump in custom format (pg_dump -Fc) bears in its header the time at which
// it was made; [SameButTime] compares everything else. Whether two dumps that
// differ elsewhere hold the same is a question for pg_restore.
//
// A dump in plain text is bracketed by the lines \restrict KEY and
// \unrestrict KEY, with a random key, since the minor releases 13.22, 14.19,
// 15.14, 16.10 and 17.6 of August 2025. They keep a hostile dump from taking
// over the psql that reads it, so they stay in what is kept; [IsKey] finds
// them for the comparison.
package pgdump

import (
	"bytes"
	"errors"
	"io"
	"regexp"
)

// key is a line of a plain dump that bears a random key. The key has 63
// letters and digits; a function's body may hold a line that only looks alike.
var key = regexp.MustCompile(`^\\(un)?restrict [0-9A-Za-z]{32,}\r?\n?$`)

// IsKey tells whether a line of a plain dump, with or without its newline, is
// one of the two that bear a random key.
func IsKey(line []byte) bool { return key.Match(line) }

// CompletePlain tells whether the end of a plain dump by pg_dumpall is there.
func CompletePlain(_ int64, tail []byte) error {
	if !bytes.Contains(tail, []byte("PostgreSQL database cluster dump complete")) {
		return errors.New("pg_dumpall ended well, but its output has no end")
	}
	return nil
}

// headLength is how many bytes of a dump hold its header up to the time.
const headLength = 128

// timeField returns where in a custom-format dump the creation time lies. The
// header is, in bytes: "PGDMP", the format's version (major, minor,
// revision), the size of an integer and of an offset, the format (1 =
// custom); then the compression, which is an integer up to version 1.14 and a
// byte from 1.15 (PostgreSQL 16) on; then the time as seven integers, as in C's
// struct tm. An integer is a byte for its sign and its size in bytes.
func timeField(head []byte) (from, to int, ok bool) {
	if len(head) < headLength || string(head[:5]) != "PGDMP" {
		return 0, 0, false
	}
	major, minor, intSize, format := head[5], head[6], int(head[8]), head[10]
	if major != 1 || minor < 12 || minor > 16 || intSize < 1 || intSize > 8 || format != 1 {
		return 0, 0, false
	}
	integer := 1 + intSize
	from = 11
	if minor >= 15 {
		from++
	} else {
		from += integer
	}
	return from, from + 7*integer, true
}

// SameButTime reads two dumps in custom format and tells whether all but
// their creation times is equal. It answers false for a header that it does
// not know, even if the files are equal byte by byte: better to look twice.
func SameButTime(a, b io.Reader) (bool, error) {
	headA, err := head(a)
	if err != nil {
		return false, err
	}
	headB, err := head(b)
	if err != nil {
		return false, err
	}
	fromA, toA, okA := timeField(headA)
	fromB, toB, okB := timeField(headB)
	if !okA || !okB || fromA != fromB || toA != toB {
		return false, nil
	}
	if !bytes.Equal(headA[:fromA], headB[:fromB]) || !bytes.Equal(headA[toA:], headB[toB:]) {
		return false, nil
	}
	return Equal(a, b)
}

func head(r io.Reader) ([]byte, error) {
	h := make([]byte, headLength)
	n, _, err := fill(r, h)
	return h[:n], err
}

// fill reads until buf is full or r ends. Unlike io.ReadFull it leaves no
// doubt about io.ErrUnexpectedEOF: that is the reader's own, who says that
// what it reads was cut short, and no end to be content with.
func fill(r io.Reader, buf []byte) (n int, end bool, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	if errors.Is(err, io.EOF) {
		return n, true, nil
	}
	return n, false, err
}

// Equal reads two streams and tells whether they are equal. It stops at the
// first difference.
func Equal(a, b io.Reader) (bool, error) {
	bufA, bufB := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, endA, errA := fill(a, bufA)
		m, endB, errB := fill(b, bufB)
		if err := errors.Join(errA, errB); err != nil {
			return false, err
		}
		if !bytes.Equal(bufA[:n], bufB[:m]) {
			return false, nil
		}
		if endA && endB {
			return true, nil
		}
	}
}
