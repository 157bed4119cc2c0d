package starlib

import (
	"fmt"
	"regexp"
	"strings"
)

// splitDoc splits a docstring into its first line and the rest, both without
// the indentation of the source.
func splitDoc(doc string) (summary, rest string) {
	summary, rest, _ = strings.Cut(dedent(doc), "\n")
	return summary, strings.Trim(rest, "\n")
}

// dedent removes from a docstring the space around it, and the indentation that
// all lines but the first have in common. The first one stands behind the
// quotes, and has none.
func dedent(doc string) string {
	lines := strings.Split(strings.TrimSpace(doc), "\n")
	common := -1
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t")
		if i == 0 || lines[i] == "" {
			continue
		}
		if n := indentation(line); common < 0 || n < common {
			common = n
		}
	}
	for i, line := range lines {
		if i > 0 && line != "" {
			lines[i] = line[common:]
		}
	}
	return strings.Join(lines, "\n")
}

// indentation returns the number of spaces and tabs that line begins with.
func indentation(line string) int {
	return len(line) - len(strings.TrimLeft(line, " \t"))
}

// A paramDoc is what a docstring says about one parameter, in one line.
type paramDoc struct{ name, text string }

var paramLine = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*):(?:\s+(.*))?$`)

// parseArgs returns the entries of the section “Args:” of a docstring:
//
//	Args:
//	  name: what it is, in as many lines as it takes, where
//	    the following ones are indented further
//
// The section ends with the first line that is not indented further than its
// title. A title right behind the quotes has no indentation to compare with;
// there the section ends with the first line that is indented less than the
// entries.
func parseArgs(doc string) ([]paramDoc, error) {
	lines := strings.Split(doc, "\n")
	start := 0
	for start < len(lines) && strings.TrimSpace(lines[start]) != "Args:" {
		start++
	}
	if start == len(lines) {
		return nil, nil
	}
	var docs []paramDoc
	title, entry := indentation(lines[start]), -1
	for _, line := range lines[start+1:] {
		text := strings.TrimSpace(line)
		if text == "" {
			continue
		}
		n := indentation(line)
		if entry < 0 {
			entry = n
		}
		if start == 0 {
			title = entry - 1
		}
		if n <= title {
			break
		}
		if n > entry {
			last := &docs[len(docs)-1]
			last.text = strings.TrimSpace(last.text + " " + text)
			continue
		}
		m := paramLine.FindStringSubmatch(text)
		if m == nil || n < entry {
			return nil, fmt.Errorf("in Args: %q is not of the form name: text", shorten(text, maxQuote))
		}
		for _, d := range docs {
			if d.name == m[1] {
				return nil, fmt.Errorf("in Args: %s is described twice", m[1])
			}
		}
		docs = append(docs, paramDoc{name: m[1], text: m[2]})
	}
	return docs, nil
}
