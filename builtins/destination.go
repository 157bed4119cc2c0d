package builtins

import (
	"go.starlark.net/starlark"

	"btw-backup/internal/run"
	"btw-backup/internal/settings"
	"btw-backup/starlib"
)

func openDestination(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "destination",
		Doc: `Opens a directory below ROOT_PATH for a backup.

It checks the settings and that ROOT_PATH is the one that it was, waits until
no other run works there, makes the directory if it is missing, and clears up
what an interrupted run left. The directory stays locked until the run ends. A
recipe that opens several does so in the order of their names: for one that
sorts before another that is open it does not wait.`,
		Params: []starlib.Param{
			{Name: "dst", Type: "string", Doc: "The directory, relative to ROOT_PATH."},
			{Name: "owner", Type: "string", Default: starlark.None, Doc: `Whom to give what this run makes there, as chown takes it: "user", "user:group", ":group".`},
			{Name: "settings", Type: settingsType, Default: starlark.None, Doc: "How it is backed up: prune will find them again."},
		},
		Returns: destinationType,
		Func: func(c *starlib.Call) (starlark.Value, error) {
			var owner *run.Owner
			if c.Value("owner") != starlark.None {
				var err error
				if owner, err = run.ParseOwner(c.String("owner")); err != nil {
					return nil, err
				}
			}
			if err := r.Begin(c.Context, c.String("dst")); err != nil {
				return nil, err
			}
			p, err := r.Open(c.Context, c.String("dst"), owner)
			if err != nil {
				return nil, err
			}
			if s, ok := starlib.As[settings.Backup](c.Value("settings")); ok {
				p.From(s.Source)
			}
			return starlib.NewObject(destinationType, starlark.StringDict{"path": starlark.String(p.Dst)}, p), nil
		},
	}
}
