package run

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/spf13/afero"

	"btw-backup/internal/artifact"
	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/syncstate"
	"btw-backup/internal/tbz"
)

// Record is what is remembered of a backup, in a small file beside it: enough
// to compare without decompressing, and to verify. It can be made again from
// the backup, and is never believed when the stored file is another one.
type Record struct {
	Format   int          `json:"format"`            // recordFormat
	Backup   string       `json:"backup"`            // the name: TIME.tbz, or the TIME of an rdiff state
	Chain    string       `json:"chain,omitempty"`   // the directory that holds an rdiff state
	Artifact string       `json:"artifact"`          // backup.tar
	Plain    artifact.Sum `json:"plain"`             // of the uncompressed stream
	Stored   artifact.Sum `json:"stored"`            // of the stored file
	Members  tbz.Index    `json:"members,omitempty"` // of the stored file, if it is bzip2

	// Adopted is when it was made again, or for the first time, from a backup
	// that was there: it tells nothing of what that held before.
	Adopted string `json:"adopted,omitempty"`
}

const recordFormat = 1

// recordName returns the name of a record in a destination.
func recordName(t time.Time) string {
	return destination.RecordDir + "/" + destination.Name(t) + destination.RecordSuffix
}

// write makes the record durable.
func (p *Place) write(t time.Time, r Record) error {
	r.Format = recordFormat
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	made, err := durable.MkdirAll(p.run.FS, p.Dir, filepath.Join(p.Dir, destination.RecordDir))
	if err != nil {
		return err
	}
	for _, dir := range made {
		if err := p.owner.own(p.run.FS, dir); err != nil {
			return err
		}
	}
	own := func(tempname string) error { return p.owner.own(p.run.FS, tempname) }
	return durable.WriteBytes(p.run.FS, filepath.Join(p.Dir, recordName(t)), append(text, '\n'), own)
}

// readRecord returns the record of a time in the destination at dir; ok is false
// if there is none that can be read.
func readRecord(fsys durable.FS, dir string, t time.Time) (r Record, ok bool, err error) {
	text, err := afero.ReadFile(fsys, filepath.Join(dir, recordName(t)))
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	}
	if err != nil {
		return r, false, err
	}
	if json.Unmarshal(text, &r) != nil || r.Format != recordFormat {
		return Record{}, false, nil // it is made again
	}
	return r, true, nil
}

// tarRecord returns the record of a tar backup, which is made again if there
// is none that is true of the file. The error damaged means that the backup
// cannot be read to its end.
func (p *Place) tarRecord(ctx context.Context, b destination.Backup) (Record, error) {
	file := filepath.Join(p.Dir, b.Name())
	stored, err := artifact.SumFile(ctx, p.run.FS, file)
	if err != nil {
		return Record{}, err
	}
	r, ok, err := readRecord(p.run.FS, p.Dir, b.Time)
	if err != nil || ok && r.Stored == stored && len(r.Members) > 0 {
		return r, err
	}
	r = Record{Backup: b.Name(), Artifact: tarArtifact, Stored: stored, Adopted: destination.Name(p.run.Clock.Now())}
	r.Members, r.Plain, err = artifact.IndexFile(ctx, p.run.FS, file)
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) || ctx.Err() != nil {
			return r, err
		}
		return r, &damaged{err}
	}
	if err := p.register(syncstate.Push, recordName(b.Time)); err != nil {
		return r, err
	}
	return r, p.write(b.Time, r)
}

// tarArtifact is the name of what a tar backup holds.
const tarArtifact = "backup.tar"

// damaged is a backup that cannot be read to its end.
type damaged struct{ err error }

func (e *damaged) Error() string { return e.err.Error() }
