package starlib

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"go.starlark.net/starlark"
)

// A Param is one parameter of a Builtin.
type Param struct {
	Name string
	Doc  string // manual text

	// Type says what is accepted: "string", "int" (as large as Go's), "bool",
	// "list" (a list or tuple of strings), "None", "any", or the Type of a value
	// of the program's own. Several are joined by " or ", as in
	// "string or backup". A parameter whose default is None accepts None too.
	Type string

	// Default is the value of a parameter that a call leaves out. If it is nil,
	// a call must not leave it out.
	Default starlark.Value
}

// A Builtin is a verb, declared once.
type Builtin struct {
	Name    string
	Doc     string // manual text; the first line is a summary
	Params  []Param
	Returns string // what Func returns, for the manual, such as "artifact"; may be empty

	// Pure says that the verb has no effect, so that it may be called while a
	// file is loading.
	Pure bool

	// Func is the verb itself. It may return a nil Value for None. What it
	// returns as an error is the message that people read.
	Func func(c *Call) (starlark.Value, error)
}

// check reports a mistake in the declaration.
func (b *Builtin) check() error {
	if b.Name == "" || b.Func == nil {
		return fmt.Errorf("builtin %q: a name and a function are required", b.Name)
	}
	seen, optional := map[string]bool{}, ""
	for _, p := range b.Params {
		switch {
		case p.Name == "" || p.Type == "":
			return fmt.Errorf("builtin %s: parameter %q: a name and a type are required", b.Name, p.Name)
		case seen[p.Name]:
			return fmt.Errorf("builtin %s: parameter %s is declared twice", b.Name, p.Name)
		case p.Default == nil && optional != "":
			return fmt.Errorf("builtin %s: the required parameter %s follows the optional %s", b.Name, p.Name, optional)
		}
		seen[p.Name] = true
		if p.Default != nil {
			optional = p.Name
			if err := p.accept(p.Default); err != nil {
				return fmt.Errorf("builtin %s: the default of %s: %w", b.Name, p.Name, err)
			}
		}
	}
	return nil
}

// value returns the builtin as the interpreter calls it.
func (b *Builtin) value() *starlark.Builtin {
	for _, p := range b.Params {
		if p.Default != nil {
			p.Default.Freeze() // all calls share it
		}
	}
	return starlark.NewBuiltin(b.Name, func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		ex := executionOf(t)
		if ex.loading && !b.Pure {
			return nil, fmt.Errorf("%s: cannot be called while a file is loading; call it from run", b.Name)
		}
		// The interpreter looks for a cancellation between two steps, and may
		// not have seen one yet. No verb begins after the run was stopped.
		if ex.ctx.Err() != nil {
			return nil, context.Cause(ex.ctx)
		}
		values, err := b.unpack(args, kwargs)
		if err != nil {
			return nil, err
		}
		return b.call(&Call{Context: ex.ctx, Thread: t, builtin: b, values: values})
	})
}

// unpack matches arguments to parameters and checks their types.
func (b *Builtin) unpack(args starlark.Tuple, kwargs []starlark.Tuple) ([]starlark.Value, error) {
	values := make([]starlark.Value, len(b.Params))
	pairs := make([]any, 0, 2*len(b.Params))
	for i, p := range b.Params {
		name := p.Name
		if p.Default != nil {
			name += "?"
		}
		values[i] = p.Default
		pairs = append(pairs, name, &values[i])
	}
	if err := starlark.UnpackArgs(b.Name, args, kwargs, pairs...); err != nil {
		return nil, err
	}
	for i, p := range b.Params {
		if err := p.accept(values[i]); err != nil {
			return nil, fmt.Errorf("%s: for parameter %s: %w", b.Name, p.Name, err)
		}
	}
	return values, nil
}

// call calls the function and turns a panic into an error.
func (b *Builtin) call(c *Call) (v starlark.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			v, err = nil, &PanicError{Builtin: b.Name, Value: r, Stack: debug.Stack()}
		}
	}()
	v, err = b.Func(c)
	if v == nil && err == nil {
		v = starlark.None
	}
	return v, err
}

// accept returns nil if v is of one of the parameter's types.
func (p *Param) accept(v starlark.Value) error {
	if v == starlark.None && p.Default == starlark.None {
		return nil
	}
	for t := range strings.SplitSeq(p.Type, " or ") {
		var ok bool
		var err error
		switch t {
		case "any":
			ok = true
		case "None":
			ok = v == starlark.None
		case "int":
			var n starlark.Int
			if n, ok = v.(starlark.Int); ok {
				if x, fits := n.Int64(); !fits || x != int64(int(x)) {
					err = errors.New("the number is out of range")
				}
			}
		case "list":
			ok, err = acceptStrings(v)
		default:
			ok = v.Type() == t
		}
		if ok {
			return err
		}
	}
	return fmt.Errorf("got %s, want %s", v.Type(), p.Type)
}

// acceptStrings reports whether v is a list or a tuple, and returns an error if
// it holds something else than strings.
func acceptStrings(v starlark.Value) (bool, error) {
	var seq starlark.Indexable
	switch v := v.(type) {
	case *starlark.List:
		seq = v
	case starlark.Tuple:
		seq = v
	default:
		return false, nil
	}
	for i := range seq.Len() {
		if _, ok := seq.Index(i).(starlark.String); !ok {
			return true, fmt.Errorf("at index %d, got %s, want string", i, seq.Index(i).Type())
		}
	}
	return true, nil
}
