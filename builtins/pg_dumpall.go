package builtins

import (
	"context"
	"io"

	"go.starlark.net/starlark"

	"btw-backup/internal/artifact"
	"btw-backup/internal/pgdump"
	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func pgDumpall(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "pg_dumpall",
		Doc: `Promises a dump of what belongs to no database, global.sql.bz2.

These are the globals, roles and tablespaces above all, as pg_dumpall -g
writes them, compressed with bzip2. It takes a superuser.` + pgConnection,
		Returns: artifactType,
		Func: func(*starlib.Call) (starlark.Value, error) {
			return artifactValue(&artifact.Artifact{
				Name: "global.sql.bz2", Form: artifact.Bzip2,
				Ignore: pgdump.IsKey, Complete: pgdump.CompletePlain,
				Produce: func(ctx context.Context, w io.Writer) error {
					cmd := pgCommand("pg_dumpall", "--no-password", "--globals-only")
					cmd.Stdout = counted(r, "dumping the globals", w)
					_, err := r.Exec.Run(ctx, cmd)
					return err
				},
			}), nil
		},
	}
}
