package pgdump

import (
	"bytes"
	"errors"
	"strings"
)

// Identifier quotes a name for SQL.
func Identifier(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Literal quotes a text for SQL, whatever standard_conforming_strings says.
func Literal(text string) string {
	quoted := "'" + strings.NewReplacer(`'`, `''`, `\`, `\\`).Replace(text) + "'"
	if strings.Contains(text, `\`) {
		return " E" + quoted
	}
	return quoted
}

// CreateFinder finds, in the plain text that is written to it, the statement
// that creates the database. It keeps only the beginning.
type CreateFinder struct{ head []byte }

// headOfPlain is how much of a plain dump is looked at: the statement comes
// after some settings and comments.
const headOfPlain = 64 << 10

// Write implements io.Writer.
func (f *CreateFinder) Write(p []byte) (int, error) {
	f.head = append(f.head, p[:min(len(p), max(0, headOfPlain-len(f.head)))]...)
	return len(p), nil
}

// Statement returns the statement with another name in it.
func (f *CreateFinder) Statement(name string) (string, error) {
	const begin, options = "CREATE DATABASE ", " WITH TEMPLATE = "
	for line := range bytes.Lines(f.head) {
		rest, ok := strings.CutPrefix(string(line), begin)
		if !ok {
			continue
		}
		// The old name is quoted if it holds anything that could mislead here.
		if strings.HasPrefix(rest, `"`) {
			end := 1
			for end < len(rest) && (rest[end] != '"' || end+1 < len(rest) && rest[end+1] == '"') {
				if rest[end] == '"' {
					end++
				}
				end++
			}
			rest = rest[min(end+1, len(rest)):]
		} else if i := strings.IndexByte(rest, ' '); i >= 0 {
			rest = rest[i:]
		}
		if strings.HasPrefix(rest, options) {
			return begin + Identifier(name) + strings.TrimRight(rest, "\n"), nil
		}
	}
	return "", errors.New("the dump does not say how its database was created")
}

// WithoutExisting leaves out of the globals, as pg_dumpall writes them, the
// statements that create what is there: whole lines, and beginnings of lines.
// It tells whether tablespaces are left to be created.
func WithoutExisting(script, lines, beginnings string) (rest string, tablespaces bool) {
	there := map[string]bool{}
	for line := range strings.Lines(lines) {
		there[strings.TrimSuffix(line, "\n")] = true
	}
	var b strings.Builder
next:
	for line := range strings.Lines(script) {
		if there[strings.TrimSuffix(line, "\n")] {
			continue
		}
		if strings.HasPrefix(line, "CREATE TABLESPACE ") {
			for begin := range strings.Lines(beginnings) {
				if strings.HasPrefix(line, strings.TrimSuffix(begin, "\n")) {
					continue next
				}
			}
			tablespaces = true
		}
		b.WriteString(line)
	}
	return b.String(), tablespaces
}
