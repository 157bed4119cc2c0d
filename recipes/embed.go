// Package recipes holds the stock recipes: the documented commands, as
// Starlark files that read like the documentation.
//
// A recipe is a file with a docstring and a function run. The file's name is
// the command; the required parameters of run are its arguments and the
// others its flags. A file of the same name in CONFIG_DIR/recipes takes a
// recipe's place, and may load what it replaces: @stock//fs.star.
package recipes

import (
	"embed"
	"io/fs"
)

// By name, as no pattern leaves out the tests (*_test.star). A test compares the
// list with the folder.
//
//go:embed db.star drill.star fs.star list.star prune.star recovery-sheet.star restore-db.star restore.star status.star sync.star verify.star
//go:embed lib/prune.star lib/rdiff.star lib/table.star lib/tar.star
var files embed.FS

// FS returns the stock recipes and their helpers.
func FS() fs.FS { return files }
