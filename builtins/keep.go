package builtins

import (
	"go.starlark.net/starlark"

	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func keep(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "keep",
		Doc: `Keeps a compressed artifact as a tar backup, TIME.tbz.

It is written under a temporary name, made durable, registered to be pushed
off-site, and renamed: at no instant is there half a backup, or one that the
off-site copy would never learn of.`,
		Params: []starlib.Param{
			{Name: "artifact", Type: artifactType, Doc: `What to keep: made with compress = "bzip2".`},
			{Name: "destination", Type: destinationType, Doc: "Where to keep it."},
		},
		Returns: backupType,
		Func: func(c *starlib.Call) (starlark.Value, error) {
			b, err := place(c, "destination").Keep(c.Context, artifactOf(c, "artifact"))
			if err != nil {
				return nil, err
			}
			return backupValue(r, b), nil
		},
	}
}
