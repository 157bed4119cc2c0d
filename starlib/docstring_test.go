package starlib

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseArgs(t *testing.T) {
	tests := []struct {
		name, doc string
		want      []paramDoc
		err       string
	}{
		{"no docstring", "", nil, ""},
		{"no section", "Copies.\n\n    Returns:\n      x: y\n    ", nil, ""},
		{"an empty section", "Copies.\n\n    Args:\n    ", nil, ""},
		{"one line each", "Copies.\n\n    Args:\n      src: the source\n      dst: where to\n    ", []paramDoc{{"src", "the source"}, {"dst", "where to"}}, ""},
		{
			"continued", "Copies.\n\n    Args:\n      src: the source,\n        which is: a folder\n          with all in it\n      dst:\n        where to\n    ",
			[]paramDoc{{"src", "the source, which is: a folder with all in it"}, {"dst", "where to"}},
			"",
		},
		{"blank lines", "Copies.\n\n    Args:\n\n      src: the source\n\n        and more\n\n      dst: where to\n", []paramDoc{{"src", "the source and more"}, {"dst", "where to"}}, ""},
		{"ended by another section", "Copies.\n\n    Args:\n      src: the source\n\n    Returns:\n      dst: no\n", []paramDoc{{"src", "the source"}}, ""},
		{"tabs", "Copies.\n\n\tArgs:\n\t\tsrc: the source\n\t\t\tand more\n", []paramDoc{{"src", "the source and more"}}, ""},
		{"nothing before it", "Args:\n  src: the source\n", []paramDoc{{"src", "the source"}}, ""},
		{"no colon", "Copies.\n\n    Args:\n      the source\n", nil, `in Args: "the source" is not of the form name: text`},
		{"a type as other tools have it", "Copies.\n\n    Args:\n      src (str): the source\n", nil, `in Args: "src (str): the source" is not of the form name: text`},
		{"between the indentations", "Copies.\n\n    Args:\n        src: the source\n      dst: where to\n", nil, `in Args: "dst: where to" is not of the form name: text`},
		{"twice", "Copies.\n\n    Args:\n      src: one\n      src: two\n", nil, "in Args: src is described twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseArgs(tt.doc)
			if err != nil && err.Error() != tt.err || err == nil && tt.err != "" {
				t.Fatalf("got error %v, want %s", err, tt.err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// FuzzParseArgs checks that what was understood is understood in the same way
// when it is written out again.
func FuzzParseArgs(f *testing.F) {
	f.Add("Copies.\n\n    Args:\n      src: the source\n        and more\n      dst:\n\n    Returns:\n      x\n    ")
	f.Add("Args:\n\ta: b\n\t\tc\n")
	f.Add("Args:\n  a:\tb\r\n")
	f.Add(" \n\tx\n y\nArgs:\n a: Args:\n")
	f.Fuzz(func(t *testing.T, doc string) {
		docs, err := parseArgs(doc)
		if err != nil {
			return
		}
		var again strings.Builder
		again.WriteString("Args:\n")
		for _, d := range docs {
			again.WriteString("  " + d.name + ": " + d.text + "\n")
		}
		got, err := parseArgs(again.String())
		if err != nil || !reflect.DeepEqual(got, docs) {
			t.Errorf("got %q, %v, want %q", got, err, docs)
		}
	})
}
