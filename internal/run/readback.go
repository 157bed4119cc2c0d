package run

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"btw-backup/internal/artifact"
	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/tbz"
)

// ReadBack reads the newest backup of a destination as somebody who restores it
// would, to its end, compares it with its record, and returns how many files
// and directories it holds.
func (r *Run) ReadBack(ctx context.Context, dst string) (name string, entries int, err error) {
	contents, err := r.Look(dst)
	if err != nil {
		return "", 0, err
	}
	if len(contents.Backups) == 0 {
		return "", 0, fmt.Errorf("there is no backup in %s", dst)
	}
	b := contents.Backups[len(contents.Backups)-1]
	root, err := r.Root()
	if err != nil {
		return "", 0, err
	}
	dir := filepath.Join(root, b.Dst)
	record, ok, err := readRecord(r.FS, dir, b.Newest())
	if err == nil && !ok {
		err = fmt.Errorf("%s has no record", b.Path())
	}
	if err != nil {
		return "", 0, err
	}
	entries, sum, err := readArchive(ctx, r.FS, filepath.Join(dir, b.Name()), b)
	if err == nil && sum != record.Plain {
		err = errors.New("it does not hold what was recorded when it was made")
	}
	if err != nil {
		return "", 0, fmt.Errorf("%s: %w", b.Path(), err)
	}
	return record.Backup, entries, nil
}

// readArchive reads the tar archive that is a backup's newest state.
func readArchive(ctx context.Context, fsys durable.FS, file string, b destination.Backup) (entries int, sum artifact.Sum, err error) {
	if b.Kind == destination.Rdiff {
		file = filepath.Join(file, b.Artifact)
	}
	f, err := fsys.Open(file)
	if err != nil {
		return 0, sum, err
	}
	defer f.Close() //nolint:errcheck // only read
	r := artifact.Interruptible(ctx, f)
	if b.Kind == destination.Tar {
		r = tbz.NewReader(r)
	}
	digest := sha256.New()
	count := &counter{}
	plain := io.TeeReader(r, io.MultiWriter(digest, count))
	archive := tar.NewReader(plain)
	for {
		_, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return entries, sum, err
		}
		entries++
	}
	// What follows the archive's end is padding.
	if _, err := io.Copy(io.Discard, plain); err != nil {
		return entries, sum, err
	}
	sum.Size = count.n
	digest.Sum(sum.SHA256[:0])
	return entries, sum, nil
}

// counter counts the bytes that are written to it.
type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
