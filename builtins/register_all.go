package builtins

import (
	"go.starlark.net/starlark"

	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func registerAll(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "register_all",
		Doc: `Registers all of ROOT_PATH to be synced off-site.

send_pending then makes the off-site copy equal to it.`,
		Func: func(c *starlib.Call) (starlark.Value, error) { return nil, r.RegisterAll(c.Context) },
	}
}
