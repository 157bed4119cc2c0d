package starlib_test

import (
	"errors"
	"strings"
	"testing"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"btw-backup/starlib"
)

func TestManual(t *testing.T) {
	b := builtins()[0]
	if got, want := b.Signature(), "copy(src, dst, exclude=[], user=None) -> file"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := b.Summary(), "Copies a file."; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	const manual = `copy(src, dst, exclude=[], user=None) -> file

    Copies a file.

    The copy is whole or absent.

    src (string or file)
        what to copy
    dst (string)
        where to
    exclude (list, default [])
        patterns to leave out
    user (string, optional)
        the owner of the copy
`
	if got := b.Manual(); got != manual {
		t.Errorf("got\n%s\nwant\n%s", got, manual)
	}
	const markdown = "## copy\n\n```python\ncopy(src, dst, exclude=[], user=None) -> file\n```\n" + `
Copies a file.

The copy is whole or absent.

- ` + "`src`" + ` (string or file): what to copy
- ` + "`dst`" + ` (string): where to
- ` + "`exclude`" + ` (list, default []): patterns to leave out
- ` + "`user`" + ` (string, optional): the owner of the copy

## again

` + "```python\nagain(n)\n```" + `

Doubles a number.

- ` + "`n`" + ` (int): the number

May be called while a file is loading.
`
	if got := starlib.Markdown(builtins()[:2]); got != markdown {
		t.Errorf("got\n%s\nwant\n%s", got, markdown)
	}
}

// TestDeclaration makes mistakes in declarations, which no recipe can put right.
func TestDeclaration(t *testing.T) {
	nothing := func(*starlib.Call) (starlark.Value, error) { return nil, nil }
	params := func(ps ...starlib.Param) []starlib.Builtin {
		return []starlib.Builtin{{Name: "b", Params: ps, Func: nothing}}
	}
	tests := []struct {
		want     string
		builtins []starlib.Builtin
	}{
		{`builtin "": a name and a function are required`, []starlib.Builtin{{Func: nothing}}},
		{`builtin "b": a name and a function are required`, []starlib.Builtin{{Name: "b"}}},
		{`builtin b: the name is taken`, append(params(), params()...)},
		{`builtin len: the name is taken`, []starlib.Builtin{{Name: "len", Func: nothing}}},
		{`builtin b: parameter "p": a name and a type are required`, params(starlib.Param{Name: "p"})},
		{`builtin b: parameter p is declared twice`, params(starlib.Param{Name: "p", Type: "int"}, starlib.Param{Name: "p", Type: "int"})},
		{`builtin b: the default of p: got string, want int`, params(starlib.Param{Name: "p", Type: "int", Default: starlark.String("")})},
		{`builtin b: the required parameter q follows the optional p`, params(
			starlib.Param{Name: "p", Type: "int", Default: starlark.None}, starlib.Param{Name: "q", Type: "int"})},
	}
	for _, tt := range tests {
		h := host(map[string]string{"@stock//a.star": returnsX})
		h.Builtins = tt.builtins
		if _, err := h.Load(t.Context(), "a"); err == nil || err.Error() != tt.want {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

// TestTypes calls a builtin of one parameter.
func TestTypes(t *testing.T) {
	tests := []struct {
		typ  string
		dflt starlark.Value
		arg  string
		want string // in the error; "" for none
	}{
		{"string", nil, `"x"`, ""},
		{"string", nil, `None`, "got NoneType, want string"},
		{"string", starlark.None, `None`, ""},
		{"string", starlark.String(""), `None`, "got NoneType, want string"},
		{"string or None", nil, `None`, ""},
		{"bool", nil, `True`, ""},
		{"bool", nil, `1`, "got int, want bool"},
		{"int", nil, `True`, "got bool, want int"},
		{"int", nil, `-1 << 63`, ""},
		{"int", nil, `1 << 63`, "the number is out of range"},
		{"list", nil, `("a", "b")`, ""},
		{"list", nil, `"ab"`, "got string, want list"},
		{"list", nil, `["a", None]`, "at index 1, got NoneType, want string"},
		{"string or list", nil, `3`, "got int, want string or list"},
		{"thing", nil, `thing`, ""},
		{"thing or int", nil, `"thing"`, "got string, want thing or int"},
		{"any", nil, `{}`, ""},
		{"dict", nil, `{}`, ""},
	}
	for _, tt := range tests {
		h := host(map[string]string{"@stock//a.star": "'''A.'''\ndef run():\n  thing = make()\n  check(" + tt.arg + ")\n"})
		h.Builtins = []starlib.Builtin{{
			Name: "check", Params: []starlib.Param{{Name: "p", Type: tt.typ, Default: tt.dflt}},
			Func: func(*starlib.Call) (starlark.Value, error) { return nil, nil },
		}, {
			Name: "make",
			Func: func(*starlib.Call) (starlark.Value, error) { return starlib.NewObject("thing", nil, 1), nil },
		}}
		_, err := run(t, h, "a")
		var e *starlib.Error
		got := ""
		if errors.As(err, &e) {
			got = strings.TrimPrefix(e.Msg, "check: for parameter p: ")
		} else if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s for %s: got %q, want %q", tt.arg, tt.typ, got, tt.want)
		}
	}
}

// TestArguments looks at the arguments as the builtin does.
func TestArguments(t *testing.T) {
	params := []starlib.Param{
		{Name: "s", Type: "string", Default: starlark.None},
		{Name: "i", Type: "int", Default: starlark.None},
		{Name: "b", Type: "bool", Default: starlark.None},
		{Name: "l", Type: "list", Default: starlark.None},
	}
	tests := []struct {
		call string
		s    string
		i    int
		b    bool
		l    string
	}{
		{`look()`, "", 0, false, ""},
		{`look("x", 3, True, ["a", "b"])`, "x", 3, true, "a b"},
		{`look(l = ("c",), i = -1)`, "", -1, false, "c"},
	}
	for _, tt := range tests {
		h := host(map[string]string{"@stock//a.star": "'''A.'''\ndef run():\n  " + tt.call + "\n"})
		h.Builtins = []starlib.Builtin{{Name: "look", Params: params, Func: func(c *starlib.Call) (starlark.Value, error) {
			if c.String("s") != tt.s || c.Int("i") != tt.i || c.Bool("b") != tt.b || strings.Join(c.Strings("l"), " ") != tt.l {
				t.Errorf("%s: got %q, %d, %t, %q", tt.call, c.String("s"), c.Int("i"), c.Bool("b"), c.Strings("l"))
			}
			return nil, nil
		}}}
		if _, err := run(t, h, "a"); err != nil {
			t.Error(err)
		}
	}
}

func TestObject(t *testing.T) {
	attrs := starlark.StringDict{"names": starlark.NewList(nil), "size": starlark.MakeInt(1)}
	o := starlib.NewObject("file", attrs, name("etc"))
	delete(attrs, "size") // the object has its own
	if got, want := o.String(), "<file etc>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := starlib.NewObject("file", nil, 1).String(), "<file>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if n, ok := starlib.As[name](o); !ok || n != "etc" {
		t.Errorf("got %q, %t, want etc", n, ok)
	}
	if _, ok := starlib.As[int](o); ok {
		t.Error("a name is an int")
	}
	if _, ok := starlib.As[name](starlark.String("etc")); ok {
		t.Error("a string is an object")
	}
	globals := starlark.StringDict{"o": o, "p": starlib.NewObject("file", nil, name("etc"))}
	for expr, want := range map[string]string{
		`o.size`:            `1`,
		`dir(o)`:            `["names", "size"]`,
		`type(o)`:           `"file"`,
		`bool(o)`:           `True`,
		`o == o`:            `True`,
		`o == p`:            `False`,
		`o.sise`:            `file has no .sise field or method (did you mean .size?)`,
		`o.names.append(1)`: `append: cannot append to frozen list`,
		`{o: 1}`:            `unhashable type: file`,
	} {
		v, err := starlark.EvalOptions(&syntax.FileOptions{}, &starlark.Thread{}, "", expr, globals)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = v.String()
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", expr, got, want)
		}
	}
}
