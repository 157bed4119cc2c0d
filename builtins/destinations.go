package builtins

import (
	"go.starlark.net/starlark"

	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func destinations(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "destinations",
		Doc: `Returns the names of all destinations, sorted: those that hold backups, and those that ever did.

It only looks.`,
		Returns: "list",
		Func: func(*starlib.Call) (starlark.Value, error) {
			names, err := r.Destinations()
			if err != nil {
				return nil, err
			}
			values := make([]starlark.Value, len(names))
			for i, name := range names {
				values[i] = starlark.String(name)
			}
			return starlark.NewList(values), nil
		},
	}
}
