package builtins

import (
	"go.starlark.net/starlark"

	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func ping(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "ping",
		Doc: `Tells a monitor something, by asking for a URL, and returns whether it answered.

It is asked twice at most, for seconds. That it could not be told is a warning.`,
		Params:  []starlib.Param{{Name: "url", Type: "string", Doc: "What to ask for: https://monitor.example/ping/ID."}},
		Returns: "bool",
		Func: func(c *starlib.Call) (starlark.Value, error) {
			err := r.Ping(c.Context, c.String("url"))
			if err != nil {
				r.Log.Warn("the monitor could not be told: " + err.Error())
			}
			return starlark.Bool(err == nil), nil
		},
	}
}
