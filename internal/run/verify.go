package run

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"path"
	"strings"

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
			record, ok, err := readRecord(r.FS, r.path(destination.Of(backup)), t)
			if err != nil || !ok {
				return err
			}
			stored, err := artifact.SumFile(ctx, r.FS, r.path(backup))
			if err == nil && stored != record.Stored {
				err = fmt.Errorf("%s is not what it was when it was made; the copy off-site is left alone", backup)
			}
			return err
		}
		if i+1 < len(parts) && parts[i+1] != rdiff.DataDir {
			if err := sound(ctx, r.FS, r.path(backup)); err != nil {
				return fmt.Errorf("%s: %w; the copy off-site is left alone", backup, err)
			}
			return nil
		}
		if strings.HasSuffix(statePath, ".gz") {
			return r.verifyGzip(ctx, statePath)
		}
	}
	return nil
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
	if err != nil {
		return fmt.Errorf("%s: %w; the copy off-site is left alone", statePath, err)
	}
	return nil
}
