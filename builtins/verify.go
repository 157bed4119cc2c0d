package builtins

import (
	"go.starlark.net/starlark"

	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func verify(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "verify",
		Doc: `Reads everything in a destination, and says what is damaged or missing.

All files are held against the digests in .btw-sha256, which sha256sum --check
reads as well. The newest state of each backup is then read as a restore would
read it, to the end of the archive or, a dump, by pg_restore --list. So are the
older states of a chain, brought back by rdiff-backup from a clone, if deep is
set, or if not all of its files are listed yet. What is sound and not listed,
as what the Python program made, is listed then, with the time from which on it
is known.

Each problem is a warning, and one of the list problems of what it returns; it
is no error, so that a recipe can go on to the next destination. There are also
the attributes backups, states and listed, three numbers. The result is
remembered for status.`,
		Params: []starlib.Param{
			{Name: "dst", Type: "string", Doc: "The directory, relative to ROOT_PATH."},
			{Name: "deep", Type: "bool", Default: starlark.False, Doc: "Bring back each older state."},
			{Name: "forget", Type: "bool", Default: starlark.False, Doc: "What is listed and gone was removed on purpose: take it off the list; so was the whole destination, if it is not there."},
		},
		Returns: checkedType,
		Func: func(c *starlib.Call) (starlark.Value, error) {
			checked, err := r.Verify(c.Context, c.String("dst"), c.Bool("deep"), c.Bool("forget"))
			if err != nil {
				return nil, err
			}
			return checkedValue(checked), nil
		},
	}
}

func checkedValue(c run.Checked) starlark.Value {
	problems := make([]starlark.Value, len(c.Problems))
	for i, text := range c.Problems {
		problems[i] = starlark.String(text)
	}
	return starlib.NewObject(checkedType, starlark.StringDict{
		"backups":  starlark.MakeInt(c.Backups),
		"states":   starlark.MakeInt(c.States),
		"listed":   starlark.MakeInt(c.Listed),
		"problems": starlark.NewList(problems),
	}, c)
}
