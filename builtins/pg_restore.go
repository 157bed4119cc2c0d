package builtins

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"

	"go.starlark.net/starlark"

	"btw-backup/internal/destination"
	"btw-backup/internal/exec"
	"btw-backup/internal/pgdump"
	"btw-backup/internal/run"
	"btw-backup/internal/settings"
	"btw-backup/starlib"
)

func pgRestore(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "pg_restore",
		Doc: `Restores the PostgreSQL dump that a state holds into a database that it creates.

A database of that name must not exist. All of the dump is read and verified
first. Then it is restored, up to its first error, into a database with a
temporary name (btw-tmp-…), which gets its own at the end: if anything fails,
there is no half database, and an interrupted one is dropped by the next
restore to that name. Encoding and locale are those of the old database. The
roles that own what is in it must exist: restore the globals first, or leave
owners out. Rights on the database itself and its settings (ALTER DATABASE) are
not restored.` + restoredDoc + pgConnection,
		Params: []starlib.Param{
			stateParam,
			{Name: "db", Type: "string", Doc: "The name of the database to create, whatever characters it holds."},
			{Name: "owners", Type: "bool", Default: starlark.True, Doc: "Set owners and rights as they were; else everything belongs to who restores."},
		},
		Returns: restoredType,
		Func: func(c *starlib.Call) (starlark.Value, error) {
			db := c.String("db")
			if err := settings.CheckDatabaseName(db); err != nil {
				return nil, run.Refused(err)
			}
			v, err := restoreDatabase(c.Context, r, stateOf(c), db, c.Bool("owners"))
			if err != nil {
				return nil, run.Consequence(err, "no database was made")
			}
			return restoredValue(v, nil), nil
		},
	}
}

func restoreDatabase(ctx context.Context, r *run.Run, s destination.State, db string, owners bool) (v run.Verdict, err error) {
	answer, err := psql(ctx, r, "postgres", "SELECT count(*) FROM pg_database WHERE datname = "+pgdump.Literal(db))
	if err != nil {
		return v, err
	}
	if strings.TrimSpace(answer) != "0" {
		return v, run.Refuse("there is a database %q already: restore to another name, or rename it first", db)
	}
	digest := sha256.Sum256([]byte(db))
	temp := "btw-tmp-" + hex.EncodeToString(digest[:12])
	held, err := r.LockName(ctx, "pg-restore-"+temp)
	if err != nil {
		return v, err
	}
	defer held.Release() //nolint:errcheck // the kernel releases what we cannot
	err = r.WithState(ctx, s, "", func(f *run.StateFile) (err error) {
		if !strings.HasSuffix(f.Name, ".dump") {
			return run.Refuse("%s holds %s, which is no dump of a database", s.Path(), f.Name)
		}
		if v, err = f.Read(ctx, io.Discard, false); err != nil {
			return err
		}
		return restoreDump(ctx, r, f.Path, temp, db, owners)
	})
	return v, err
}

// restoreDump restores a dump into the database temp and renames that to db.
func restoreDump(ctx context.Context, r *run.Run, dump, temp, db string, owners bool) (err error) {
	r.Log.Progress("restoring "+db, -1)
	drop := func(ctx context.Context) error {
		_, err := psql(ctx, r, "postgres", "DROP DATABASE IF EXISTS "+pgdump.Identifier(temp))
		return err
	}
	create, err := createStatement(ctx, r, dump, temp)
	if err != nil {
		return err
	}
	if err := drop(ctx); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, drop(context.WithoutCancel(ctx)))
		}
	}()
	if _, err := psql(ctx, r, "postgres", create); err != nil {
		return err
	}
	args := []string{"pg_restore", "--no-password", "--exit-on-error"}
	if !owners {
		args = append(args, "--no-owner", "--no-acl")
	}
	args = append(args, "--dbname=dbname="+quoteConninfo(temp), dump)
	if _, err := r.Exec.Run(ctx, pgCommand(args...)); err != nil {
		return err
	}
	_, err = psql(ctx, r, "postgres", "ALTER DATABASE "+pgdump.Identifier(temp)+" RENAME TO "+pgdump.Identifier(db))
	return err
}

// createStatement returns the statement that creates a database as the dumped
// one was, under another name.
func createStatement(ctx context.Context, r *run.Run, dump, name string) (string, error) {
	var find pgdump.CreateFinder
	cmd := pgCommand("pg_restore", "--create", "--schema-only", "--file=-", dump)
	cmd.Stdout = &find
	if _, err := r.Exec.Run(ctx, cmd); err != nil {
		return "", err
	}
	return find.Statement(name)
}

// psql runs one statement in a database of the server, and returns its answer.
func psql(ctx context.Context, r *run.Run, db, statement string) (string, error) {
	result, err := r.Exec.Run(ctx, psqlCommand(db, "--tuples-only", "--no-align", "--command="+statement))
	return result.Stdout, err
}

func psqlCommand(db string, args ...string) exec.Cmd {
	return pgCommand(append([]string{
		"psql", "--no-psqlrc", "--no-password", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname=dbname=" + quoteConninfo(db),
	}, args...)...)
}
