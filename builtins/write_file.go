package builtins

import (
	"strings"

	"go.starlark.net/starlark"

	"btw-backup/internal/durable"
	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func writeFile(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "write_file",
		Doc: `Writes a text to a file, which others may read, and replaces it in one instant.

Whoever reads it finds the old text or the new one, never a part. It is for
what other programs collect; ROOT_PATH is none of its business.`,
		Params: []starlib.Param{
			{Name: "path", Type: "string", Doc: "The file; its directory must exist."},
			{Name: "text", Type: "string", Doc: "All that is to stand in it."},
		},
		Func: func(c *starlib.Call) (starlark.Value, error) {
			name, err := absolute(c.String("path"))
			if err != nil {
				return nil, err
			}
			root, err := r.Root()
			if err != nil {
				return nil, err
			}
			if strings.HasPrefix(name, root+"/") {
				return nil, run.Refuse("%s lies in ROOT_PATH, which is for backups", name)
			}
			own := func(tempname string) error { return r.FS.Chmod(tempname, 0o644) }
			return nil, durable.WriteBytes(r.FS, name, []byte(c.String("text")), own)
		},
	}
}
