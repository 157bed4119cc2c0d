package starlib

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

const (
	maxConfigSteps  = 1_000_000
	maxConfigValues = 100_000 // in all settings together
)

// An Opaque is the value of a setting that has no counterpart among plain
// values, such as a function. It is there to be complained about.
type Opaque struct {
	Type string // of the value, as Starlark names it
}

func (o Opaque) String() string { return "<" + o.Type + ">" }

// EvalConfig evaluates a file of settings, and returns the last value that was
// assigned to each name. Names that begin with an underscore are left out.
//
// The values are string, bool, int64, float64, nil, []any (for lists and tuples)
// and map[string]any; anything else is an [Opaque].
//
// The language is Starlark without builtins and without load. Unlike in a
// recipe, a name may be assigned twice, and if and for may stand at the top
// level. What Python has and Starlark lacks is explained in the error. So that
// old files go on working, strings may have the prefixes of Python 2, such as u.
//
// An error is an *Error. It begins with the file's name and the line.
func EvalConfig(filename string, src []byte) (settings map[string]any, err error) {
	s, err := newSource(filename, src)
	if err != nil {
		return nil, err
	}
	py := scanPython(string(s.text))
	options := &syntax.FileOptions{TopLevelControl: true, GlobalReassign: true}
	file, err := options.Parse(filename, py.text, 0)
	if err != nil {
		return nil, py.explain(s, err)
	}
	if line := firstLoad(file); line > 0 {
		return nil, s.errorf(line, "load cannot be used here: "+advice)
	}
	lines := definitions(file)
	prog, err := starlark.FileProgram(file, func(string) bool { return false })
	if err != nil {
		return nil, py.explain(s, err)
	}
	var globals starlark.StringDict
	ex := newExecution(context.Background(), sources{filename: s}, maxConfigSteps)
	err = ex.do(func() (err error) {
		globals, err = prog.Init(ex.thread, nil)
		return err
	})
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			e.static = true // the place comes first, as for the other errors of such a file
			return nil, e
		}
		e = s.errorf(0, "%v", err)
		e.err = err
		return nil, e
	}
	settings = map[string]any{}
	c := conversion{budget: maxConfigValues}
	for _, name := range slices.Sorted(maps.Keys(globals)) {
		if strings.HasPrefix(name, "_") {
			continue
		}
		if settings[name], err = c.value(globals[name]); err != nil {
			return nil, s.errorf(lines[name], "%s: %v", name, err)
		}
	}
	return settings, nil
}

// firstLoad returns the line of the first load statement, or 0.
func firstLoad(file *syntax.File) (line int) {
	syntax.Walk(file, func(n syntax.Node) bool {
		if load, ok := n.(*syntax.LoadStmt); ok && line == 0 {
			line = int(load.Load.Line)
		}
		_, expr := n.(syntax.Expr)
		return !expr
	})
	return line
}

// A conversion turns Starlark values into Go values. A list can hold itself, and
// a few lines can make one that holds another a billion times over; hence the
// budget.
type conversion struct {
	budget int
}

func (c *conversion) value(v starlark.Value) (any, error) {
	if c.budget--; c.budget < 0 {
		return nil, errors.New("the value is too large, or contains itself")
	}
	switch v := v.(type) {
	case starlark.NoneType:
		return nil, nil
	case starlark.String:
		return string(v), nil
	case starlark.Bool:
		return bool(v), nil
	case starlark.Float:
		return float64(v), nil
	case starlark.Int:
		n, ok := v.Int64()
		if !ok {
			return nil, errors.New("the number is too large")
		}
		return n, nil
	case *starlark.List:
		return c.list(v)
	case starlark.Tuple:
		return c.list(v)
	case *starlark.Dict:
		return c.dict(v)
	}
	return Opaque{Type: v.Type()}, nil
}

func (c *conversion) list(seq starlark.Indexable) (any, error) {
	list := []any{}
	for i := range seq.Len() {
		elem, err := c.value(seq.Index(i))
		if err != nil {
			return nil, err
		}
		list = append(list, elem)
	}
	return list, nil
}

func (c *conversion) dict(d *starlark.Dict) (any, error) {
	m := make(map[string]any, d.Len())
	for _, item := range d.Items() {
		key, ok := starlark.AsString(item[0])
		if !ok {
			return nil, fmt.Errorf("a key of the dict: got %s, want string", item[0].Type())
		}
		var err error
		if m[key], err = c.value(item[1]); err != nil {
			return nil, err
		}
	}
	return m, nil
}
