package builtins

import (
	"go.starlark.net/starlark"

	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func begin(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "begin",
		Doc: `Says that a backup to a destination begins.

From here on a failure counts as one of that destination, also if it comes
before the destination can be opened: status shows it. What the settings say
is to be run or told before a backup is done now (ON_BEGIN, PING_BEGIN_URL), and
at the end of the run what is to be after a good or a failed one. If the program
of ON_BEGIN fails, so does the backup. destination begins by itself.`,
		Params: []starlib.Param{{Name: "dst", Type: "string", Doc: "The directory, relative to ROOT_PATH."}},
		Func: func(c *starlib.Call) (starlark.Value, error) {
			return nil, r.Begin(c.Context, c.String("dst"))
		},
	}
}
