package builtins

import (
	"go.starlark.net/starlark"

	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func backups(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "backups",
		Doc: `Returns the backups in a destination, oldest first.

It only looks: nothing is locked, repaired or waited for. What is not a whole
backup is not among them.`,
		Params:  []starlib.Param{{Name: "dst", Type: "string", Doc: "The directory, relative to ROOT_PATH."}},
		Returns: "list",
		Func: func(c *starlib.Call) (starlark.Value, error) {
			contents, err := r.Look(c.String("dst"))
			if err != nil {
				return nil, err
			}
			if len(contents.Backups) == 0 {
				r.Log.Info("there is no backup in " + c.String("dst"))
			}
			values := make([]starlark.Value, len(contents.Backups))
			for i, b := range contents.Backups {
				values[i] = backupValue(r, b)
			}
			return starlark.NewList(values), nil
		},
	}
}
