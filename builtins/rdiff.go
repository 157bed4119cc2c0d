package builtins

import (
	"go.starlark.net/starlark"

	"btw-backup/internal/destination"
	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func rdiff(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "rdiff",
		Doc: `Keeps an artifact with rdiff-backup.

Without a chain it becomes a full backup, a directory TIME. With one it becomes
an increment: rdiff-backup works on a clone of the chain, which then takes the
chain's place in one instant. Either is made durable first, and registered to be
sent off-site: a full backup to be pushed, a chain to be synced.`,
		Params: []starlib.Param{
			{Name: "artifact", Type: artifactType, Doc: "What to keep."},
			{Name: "destination", Type: destinationType, Doc: "Where to keep it."},
			{Name: "onto", Type: backupType, Default: starlark.None, Doc: "The chain to add an increment to, from latest; None for a full backup."},
		},
		Returns: backupType,
		Func: func(c *starlib.Call) (starlark.Value, error) {
			var onto *destination.Backup
			if b, ok := backupOf(c, "onto"); ok {
				onto = &b
			}
			b, err := place(c, "destination").Rdiff(c.Context, artifactOf(c, "artifact"), onto)
			if err != nil {
				return nil, err
			}
			return backupValue(r, b), nil
		},
	}
}
