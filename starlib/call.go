package starlib

import (
	"context"
	"fmt"

	"go.starlark.net/starlark"
)

// A Call is one call of a builtin. The arguments have been matched to the
// declared parameters, completed by their defaults, and checked.
//
// The methods that return an argument panic if no parameter of that name was
// declared, or if its type is another one: a bug of the builtin, and reported as
// one. For an argument that is None they return the zero value.
type Call struct {
	Context context.Context  // ends when the run is to be stopped
	Thread  *starlark.Thread // for builtins that call back into Starlark

	builtin *Builtin
	values  []starlark.Value // as builtin.Params
}

// Value returns an argument as it is. Use it for parameters that accept several
// types.
func (c *Call) Value(name string) starlark.Value {
	for i, p := range c.builtin.Params {
		if p.Name == name {
			return c.values[i]
		}
	}
	panic(fmt.Sprintf("no parameter %q is declared", name))
}

// String returns an argument that is a string.
func (c *Call) String(name string) string { return string(arg[starlark.String](c, name)) }

// Bool returns an argument that is a bool.
func (c *Call) Bool(name string) bool { return bool(arg[starlark.Bool](c, name)) }

// Int returns an argument that is an int.
func (c *Call) Int(name string) int {
	n, _ := arg[starlark.Int](c, name).Int64()
	return int(n)
}

// Strings returns an argument that is a list, as a slice of the caller's own.
func (c *Call) Strings(name string) []string {
	v := c.Value(name)
	if v == starlark.None {
		return nil
	}
	if ok, err := acceptStrings(v); !ok || err != nil {
		panic(fmt.Sprintf("parameter %q: got %s, want list of strings", name, v.Type()))
	}
	seq := v.(starlark.Indexable)
	list := make([]string, seq.Len())
	for i := range list {
		list[i] = string(seq.Index(i).(starlark.String))
	}
	return list
}

// arg returns an argument of type T, or its zero value for None.
func arg[T starlark.Value](c *Call, name string) T {
	v := c.Value(name)
	t, ok := v.(T)
	if !ok && v != starlark.None {
		panic(fmt.Sprintf("parameter %q: got %s, want %s", name, v.Type(), t.Type()))
	}
	return t
}
