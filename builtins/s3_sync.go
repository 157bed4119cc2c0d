package builtins

import (
	"go.starlark.net/starlark"

	"btw-backup/internal/run"
	"btw-backup/internal/syncstate"
	"btw-backup/starlib"
)

func s3Sync(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "s3_sync",
		Doc: `Makes the off-site copy of a backup, or of a directory, equal to it, and returns whether that was done.

What is no longer here is deleted there, after all else has been sent.` + sendingDoc,
		Params:  []starlib.Param{whatParam},
		Returns: "bool",
		Func:    func(c *starlib.Call) (starlark.Value, error) { return send(r, c, syncstate.Sync) },
	}
}
