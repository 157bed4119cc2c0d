package run

import (
	"archive/tar"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"btw-backup/internal/artifact"
	"btw-backup/internal/destination"
	"btw-backup/internal/tbz"
)

// ReadBack reads the newest tar backup of a destination as somebody who
// restores it would, to its end, compares it with its record, and returns how
// many files and directories it holds.
func (r *Run) ReadBack(dst string) (b destination.Backup, entries int, err error) {
	contents, err := r.Look(dst)
	if err != nil {
		return b, 0, err
	}
	b, ok := contents.Newest(destination.Tar)
	if !ok {
		return b, 0, fmt.Errorf("there is no tar backup in %s", dst)
	}
	root, err := r.Root()
	if err != nil {
		return b, 0, err
	}
	p := &Place{run: r, Dst: b.Dst, Dir: filepath.Join(root, b.Dst)}
	record, ok, err := p.read(b.Time)
	if err == nil && !ok {
		err = fmt.Errorf("%s has no record", b.Path())
	}
	if err != nil {
		return b, 0, err
	}
	f, err := r.FS.Open(filepath.Join(p.Dir, b.Name()))
	if err != nil {
		return b, 0, err
	}
	defer f.Close() //nolint:errcheck // only read
	sum := sha256.New()
	plain := io.TeeReader(tbz.NewReader(f), sum)
	archive := tar.NewReader(plain)
	for {
		_, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return b, entries, fmt.Errorf("%s: %w", b.Path(), err)
		}
		entries++
	}
	if _, err := io.Copy(io.Discard, plain); err != nil { // the padding after the archive's end
		return b, entries, fmt.Errorf("%s: %w", b.Path(), err)
	}
	var got artifact.Sum
	got.Size = record.Plain.Size
	if sum.Sum(got.SHA256[:0]); got != record.Plain {
		return b, entries, fmt.Errorf("%s does not hold what was recorded when it was made", b.Path())
	}
	return b, entries, nil
}
