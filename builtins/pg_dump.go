package builtins

import (
	"context"
	"errors"
	"io"
	"strings"

	"go.starlark.net/starlark"

	"btw-backup/internal/artifact"
	"btw-backup/internal/exec"
	"btw-backup/internal/pgdump"
	"btw-backup/internal/run"
	"btw-backup/internal/settings"
	"btw-backup/starlib"
)

const pgConnection = `

How the server is reached, PostgreSQL's own environment says: PGHOST, PGUSER,
PGPASSFILE, PGSERVICE and so on. No password is ever asked for.`

func pgDump(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "pg_dump",
		Doc: `Promises a dump of one PostgreSQL database, DB.dump.

It is made by pg_dump -Fc, for pg_restore. Two dumps of an unchanged database
compare as equal, though they bear the times at which they were made.` + pgConnection,
		Params:  []starlib.Param{{Name: "db", Type: "string", Doc: "The name of the database, whatever characters it holds; never a connection string."}},
		Returns: artifactType,
		Func: func(c *starlib.Call) (starlark.Value, error) {
			db := c.String("db")
			if err := settings.CheckDatabaseName(db); err != nil {
				return nil, run.Refused(err)
			}
			return artifactValue(&artifact.Artifact{
				Name: db + ".dump",
				ProduceFile: func(ctx context.Context, name string) error {
					r.Log.Progress("dumping "+db, -1)
					_, err := r.Exec.Run(ctx, pgCommand("pg_dump",
						"--no-password", "--format=custom", "--file="+name, "--dbname=dbname="+quoteConninfo(db)))
					return err
				},
				Same: func(ctx context.Context, a, b string) (bool, error) { return sameDump(ctx, r, a, b) },
			}), nil
		},
	}
}

func pgCommand(args ...string) exec.Cmd {
	return exec.Cmd{Args: args, Package: "postgresql-client", Env: []string{"LC_ALL=C.UTF-8"}}
}

// quoteConninfo quotes a value for a connection string.
func quoteConninfo(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}

// sameDump tells whether two dumps hold the same: first by their bytes, but
// for the time in the header, and only if these differ by what pg_restore
// makes of them.
func sameDump(ctx context.Context, r *run.Run, a, b string) (bool, error) {
	same, err := sameBytes(r, a, b)
	if same || err != nil {
		return same, err
	}
	r.Log.Progress("comparing two dumps", -1)
	return sameRestored(ctx, r, a, b)
}

func sameBytes(r *run.Run, a, b string) (bool, error) {
	fileA, err := r.FS.Open(a)
	if err != nil {
		return false, err
	}
	defer fileA.Close() //nolint:errcheck // only read
	fileB, err := r.FS.Open(b)
	if err != nil {
		return false, err
	}
	defer fileB.Close() //nolint:errcheck // only read
	return pgdump.SameButTime(fileA, fileB)
}

// errDiffer ends the two pg_restore at the first difference.
var errDiffer = errors.New("the dumps differ")

// sameRestored runs pg_restore on both dumps at once and compares what it
// writes. Both must end well, and write something: a comparison does not pass
// on the output of a failed command. If it is the previous dump that cannot be
// restored, one of a newer version, say, that is an artifact.PreviousError.
func sameRestored(ctx context.Context, r *run.Run, previous, fresh string) (bool, error) {
	a, b := restoring(ctx, r, previous), restoring(ctx, r, fresh)
	equal, err := pgdump.Equal(artifact.WithoutLines(a, pgdump.IsKey), artifact.WithoutLines(b, pgdump.IsKey))
	errA, errB := a.end(), b.end()
	switch {
	case errB != nil:
		return false, errB
	case errA != nil && ctx.Err() == nil:
		return false, artifact.Unreadable(errA)
	case errA != nil:
		return false, errA
	}
	return equal && err == nil, err
}

// restored is the output of a pg_restore that is running.
type restored struct {
	*io.PipeReader
	failed chan error
}

func restoring(ctx context.Context, r *run.Run, dump string) restored {
	out, in := io.Pipe()
	p := restored{out, make(chan error, 1)}
	go func() {
		var n int64
		cmd := pgCommand("pg_restore", "--file=-", dump)
		cmd.Stdout = writerFunc(func(p []byte) (int, error) {
			n += int64(len(p))
			return in.Write(p)
		})
		_, err := r.Exec.Run(ctx, cmd)
		if err == nil && n == 0 {
			err = errors.New("pg_restore ended well, but wrote nothing")
		}
		in.CloseWithError(err) // nil is io.EOF
		p.failed <- err
	}()
	return p
}

// end ends the program, if it has not ended, and returns why it failed.
func (p restored) end() error {
	p.CloseWithError(errDiffer)
	if err := <-p.failed; !errors.Is(err, errDiffer) {
		return err
	}
	return nil
}
