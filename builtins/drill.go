package builtins

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"path/filepath"
	"strings"

	"go.starlark.net/starlark"

	"btw-backup/internal/pgdump"
	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func drill(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "drill",
		Doc: `Restores a state into scratch space, compares what came of it with the backup, and removes it.

The scratch space is in the destination, under a temporary name, unless
scratch says where. A tree is compared by tar --compare: contents, modes,
owners, links and times. A dump is restored into a scratch database, which is
dumped again: what pg_restore makes of both dumps must be equal. Of anything
else, all is read. The result is remembered for status.` + restoredDoc + pgConnection,
		Params: []starlib.Param{
			stateParam,
			{Name: "scratch", Type: "string", Default: starlark.None, Doc: "A directory with room for the whole tree."},
		},
		Returns: restoredType,
		Func: func(c *starlib.Call) (starlark.Value, error) {
			s := stateOf(c)
			scratch := c.String("scratch")
			if scratch != "" {
				var err error
				if scratch, err = filepath.Abs(scratch); err != nil {
					return nil, err
				}
			}
			v, err := r.Drill(c.Context, s, scratch, func(ctx context.Context, f *run.StateFile, room string) (run.Verdict, error) {
				return drillDump(ctx, r, f, room)
			})
			if err != nil {
				return nil, run.Consequence(err, "the backup could not be restored and compared")
			}
			return restoredValue(v, nil), nil
		},
	}
}

// drillDump restores a dump into a scratch database and compares what that holds
// with the dump.
func drillDump(ctx context.Context, r *run.Run, f *run.StateFile, room string) (v run.Verdict, err error) {
	v, err = f.Read(ctx, io.Discard, false)
	if err != nil || !strings.HasSuffix(f.Name, ".dump") {
		return v, err
	}
	digest := sha256.Sum256([]byte(f.State.Path()))
	db := "btw-tmp-drill-" + hex.EncodeToString(digest[:12])
	held, err := r.LockName(ctx, "pg-restore-"+db)
	if err != nil {
		return v, err
	}
	defer held.Release() //nolint:errcheck // the kernel releases what we cannot
	drop := func(ctx context.Context) error {
		_, err := psql(ctx, r, "postgres", "DROP DATABASE IF EXISTS "+pgdump.Identifier(db))
		return err
	}
	if err := drop(ctx); err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, drop(context.WithoutCancel(ctx))) }()
	if err := restoreDump(ctx, r, f.Path, db+"-", db, true); err != nil {
		return v, err
	}
	again := filepath.Join(room, "again.dump")
	r.Log.Progress("dumping what was restored", -1)
	_, err = r.Exec.Run(ctx, pgCommand("pg_dump",
		"--no-password", "--format=custom", "--compress=1", "--file="+again, "--dbname=dbname="+quoteConninfo(db)))
	if err != nil {
		return v, err
	}
	r.Log.Progress("comparing two dumps", -1)
	same, err := sameRestored(ctx, r, f.Path, again)
	if err == nil && !same {
		err = &run.DamagedError{Path: f.State.Path(), Why: "what was restored from it, dumped again, is not what it holds"}
	}
	return v, err
}
