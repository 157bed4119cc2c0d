package builtins

import (
	"go.starlark.net/starlark"

	"btw-backup/internal/run"
	"btw-backup/internal/settings"
	"btw-backup/starlib"
)

const settingsDoc = `

The settings have the attributes type ("tar" or "rdiff"),
max_incremental_count, max_incremental_span in seconds, prune_after_backup,
and xattrs.`

func filesystemSettings(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "filesystem_settings",
		Doc: `Reads the settings for backups of a directory tree.

They stand in the working directory that fs-init made for it.` + settingsDoc,
		Params:  []starlib.Param{{Name: "src", Type: "string", Doc: "The path of the tree, exactly as fs-init was given it."}},
		Returns: settingsType,
		Func: func(c *starlib.Call) (starlark.Value, error) {
			s, err := r.Config.Filesystem(c.String("src"))
			return settingsValue(s), run.Refused(err)
		},
	}
}

func databaseSettings(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "database_settings",
		Doc: `Reads the settings for backups of a database.

They stand in DB.py or db/DB.py in the config directory; without a file they
are the defaults.` + settingsDoc,
		Params:  []starlib.Param{{Name: "db", Type: "string", Doc: `The name of the database; "global" stands for the globals.`}},
		Returns: settingsType,
		Func: func(c *starlib.Call) (starlark.Value, error) {
			s, err := r.Config.Database(c.String("db"))
			return settingsValue(s), run.Refused(err)
		},
	}
}

func settingsValue(s settings.Backup) starlark.Value {
	return starlib.NewObject(settingsType, starlark.StringDict{
		"type":                  starlark.String(s.Type),
		"max_incremental_count": starlark.MakeInt(s.MaxIncrementalCount),
		"xattrs":                starlark.Bool(s.XAttrs),
		"prune_after_backup":    starlark.Bool(s.PruneAfterBackup),
		"max_incremental_span":  starlark.Float(s.MaxIncrementalSpan.Seconds()),
	}, s)
}
