package run

import (
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
)

// Destinations returns the names of all destinations, sorted: those in which
// there is a backup, or something that has a backup's name, and those that the
// config directory remembers. It changes nothing.
func (r *Run) Destinations() ([]string, error) {
	root, err := r.Root()
	if err != nil {
		return nil, err
	}
	if root, err = durable.Resolve(r.FS, root); err != nil {
		return nil, err
	}
	all, err := r.known()
	if err != nil {
		return nil, err
	}
	err = durable.Walk(r.FS, root, func(name string, info fs.FileInfo) error {
		if name == root {
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if _, _, ok := destination.ParseName(info.Name()); ok {
			if dst := filepath.ToSlash(filepath.Dir(rel)); dst != "." {
				all[dst] = true
			}
		}
		if info.IsDir() && (!destination.MayBe(info.Name()) || rel == destination.LostFound) {
			return fs.SkipDir
		}
		return nil
	})
	return slices.Sorted(maps.Keys(all)), err
}
