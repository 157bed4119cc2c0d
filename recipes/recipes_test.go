package recipes_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"go.starlark.net/starlark"

	"btw-backup/builtins"
	"btw-backup/recipes"
	"btw-backup/starlib"
)

// TestRecipes calls each function test_… of each file of tests. They try what
// the recipes decide: which verbs are called, with what, in which order. The
// verbs have the real ones' names, parameters and types; what they do is to
// note the call and to return what the test has given. The builtins of the
// tests themselves are declared in [trial.helpers].
func TestRecipes(t *testing.T) {
	for _, file := range files(t, func(name string) bool { return strings.HasSuffix(name, "_test.star") }) {
		t.Run(file, func(t *testing.T) {
			var try trial
			host := &starlib.Host{
				Stock:    os.DirFS("."),
				Builtins: slices.Concat(try.verbs(), try.helpers()),
				Print:    func(line string) { try.printed = append(try.printed, line) },
			}
			m, err := host.Module(t.Context(), "@stock//"+file)
			if err != nil {
				t.Fatal(err)
			}
			for _, function := range m.Functions() {
				if !strings.HasPrefix(function, "test_") {
					continue
				}
				t.Run(strings.TrimPrefix(function, "test_"), func(t *testing.T) {
					try = trial{given: map[string]starlark.Value{}}
					if _, err := m.Call(t.Context(), function, nil); err != nil {
						t.Fatal(err)
					}
					if len(try.calls) > 0 {
						t.Errorf("the test ended without a look at these calls:\n%s", strings.Join(try.calls, "\n"))
					}
				})
			}
		})
	}
}

// The program brings all recipes along, and no tests. Each recipe has some.
func TestEmbedded(t *testing.T) {
	notATest := func(name string) bool {
		return strings.HasSuffix(name, ".star") && !strings.HasSuffix(name, "_test.star")
	}
	want := files(t, notATest)
	var got []string
	err := fs.WalkDir(recipes.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got = append(got, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("embed.go embeds %q, and the folder holds %q", got, want)
	}
	for _, name := range want {
		test := strings.TrimSuffix(name, ".star") + "_test.star"
		if _, err := os.Stat(test); err != nil {
			t.Errorf("%s has no tests: %v", name, err)
		}
	}
}

// files returns the names of those files in this folder, sorted.
func files(t *testing.T, wanted func(name string) bool) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && wanted(path.Base(name)) {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Fatal("there are none")
	}
	return names
}

// A trial is what one test has arranged and seen.
type trial struct {
	given   map[string]starlark.Value // by verb
	calls   []string
	printed []string
}

// word is the name of a thing, as which calls show it.
type word string

func (w word) String() string { return string(w) }

func thing(typ, name string, attrs starlark.StringDict) starlark.Value {
	return starlib.NewObject(typ, attrs, word(name))
}

// verbs returns the real verbs, doing nothing.
func (try *trial) verbs() []starlib.Builtin {
	verbs := builtins.All(nil)
	for i := range verbs {
		b := verbs[i] // with the real declaration
		verbs[i].Func = func(c *starlib.Call) (starlark.Value, error) {
			try.calls = append(try.calls, call(b, c))
			if v, ok := try.given[b.Name]; ok {
				return v, nil
			}
			switch b.Returns {
			case "string":
				return starlark.String(b.Name + "'s"), nil
			case "artifact", "destination", "backup":
				return thing(b.Returns, b.Name+"'s", nil), nil
			case "", "bool":
				return nil, nil
			}
			return nil, fmt.Errorf("the test has not given what %s returns", b.Name)
		}
	}
	return verbs
}

// call writes a call as a recipe would, without arguments that are defaults.
func call(b starlib.Builtin, c *starlib.Call) string {
	var args []string
	for _, p := range b.Params {
		v := c.Value(p.Name)
		text := v.String()
		if w, ok := starlib.As[word](v); ok {
			text = string(w)
		}
		if p.Default == nil {
			args = append(args, text)
		} else if same, err := starlark.Equal(v, p.Default); err != nil || !same {
			args = append(args, p.Name+" = "+text)
		}
	}
	return b.Name + "(" + strings.Join(args, ", ") + ")"
}

// helpers returns the builtins that tests have beside the verbs.
func (try *trial) helpers() []starlib.Builtin {
	text := func(name string) starlib.Param { return starlib.Param{Name: name, Type: "string"} }
	return []starlib.Builtin{{
		Name:   "thing",
		Doc:    "Returns a value of a type that verbs take, with attributes. Calls show it by its name.",
		Pure:   true,
		Params: []starlib.Param{text("type"), text("name"), {Name: "attrs", Type: "dict", Default: starlark.None}},
		Func: func(c *starlib.Call) (starlark.Value, error) {
			attrs := starlark.StringDict{}
			if dict, ok := c.Value("attrs").(*starlark.Dict); ok {
				for name, v := range dict.Entries() {
					attrs[string(name.(starlark.String))] = v
				}
			}
			return thing(c.String("type"), c.String("name"), attrs), nil
		},
	}, {
		Name:   "given",
		Doc:    "Sets what a verb returns, until it is set anew.",
		Params: []starlib.Param{text("verb"), {Name: "value", Type: "any"}},
		Func: func(c *starlib.Call) (starlark.Value, error) {
			try.given[c.String("verb")] = c.Value("value")
			return nil, nil
		},
	}, {
		Name:    "calls",
		Doc:     "Returns the calls of verbs since it was last asked.",
		Returns: "list",
		Func: func(*starlib.Call) (starlark.Value, error) {
			list := listOf(try.calls)
			try.calls = nil
			return list, nil
		},
	}, {
		Name:   "expect",
		Doc:    "Fails unless these were the calls of verbs since the last look at them.",
		Params: []starlib.Param{{Name: "want", Type: "list"}},
		Func: func(c *starlib.Call) (starlark.Value, error) {
			got, want := try.calls, c.Strings("want")
			try.calls = nil
			if !slices.Equal(got, want) {
				return nil, fmt.Errorf("the calls were %s, want %s", strings.Join(got, "; "), strings.Join(want, "; "))
			}
			return nil, nil
		},
	}, {
		Name:    "printed",
		Doc:     "Returns the lines that were printed.",
		Returns: "list",
		Func:    func(*starlib.Call) (starlark.Value, error) { return listOf(try.printed), nil },
	}, {
		Name:    "refusal",
		Doc:     "Calls a function, and returns the message with which it failed.",
		Params:  []starlib.Param{{Name: "function", Type: "function"}},
		Returns: "string",
		Func: func(c *starlib.Call) (starlark.Value, error) {
			_, err := starlark.Call(c.Thread, c.Value("function"), nil, nil)
			if err == nil {
				return nil, fmt.Errorf("it did not fail")
			}
			return starlark.String(strings.TrimPrefix(err.Error(), "fail: ")), nil
		},
	}, {
		Name:   "equal",
		Doc:    "Fails unless two values are equal.",
		Params: []starlib.Param{{Name: "got", Type: "any"}, {Name: "want", Type: "any"}},
		Func: func(c *starlib.Call) (starlark.Value, error) {
			same, err := starlark.Equal(c.Value("got"), c.Value("want"))
			if err == nil && !same {
				err = fmt.Errorf("got %v, want %v", c.Value("got"), c.Value("want"))
			}
			return nil, err
		},
	}}
}

func listOf(list []string) starlark.Value {
	values := make([]starlark.Value, len(list))
	for i, s := range list {
		values[i] = starlark.String(s)
	}
	return starlark.NewList(values)
}
