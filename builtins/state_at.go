package builtins

import (
	"go.starlark.net/starlark"

	"btw-backup/internal/destination"
	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func stateAt(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "state_at",
		Doc: `Finds a state in a destination, to be restored.

A state is a tar backup, or a full rdiff backup or one of its increments. It
has the attributes name, as list prints it, path (with its destination before
it), time, and kind. Nothing is locked, repaired or read yet.`,
		Params: []starlib.Param{
			{Name: "dst", Type: "string", Doc: "The directory, relative to ROOT_PATH."},
			{Name: "at", Type: "string", Default: starlark.None, Doc: `Which one: a name that list prints, or the newest that is not later than a time: "2026-01-31T13:05:09" in UTC or with an offset, "2026-01-31" for the end of that day, or "2d" for two days ago. None for the newest of all.`},
		},
		Returns: stateType,
		Func: func(c *starlib.Call) (starlark.Value, error) {
			s, err := r.Find(c.String("dst"), c.String("at"))
			if err != nil {
				return nil, err
			}
			return stateValue(s), nil
		},
	}
}

// shownState is a state that shows itself by its path.
type shownState struct{ destination.State }

func (s shownState) String() string { return s.Path() }

func stateValue(s destination.State) starlark.Value {
	return starlib.NewObject(stateType, starlark.StringDict{
		"name": starlark.String(s.Name()),
		"path": starlark.String(s.Path()),
		"time": starlark.String(destination.Name(s.Time)),
		"kind": starlark.String(s.Backup.Kind),
	}, shownState{s})
}

var stateParam = starlib.Param{Name: "state", Type: stateType, Doc: "What to restore, from state_at."}

// stateOf returns the state that an argument is.
func stateOf(c *starlib.Call) destination.State {
	s, ok := starlib.As[shownState](c.Value("state"))
	if !ok {
		panic("parameter state is no state")
	}
	return s.State
}

const restoredDoc = `

What it returns has the attributes entries (how many files, directories and so
on; 0 for what is no tree), verified, whether all that was read was held
against a digest from when the backup was made, and verdict, the same in
words. What is not as it was recorded is an error, and nothing is restored.`

func restoredValue(v run.Verdict, also []string) starlark.Value {
	values := make([]starlark.Value, len(also))
	for i, text := range also {
		values[i] = starlark.String(text)
	}
	return starlib.NewObject(restoredType, starlark.StringDict{
		"entries":  starlark.MakeInt(v.Entries),
		"verified": starlark.Bool(v.Verified),
		"verdict":  starlark.String(v.Words),
		"also":     starlark.NewList(values),
	}, v)
}
