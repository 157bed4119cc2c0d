package starlib

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/starlark"
)

// A table is the command line of a recipe in the making: what run's signature
// says, amended by the dict command beside it.
type table struct {
	params     []param
	positional []slot // nil: the required parameters, in their order
	amended    map[string]amendment
}

// A slot is an entry of "positional".
type slot struct {
	param    string
	optional bool
}

// An amendment is the entry of one parameter. Empty fields change nothing.
type amendment struct{ flag, short, metavar string }

func newTable(params []param) *table {
	return &table{params: params, amended: map[string]amendment{}}
}

func (t *table) param(name string) *param {
	for i := range t.params {
		if t.params[i].name == name {
			return &t.params[i]
		}
	}
	return nil
}

// read takes the value of command in. Nothing in it is passed over: a mistyped
// key must not be a flag that silently lacks its short name.
func (t *table) read(v starlark.Value) error {
	dict, ok := v.(*starlark.Dict)
	if !ok {
		return fmt.Errorf("got %s, want dict", v.Type())
	}
	for _, item := range dict.Items() {
		key, ok := starlark.AsString(item[0])
		if !ok {
			return fmt.Errorf("key %s: got %s, want string", item[0], item[0].Type())
		}
		var err error
		if key == "positional" {
			err = t.readPositional(item[1])
		} else if t.param(key) == nil {
			err = errors.New(`neither "positional" nor a parameter of run`)
		} else {
			err = t.readAmendment(key, item[1])
		}
		if err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
	}
	for _, s := range t.positional {
		if a := t.amended[s.param]; a.flag != "" || a.short != "" {
			return fmt.Errorf("%q: it is positional, and cannot have a flag's name", s.param)
		}
	}
	return nil
}

// readPositional takes the order of the arguments in.
func (t *table) readPositional(v starlark.Value) error {
	if ok, err := acceptStrings(v); err != nil {
		return err
	} else if !ok {
		return fmt.Errorf("got %s, want list of strings", v.Type())
	}
	t.positional = []slot{}
	for elem := range starlark.Elements(v.(starlark.Iterable)) {
		text := string(elem.(starlark.String))
		s := slot{param: text}
		if inner, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(inner, "]") {
			s = slot{strings.TrimSuffix(inner, "]"), true}
		}
		p := t.param(s.param)
		if p == nil {
			return fmt.Errorf("%s is not a parameter of run", s.param)
		}
		if s.optional && p.dflt == nil {
			return fmt.Errorf("%s may be left out, but has no default in run", s.param)
		}
		switch p.dflt.(type) {
		case nil, starlark.NoneType, starlark.String:
		default:
			return fmt.Errorf("the default of %s: got %s, want string or None", s.param, p.dflt.Type())
		}
		if slices.ContainsFunc(t.positional, func(o slot) bool { return o.param == s.param }) {
			return fmt.Errorf("%s stands there twice", s.param)
		}
		t.positional = append(t.positional, s)
	}
	for _, p := range t.params {
		if p.dflt == nil && !slices.ContainsFunc(t.positional, func(s slot) bool { return s.param == p.name }) {
			return fmt.Errorf("%s is required by run, and does not stand there", p.name)
		}
	}
	return nil
}

// readAmendment takes the entry of one parameter in.
func (t *table) readAmendment(name string, v starlark.Value) error {
	dict, ok := v.(*starlark.Dict)
	if !ok {
		return fmt.Errorf("got %s, want dict", v.Type())
	}
	var a amendment
	for _, item := range dict.Items() {
		key, _ := starlark.AsString(item[0])
		field := map[string]*string{"flag": &a.flag, "short": &a.short, "metavar": &a.metavar}[key]
		if field == nil {
			return fmt.Errorf("unknown key %s; there are flag, short and metavar", item[0])
		}
		if *field, ok = starlark.AsString(item[1]); !ok {
			return fmt.Errorf("%s: got %s, want string", key, item[1].Type())
		}
		switch {
		case key == "flag" && !longName.MatchString(*field):
			return fmt.Errorf("flag: %q is no name of a flag", *field)
		case key == "short" && !shortName.MatchString(*field):
			return fmt.Errorf("short: %q is not one letter or digit", *field)
		case key == "metavar" && (*field == "" || strings.ContainsAny(*field, " \t\n")):
			return fmt.Errorf("metavar: %q is not one word", *field)
		}
	}
	p := t.param(name)
	if p.dflt == nil && (a.flag != "" || a.short != "") {
		return errors.New("it is required by run, so it is positional, and cannot have a flag's name")
	}
	if _, ok := p.dflt.(starlark.Bool); ok && a.metavar != "" {
		return errors.New("metavar: a switch has no value to name")
	}
	t.amended[name] = a
	return nil
}

// commandLine returns what the table amounts to.
func (t *table) commandLine() ([]Arg, []Flag, error) {
	slots := t.positional
	if slots == nil {
		for _, p := range t.params {
			if p.dflt == nil {
				slots = append(slots, slot{param: p.name})
			}
		}
	}
	var args []Arg
	taken := map[string]bool{}
	for _, s := range slots {
		a := Arg{Param: s.param, Optional: s.optional, Doc: t.param(s.param).doc}
		a.Metavar = strings.ToUpper(strings.ReplaceAll(s.param, "_", "-"))
		if m := t.amended[s.param].metavar; m != "" {
			a.Metavar = m
		}
		args = append(args, a)
		taken[s.param] = true
	}
	var flags []Flag
	for _, p := range t.params {
		if taken[p.name] {
			continue
		}
		f, err := newFlag(p)
		if err != nil {
			return nil, nil, err
		}
		a := t.amended[p.name]
		if a.flag != "" {
			f.Name = a.flag
		}
		if a.metavar != "" {
			f.Metavar = a.metavar
		}
		f.Short = a.short
		flags = append(flags, f)
	}
	return args, flags, nil
}
