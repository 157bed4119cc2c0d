package builtins

import (
	"fmt"

	"go.starlark.net/starlark"

	"btw-backup/internal/run"
	"btw-backup/starlib"
)

// unchanged are the words of log.txt, which scripts look for.
var unchanged = map[string]struct{ suffix, consequence string }{
	"tar":         {".tbz", "dropping backup"},
	"full":        {"", "skipping creation of new full backup"},
	"incremental": {"", "skipping creation of new incremental backup"},
}

func logUnchanged(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "log_unchanged",
		Doc: `Notes in the destination's log.txt that nothing had changed.

It returns the path of log.txt, for s3_push, as which it is registered.`,
		Params: []starlib.Param{
			{Name: "destination", Type: destinationType, Doc: "Whose log it is."},
			{Name: "skipped", Type: "string", Doc: `What was therefore not made: "tar", "full" or "incremental".`},
		},
		Returns: "string",
		Func: func(c *starlib.Call) (starlark.Value, error) {
			words, ok := unchanged[c.String("skipped")]
			if !ok {
				return nil, fmt.Errorf(`skipped must be "tar", "full" or "incremental", not %q`, c.String("skipped"))
			}
			p := place(c, "destination")
			path, err := p.Unchanged(words.suffix, words.consequence)
			if err == nil {
				r.Log.Info(p.Dst + ": nothing has changed, no new backup is needed")
			}
			return starlark.String(path), err
		},
	}
}
