package builtins

import (
	"path/filepath"

	"go.starlark.net/starlark"

	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func restoreTree(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "restore_tree",
		Doc: `Restores the tree that a state holds, by GNU tar, with its modes, owners, links and times.

It is made complete under a temporary name beside the target and renamed at
the end. Owners are set by their numbers, and only if root restores. The
attribute also lists what had to be restored besides paths, because a hard
link leads there.` + restoredDoc,
		Params: []starlib.Param{
			stateParam,
			{Name: "target", Type: "string", Doc: "The directory to make; its parent must exist."},
			{Name: "paths", Type: "list", Default: starlark.NewList(nil), Doc: `Only these, by their names in the tree: "etc/hosts", "etc/ssh/*". What lies below a directory comes with it. One that matches nothing is an error.`},
			{Name: "into_existing", Type: "bool", Default: starlark.False, Doc: "Restore into a directory that is there: files take the place of those of their names, and nothing else is touched. It begins when all of the backup has been read and verified; if it is interrupted, it must be done again."},
		},
		Returns: restoredType,
		Func: func(c *starlib.Call) (starlark.Value, error) {
			target, err := absolute(c.String("target"))
			if err != nil {
				return nil, err
			}
			tree, err := r.RestoreTree(c.Context, run.TreeWanted{
				State: stateOf(c), Target: target,
				Paths: c.Strings("paths"), Into: c.Bool("into_existing"),
			})
			if err != nil {
				return nil, err
			}
			return restoredValue(tree.Verdict, tree.Also), nil
		},
	}
}

// absolute returns the path of a target, which a person may give relative to
// where he is.
func absolute(target string) (string, error) {
	if target == "" {
		return "", run.Refuse("the target is empty: name what is to be made")
	}
	return filepath.Abs(target)
}
