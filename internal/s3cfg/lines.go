package s3cfg

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What s3cmd makes of a file's lines:
//
//   - a line ends at \n, \r\n or \r
//   - # in front, with or without white space before it, makes a comment; it
//     never begins one behind a value, and ; never at all
//   - [NAME] at the very start of a line is a section, and means nothing
//   - KEY = VALUE, where KEY is one word, and white space around = is optional
//   - a VALUE whose first and last characters are " loses them. With white
//     space behind the last ", its first and last *character* are lost: the
//     first " and a blank. What is left ends in " and is hardly what was meant
//   - white space around the VALUE is then taken off, that inside the quotes
//     as well
//   - the last line of a KEY counts, and an empty VALUE is a value
//   - all other lines are passed over, with a warning
//
// White space is what Python takes for it.

// entry is the VALUE of a KEY.
type entry struct {
	text string
	line int
}

// maxFile is more than any configuration has.
const maxFile = 1 << 20

// parseLines splits a file into its entries, and says in notes what it passed
// over.
func parseLines(file string, r io.Reader) (entries map[string]entry, notes []string, err error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(data) > maxFile {
		return nil, nil, fmt.Errorf("%s: has more than %d bytes and is no configuration of s3cmd: see S3CMD_CONFIG", file, maxFile)
	}
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	entries = map[string]entry{}
	for i, line := range strings.Split(strings.ReplaceAll(text, "\r", "\n"), "\n") {
		if !utf8.ValidString(line) {
			return nil, nil, fmt.Errorf("%s:%d: is not valid UTF-8, without which s3cmd reads nothing: write the line anew", file, i+1)
		}
		key, value, fate := parseLine(line)
		switch fate {
		case isEntry:
			entries[key] = entry{trim(value), i + 1}
		case isNothing:
			notes = append(notes, fmt.Sprintf("%s:%d: is not KEY = VALUE, and is passed over as by s3cmd: mend it or put a # before it", file, i+1))
		}
	}
	return entries, notes, nil
}

type lineFate int

const (
	isBlank   lineFate = iota // or a comment, or a section
	isEntry                   //
	isNothing                 // that s3cmd understands
)

// parseLine takes a line apart. The value has lost its quotes, not yet the
// white space around it.
func parseLine(line string) (key, value string, fate lineFate) {
	rest := strings.TrimLeftFunc(line, isSpace)
	if rest == "" || rest[0] == '#' {
		return "", "", isBlank
	}
	if line[0] == '[' && strings.IndexByte(line, ']') > 1 {
		return "", "", isBlank
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return !isWord(r) })
	if end <= 0 {
		return "", "", isNothing
	}
	key = rest[:end]
	value, ok := strings.CutPrefix(strings.TrimLeftFunc(rest[end:], isSpace), "=")
	if !ok {
		return "", "", isNothing
	}
	return key, unquote(strings.TrimLeftFunc(value, isSpace)), isEntry
}

// unquote takes the outer quotes off.
func unquote(value string) string {
	if inner := strings.TrimRightFunc(value, isSpace); len(inner) < 2 || inner[0] != '"' || inner[len(inner)-1] != '"' {
		return value
	}
	_, last := utf8.DecodeLastRuneInString(value)
	return value[1 : len(value)-last]
}

// isSpace tells what Python takes for white space.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// isWord tells what \w stands for in Python.
func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }

func trim(s string) string { return strings.TrimFunc(s, isSpace) }
