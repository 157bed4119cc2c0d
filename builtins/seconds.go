package builtins

import (
	"go.starlark.net/starlark"

	"btw-backup/internal/run"
	"btw-backup/internal/span"
	"btw-backup/starlib"
)

func seconds() starlib.Builtin {
	return starlib.Builtin{
		Name: "seconds",
		Doc:  `Returns how many seconds a length of time has, such as "26h" or "1w 2d".`,
		Pure: true,
		Params: []starlib.Param{
			{Name: "text", Type: "string", Doc: "A length of time, as settings have it."},
		},
		Returns: "int",
		Func: func(c *starlib.Call) (starlark.Value, error) {
			d, err := span.Parse(c.String("text"))
			if err != nil {
				return nil, run.Refused(err)
			}
			return starlark.MakeInt64(int64(d.Seconds())), nil
		},
	}
}
