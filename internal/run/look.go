package run

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/offsite"
)

// Look tells what lies in a destination. It locks, mends and changes nothing.
func (r *Run) Look(dst string) (destination.Contents, error) {
	clean, err := destination.Clean(dst)
	if err != nil {
		return destination.Contents{}, Refused(err)
	}
	root, err := r.Root()
	if err != nil {
		return destination.Contents{}, err
	}
	if clean, err = r.inside(root, clean); err != nil {
		return destination.Contents{}, err
	}
	contents, err := destination.Scan(r.FS, filepath.Join(root, clean), clean)
	if errors.Is(err, fs.ErrNotExist) {
		err = Refuse("%s: there is no such destination in %s", clean, root)
	}
	return contents, err
}

// realName returns the name of a destination under which it really lies.
func (r *Run) realName(dst string) (string, error) {
	clean, err := destination.Clean(dst)
	if err != nil {
		return "", Refused(err)
	}
	root, err := r.Root()
	if err != nil {
		return "", err
	}
	return r.inside(root, clean)
}

// LeaveOut is what lies in a tree and has no place in a backup of it, relative
// to the tree.
type LeaveOut struct {
	// Backups are where the backups themselves go: each would be the larger
	// by the last.
	Backups []string

	// Unreal are mount points below which there are no files, such as /proc.
	Unreal []string
}

// CheckSource refuses a tree that cannot be backed up.
func (r *Run) CheckSource(src string) (out LeaveOut, err error) {
	if !filepath.IsAbs(src) {
		return out, Refuse("the source path must be absolute")
	}
	info, err := r.FS.Stat(src)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return out, Refuse("the source %s does not exist: is it mounted?", src)
	case err != nil:
		return out, err
	case !info.IsDir():
		return out, Refuse("the source %s is not a directory", src)
	}
	general, err := r.General()
	if err != nil {
		return out, err
	}
	tree, err := durable.Resolve(r.FS, src)
	if err != nil {
		return out, err
	}
	root, err := durable.Resolve(r.FS, general.RootPath)
	if err != nil {
		return out, err
	}
	places := map[string]string{root: "ROOT_PATH " + general.RootPath}
	if dir, ok := offsite.DirectoryOf(general.S3Prefix); ok {
		target, err := durable.Resolve(r.FS, dir)
		if err != nil {
			return out, err
		}
		places[target] = "the off-site copy " + dir
	}
	for place, name := range places {
		inside, err := durable.Within(r.FS, tree, place)
		if err != nil {
			return out, err
		}
		if inside {
			return out, Refuse("the source %s lies in %s: a backup of the backups would grow for ever", src, name)
		}
		rel, err := filepath.Rel(tree, place)
		if err != nil {
			return out, err
		}
		if filepath.IsLocal(rel) {
			out.Backups = append(out.Backups, rel)
		}
	}
	slices.Sort(out.Backups)
	out.Unreal, err = r.unrealBelow(tree)
	return out, err
}
