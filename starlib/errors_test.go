package starlib_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"btw-backup/starlib"
)

// TestErrorOfBuiltin takes apart what a recipe's caller gets when a verb fails
// two files down.
func TestErrorOfBuiltin(t *testing.T) {
	h := host(map[string]string{
		"@site//a.star":      "'''A.'''\nload('@stock//lib/b.star', 'b')\n\ndef run():\n    b()\n",
		"@stock//lib/b.star": "def b():\n    copy('x', 'missing')  # never there\n",
	})
	h.SiteName = "/etc/recipes/"
	_, err := run(t, h, "a")
	var e *starlib.Error
	if !errors.As(err, &e) || !errors.Is(err, errNoRoom) {
		t.Fatalf("got %v, want an *Error around %v", err, errNoRoom)
	}
	if want := "copying to missing: no room left"; e.Msg != want {
		t.Errorf("got %q, want %q", e.Msg, want)
	}
	want := []starlib.Frame{
		{Func: "run", File: "/etc/recipes/a.star", Line: 5, Source: "b()"},
		{Func: "b", File: "@stock//lib/b.star", Line: 2, Source: "copy('x', 'missing')  # never there"},
	}
	if got := e.Trace(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if file, line, _ := e.Where(); file != want[1].File || line != want[1].Line {
		t.Errorf("got %s:%d, want %s:%d", file, line, want[1].File, want[1].Line)
	}
}

// TestTraceOfLoading has an error in the loading of a file that a file loads.
func TestTraceOfLoading(t *testing.T) {
	_, err := run(t, host(map[string]string{
		"@stock//a.star": "'''A.'''\nload('b.star', 'b')\n",
		"@stock//b.star": "load('c.star', 'c')\nb = c\n",
		"@stock//c.star": "c = 1 // 0\n",
	}), "a")
	var e *starlib.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	var files []string
	for _, f := range e.Trace() {
		files = append(files, f.File)
	}
	if want := []string{"@stock//a.star", "@stock//b.star", "@stock//c.star"}; !reflect.DeepEqual(files, want) {
		t.Errorf("got %q, want %q", files, want)
	}
}

func TestPanic(t *testing.T) {
	_, err := run(t, host(map[string]string{"@stock//a.star": "'''A.'''\ndef run():\n    explode()\n"}), "a")
	var bug *starlib.PanicError
	if !errors.As(err, &bug) {
		t.Fatalf("got %v, want a *PanicError", err)
	}
	if bug.Builtin != "explode" || !strings.Contains(string(bug.Stack), "builtin") {
		t.Errorf("got builtin %q and stack\n%s", bug.Builtin, bug.Stack)
	}
	if strings.Contains(err.Error(), "goroutine") || strings.Contains(err.Error(), "\n") {
		t.Errorf("the stack is in the message:\n%v", err)
	}
}

// TestLongFile keeps the compiler from the end of the stack: an expression as
// long as a file may be is as deep as the tree gets.
func TestLongFile(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		ok         bool
	}{
		{"a long expression", "'''A.'''\ndef run():\n  return " + strings.Repeat("1-", 125_000) + "1\n", true},
		{"a long chain of calls", "'''A.'''\ndef run():\n  return lambda: run" + strings.Repeat("()", 125_000) + "\n", true},
		{"more than a file may have", "'''A.'''\ndef run():\n  return 1\n" + strings.Repeat("# comment\n", 30_000), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := host(map[string]string{"@stock//a.star": tt.text})
			h.MaxSteps = 0
			if _, err := run(t, h, "a"); (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}
