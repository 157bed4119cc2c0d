package builtins

import (
	"go.starlark.net/starlark"

	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func compare(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "compare",
		Doc: `Tells whether an artifact equals the newest state of a backup.

The artifact is produced on the way, and read beside the backup. As long as
both are equal nothing is written to the disk; if they differ, the artifact is
ready to be kept afterwards. A producer that fails is an error, never "equal".`,
		Params: []starlib.Param{
			{Name: "artifact", Type: artifactType, Doc: "What would be kept."},
			{Name: "backup", Type: backupType, Doc: "What is there, from latest."},
		},
		Returns: "bool",
		Func: func(c *starlib.Call) (starlark.Value, error) {
			b, _ := backupOf(c, "backup")
			p, err := r.Open(c.Context, b.Dst, nil)
			if err != nil {
				return nil, err
			}
			equal, err := p.Compare(c.Context, artifactOf(c, "artifact"), b)
			return starlark.Bool(equal), err
		},
	}
}
