package builtins

import (
	"fmt"

	"go.starlark.net/starlark"

	"btw-backup/internal/destination"
	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func latest(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "latest",
		Doc: `Returns the newest backup in a destination, or None.

A backup has the attributes name, path (relative to ROOT_PATH), kind, age (of
the full backup, in seconds), and increments, a list of the names of the later
states in its chain.`,
		Params: []starlib.Param{
			{Name: "destination", Type: destinationType, Doc: "Where to look."},
			{Name: "kind", Type: "string", Doc: `"tar" or "rdiff".`},
		},
		Returns: "backup or None",
		Func: func(c *starlib.Call) (starlark.Value, error) {
			kind := destination.Kind(c.String("kind"))
			if kind != destination.Tar && kind != destination.Rdiff {
				return nil, fmt.Errorf(`kind must be "tar" or "rdiff", not %q`, string(kind))
			}
			b, ok := place(c, "destination").Latest(kind)
			if !ok {
				return starlark.None, nil
			}
			return backupValue(r, b), nil
		},
	}
}
