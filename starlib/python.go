package starlib

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Starlark's grammar is nearly a subset of Python's, and a file of plain
// assignments is the same in both. This file is for those that are more than
// that, or that an older Python wrote.

const (
	isStarlark = "this file is read as Starlark: "
	advice     = isStarlark + `write plain assignments, such as NAME = "value"`
)

// A python is a text that may be Python, scanned as far as its strings.
type python struct {
	text    string // with prefixes of strings that Starlark knows
	lines   []string
	strings []pyString
}

// A pyString is a string literal in the text.
type pyString struct {
	line     int    // on which it ends
	prefix   string // in lower case
	adjacent bool   // follows another one with nothing between
}

// stringPrefixes are Python's prefixes of strings that mean the same as one of
// Starlark's.
var stringPrefixes = map[string]string{"": "", "u": "", "b": "b", "r": "r", "ur": "r", "br": "rb", "rb": "rb"}

// scanPython finds the strings of a text and rewrites their prefixes. Lines keep
// their numbers; columns do not stay. Whatever it does not understand it leaves
// to the parser to complain about.
func scanPython(text string) *python {
	p := &python{}
	var out strings.Builder
	line, depth := 1, 0
	adjacent := false // the last token is a string
	for i := 0; i < len(text); {
		start := i
		switch c := text[i]; {
		case c == '#':
			i += lineEnd(text[i:])
		case c == '\n':
			line++
			adjacent = adjacent && depth > 0
			i++
		case c == ' ' || c == '\t':
			i++
		case c == '\\' && strings.HasPrefix(text[i:], "\\\n"):
			line++
			i += 2
		case c == '"' || c == '\'' || isWordByte(c):
			for i < len(text) && isWordByte(text[i]) {
				i++
			}
			prefix := strings.ToLower(text[start:i])
			known, ok := stringPrefixes[prefix]
			if n := stringEnd(text[i:]); n > 0 && (ok || strings.Trim(prefix, "rf") == "") {
				if !ok {
					known = text[start:i]
				}
				out.WriteString(known)
				start = i
				i += n
				line += strings.Count(text[start:i], "\n")
				p.strings = append(p.strings, pyString{line, prefix, adjacent})
				adjacent = true
			} else {
				adjacent = false
			}
		default:
			switch c {
			case '(', '[', '{':
				depth++
			case ')', ']', '}':
				depth--
			}
			adjacent = false
			i++
		}
		out.WriteString(text[start:i])
	}
	p.text = out.String()
	p.lines = strings.Split(p.text, "\n")
	return p
}

func isWordByte(c byte) bool {
	return c == '_' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// lineEnd returns the length of the first line of s, without its end.
func lineEnd(s string) int {
	if n := strings.IndexByte(s, '\n'); n >= 0 {
		return n
	}
	return len(s)
}

// stringEnd returns the length of the string literal that s begins with, 0 if it
// begins with none. One that is not closed reaches to the end of the line, or of
// the text if its quotes are triple.
func stringEnd(s string) int {
	if s == "" || s[0] != '"' && s[0] != '\'' {
		return 0
	}
	quote := s[:1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s, triple) {
		quote = triple
	}
	for i := len(quote); i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], quote):
			return i + len(quote)
		case s[i] == '\n' && len(quote) == 1:
			return i
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
	}
	return len(s)
}

// A difference is something that Python has and Starlark lacks, by the words of
// the parser or resolver. line, if it is set, must match the line as well.
type difference struct {
	msg, line *regexp.Regexp
	what      string // "" for the statement as it stands there
	instead   string // "" for the general advice
}

var differences = []difference{
	{msg: regexp.MustCompile(`^got (import|from|class|try|except|finally|with|raise|del|global|nonlocal|async|await|yield|as), want`)},
	{msg: regexp.MustCompile(`^got (identifier|string literal|int literal|float literal), want newline`), line: regexp.MustCompile(`^\s*(assert|print|exec)\b`)},
	{msg: regexp.MustCompile(`^got (identifier|string literal), want newline`), line: regexp.MustCompile(`^\s*(match|type)\b`)},
	{msg: regexp.MustCompile(`^unexpected input character '@'`)},
	{msg: regexp.MustCompile(`^got ':', want newline`), line: regexp.MustCompile(`^\s*\w+\s*:`)},
	{msg: regexp.MustCompile(`^got is, want`), what: `the operator "is"`, instead: "write == instead"},
	{msg: regexp.MustCompile(`^got '\*\*', want`), what: "the operator **", instead: "write the number out"},
	{msg: regexp.MustCompile(`^got '=', want newline`), what: "an assignment to two names", instead: "write a line for each"},
	{msg: regexp.MustCompile(`^got ',', want ':'`), line: regexp.MustCompile(`\{`), what: "a set", instead: `write a list, such as ["a", "b"]`},
	{msg: regexp.MustCompile(`support sets$`), what: "a set", instead: `write a list, such as ["a", "b"]`},
	{msg: regexp.MustCompile(`support while loops$`), what: "while"},
	{msg: regexp.MustCompile(`^got identifier, want`), line: regexp.MustCompile(`\b[0-9][0-9a-fA-FxX]*[lL_]`), what: "a number with a letter or an underscore", instead: "write its digits only"},
	{msg: regexp.MustCompile(`^invalid escape sequence`), what: "a backslash for itself", instead: `write \\`},
	{msg: regexp.MustCompile(`^obsolete form of octal`), what: "a number with a leading 0", instead: "write 0o before an octal one"},
}

var undefined = regexp.MustCompile(`^undefined: (\S+)`)

// explain turns an error of the parser or resolver into an Error that says what
// to write instead, where that is known.
func (p *python) explain(s *source, err error) error {
	files := sources{s.name: s}
	located := files.staticError(err)
	var e *Error
	if !errors.As(located, &e) {
		return s.errorf(0, "%v", err)
	}
	_, line, _ := e.Where()
	// Prefixes were rewritten, so that a column may be off by one or two.
	col := e.col
	e.col = 0

	if m := undefined.FindStringSubmatch(e.Msg); m != nil {
		e.Msg = fmt.Sprintf("%q is not defined, and %s", m[1], advice)
		return e
	}
	if strings.HasPrefix(e.Msg, "got string literal, want") {
		for _, str := range p.strings {
			switch {
			case str.line != line:
			case strings.Contains(str.prefix, "f"):
				e.Msg = `an f"..." string is Python, and ` + isStarlark + "write the text out, or join its parts with +"
				return e
			case str.adjacent:
				e.Msg = "joining strings by writing them side by side is Python, and " + isStarlark + "write + between them"
				return e
			}
		}
	}
	text := ""
	if line > 0 && line <= len(p.lines) {
		text = p.lines[line-1]
	}
	for _, d := range differences {
		if !d.msg.MatchString(e.Msg) || d.line != nil && !d.line.MatchString(text) {
			continue
		}
		what, instead := d.what, isStarlark+d.instead
		if what == "" {
			// The parser stops right before what it cannot begin a statement
			// with; elsewhere it is the line that is Python.
			if d.line != nil {
				col = 1
			}
			what = fmt.Sprintf("%q", statement(text, col))
		}
		if d.instead == "" {
			instead = advice
		}
		e.Msg = what + " is Python, and " + instead
		return e
	}
	return e
}

// statement returns the text of a line from a column on, without a comment.
func statement(text string, col int) string {
	if r := []rune(text); col > 1 && col <= len(r) {
		text = string(r[col-1:])
	}
	text, _, _ = strings.Cut(text, " #")
	return shorten(strings.TrimRight(strings.TrimSpace(text), ":;"), 60)
}
