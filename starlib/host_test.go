package starlib_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"go.starlark.net/starlark"

	"btw-backup/starlib"
)

// errNoRoom is what the builtins of these tests fail with.
var errNoRoom = errors.New("no room left")

// name is a value of a builtin.
type name string

func (n name) String() string { return string(n) }

// builtins are verbs of no trade in particular.
func builtins() []starlib.Builtin {
	return []starlib.Builtin{{
		Name:    "copy",
		Doc:     "Copies a file.\n\nThe copy is whole or absent.",
		Returns: "file",
		Params: []starlib.Param{
			{Name: "src", Type: "string or file", Doc: "what to copy"},
			{Name: "dst", Type: "string", Doc: "where to"},
			{Name: "exclude", Type: "list", Doc: "patterns to leave out", Default: starlark.NewList(nil)},
			{Name: "user", Type: "string", Doc: "the owner of the copy", Default: starlark.None},
		},
		Func: func(c *starlib.Call) (starlark.Value, error) {
			if c.String("dst") == "missing" {
				return nil, fmt.Errorf("copying to %s: %w", c.String("dst"), errNoRoom)
			}
			text := strings.Join(append([]string{c.String("dst"), c.String("user")}, c.Strings("exclude")...), ",")
			attrs := starlark.StringDict{"name": starlark.String(text), "size": starlark.MakeInt(3)}
			return starlib.NewObject("file", attrs, name(c.String("dst"))), nil
		},
	}, {
		Name:   "again",
		Doc:    "Doubles a number.",
		Pure:   true,
		Params: []starlib.Param{{Name: "n", Type: "int", Doc: "the number"}},
		Func: func(c *starlib.Call) (starlark.Value, error) {
			return starlark.MakeInt(2 * c.Int("n")), nil
		},
	}, {
		Name: "explode",
		Doc:  "Has a bug.",
		Func: func(c *starlib.Call) (starlark.Value, error) { return starlark.Bool(c.Bool("loud")), nil },
	}}
}

// host returns a host with these files, given by their full names.
func host(files map[string]string) *starlib.Host {
	site, stock := fstest.MapFS{}, fstest.MapFS{}
	for file, text := range files {
		if rest, ok := strings.CutPrefix(file, "@site//"); ok {
			site[rest] = &fstest.MapFile{Data: []byte(text)}
		} else {
			stock[strings.TrimPrefix(file, "@stock//")] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return &starlib.Host{Builtins: builtins(), Site: site, Stock: stock, MaxSteps: 100_000}
}

// run loads a recipe and calls it without arguments.
func run(t *testing.T, h *starlib.Host, recipe string) (starlark.Value, error) {
	t.Helper()
	r, err := h.Load(t.Context(), recipe)
	if err != nil {
		return nil, err
	}
	return r.Call(t.Context(), nil)
}

const (
	returnsX = "'''A.'''\n" + `load("lib/x.star", "x")` + "\ndef run():\n  return x\n"
)

func TestWhichFile(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"the stock", map[string]string{
			"@stock//a.star": returnsX, "@stock//lib/x.star": "x = 'stock'",
		}, "stock"},
		{"a site's command replaces the stock's", map[string]string{
			"@stock//a.star": returnsX, "@stock//lib/x.star": "x = 'stock'",
			"@site//a.star": returnsX, "@site//lib/x.star": "x = 'site'",
		}, "site"},
		{"a site's helper does not", map[string]string{
			"@stock//a.star": returnsX, "@stock//lib/x.star": "x = 'stock'",
			"@site//lib/x.star": "x = 'site'",
		}, "stock"},
		{"a site's command stays in the site", map[string]string{
			"@site//a.star": returnsX, "@site//lib/x.star": "x = 'site'",
			"@stock//lib/x.star": "x = 'stock'",
		}, "site"},
		{"a site's command wraps the stock's of its name", map[string]string{
			"@site//a.star":  "'''A.'''\nload('@stock//a.star', stock_run = 'run')\ndef run():\n  return 'wrapped ' + stock_run()\n",
			"@stock//a.star": returnsX, "@stock//lib/x.star": "x = 'stock'", "@site//lib/x.star": "x = 'site'",
		}, "wrapped stock"},
		{"run may come from another file", map[string]string{
			"@site//a.star":  "'''A.'''\nload('@stock//a.star', stock_run = 'run')\nrun = stock_run\n",
			"@stock//a.star": returnsX, "@stock//lib/x.star": "x = 'stock'",
		}, "stock"},
		{"a stock file may ask for the site's", map[string]string{
			"@stock//a.star":    "'''A.'''\nload('@site//lib/x.star', 'x')\ndef run():\n  return x\n",
			"@site//lib/x.star": "x = 'site'",
		}, "site"},
		{"relative to the file, not to the top", map[string]string{
			"@stock//a.star":     returnsX,
			"@stock//lib/x.star": "load('y.star', 'y')\nload('../z.star', 'z')\nx = y + z",
			"@stock//lib/y.star": "y = 'y'", "@stock//y.star": "y = 'wrong'", "@stock//z.star": "z = 'z'",
		}, "yz"},
		{"a file is executed once", map[string]string{
			"@stock//a.star": "'''A.'''\nload('l.star', l = 'x')\nload('m.star', m = 'x')\nload('o.star', 'o')\n" +
				"def run():\n  return str(l == m) + str(len(o))\n",
			"@stock//l.star": "load('o.star', 'o')\nx = o", "@stock//m.star": "load('./o.star', 'o')\nx = o",
			"@stock//o.star": "o = [print]",
		}, "True1"},
		{"byte order mark and Windows line ends", map[string]string{
			"@site//a.star": "\ufeff'''A.'''\r\ndef run():\r\n  return '''x\r\ny'''\r\n",
		}, "x\ny"},
		{"a pure builtin while loading", map[string]string{
			"@stock//a.star": "'''A.'''\nx = again(21)\ndef run():\n  return str(x)\n",
		}, "42"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := run(t, host(tt.files), "a")
			if err != nil {
				t.Fatal(err)
			}
			if s, _ := starlark.AsString(got); s != tt.want {
				t.Errorf("got %q, want %q", s, tt.want)
			}
		})
	}
}

func TestRecipes(t *testing.T) {
	h := host(map[string]string{
		"@stock//b.star": "", "@stock//a.star": "", "@stock//a_test.star": "", "@stock//lib/c.star": "", "@stock//embed.go": "",
		"@site//a.star": "", "@site//d.star": "", "@site//_e.star": "", "@site//.#d.star": "", "@site//f.star~": "",
	})
	want := []string{"a", "b", "d"}
	if got, err := h.Recipes(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	for _, site := range []fs.FS{nil, missingFolder{}} {
		h.Site = site
		want = []string{"a", "b"}
		if got, err := h.Recipes(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("site %v: got %q, %v, want %q", site, got, err, want)
		}
	}
	h.Stock = missingFolder{}
	if _, err := h.Recipes(); err == nil {
		t.Error("a missing stock is no error")
	}
}

// missingFolder is a file system whose root does not exist.
type missingFolder struct{}

func (missingFolder) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// TestNoSuchRecipe holds Load to its promise that fs.ErrNotExist means that the
// command is unknown, and nothing else.
func TestNoSuchRecipe(t *testing.T) {
	h := host(map[string]string{
		"@stock//lib/x.star": returnsX, "@stock//a_test.star": returnsX,
		"@stock//a.star": returnsX,
	})
	for _, name := range []string{"nothing", "lib/x", "a_test", "", ".", "../a"} {
		if _, err := h.Load(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: got %v, want fs.ErrNotExist", name, err)
		}
	}
	h = host(map[string]string{"@stock//a.star": strings.Replace(returnsX, "lib", "bil", 1)})
	if _, err := h.Load(t.Context(), "a"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing helper: got %v, want another error than fs.ErrNotExist", err)
	}
}

// TestLinkToNowhere makes sure that a broken override is not passed over.
func TestLinkToNowhere(t *testing.T) {
	h := host(map[string]string{"@stock//a.star": returnsX, "@stock//lib/x.star": "x = 1"})
	h.Site = fstest.MapFS{"a.star": {Data: []byte("gone.star"), Mode: fs.ModeSymlink}}
	_, err := h.Load(t.Context(), "a")
	if want := "@site//a.star: the file is a link to nowhere"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestModule(t *testing.T) {
	h := host(map[string]string{"@stock//a_test.star": "def test_x():\n  return 1\ny = 2\ndef _z():\n  pass\n"})
	m, err := h.Module(t.Context(), "@stock//a_test.star")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.Functions(), []string{"_z", "test_x"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if v, err := m.Call(t.Context(), "test_x", nil); err != nil || v != starlark.Value(starlark.MakeInt(1)) {
		t.Errorf("got %v, %v, want 1", v, err)
	}
	if _, err := m.Call(t.Context(), "y", nil); err == nil {
		t.Error("a number could be called")
	}
	if _, err := h.Module(t.Context(), "a_test.star"); err == nil {
		t.Error("a name that is not full was accepted")
	}
}

func TestPrint(t *testing.T) {
	h := host(map[string]string{"@stock//a.star": "'''A.'''\ndef run():\n  print('x', 1)\n"})
	if _, err := run(t, h, "a"); err != nil {
		t.Fatal(err)
	}
	var lines []string
	h.Print = func(line string) { lines = append(lines, line) }
	if _, err := run(t, h, "a"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"x 1"}; !reflect.DeepEqual(lines, want) {
		t.Errorf("got %q, want %q", lines, want)
	}
}

func TestCancel(t *testing.T) {
	cause := errors.New("got SIGTERM")
	t.Run("between steps", func(t *testing.T) {
		h := host(map[string]string{"@stock//a.star": "'''A.'''\ndef run():\n  stop()\n  for i in range(1 << 40):\n    pass\n"})
		ctx, cancel := context.WithCancelCause(t.Context())
		h.MaxSteps = 1 << 62
		h.Builtins = []starlib.Builtin{{Name: "stop", Func: func(*starlib.Call) (starlark.Value, error) {
			cancel(cause)
			return nil, nil
		}}}
		checkCancelled(ctx, t, h, cause, 4)
	})
	t.Run("before a builtin", func(t *testing.T) {
		h := host(map[string]string{"@stock//a.star": "'''A.'''\ndef run():\n  stop(); act()\n"})
		ctx, cancel := context.WithCancelCause(t.Context())
		h.Builtins = []starlib.Builtin{{Name: "stop", Func: func(*starlib.Call) (starlark.Value, error) {
			cancel(cause)
			return nil, nil
		}}, {Name: "act", Func: func(*starlib.Call) (starlark.Value, error) {
			t.Error("a builtin began after the end of the context")
			return nil, nil
		}}}
		checkCancelled(ctx, t, h, cause, 3)
	})
	t.Run("from the start", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		_, err := host(map[string]string{"@stock//a.star": returnsX}).Load(ctx, "a")
		if !errors.Is(err, cause) {
			t.Errorf("got %v, want %v", err, cause)
		}
	})
}

func checkCancelled(ctx context.Context, t *testing.T, h *starlib.Host, cause error, line int) {
	t.Helper()
	r, err := h.Load(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Call(ctx, nil)
	var e *starlib.Error
	if !errors.As(err, &e) || !errors.Is(err, cause) || e.Msg != cause.Error() {
		t.Fatalf("got %v, want %v", err, cause)
	}
	if _, got, _ := e.Where(); got < 3 || got > line+1 {
		t.Errorf("got line %d, want about %d", got, line)
	}
}
