package starlib

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.starlark.net/starlark"
)

// A Recipe is a file with a docstring and a function run: a command.
type Recipe struct {
	Name    string // of the command: the file's, without .star
	Summary string // first line of the file's docstring
	Doc     string // the rest of it
	File    string // as errors show it
	Site    bool   // whether the file is the site's own
	Args    []Arg  // positional arguments, in their order
	Flags   []Flag // in the order of run's parameters
	Usage   string // "copy [-x PATTERN]... [SRC] DST"

	module *Module
}

// An Arg is a positional argument on the command line.
type Arg struct {
	Param    string // of run
	Metavar  string // in the usage line
	Doc      string
	Optional bool // filled only when there are arguments enough
}

// newRecipe finds out what command the module is.
func (h *Host) newRecipe(name string, m *Module, site bool) (*Recipe, error) {
	r := &Recipe{Name: name, File: m.File, Site: site, module: m}
	r.Summary, r.Doc = splitDoc(m.Doc)
	if r.Summary == "" {
		return nil, m.src.errorf(0, "a recipe begins with a docstring, and this file does not")
	}
	v := m.globals["run"]
	run, ok := v.(*starlark.Function)
	switch {
	case v == nil:
		return nil, m.src.errorf(0, "a recipe defines a function run, and this file does not")
	case !ok:
		return nil, m.src.errorf(m.lines["run"], "run: got %s, want function", v.Type())
	}
	params, err := runParams(run)
	if err != nil {
		return nil, m.src.errorf(m.lines["run"], "run: %v", err)
	}
	t := newTable(params)
	if v := m.globals["command"]; v != nil {
		if err := t.read(v); err != nil {
			return nil, m.src.errorf(m.lines["command"], "command: %v", err)
		}
	}
	if r.Args, r.Flags, err = t.commandLine(); err != nil {
		return nil, m.src.errorf(m.lines["run"], "run: %v", err)
	}
	if err := checkFlags(r.Flags, h.ReservedFlags); err != nil {
		return nil, m.src.errorf(m.lines["run"], "run: %v", err)
	}
	r.Usage = r.usage()
	return r, nil
}

// A param is a parameter of run.
type param struct {
	name, doc string
	dflt      starlark.Value // nil if the parameter is required
}

// runParams returns the parameters of run with their manual texts.
func runParams(run *starlark.Function) ([]param, error) {
	if run.HasVarargs() || run.HasKwargs() {
		return nil, errors.New("* and ** parameters are not supported; name each parameter")
	}
	docs, err := parseArgs(run.Doc())
	if err != nil {
		return nil, err
	}
	params := make([]param, run.NumParams())
	index := map[string]int{}
	for i := range params {
		name, _ := run.Param(i)
		if strings.HasPrefix(name, "_") {
			return nil, fmt.Errorf("the parameter %s begins with _", name)
		}
		params[i] = param{name: name, dflt: run.ParamDefault(i)}
		index[name] = i
	}
	for _, d := range docs {
		i, ok := index[d.name]
		if !ok {
			return nil, fmt.Errorf("in Args: %s is not a parameter", d.name)
		}
		params[i].doc = d.text
	}
	return params, nil
}

// usage returns the line that shows how the command is called.
func (r *Recipe) usage() string {
	words := []string{r.Name}
	for _, f := range r.Flags {
		words = append(words, f.usage())
	}
	for _, a := range r.Args {
		if a.Optional {
			words = append(words, "["+a.Metavar+"]")
		} else {
			words = append(words, a.Metavar)
		}
	}
	return strings.Join(words, " ")
}

// Bind gives positional arguments to the parameters of run. The error is a
// *UsageError.
func (r *Recipe) Bind(args []string) (map[string]starlark.Value, error) {
	spare := len(args)
	for _, a := range r.Args {
		if !a.Optional {
			spare--
		}
	}
	values := map[string]starlark.Value{}
	rest := args
	for _, a := range r.Args {
		if a.Optional {
			if spare <= 0 {
				continue
			}
			spare--
		}
		if len(rest) == 0 {
			return nil, &UsageError{a.Metavar + " is missing"}
		}
		values[a.Param], rest = starlark.String(rest[0]), rest[1:]
	}
	if len(rest) > 0 {
		return nil, &UsageError{fmt.Sprintf("unexpected argument %q", rest[0])}
	}
	return values, nil
}

// Call calls run. A parameter that values does not mention has its default.
func (r *Recipe) Call(ctx context.Context, values map[string]starlark.Value) (starlark.Value, error) {
	return r.module.Call(ctx, "run", values)
}
