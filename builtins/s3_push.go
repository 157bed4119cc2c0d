package builtins

import (
	"go.starlark.net/starlark"

	"btw-backup/internal/run"
	"btw-backup/internal/syncstate"
	"btw-backup/starlib"
)

const sendingDoc = `

If it cannot be sent, it stays registered for the next run, the recipe goes
on, and the program's exit status will be 3.`

var whatParam = starlib.Param{
	Name: "what", Type: "backup or string",
	Doc: "A backup, or a path relative to ROOT_PATH.",
}

func s3Push(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "s3_push",
		Doc: `Copies a backup, or what lies at a path, off-site, and returns whether that was done.

Nothing is deleted there.` + sendingDoc,
		Params:  []starlib.Param{whatParam},
		Returns: "bool",
		Func:    func(c *starlib.Call) (starlark.Value, error) { return send(r, c, syncstate.Push) },
	}
}

// send sends what a call names.
func send(r *run.Run, c *starlib.Call, op syncstate.Op) (starlark.Value, error) {
	path, ok := starlark.AsString(c.Value("what"))
	if !ok {
		b, _ := backupOf(c, "what")
		path = b.Path()
	}
	sent, err := r.Send(c.Context, op, path)
	return starlark.Bool(sent), err
}
