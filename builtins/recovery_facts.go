package builtins

import (
	"maps"
	"slices"

	"go.starlark.net/starlark"

	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func recoveryFacts(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "recovery_facts",
		Doc: `Returns what somebody has to know who restores on a bare machine. No secrets.

The attributes: config_dir, root, offsite (S3_URI_PREFIX), s3cmd_config (where
that file was), s3 (lines of it that are no secret), now, and destinations, a
list of what has the attributes name, kind, artifact (the file that an rdiff
backup holds), source ("fs:/etc" or "db:shop", "" if not known) and newest (the
newest state's name).`,
		Returns: "facts",
		Func: func(*starlib.Call) (starlark.Value, error) {
			f, err := r.Facts()
			if err != nil {
				return nil, err
			}
			var s3 []starlark.Value
			for _, key := range slices.Sorted(maps.Keys(f.S3)) {
				s3 = append(s3, starlark.String(key+" = "+f.S3[key]))
			}
			var all []starlark.Value
			for _, d := range f.Destinations {
				all = append(all, starlib.NewObject("fact", starlark.StringDict{
					"name":     starlark.String(d.Dst),
					"kind":     starlark.String(d.Kind),
					"artifact": starlark.String(d.Artifact),
					"source":   starlark.String(d.Source),
					"newest":   starlark.String(d.Newest),
				}, d))
			}
			return starlib.NewObject("facts", starlark.StringDict{
				"config_dir":   starlark.String(f.ConfigDir),
				"root":         starlark.String(f.Root),
				"offsite":      starlark.String(f.Offsite),
				"s3cmd_config": starlark.String(f.S3cmdConfig),
				"s3":           starlark.NewList(s3),
				"destinations": starlark.NewList(all),
				"now":          timeValue(r.Clock.Now()),
			}, f), nil
		},
	}
}
