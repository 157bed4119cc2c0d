package builtins

import (
	"errors"

	"go.starlark.net/starlark"

	"btw-backup/internal/exec"
	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func execute(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "execute",
		Doc: `Runs a program to its end, for what it does: a snapshot to take, a service to stop.

It is run without a shell. An exit status other than 0 is an error. It returns
the end of what the program wrote to standard output, some 40 lines. For what is
to be backed up there is program.`,
		Params:  []starlib.Param{{Name: "args", Type: "list", Doc: "The program and its arguments. Everybody on the machine can read them: no passwords."}},
		Returns: "string",
		Func: func(c *starlib.Call) (starlark.Value, error) {
			args := c.Strings("args")
			if len(args) == 0 {
				return nil, errors.New("args is empty: it should begin with a program")
			}
			result, err := r.Exec.Run(c.Context, exec.Cmd{Args: args})
			return starlark.String(result.Stdout), err
		},
	}
}
