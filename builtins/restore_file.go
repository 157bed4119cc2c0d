package builtins

import (
	"go.starlark.net/starlark"

	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func restoreFile(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "restore_file",
		Doc: `Writes what a state holds to a file: a dump, or an archive as it is.

It is written under a temporary name and renamed at the end; a file that is
there is never replaced. What is compressed is decompressed, unless the name
of the target ends in .bz2 or .tbz.` + restoredDoc,
		Params: []starlib.Param{
			stateParam,
			{Name: "target", Type: "string", Doc: "The file to make; its directory must exist."},
		},
		Returns: restoredType,
		Func: func(c *starlib.Call) (starlark.Value, error) {
			target, err := absolute(c.String("target"))
			if err != nil {
				return nil, err
			}
			v, err := r.RestoreFile(c.Context, stateOf(c), target)
			if err != nil {
				return nil, err
			}
			return restoredValue(v, nil), nil
		},
	}
}
