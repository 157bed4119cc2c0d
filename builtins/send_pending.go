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
		Params: []starlib.Param{
			{
				Name: "allow_deletions", Type: "bool", Default: starlark.False,
				Doc: "Delete off-site what is no longer here, be it more than half of what is there.",
			},
		},
		Func: func(c *starlib.Call) (starlark.Value, error) {
			if c.Bool("allow_deletions") {
				r.AllowDeletions()
			}
			return nil, r.SendPending(c.Context, true)
		},
	}
}
