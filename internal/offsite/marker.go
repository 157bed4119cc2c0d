package offsite

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/afero"

	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
)

// A directory that is there is not yet the disk that is meant: a mount point
// is a directory too when nothing is mounted. So an off-site directory bears a
// marker, a file with a random id, and the config directory remembers the id
// of each URI that ever was the store. The marker is written once, when the
// directory is adopted; from then on, a directory without it is not the store,
// also after others were used in between.

// rememberedName is the file in the config directory: a line "ID URI" for each
// store. Only a person takes one out.
const rememberedName = "offsite-id"

// Check implements [Store]. It adopts a directory that may be adopted.
func (d *directory) Check(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	info, err := d.FS.Stat(d.target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return d.unavailable("there is no directory %s: make it or mount it", d.target)
	case err != nil:
		return d.unavailable("%v", err)
	case !info.IsDir():
		return d.unavailable("%s is not a directory", d.target)
	}
	inside, err := overlap(d.FS, d.target, d.Root)
	if err != nil {
		return d.unavailable("%v", err)
	}
	if inside {
		return &OverlapError{URI: d.URI, Root: d.Root}
	}
	marker := d.abs(Marker)
	id, err := durable.ReadID(d.FS, marker)
	if err != nil {
		return d.unavailable("%v", err)
	}
	all, err := d.remembered()
	if err != nil {
		return d.unavailable("%v", err)
	}
	switch remembered := all[d.uri()]; {
	case remembered == "":
		return d.adopt(id)
	case id == "":
		return d.unavailable("%s does not hold the marker %s that was put there: mount the disk, or, to begin anew on this one, remove its line from %s",
			d.target, Marker, d.rememberedFile())
	case id != remembered:
		return d.unavailable("%s holds another copy than the one that was used so far (its %s differs): mount the right disk, or, to use this one from now on, remove its line from %s",
			d.target, Marker, d.rememberedFile())
	}
	return nil
}

// adopt takes the directory for the store, if nothing speaks against it. id
// is its marker, if it bears one: then the config directory was made anew, or
// the store is mounted elsewhere.
func (d *directory) adopt(id string) error {
	if err := d.adoptable(id); err != nil {
		return err
	}
	if id == "" {
		id = rand.Text()
		if err := durable.WriteBytes(d.FS, d.abs(Marker), []byte(id+"\n"), nil); err != nil {
			return d.unavailable("%v", err)
		}
	} else if err := durable.SyncDir(d.FS, d.target); err != nil {
		// A run that was killed may have put it there a moment ago.
		return d.unavailable("%v", err)
	}
	// Remembered last: the reverse, cut off in the middle, would look like a
	// disk that is not mounted.
	return onlyOwn(d.remember(id))
}

// adoptable tells whether the directory is empty or a copy of this ROOT_PATH.
// A Sync deletes what ROOT_PATH does not have, so anything else is somebody's
// data.
func (d *directory) adoptable(id string) error {
	here, err := durable.ReadID(d.FS, d.local.abs(destination.RootMarker))
	if err != nil {
		return err
	}
	there, err := durable.ReadID(d.FS, d.abs(destination.RootMarker))
	if err != nil {
		return d.unavailable("%v", err)
	}
	if there != "" && there != here {
		return d.unavailable("%s holds the copy of another ROOT_PATH (its %s differs from that of %s): use another directory, one for each ROOT_PATH",
			d.target, destination.RootMarker, d.Root)
	}
	if there != "" && id != "" {
		return nil // it is a store, and it is ours
	}
	known, err := d.topNames(d.Root)
	if err != nil {
		return err
	}
	found, err := d.topNames(d.target)
	if err != nil {
		return d.unavailable("%v", err)
	}
	strange := slices.DeleteFunc(found, func(name string) bool { return slices.Contains(known, name) })
	if len(strange) == 0 {
		return nil
	}
	if more := len(strange) - 3; more > 0 {
		strange = append(strange[:3], fmt.Sprintf("%d more", more))
	}
	return d.unavailable("%s is neither empty nor a copy of %s, which has no %s: use an empty directory, one for this alone",
		d.target, d.Root, strings.Join(strange, ", "))
}

// topNames lists what a top holds besides what is not part of a copy.
func (d *directory) topNames(dir string) ([]string, error) {
	entries, err := afero.ReadDir(d.FS, dir)
	if err != nil {
		return nil, onlyOwn(err)
	}
	var names []string
	for _, entry := range entries {
		if !ours(entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// uri is the URI as it is remembered: a slash at its end makes no other store.
func (d *directory) uri() string { return "file://" + d.target }

func (d *directory) rememberedFile() string { return filepath.Join(d.ConfigDir, rememberedName) }

// remembered gives the ids of the stores that were adopted, by their URIs.
func (d *directory) remembered() (map[string]string, error) {
	content, err := afero.ReadFile(d.FS, d.rememberedFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	all := map[string]string{}
	for line := range strings.Lines(string(content)) {
		id, uri, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !ok || id == "" || !strings.HasPrefix(uri, "file://") {
			return nil, fmt.Errorf("%s: the line %q is damaged: remove it, and its store is adopted anew", d.rememberedFile(), line)
		}
		all[uri] = id
	}
	return all, nil
}

// remember adds this store.
func (d *directory) remember(id string) error {
	all, err := d.remembered()
	if err != nil {
		return err
	}
	all[d.uri()] = id
	var lines strings.Builder
	for _, uri := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&lines, "%s %s\n", all[uri], uri)
	}
	return durable.WriteBytes(d.FS, d.rememberedFile(), []byte(lines.String()), nil)
}
