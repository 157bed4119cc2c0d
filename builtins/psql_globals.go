package builtins

import (
	"context"
	"io"
	"strings"

	"go.starlark.net/starlark"

	"btw-backup/internal/destination"
	"btw-backup/internal/pgdump"
	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func psqlGlobals(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "psql_globals",
		Doc: `Has the PostgreSQL server take over the globals that a state holds: roles, with their passwords, and tablespaces.

All of it is read and verified first. Roles and tablespaces that the server has
are not created anew, but get the attributes and rights that they had; those
of which the globals know nothing stay as they are. psql stops at the first
error, and then nothing of it counts, unless there are tablespaces. It takes a
superuser.` + restoredDoc + pgConnection,
		Params:  []starlib.Param{stateParam},
		Returns: restoredType,
		Func: func(c *starlib.Call) (starlark.Value, error) {
			v, err := restoreGlobals(c.Context, r, stateOf(c))
			if err != nil {
				return nil, run.Consequence(err, "the globals were not restored")
			}
			return restoredValue(v, nil), nil
		},
	}
}

func restoreGlobals(ctx context.Context, r *run.Run, s destination.State) (v run.Verdict, err error) {
	err = r.WithState(ctx, s, "", func(f *run.StateFile) (err error) {
		if f.Name != "global.sql.bz2" {
			return run.Refuse("%s holds %s, not the globals", s.Path(), f.Name)
		}
		var script strings.Builder // roles and tablespaces: it is never large
		if v, err = f.Read(ctx, &script, true); err != nil {
			return err
		}
		if err := pgdump.CompletePlain(0, []byte(script.String())); err != nil {
			return err
		}
		there, err := psql(ctx, r, "postgres", "SELECT 'CREATE ROLE ' || quote_ident(rolname) || ';' FROM pg_roles")
		if err != nil {
			return err
		}
		spaces, err := psql(ctx, r, "postgres", "SELECT 'CREATE TABLESPACE ' || quote_ident(spcname) || ' ' FROM pg_tablespace")
		if err != nil {
			return err
		}
		text, hasSpaces := pgdump.WithoutExisting(script.String(), there, spaces)
		args := []string{"--file=-", "--output=/dev/null"}
		if !hasSpaces {
			args = append(args, "--single-transaction")
		}
		cmd := psqlCommand("postgres", args...)
		cmd.Stdin = io.Reader(strings.NewReader(text))
		_, err = r.Exec.Run(ctx, cmd)
		return err
	})
	return v, err
}
