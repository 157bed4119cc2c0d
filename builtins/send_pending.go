package builtins

import (
	"go.starlark.net/starlark"

	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func sendPending(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "send_pending",
		Doc:  `Sends off-site all that is pending, and waits for runs that are at work there.` + sendingDoc,
		Func: func(c *starlib.Call) (starlark.Value, error) { return nil, r.SendPending(c.Context, true) },
	}
}
