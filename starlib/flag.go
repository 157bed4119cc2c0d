package starlib

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.starlark.net/starlark"
)

// A Kind is the kind of value that a flag takes.
type Kind int

// The kinds, and the default of the parameter that makes a flag one.
const (
	KindString Kind = iota // a string or None
	KindBool               // False or True: a switch
	KindInt                // an int
	KindList               // a list of strings: the flag may be repeated
)

// A Flag is an optional parameter of run, as a flag on the command line.
type Flag struct {
	Param   string // of run
	Name    string // long name, without dashes
	Short   string // one letter or digit, or ""
	Metavar string // name of the value in the usage line; "" for a switch
	Doc     string
	Kind    Kind
	Default starlark.Value // the parameter's
}

// GoDefault returns the default as Go has it: a string, bool, int or []string
// by the flag's kind, and "" for None.
func (f Flag) GoDefault() any {
	switch f.Kind {
	case KindBool:
		return bool(f.Default.Truth())
	case KindInt:
		var n int
		_ = starlark.AsInt(f.Default, &n) // checked when the recipe was loaded
		return n
	case KindList:
		list := []string{}
		for v := range starlark.Elements(f.Default.(starlark.Iterable)) {
			list = append(list, string(v.(starlark.String)))
		}
		return list
	}
	s, _ := starlark.AsString(f.Default)
	return s
}

// Value returns what was given for the flag as run takes it. v is a string,
// bool, int or []string by the flag's kind. A flag that was not given has no
// value: leave it out of the call, so that run has its default.
func (f Flag) Value(v any) (starlark.Value, error) {
	switch v := v.(type) {
	case string:
		if f.Kind == KindString {
			return starlark.String(v), nil
		}
	case bool:
		if f.Kind == KindBool {
			return starlark.Bool(v), nil
		}
	case int:
		if f.Kind == KindInt {
			return starlark.MakeInt(v), nil
		}
	case []string:
		if f.Kind == KindList {
			elems := make([]starlark.Value, len(v))
			for i, s := range v {
				elems[i] = starlark.String(s)
			}
			return starlark.NewList(elems), nil
		}
	}
	return nil, fmt.Errorf("flag --%s: a %T does not fit", f.Name, v)
}

// newFlag returns the flag that the parameter makes.
func newFlag(p param) (Flag, error) {
	name := strings.ReplaceAll(p.name, "_", "-")
	f := Flag{Param: p.name, Name: name, Metavar: strings.ToUpper(name), Doc: p.doc, Default: p.dflt}
	switch v := p.dflt.(type) {
	case starlark.NoneType, starlark.String:
		f.Kind = KindString
	case starlark.Bool:
		f.Kind, f.Metavar = KindBool, ""
	case starlark.Int:
		f.Kind, f.Metavar = KindInt, "N"
		var n int
		if starlark.AsInt(v, &n) != nil {
			return Flag{}, fmt.Errorf("the default of %s is out of range", p.name)
		}
	case *starlark.List:
		f.Kind = KindList
		if _, err := acceptStrings(v); err != nil {
			return Flag{}, fmt.Errorf("the default of %s: %w", p.name, err)
		}
	default:
		return Flag{}, fmt.Errorf("the default of %s: got %s, want string, bool, int, list of strings or None", p.name, v.Type())
	}
	return f, nil
}

// usage returns the flag as the usage line shows it.
func (f Flag) usage() string {
	s := "--" + f.Name
	if f.Short != "" {
		s = "-" + f.Short
	}
	if f.Metavar != "" {
		s += " " + f.Metavar
	}
	s = "[" + s + "]"
	if f.Kind == KindList {
		s += "..."
	}
	return s
}

var (
	longName  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]+$`)
	shortName = regexp.MustCompile(`^[A-Za-z0-9]$`)
)

// checkFlags reports two flags with one name, and one that the program keeps
// for itself.
func checkFlags(flags []Flag, reserved []string) error {
	owner := map[string]string{} // by the name with its dashes
	claim := func(f Flag, dashes, name string) error {
		if slices.Contains(reserved, name) {
			return fmt.Errorf("%s: the program keeps the flag %s%s for itself", f.Param, dashes, name)
		}
		if other := owner[dashes+name]; other != "" {
			return fmt.Errorf("the flag %s%s belongs to %s and to %s", dashes, name, other, f.Param)
		}
		owner[dashes+name] = f.Param
		return nil
	}
	for _, f := range flags {
		if err := claim(f, "--", f.Name); err != nil {
			return err
		}
		if f.Short != "" {
			if err := claim(f, "-", f.Short); err != nil {
				return err
			}
		}
	}
	return nil
}
