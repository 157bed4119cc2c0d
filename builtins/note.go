package builtins

import (
	"go.starlark.net/starlark"

	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func note(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "note",
		Doc: `Tells a person who watches something.

Where standard error is no terminal, as under cron, or with -q, it is not
shown.`,
		Params: []starlib.Param{{Name: "text", Type: "string", Doc: "One line."}},
		Func: func(c *starlib.Call) (starlark.Value, error) {
			r.Log.Info(c.String("text"))
			return nil, nil
		},
	}
}
