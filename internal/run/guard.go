package run

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/afero"

	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/settings"
	"btw-backup/internal/syncstate"
)

// rootMemory lies in the config directory and holds the id that
// destination.RootMarker holds in ROOT_PATH.
const rootMemory = "root-id"

// guardRoot looks whether ROOT_PATH is the one that it was. The first run
// marks it, unless it looks like a mount point with nothing mounted: empty,
// though the sync state knows of backups.
func (r *Run) guardRoot(ctx context.Context, general settings.General, state *syncstate.Journal) error {
	// Two first runs must not make two markers.
	return r.WithConfig(ctx, general.LockTimeout, func() error {
		if err := r.checkMarker(general.RootPath, state); err != nil {
			return err
		}
		return r.guardStore(general, state)
	})
}

// WithConfig calls act while nobody else changes the config directory, after
// clearing up what a killed fs-init left there.
func (w *World) WithConfig(ctx context.Context, limit time.Duration, act func() error) (err error) {
	if err := w.Config.Make(); err != nil {
		return err
	}
	held, err := w.lockFile(ctx, "config", w.waiter(limit))
	if err != nil {
		return err
	}
	defer func() { err = join(err, held.Release()) }()
	entries, err := afero.ReadDir(w.FS, w.Config.Path)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() && durable.IsTemp(entry.Name()) {
			if err := w.FS.RemoveAll(filepath.Join(w.Config.Path, entry.Name())); err != nil {
				return err
			}
		}
	}
	return act()
}

func (r *Run) checkMarker(root string, state *syncstate.Journal) error {
	markerPath := filepath.Join(root, destination.RootMarker)
	memoryPath := filepath.Join(r.Config.Path, rootMemory)
	marker, err := durable.ReadID(r.FS, markerPath)
	if err != nil {
		return err
	}
	memory, err := durable.ReadID(r.FS, memoryPath)
	if err != nil {
		return err
	}
	switch {
	case marker == "" && memory == "":
		return r.markRoot(root, markerPath, memoryPath, state)
	case marker == "":
		return Refuse("ROOT_PATH %s does not bear the marker %s that it bore: is it mounted? If the disk is a new one, "+
			"copy the backups to it, from the old one or from the off-site copy; the marker comes along", root, destination.RootMarker)
	case memory == "":
		// The config directory was made anew; the disk is one of ours. Or a run
		// was killed between the two: then the marker may not be durable yet.
		if err := durable.SyncDir(r.FS, root); err != nil {
			return err
		}
		return durable.WriteBytes(r.FS, memoryPath, []byte(marker+"\n"), nil)
	case marker != memory:
		return Refuse("ROOT_PATH %s is not the one that it was: its marker %s differs from %s. If this is the right one, and "+
			"holds all backups: rm %s", root, destination.RootMarker, memoryPath, memoryPath)
	}
	return nil
}

func (r *Run) markRoot(root, markerPath, memoryPath string, state *syncstate.Journal) error {
	if err := r.looksMounted(root, state); err != nil {
		return err
	}
	id := strings.ToLower(rand.Text())
	if err := state.Register(syncstate.Entry{Op: syncstate.Push, Path: destination.RootMarker}); err != nil {
		return err
	}
	for _, name := range []string{markerPath, memoryPath} {
		if err := durable.WriteBytes(r.FS, name, []byte(id+"\n"), nil); err != nil {
			return err
		}
	}
	return nil
}

// looksMounted refuses a ROOT_PATH without marker that holds nothing of what
// the sync state names: neither what is at a path nor, since backups are
// deleted in time, any backup in the destination that it was in. A stray file,
// or an empty directory such as a mount point, does not make it ours.
func (r *Run) looksMounted(root string, state *syncstate.Journal) error {
	journal, err := state.State()
	if err != nil {
		return err
	}
	named := 0
	for statePath := range journal.Paths() {
		if statePath == "" || statePath == destination.RootMarker || !validPath(statePath) {
			continue
		}
		named++
		if found, err := r.holdsSomething(filepath.Join(root, statePath)); err != nil || found {
			return err
		}
		if dst := destination.Of(statePath); dst != "" {
			if found, err := r.holdsBackup(filepath.Join(root, dst)); err != nil || found {
				return err
			}
		}
	}
	if named == 0 {
		return nil
	}
	return Refuse("ROOT_PATH %[1]s holds nothing of what %[2]s names: is it mounted? If its backups were moved away, "+
		"bring them back; if they are gone and the copy off-site may go too: mv %[2]s %[2]s.old", root, StatePath(r.Config.Path))
}

// holdsSomething tells whether name is a file, or a directory with something
// in it that a file system does not bring.
func (w *World) holdsSomething(name string) (bool, error) {
	entries, err := afero.ReadDir(w.FS, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case errors.Is(err, syscall.ENOTDIR):
		return durable.Exists(w.FS, name)
	}
	return slices.ContainsFunc(entries, func(entry fs.FileInfo) bool {
		return entry.Name() != destination.LostFound && !durable.IsTemp(entry.Name())
	}), err
}

// holdsBackup tells whether the directory at dir holds anything that has a
// backup's name.
func (w *World) holdsBackup(dir string) (bool, error) {
	entries, err := afero.ReadDir(w.FS, dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return false, nil
	}
	return slices.ContainsFunc(entries, func(entry fs.FileInfo) bool {
		_, _, ok := destination.ParseName(entry.Name())
		return ok
	}), err
}

// offsiteMemory lies in the config directory and holds the S3_URI_PREFIX that
// the off-site copy was at last.
const offsiteMemory = "offsite-uri"

// guardStore notices a change of S3_URI_PREFIX: what is here was sent to the
// old place, and is registered to be sent to the new one. There may be an older
// copy there, and a chain copied onto an older one of itself would be a mixture
// of both: chains are made equal.
func (r *Run) guardStore(general settings.General, state *syncstate.Journal) error {
	memory := filepath.Join(r.Config.Path, offsiteMemory)
	was, err := durable.ReadID(r.FS, memory)
	if err != nil || strings.TrimRight(was, "/") == strings.TrimRight(general.S3Prefix, "/") {
		return err
	}
	if was != "" {
		r.Log.Warn(fmt.Sprintf("S3_URI_PREFIX was %s and is %s: everything will be sent there", was, general.S3Prefix))
		due, err := r.chains(general.RootPath)
		if err != nil {
			return err
		}
		if err := state.Register(append(due, syncstate.Entry{Op: syncstate.Push})...); err != nil {
			return err
		}
	}
	return durable.WriteBytes(r.FS, memory, []byte(general.S3Prefix+"\n"), nil)
}

// chains returns every chain in ROOT_PATH, as it is registered to be synced.
func (w *World) chains(root string) ([]syncstate.Entry, error) {
	var found []syncstate.Entry
	err := durable.Walk(w.FS, root, func(name string, info fs.FileInfo) error {
		if !info.IsDir() || name == root {
			return nil
		}
		if _, kind, ok := destination.ParseName(info.Name()); ok && kind == destination.Rdiff {
			rel, err := filepath.Rel(root, name)
			if err != nil {
				return err
			}
			found = append(found, syncstate.Entry{Op: syncstate.Sync, Path: filepath.ToSlash(rel) + "/"})
			return fs.SkipDir
		}
		if !destination.MayBe(info.Name()) {
			return fs.SkipDir
		}
		return nil
	})
	return found, err
}
