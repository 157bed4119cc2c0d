package builtins

import (
	"go.starlark.net/starlark"

	"btw-backup/internal/offsite"
	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func preview(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "preview",
		Doc: `Returns what send_pending would send and delete off-site, and keeps this run from doing it.

Each is a line: "send" or "delete", the path, and the size in parentheses. With
nothing to do there is none.`,
		Params: []starlib.Param{
			{Name: "full", Type: "bool", Default: starlark.False, Doc: "All of ROOT_PATH, as if it were registered; otherwise what is pending."},
		},
		Returns: "list",
		Func: func(c *starlib.Call) (starlark.Value, error) {
			var lines []starlark.Value
			err := r.Preview(c.Context, c.Bool("full"), func(change offsite.Change) {
				verb := "send"
				if change.Delete {
					verb = "delete"
				}
				lines = append(lines, starlark.String(verb+" "+change.Path+" ("+run.Bytes(change.Size)+")"))
			})
			return starlark.NewList(lines), err
		},
	}
}
