package starlib_test

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.starlark.net/starlark"

	"btw-backup/starlib"
)

const dumpRecipe = `"""Dumps a database.

The dump goes to DST:

    one file
"""

command = {
    "positional": ["[db]", "dst"],
    "globals_only": {"flag": "global", "short": "g"},
    "user": {"short": "u", "metavar": "UID[:GID]"},
    "dst": {"metavar": "FOLDER"},
}

def run(dst, db = None, globals_only = False, user = None, max_count = 3, skip = ["a"], fmt = "c"):
    """Dumps.

    Args:
      dst: where the dump
        goes
      db: the database
      skip: a table to leave out
    """
    return [dst, db, globals_only, user, max_count, skip, fmt]
`

func load(t *testing.T, text string) *starlib.Recipe {
	t.Helper()
	r, err := host(map[string]string{"@site//dump.star": text}).Load(t.Context(), "dump")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRecipe(t *testing.T) {
	r := load(t, dumpRecipe)
	got := []any{r.Name, r.Summary, r.Doc, r.File, r.Site, r.Usage}
	want := []any{
		"dump", "Dumps a database.", "The dump goes to DST:\n\n    one file", "@site//dump.star", true,
		"dump [-g] [-u UID[:GID]] [--max-count N] [--skip SKIP]... [--fmt FMT] [DB] FOLDER",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	wantArgs := []starlib.Arg{
		{Param: "db", Metavar: "DB", Doc: "the database", Optional: true},
		{Param: "dst", Metavar: "FOLDER", Doc: "where the dump goes"},
	}
	if !reflect.DeepEqual(r.Args, wantArgs) {
		t.Errorf("got  %+v\nwant %+v", r.Args, wantArgs)
	}
	var flags []string
	for _, f := range r.Flags {
		flags = append(flags, fmt.Sprintf("%s %s %s %s %d %#v %s", f.Param, f.Name, f.Short, f.Metavar, f.Kind, f.GoDefault(), f.Doc))
	}
	wantFlags := []string{
		`globals_only global g  1 false `,
		`user user u UID[:GID] 0 "" `,
		`max_count max-count  N 2 3 `,
		`skip skip  SKIP 3 []string{"a"} a table to leave out`,
		`fmt fmt  FMT 0 "c" `,
	}
	if !reflect.DeepEqual(flags, wantFlags) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(flags, "\n"), strings.Join(wantFlags, "\n"))
	}
}

func TestSignatureAlone(t *testing.T) {
	r := load(t, "'''Copies.'''\ndef run(src, the_dst, *, fast = False):\n  pass\n")
	if want := "dump [--fast] SRC THE-DST"; r.Usage != want {
		t.Errorf("got %s, want %s", r.Usage, want)
	}
}

func TestBind(t *testing.T) {
	const (
		two      = "def run(src, dst): pass"
		none     = "def run(): pass"
		optional = "command = {'positional': ['[a]', 'b', '[c]', 'd']}\ndef run(b, d, a = '', c = None): pass"
	)
	tests := []struct{ recipe, args, want string }{
		{two, "x y", "dst=y src=x"},
		{two, "x", "DST is missing"},
		{two, "", "SRC is missing"},
		{two, "x y z w", `unexpected argument "z"`},
		{none, "", ""},
		{none, "x", `unexpected argument "x"`},
		{optional, "1", "D is missing"},
		{optional, "1 2", "b=1 d=2"},
		{optional, "1 2 3", "a=1 b=2 d=3"},
		{optional, "1 2 3 4", "a=1 b=2 c=3 d=4"},
		{optional, "1 2 3 4 5", `unexpected argument "5"`},
	}
	for _, tt := range tests {
		values, err := load(t, "'''Binds.'''\n"+tt.recipe+"\n").Bind(strings.Fields(tt.args))
		var got string
		var usage *starlib.UsageError
		if errors.As(err, &usage) {
			got = usage.Error()
		} else {
			var words []string
			for _, name := range slices.Sorted(maps.Keys(values)) {
				s, _ := starlark.AsString(values[name])
				words = append(words, name+"="+s)
			}
			got = strings.Join(words, " ")
		}
		if got != tt.want {
			t.Errorf("%s with %q: got %q, want %q", tt.recipe, tt.args, got, tt.want)
		}
	}
}

// TestCall goes the way of a command line, and back: what is not given is run's
// own default.
func TestCall(t *testing.T) {
	r := load(t, dumpRecipe)
	tests := []struct {
		args  string
		flags map[string]any
		want  string
	}{
		{"there", nil, `["there", None, False, None, 3, ["a"], "c"]`},
		{"db there", map[string]any{"user": "0:0", "max_count": 5, "fmt": ""}, `["there", "db", False, "0:0", 5, ["a"], ""]`},
		{"there", map[string]any{"globals_only": true, "skip": []string{"x", "y"}}, `["there", None, True, None, 3, ["x", "y"], "c"]`},
	}
	for _, tt := range tests {
		values, err := r.Bind(strings.Fields(tt.args))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Flags {
			given, ok := tt.flags[f.Param]
			if !ok {
				continue
			}
			if values[f.Param], err = f.Value(given); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Value(1.5); err == nil {
				t.Errorf("%s took a float", f.Name)
			}
		}
		got, err := r.Call(t.Context(), values)
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
	_, err := r.Call(t.Context(), map[string]starlark.Value{"dst": starlark.String(""), "nothing": starlark.None})
	if want := `function run got an unexpected keyword argument "nothing"`; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
