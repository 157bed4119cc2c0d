package run

import (
	"context"
	"io"
	"path/filepath"

	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/exec"
)

// TreeWanted says what is to be restored of a tree, and where to.
type TreeWanted struct {
	State  destination.State
	Target string // absolute

	// Paths are globs on the names in the archive, without "./"; what lies
	// below a directory that one matches is restored with it. None means all.
	Paths []string

	// Into says that Target is a directory that is there, in which the files of
	// the backup take the place of those of their names.
	Into bool
}

// Tree is what was restored.
type Tree struct {
	Verdict
	Also []string // what was restored besides, because links lead to it
}

// TempRestore begins the names, beside a target, of what is being restored to it.
const TempRestore = destination.TempPrefix + "restore-"

// RestoreTree restores a tree. It is made complete beside the target, while
// what is read is verified, and gets its name at the end, so that at no instant
// there is half a tree under it. Into an existing directory nothing is written
// before all of the backup has been read and verified.
func (r *Run) RestoreTree(ctx context.Context, want TreeWanted) (t Tree, err error) {
	defer func() { err = Consequence(err, "nothing was restored") }()
	if err := r.checkTarget(want.Target, want.Into); err != nil {
		return t, err
	}
	room := filepath.Join(filepath.Dir(want.Target), TempRestore+filepath.Base(want.Target))
	if want.Into {
		room = filepath.Join(want.Target, TempRestore+"here")
	}
	held, err := r.takeRoom(ctx, room)
	if err != nil {
		return t, err
	}
	tree := room + ".tree"
	defer func() { err = join(err, join(join(r.FS.RemoveAll(tree), r.FS.RemoveAll(room)), held.Release())) }()
	if err := r.FS.RemoveAll(tree); err != nil {
		return t, err
	}
	if err := emptyDir(r.FS, room); err != nil {
		return t, err
	}
	err = r.WithState(ctx, want.State, room, func(f *StateFile) (err error) {
		if !f.archive() {
			return Refuse("%s holds %s, which is no tree: restore-db brings it back", want.State.Path(), f.Name)
		}
		u := untar{run: r, file: f, dir: tree}
		if len(want.Paths) > 0 {
			u.lists = room
			err = u.choose(ctx, want.Paths)
		} else if want.Into {
			u.verdict, err = f.Read(ctx, io.Discard, true)
		}
		if err != nil {
			return err
		}
		if want.Into {
			u.dir = want.Target
			err = Consequence(u.extract(ctx), "some of it may have been restored; to have all of it, run it again")
		} else if err = r.FS.Mkdir(tree, durable.DirMode); err == nil {
			err = u.extract(ctx)
		}
		t.Verdict, t.Also = u.verdict, u.also
		return err
	})
	if err != nil {
		return t, err
	}
	r.Log.Progress("writing to the disk", -1)
	made := tree
	if want.Into {
		made = want.Target
	}
	// One call for all of the file system, since a tree has many files, and
	// some of them nobody but root may open.
	if _, err := r.Exec.Run(ctx, exec.Cmd{Args: []string{"sync", "--file-system", made}, Package: "coreutils"}); err != nil {
		return t, err
	}
	if want.Into {
		return t, nil
	}
	if err := r.checkTarget(want.Target, false); err != nil {
		return t, err
	}
	return t, durable.Publish(r.FS, tree, want.Target)
}
