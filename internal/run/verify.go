package run

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"btw-backup/internal/artifact"
	"btw-backup/internal/destination"
	"btw-backup/internal/rdiff"
)

// verify is asked before what lies at a path of the sync state replaces an
// off-site file that differs. A backup does not change once it is made, and a
// chain's newest state bears its own digest: if these do not fit, it is the
// local file that has rotted, and the copy may be the good one.
func (r *Run) verify(ctx context.Context, statePath string) error {
	parts := strings.Split(statePath, "/")
	for i, part := range parts {
		t, kind, ok := destination.ParseName(part)
		if !ok {
			continue
		}
		backup := path.Join(parts[:i+1]...)
		if kind == destination.Tar {
			return r.verifyTar(ctx, backup, t)
		}
		if i+1 < len(parts) && parts[i+1] != rdiff.DataDir {
			if err := sound(ctx, r.FS, r.path(backup)); err != nil {
				return rotten(ctx, backup, err)
			}
			return nil
		}
		if strings.HasSuffix(statePath, ".gz") {
			return r.verifyGzip(ctx, statePath)
		}
	}
	return nil
}

// verifyTar compares a tar backup with its record. One that has none that can
// be read must at least be readable to its end.
func (r *Run) verifyTar(ctx context.Context, backup string, t time.Time) error {
	record, ok, err := readRecord(r.FS, r.path(destination.Of(backup)), t)
	if err != nil {
		return err
	}
	if !ok {
		_, _, err := artifact.IndexFile(ctx, r.FS, r.path(backup))
		return rotten(ctx, backup, err)
	}
	stored, err := artifact.SumFile(ctx, r.FS, r.path(backup))
	if err == nil && stored != record.Stored {
		err = &rottenError{backup, "it is not what it was when it was made"}
	}
	return err
}

// verifyGzip reads a compressed file to its check sum.
func (r *Run) verifyGzip(ctx context.Context, statePath string) error {
	f, err := r.FS.Open(r.path(statePath))
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	z, err := gzip.NewReader(artifact.Interruptible(ctx, f))
	if err == nil {
		_, err = io.Copy(io.Discard, z)
	}
	return rotten(ctx, statePath, err)
}

// rottenError says that what lies here is not what was made, so that the copy
// off-site is better. Only a person can bring it back.
type rottenError struct{ path, why string }

func (e *rottenError) Error() string {
	return e.path + " is damaged here: " + e.why + ". Its copy off-site is left alone: copy it back from there, or set the damaged one aside by another name"
}

// rotten makes a rottenError of what was found in a file's content. What the
// file system says is no verdict.
func rotten(ctx context.Context, path string, err error) error {
	if err == nil || ctx.Err() != nil || errors.As(err, new(*fs.PathError)) {
		return err
	}
	return &rottenError{path, err.Error()}
}
