package builtins

import (
	"go.starlark.net/starlark"

	"btw-backup/internal/destination"
	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func describe(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "describe",
		Doc: `Returns what is known of each state in a destination, oldest backup first.

It only looks, as backups does. A description has the attributes name, backup
(the name of the tar backup or chain that it is in), kind, time, size, in bytes
of the one file that it is (as it is kept; None if nobody recorded it), shown
(the same for a person), digest, and pending: whether its backup is registered
to be sent off-site. The digest says what a restore can hold it against:
"recorded" (when it was made), "rdiff" (by rdiff-backup alone, when it was
made), "adopted" (only later, from a backup that had no record) or "none".`,
		Params:  []starlib.Param{{Name: "dst", Type: "string", Doc: "The directory, relative to ROOT_PATH."}},
		Returns: "list",
		Func: func(c *starlib.Call) (starlark.Value, error) {
			all, err := r.Describe(c.String("dst"))
			if err != nil {
				return nil, err
			}
			values := make([]starlark.Value, len(all))
			for i, d := range all {
				values[i] = descriptionValue(d)
			}
			return starlark.NewList(values), nil
		},
	}
}

func descriptionValue(d run.Description) starlark.Value {
	var size starlark.Value = starlark.None
	shown := "?"
	if d.Size >= 0 {
		size, shown = starlark.MakeInt64(d.Size), run.Bytes(d.Size)
	}
	return starlib.NewObject(descriptionType, starlark.StringDict{
		"name":    starlark.String(d.Name()),
		"backup":  starlark.String(d.Backup.Name()),
		"kind":    starlark.String(d.Backup.Kind),
		"time":    starlark.String(destination.Name(d.Time)),
		"size":    size,
		"shown":   starlark.String(shown),
		"digest":  starlark.String(d.Digest),
		"pending": starlark.Bool(d.Pending),
	}, shownState{d.State})
}
