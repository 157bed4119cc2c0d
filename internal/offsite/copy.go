package offsite

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
)

// copyFile makes the file dst equal to src, unless it is already, and tells
// whether it had to. Where there is a dst, replace is asked before it gets
// another content; where there is none, replace is nil. The new one appears under its name when it is whole and
// durable. An error that concerns src says so by its path; that src changed
// meanwhile is a *ChangedError, with dst left as it was.
func copyFile(ctx context.Context, fsys durable.FS, src, dst string, replace func() error) (sent bool, err error) {
	in, err := fsys.Open(src)
	if err != nil {
		return false, err
	}
	defer in.Close() //nolint:errcheck // only read
	before, err := in.Stat()
	if err != nil {
		return false, err
	}
	if !before.Mode().IsRegular() {
		return false, &ChangedError{Path: src}
	}
	unchanged := func() error {
		after, err := in.Stat()
		if err == nil && !same(before, after) {
			err = &ChangedError{Path: src}
		}
		return err
	}

	if replace != nil {
		equal, err := sameContent(ctx, fsys, in, before.Size(), dst)
		if err != nil {
			return false, err
		}
		if equal {
			return false, unchanged()
		}
		if err := replace(); err != nil {
			return false, err
		}
		if _, err := in.Seek(0, io.SeekStart); err != nil {
			return false, err
		}
	}

	// A short name: the file's own may be as long as names can be.
	out, err := afero.TempFile(fsys, filepath.Dir(dst), durable.TempPrefix)
	if err != nil {
		return false, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, durable.RemoveIfThere(fsys, out.Name()))
		}
	}()
	n, err := io.Copy(out, reader{ctx, in})
	if err == nil && n != before.Size() {
		err = &ChangedError{Path: src}
	}
	if err == nil {
		err = unchanged()
	}
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return false, err
	}
	// For people only: nothing here trusts a time.
	if err := fsys.Chtimes(out.Name(), before.ModTime(), before.ModTime()); err != nil {
		return false, err
	}
	return true, durable.Publish(fsys, out.Name(), dst)
}

// sameContent compares what is left of in, size bytes, with the file name.
// That name cannot be read is no error but a reason to write it anew.
func sameContent(ctx context.Context, fsys durable.FS, in io.Reader, size int64, name string) (bool, error) {
	other, err := fsys.Open(name)
	if err != nil {
		return false, nil
	}
	defer other.Close() //nolint:errcheck // only read
	if info, err := other.Stat(); err != nil || info.Size() != size {
		return false, nil
	}
	a, b := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(reader{ctx, in}, a)
		end := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !end {
			return false, err
		}
		m, otherErr := io.ReadFull(other, b)
		switch {
		case n != m || !bytes.Equal(a[:n], b[:m]):
			return false, nil
		case end:
			return errors.Is(otherErr, err), nil // the same end, not an error of reading
		}
	}
}

// reader reads until its context ends, so that a large file can be left off.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
