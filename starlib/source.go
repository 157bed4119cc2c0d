package starlib

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	// maxSource bounds a file. The compiler descends into an expression as deep
	// as it is long, and a Go program does not survive the end of its stack.
	maxSource = 256 << 10
	// maxQuote bounds the part of a line that an error quotes.
	maxQuote = 160
)

// A source is the text of one file, kept so that an error can quote the line
// it is about.
type source struct {
	name  string // as errors show it
	text  []byte // without byte order mark, lines ended by \n
	lines []string
}

// newSource takes the bytes of a file in. It refuses what the scanner would
// silently read as something else: it ends the file at a NUL, and puts a
// replacement character for a byte that is not UTF-8.
func newSource(name string, text []byte) (*source, error) {
	if len(text) > maxSource {
		return nil, &Error{
			Msg:    fmt.Sprintf("the file has %d bytes, and may have %d", len(text), maxSource),
			static: true, trace: []Frame{{File: name}},
		}
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
	s := &source{name: name, text: text, lines: strings.Split(string(text), "\n")}
	for i, line := range s.lines {
		switch {
		case strings.Contains(line, "\x00"):
			return nil, s.errorf(i+1, "the line contains a NUL byte")
		case !utf8.ValidString(line):
			return nil, s.errorf(i+1, "the line is not UTF-8")
		}
	}
	return s, nil
}

// line returns the text of line n, counted from 1, without the space around it.
// If it leaves brackets open, the lines that close them come along, so that a
// call in several lines reads as one in one. Brackets in strings count as well;
// the worst of it is a line too many in a message.
func (s *source) line(n int) string {
	if s == nil || n < 1 || n > len(s.lines) {
		return ""
	}
	text := strings.TrimSpace(s.lines[n-1])
	for open(text) && n < len(s.lines) && len(text) < maxQuote {
		next := strings.TrimSpace(s.lines[n])
		n++
		switch {
		case next == "" || next[0] == '#':
			continue
		case strings.IndexByte(")]}", next[0]) >= 0:
			text = strings.TrimSuffix(text, ",")
		case strings.IndexByte("([{", text[len(text)-1]) < 0:
			text += " "
		}
		text += next
	}
	return shorten(text, maxQuote)
}

// open reports whether text opens more brackets than it closes.
func open(text string) bool {
	depth := 0
	for _, c := range []byte(text) {
		switch c {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		}
	}
	return depth > 0
}

// errorf returns an error about a line of the file, or about all of it if the
// line is 0.
func (s *source) errorf(line int, format string, args ...any) *Error {
	return &Error{
		Msg:    fmt.Sprintf(format, args...),
		static: true,
		trace:  []Frame{{File: s.name, Line: line, Source: s.line(line)}},
	}
}

// shorten cuts s to at most n runes.
func shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
