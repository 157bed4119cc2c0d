package starlib_test

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"btw-backup/starlib"
)

// wrong are the files of testdata/wrong, each with the one line that a person
// reads who wrote it.
var wrong = []struct{ name, want string }{
	{"acts_while_loading", `copy: cannot be called while a file is loading; call it from run (wrong/acts_while_loading.star:3: copy("a", "b"))`},
	{"arg_alternatives", `copy: for parameter exclude: got int, want list (wrong/arg_alternatives.star:4: copy("a", "b", 1 << 70))`},
	{"arg_list", `copy: for parameter exclude: at index 1, got int, want string (wrong/arg_list.star:4: copy("a", "b", exclude = ["x", 2]))`},
	{"arg_missing", `copy: missing argument for dst (wrong/arg_missing.star:4: copy("a"))`},
	{"arg_range", `again: for parameter n: the number is out of range (wrong/arg_range.star:4: again(1 << 70))`},
	{"arg_type", `copy: for parameter src: got int, want string or file (wrong/arg_type.star:4: copy(1, "b"))`},
	{"arg_unknown", `copy: unexpected keyword argument "exlude" (wrong/arg_unknown.star:4: copy("a", "b", exlude = []))`},
	{"args_form", `wrong/args_form.star:3: run: in Args: "src" is not of the form name: text`},
	{"args_unknown", `wrong/args_unknown.star:3: run: in Args: scr is not a parameter`},
	{"attribute", `file has no .nmae field or method (wrong/attribute.star:4: copy("a", "b").nmae)`},
	{"colon", `wrong/colon.star:3: got newline, want ':'`},
	{"command_entry", `wrong/command_entry.star:3: command: "user": got string, want dict`},
	{"command_flag", `wrong/command_flag.star:3: command: "user": flag: "--user" is no name of a flag`},
	{"command_inner_key", `wrong/command_inner_key.star:3: command: "user": unknown key "shrt"; there are flag, short and metavar`},
	{"command_int_key", `wrong/command_int_key.star:3: command: key 1: got int, want string`},
	{"command_key", `wrong/command_key.star:3: command: "positionals": neither "positional" nor a parameter of run`},
	{"command_metavar", `wrong/command_metavar.star:3: command: "user": metavar: got int, want string`},
	{"command_positional_flag", `wrong/command_positional_flag.star:3: command: "dst": it is positional, and cannot have a flag's name`},
	{"command_required", `wrong/command_required.star:3: command: "dst": it is required by run, so it is positional, and cannot have a flag's name`},
	{"command_short", `wrong/command_short.star:3: command: "user": short: "usr" is not one letter or digit`},
	{"command_switch", `wrong/command_switch.star:3: command: "fast": metavar: a switch has no value to name`},
	{"command_type", `wrong/command_type.star:3: command: got list, want dict`},
	{"endless", `it took 100000 steps and did not end (wrong/endless.star:4: for i in range(1000000000):)`},
	{"endless_load", `it took 100000 steps and did not end (wrong/endless_load.star:3: x = [i for i in range(1000000000)])`},
	{"fails", `no folder 3 (wrong/fails.star:4: fail("no folder", 3))`},
	{"fails_in_lines", `one; two (wrong/fails_in_lines.star:4: fail("one\ntwo"))`},
	{"flag_reserved", `wrong/flag_reserved.star:3: run: q: the program keeps the flag --q for itself`},
	{"flag_twice", `wrong/flag_twice.star:5: run: the flag -s belongs to user and to size`},
	{"float_default", `wrong/float_default.star:3: run: the default of rate: got float, want string, bool, int, list of strings or None`},
	{"frozen", `append: cannot append to frozen list (wrong/frozen.star:6: cache.append(1))`},
	{"go_error", `copying to missing: no room left (wrong/go_error.star:4: copy("a", "missing"))`},
	{"helper_acts", `copy: cannot be called while a file is loading; call it from run (wrong/lib/acts.star:3: x = copy("a", "b"))`},
	{"helper_syntax", `wrong/lib/syntax.star:3:5: got '=', want primary expression`},
	{"in_helper", `copy: for parameter src: got int, want string or file (wrong/lib/ok.star:4: copy(1, "b"))`},
	{"latin1", `wrong/latin1.star:3: the line is not UTF-8`},
	{"list_default", `wrong/list_default.star:3: run: the default of names: at index 1, got int, want string`},
	{"load_absolute", `cannot load /etc/x.star: the path is absolute; want a relative one (wrong/load_absolute.star:3: load("/etc/x.star", "x"))`},
	{"load_cycle", `cannot load a.star: the files load each other: wrong/lib/a.star -> wrong/lib/b.star -> wrong/lib/a.star (wrong/lib/b.star:1: load("a.star", "a"))`},
	{"load_escape", `cannot load ../etc/x.star: the path leaves @site// (wrong/load_escape.star:3: load("../etc/x.star", "x"))`},
	{"load_itself", `cannot load load_itself.star: the files load each other: wrong/load_itself.star -> wrong/load_itself.star (wrong/load_itself.star:3: load("load_itself.star", "run"))`},
	{"load_missing", `cannot load lib/nowhere.star: wrong/lib/nowhere.star: file does not exist (wrong/load_missing.star:3: load("lib/nowhere.star", "x"))`},
	{"load_name", `load: name nothing not found in module lib/ok.star (wrong/load_name.star:3: load("lib/ok.star", "nothing"))`},
	{"load_package", `cannot load @other//x.star: want @stock//FILE, @site//FILE or a relative path (wrong/load_package.star:3: load("@other//x.star", "x"))`},
	{"load_stock_escape", `cannot load @stock//../x.star: the path leaves @stock// (wrong/load_stock_escape.star:3: load("@stock//../x.star", "x"))`},
	{"load_suffix", `cannot load config.py: want a file whose name ends in .star (wrong/load_suffix.star:3: load("config.py", "x"))`},
	{"no_docstring", `wrong/no_docstring.star: a recipe begins with a docstring, and this file does not`},
	{"no_run", `wrong/no_run.star: a recipe defines a function run, and this file does not`},
	{"nul", `wrong/nul.star:3: the line contains a NUL byte`},
	{"panics", `bug in the builtin explode: no parameter "loud" is declared (wrong/panics.star:4: explode())`},
	{"positional_int", `wrong/positional_int.star:3: command: "positional": the default of count: got int, want string or None`},
	{"positional_missing", `wrong/positional_missing.star:3: command: "positional": src is required by run, and does not stand there`},
	{"positional_optional", `wrong/positional_optional.star:3: command: "positional": dst may be left out, but has no default in run`},
	{"positional_twice", `wrong/positional_twice.star:3: command: "positional": dst stands there twice`},
	{"positional_type", `wrong/positional_type.star:3: command: "positional": got string, want list of strings`},
	{"positional_unknown", `wrong/positional_unknown.star:3: command: "positional": dts is not a parameter of run`},
	{"private_param", `wrong/private_param.star:3: run: the parameter _src begins with _`},
	{"reassign", `wrong/reassign.star:4:1: cannot reassign global x declared at wrong/reassign.star:3:1`},
	{"recursion", `function down called recursively (wrong/recursion.star:4: return down(n - 1))`},
	{"run_no_function", `wrong/run_no_function.star:3: run: got int, want function`},
	{"set_value", `wrong/set_value.star:4:5: this Starlark dialect does not support sets`},
	{"syntax", `wrong/syntax.star:3:10: got ':', want ')'`},
	{"toplevel_if", `wrong/toplevel_if.star:3:1: if statement not within a function`},
	{"undefined", `wrong/undefined.star:4:5: undefined: cpoy`},
	{"varargs", `wrong/varargs.star:3: run: * and ** parameters are not supported; name each parameter`},
	{"while_loop", `wrong/while_loop.star:4:5: this Starlark dialect does not support while loops`},
}

func TestWrong(t *testing.T) {
	dir := os.DirFS("testdata/wrong")
	h := host(nil)
	h.Site, h.SiteName, h.ReservedFlags = dir, "wrong", []string{"help", "h", "q"}
	names, err := h.Recipes()
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, tt := range wrong {
		rows = append(rows, tt.name)
	}
	slices.Sort(rows)
	if !reflect.DeepEqual(names, rows) {
		t.Fatalf("the folder and the table differ:\n%q\n%q", names, rows)
	}
	for _, tt := range wrong {
		t.Run(tt.name, func(t *testing.T) {
			_, err := run(t, h, tt.name)
			if err == nil {
				t.Fatal("no error")
			}
			if err.Error() != tt.want {
				t.Errorf("got\n%s\nwant\n%s", err, tt.want)
			}
			var e *starlib.Error
			if !errors.As(err, &e) {
				t.Fatalf("got a %T, want *Error", err)
			}
			if file, _, _ := e.Where(); !strings.HasPrefix(file, "wrong/") {
				t.Errorf("got %q as the file", file)
			}
		})
	}
}
