package builtins

import (
	"context"
	"errors"
	"io"
	"path/filepath"

	"go.starlark.net/starlark"

	"btw-backup/internal/artifact"
	"btw-backup/internal/exec"
	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func program(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "program",
		Doc: `Promises what a program writes to standard output.

The program is run without a shell, and not before the artifact is compared or
kept. An exit status other than 0, or no output at all, is an error. For its
output to be found unchanged it must not bear the time of day.`,
		Params: []starlib.Param{
			{Name: "args", Type: "list", Doc: `The program and its arguments: ["mysqldump", "--skip-dump-date", "shop"]. Everybody on the machine can read them: no passwords.`},
			{Name: "name", Type: "string", Doc: "The name of the file that holds it in a backup: shop.sql."},
			compressParam,
		},
		Returns: artifactType,
		Func: func(c *starlib.Call) (starlark.Value, error) {
			args, name := c.Strings("args"), c.String("name")
			if len(args) == 0 {
				return nil, errors.New("args is empty: it should begin with a program")
			}
			if name == "" || name != filepath.Base(name) || name[0] == '.' {
				return nil, errors.New("name must be that of a file, without a slash and a dot at the beginning")
			}
			form, err := formOf(c)
			if err != nil {
				return nil, err
			}
			return artifactValue(&artifact.Artifact{
				Name: name, Form: form,
				Produce: func(ctx context.Context, w io.Writer) error {
					_, err := r.Exec.Run(ctx, exec.Cmd{Args: args, Stdout: counted(r, "running "+args[0], w)})
					return err
				},
			}), nil
		},
	}
}
