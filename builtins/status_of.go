package builtins

import (
	"time"

	"go.starlark.net/starlark"

	"btw-backup/internal/destination"
	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func statusOf(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "status_of",
		Doc: `Returns what is known of a destination, without reading its backups.

The attributes: good (the time at which a backup was last made, or nothing had
changed), age (in seconds, since then), both None if there never was one;
backups and states (how many), size in bytes and shown (for a person), sizes
(after each of the last good runs) and growth (the same drawn small), pending
(how many of its paths are registered to be sent), problem ("" or why it cannot
be looked into), and attempt, verify and drill, the last of each: None, or what
has the attributes time, ok and words.`,
		Params:  []starlib.Param{{Name: "dst", Type: "string", Doc: "The directory, relative to ROOT_PATH."}},
		Returns: statusType,
		Func: func(c *starlib.Call) (starlark.Value, error) {
			s, err := r.Status(c.Context, c.String("dst"))
			if err != nil {
				return nil, err
			}
			sizes := make([]starlark.Value, len(s.Sizes))
			for i, n := range s.Sizes {
				sizes[i] = starlark.MakeInt64(n)
			}
			var good, age starlark.Value = starlark.None, starlark.None
			if !s.Good.IsZero() {
				good, age = timeValue(s.Good), starlark.MakeInt64(int64(s.Age.Seconds()))
			}
			return starlib.NewObject(statusType, starlark.StringDict{
				"name":    starlark.String(c.String("dst")),
				"good":    good,
				"age":     age,
				"backups": starlark.MakeInt(s.Backups),
				"states":  starlark.MakeInt(s.States),
				"size":    starlark.MakeInt64(s.Size),
				"shown":   starlark.String(run.Bytes(s.Size)),
				"sizes":   starlark.NewList(sizes),
				"growth":  starlark.String(run.Sparkline(s.Sizes)),
				"pending": starlark.MakeInt(s.Pending),
				"problem": starlark.String(s.Problem),
				"attempt": resultValue(s.Attempt),
				"verify":  resultValue(s.Verify),
				"drill":   resultValue(s.Drill),
			}, s), nil
		},
	}
}

func timeValue(t time.Time) starlark.Value { return starlark.String(destination.Name(t)) }

func resultValue(r *run.Result) starlark.Value {
	if r == nil {
		return starlark.None
	}
	return starlib.NewObject("result", starlark.StringDict{
		"time":  timeValue(r.Time),
		"unix":  starlark.MakeInt64(r.Time.Unix()),
		"ok":    starlark.Bool(r.OK),
		"words": starlark.String(r.Words),
	}, r)
}
