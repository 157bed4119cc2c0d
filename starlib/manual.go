package starlib

import (
	"fmt"
	"strings"

	"go.starlark.net/starlark"
)

// Signature returns the builtin as one would write a call of it, such as
//
//	tar(src, exclude=[]) -> artifact
func (b Builtin) Signature() string {
	params := make([]string, len(b.Params))
	for i, p := range b.Params {
		params[i] = p.Name
		if p.Default != nil {
			params[i] += "=" + p.Default.String()
		}
	}
	s := b.Name + "(" + strings.Join(params, ", ") + ")"
	if b.Returns != "" {
		s += " -> " + b.Returns
	}
	return s
}

// Summary returns the first line of the manual text.
func (b Builtin) Summary() string {
	summary, _ := splitDoc(b.Doc)
	return summary
}

// Manual returns the builtin's page as plain text.
func (b Builtin) Manual() string {
	var w strings.Builder
	fmt.Fprintf(&w, "%s\n\n%s\n", b.Signature(), indent(dedent(b.Doc), "    "))
	for i, p := range b.Params {
		if i == 0 {
			w.WriteString("\n")
		}
		fmt.Fprintf(&w, "    %s (%s)\n%s\n", p.Name, p.kind(), indent(dedent(p.Doc), "        "))
	}
	if b.Pure {
		w.WriteString("\n    " + pureNote + "\n")
	}
	return w.String()
}

// Markdown returns the pages of all builtins, in their order, as one Markdown
// text without a title. The same declarations give the same bytes.
func Markdown(bs []Builtin) string {
	var w strings.Builder
	for i, b := range bs {
		if i > 0 {
			w.WriteString("\n")
		}
		fmt.Fprintf(&w, "## %s\n\n```python\n%s\n```\n\n%s\n", b.Name, b.Signature(), dedent(b.Doc))
		for i, p := range b.Params {
			if i == 0 {
				w.WriteString("\n")
			}
			doc := strings.TrimSpace(indent(dedent(p.Doc), "  "))
			fmt.Fprintf(&w, "- `%s` (%s): %s\n", p.Name, p.kind(), doc)
		}
		if b.Pure {
			w.WriteString("\n" + pureNote + "\n")
		}
	}
	return w.String()
}

const pureNote = "May be called while a file is loading."

// kind describes what the parameter accepts.
func (p *Param) kind() string {
	switch p.Default {
	case nil:
		return p.Type
	case starlark.None:
		return p.Type + ", optional"
	}
	return p.Type + ", default " + p.Default.String()
}

// indent puts prefix before each line of s that is not empty.
func indent(s, prefix string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = prefix + line
		}
	}
	return strings.Join(lines, "\n")
}
