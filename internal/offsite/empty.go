package offsite

import (
	"fmt"
	"path"
	"slices"

	"btw-backup/internal/destination"
)

// A directory that is empty here, and off-site is not, is a mount point with
// nothing mounted more often than it is somebody's wish, be it ROOT_PATH or
// one destination that was moved to a larger disk. So nothing is deleted below
// its copy, and the Sync ends in an error. Who means it removes the directory:
// a mount point is not removed by accident.
//
// Inside an rdiff-backup repository directories are rdiff-backup's, and its
// increments/ is empty when the only increment is gone.

// fills tells whether something of that name makes its directory one that is
// not empty. What every file system has does not; nor do our own names, least
// of all ROOT_PATH's marker, which "rm -rf ROOT_PATH/*" leaves.
func fills(p string) bool {
	return !ours(p) && p != destination.RootMarker && path.Base(p) != destination.LostFound
}

// holder returns the innermost directory above p that is here; ok is false
// when that is not part of the tree.
func (t *tree) holder(p string, dirs map[string]bool) (dir string, ok bool) {
	for _, dir := range parents(p) {
		if dirs[dir] {
			return dir, true
		}
	}
	return "", t.path == ""
}

// emptied finds the directories that are empty here and hold files off-site,
// and tells of every object whether it lies in one. wanted are the objects
// that stay anyway.
func (t *tree) emptied(there []object, wanted map[string]bool) (empty []string, spared func(o object) bool) {
	dirs := map[string]bool{}
	for _, it := range t.items {
		if it.info.IsDir() {
			dirs[it.path] = true
		}
	}
	found := map[string]bool{}
	for _, o := range there {
		if o.kind.IsDir() || ours(o.path) || wanted[o.path] || t.kept(o.path) {
			continue
		}
		dir, ok := t.holder(o.path, dirs)
		if _, inRepo := repoOf(t.repos, dir); ok && !inRepo && !t.filled[dir] && !found[dir] {
			found[dir] = true
			empty = append(empty, dir)
		}
	}
	slices.Sort(empty)
	return empty, func(o object) bool {
		dir, ok := t.holder(o.path, dirs)
		return ok && found[dir]
	}
}

// emptyErrors say what to do about directories that were found empty.
func (l local) emptyErrors(empty []string) []error {
	var errs []error
	for _, dir := range empty {
		if dir == "" {
			errs = append(errs, fmt.Errorf("ROOT_PATH: %s is empty here, but not off-site: is it mounted? If it is meant to be empty, delete the copy by hand", l.root))
			continue
		}
		errs = append(errs, fmt.Errorf("%s is empty here, but not off-site: is it mounted? If it is meant to be empty, remove it", l.abs(dir)))
	}
	return errs
}
