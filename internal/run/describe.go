package run

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/rdiff"
	"btw-backup/internal/syncstate"
)

// Description is what is known of a state without reading it.
type Description struct {
	destination.State

	// Size is how many bytes the artifact has as it is kept: of a tar backup
	// compressed, of an older state of a chain once it is brought back. It is
	// -1 if nobody recorded it.
	Size int64

	// Digest is what a restore can hold the artifact against: one of the
	// constants.
	Digest string

	// Pending tells whether its backup is registered to be sent off-site, as
	// the sync state knows it.
	Pending bool
}

// What a restore can hold an artifact against.
const (
	DigestRecorded = "recorded" // a record of ours, from when it was made
	DigestTheirs   = "rdiff"    // what rdiff-backup recorded then
	DigestAdopted  = "adopted"  // a record of what it was later, from a backup that had none
	DigestNone     = "none"
)

// Describe tells what is known of each state in a destination, oldest backup
// first. It locks, mends and changes nothing.
func (r *Run) Describe(dst string) ([]Description, error) {
	contents, err := r.Look(dst)
	if err != nil {
		return nil, err
	}
	root, err := r.Root()
	if err != nil {
		return nil, err
	}
	if err := r.CheckState(); err != nil {
		return nil, err
	}
	state, err := syncstate.Read(r.FS, StatePath(r.Config.Path))
	if err != nil {
		return nil, err
	}
	var all []Description
	for _, b := range contents.Backups {
		pending := pendingIn(state.Pending, b.Path())
		for _, s := range b.States() {
			d := Description{State: s, Size: -1, Digest: DigestNone, Pending: pending}
			if err := r.describe(filepath.Join(root, b.Dst), &d); err != nil {
				return nil, err
			}
			all = append(all, d)
		}
	}
	return all, nil
}

// pendingIn tells whether what lies at a path is registered, by itself or with
// a directory that it is in.
func pendingIn(pending []syncstate.Entry, statePath string) bool {
	for _, entry := range pending {
		at := strings.TrimSuffix(entry.Path, "/")
		if at == "" || at == strings.TrimSuffix(statePath, "/") || strings.HasPrefix(statePath, at+"/") {
			return true
		}
	}
	return false
}

func (r *Run) describe(dir string, d *Description) error {
	record, ok, err := readRecord(r.FS, dir, d.Time)
	if err != nil {
		return err
	}
	if ok {
		d.Size, d.Digest = record.Stored.Size, DigestRecorded
		if record.Adopted != "" {
			d.Digest = DigestAdopted
		}
		return nil
	}
	file := filepath.Join(dir, d.Backup.Name())
	if d.Backup.Kind == destination.Tar {
		info, err := durable.Lstat(r.FS, file)
		if err == nil {
			d.Size = info.Size()
		}
		return err
	}
	state, err := rdiff.Read(r.FS, file)
	if err != nil {
		return err
	}
	if sessions := state.Sessions(); d.Nth < len(sessions) {
		metadata, err := rdiff.ReadDigest(r.FS, file, sessions[d.Nth], d.Backup.Artifact)
		switch {
		case err == nil:
			d.Size, d.Digest = metadata.Size, DigestTheirs
		case errors.As(err, new(*fs.PathError)):
			return err
		}
	}
	return nil
}
