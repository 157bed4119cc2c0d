package run

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
	"btw-backup/internal/settings"
	"btw-backup/internal/syncstate"
)

const (
	// rootMarker lies in ROOT_PATH and holds a random id. It is sent off-site.
	rootMarker = ".btw-root"
	// rootMemory lies in the config directory and holds the same id.
	rootMemory = "root-id"
)

// guardRoot looks whether ROOT_PATH is the one that it was. The first run
// marks it, unless it looks like a mount point with nothing mounted: empty,
// though the sync state knows of backups.
func (r *Run) guardRoot(ctx context.Context, general settings.General, state *syncstate.Journal) error {
	// Two first runs must not make two markers.
	return r.WithConfig(ctx, general.LockTimeout, func() error { return r.checkMarker(general.RootPath, state) })
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
	markerPath := filepath.Join(root, rootMarker)
	memoryPath := filepath.Join(r.Config.Path, rootMemory)
	marker, err := readID(r.FS, markerPath)
	if err != nil {
		return err
	}
	memory, err := readID(r.FS, memoryPath)
	if err != nil {
		return err
	}
	switch {
	case marker == "" && memory == "":
		return r.markRoot(root, markerPath, memoryPath, state)
	case marker == "":
		return Refuse("ROOT_PATH %s does not bear the marker %s that it bore: is it mounted? "+
			"If it is, and the marker was deleted: echo %s > %s", root, rootMarker, memory, markerPath)
	case memory == "":
		// The config directory was made anew; the disk is one of ours.
		return durable.WriteBytes(r.FS, memoryPath, []byte(marker+"\n"), nil)
	case marker != memory:
		return Refuse("ROOT_PATH %s is not the one that it was: its marker %s differs from %s. "+
			"To go on with this one: rm %s", root, rootMarker, memoryPath, memoryPath)
	}
	return nil
}

func (r *Run) markRoot(root, markerPath, memoryPath string, state *syncstate.Journal) error {
	entries, err := afero.ReadDir(r.FS, root)
	if err != nil {
		return err
	}
	journal, err := state.State()
	if err != nil {
		return err
	}
	holds := 0
	for _, entry := range entries {
		if entry.Name() != "lost+found" {
			holds++
		}
	}
	if holds == 0 && journal.Names(rootMarker) {
		return Refuse("ROOT_PATH %s is empty, though %s names backups in it: is it mounted? "+
			"To begin anew: btw-backup sync-state --reset", root, StatePath(r.Config.Path))
	}
	id := strings.ToLower(rand.Text())
	if err := state.Register(syncstate.Entry{Op: syncstate.Push, Path: rootMarker}); err != nil {
		return err
	}
	for _, name := range []string{markerPath, memoryPath} {
		if err := durable.WriteBytes(r.FS, name, []byte(id+"\n"), nil); err != nil {
			return err
		}
	}
	return nil
}

// readID returns the id that a file holds, "" if there is no such file.
func readID(fsys durable.FS, name string) (string, error) {
	text, err := afero.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	id := strings.TrimSpace(string(text))
	if id == "" {
		return "", Refuse("%s is empty: it should hold an id", name)
	}
	return id, nil
}
