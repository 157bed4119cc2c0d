package run

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
)

// A disk may be mounted not at ROOT_PATH, where a marker tells, but at one
// destination, or at a directory that holds some. When it is not, there is an
// empty directory, as for a destination that is new. To tell these apart, the
// config directory remembers which destinations ever held a backup. Who means
// to begin anew removes the directory: a mount point is not removed by accident.

// knownName lies in the config directory: one destination a line.
const knownName = "destinations"

// known returns the destinations that held a backup.
func (r *Run) known() (map[string]bool, error) {
	text, err := afero.ReadFile(r.FS, filepath.Join(r.Config.Path, knownName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	all := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		all[strings.TrimSuffix(line, "\n")] = true
	}
	return all, nil
}

// know remembers whether a destination holds backups.
func (r *Run) know(ctx context.Context, dst string, holds bool) error {
	if all, err := r.known(); err != nil || all[dst] == holds {
		return err
	}
	return r.WithConfig(ctx, r.general.LockTimeout, func() error {
		all, err := r.known()
		if err != nil {
			return err
		}
		all[dst] = true
		if !holds {
			delete(all, dst)
		}
		text := strings.Join(slices.Sorted(maps.Keys(all)), "\n") + "\n"
		return durable.WriteBytes(r.FS, filepath.Join(r.Config.Path, knownName), []byte(text), nil)
	})
}

// away refuses a destination that once held backups and that seems not to be
// mounted now: it, or the directory that is left of its path, is empty.
func (r *Run) away(dst string) error {
	for at := dst; at != "."; at = path.Dir(at) {
		there, err := durable.Exists(r.FS, r.path(at))
		if err != nil && !errors.Is(err, syscall.ENOTDIR) {
			return err
		}
		if !there {
			continue
		}
		if holds, err := r.holdsSomething(r.path(at)); err != nil || holds {
			return err
		}
		all, err := r.known()
		if err != nil {
			return err
		}
		for known := range all {
			if known == at || strings.HasPrefix(known, at+"/") {
				return Refuse("%s is empty, although backups were made in it: is it mounted? If it is meant to be empty, remove it", r.path(at))
			}
		}
		return nil
	}
	return nil // nothing is left of it: what is above is ROOT_PATH, which bears its marker
}
