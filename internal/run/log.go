package run

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/syncstate"
)

// Unchanged says in the log what was not made, because nothing had changed,
// and returns the log's path in the sync state. suffix follows the time.
func (p *Place) Unchanged(suffix, consequence string) (string, error) {
	line := destination.Name(p.run.Clock.Now()) + suffix + ": no change in the data to be backed up: " + consequence + "\n"
	name := filepath.Join(p.Dir, destination.LogName)
	path := p.Dst + "/" + destination.LogName
	if err := p.register(syncstate.Push, destination.LogName); err != nil {
		return "", err
	}
	if !p.contents.HasLog {
		own := func(tempname string) error { return p.owner.own(p.run.FS, tempname) }
		if err := durable.WriteBytes(p.run.FS, name, []byte(line), own); err != nil {
			return "", err
		}
		return path, p.rescan()
	}
	if err := p.owner.own(p.run.FS, name); err != nil {
		return "", err
	}
	return path, appendLine(p.run.FS, name, line)
}

// appendLine adds one line with one write, or leaves the file as it is.
func appendLine(fsys durable.FS, name, line string) (err error) {
	f, err := fsys.OpenFile(name, os.O_WRONLY|os.O_APPEND|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err := f.WriteString(line); err != nil {
		return errors.Join(err, f.Truncate(info.Size()))
	}
	return f.Sync()
}

// cutLog cuts off a last line of the log that has no end. The log is made
// durable in any case: a run that was killed may have written to it, and what
// is sent must not be lost here.
func (p *Place) cutLog() error {
	if !p.contents.HasLog {
		return nil
	}
	name := filepath.Join(p.Dir, destination.LogName)
	f, err := p.run.FS.OpenFile(name, os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // synced where it was changed
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	whole, err := lastLineEnd(f, size)
	if err != nil {
		return err
	}
	if whole == size {
		return f.Sync()
	}
	if err := f.Truncate(whole); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	p.run.Log.Warn(fmt.Sprintf("%s/%s: cut off an unfinished last line", p.Dst, destination.LogName))
	return p.register(syncstate.Push, destination.LogName)
}

// lastLineEnd returns the offset after the last newline in the first size
// bytes of f, or 0.
func lastLineEnd(f io.ReaderAt, size int64) (int64, error) {
	const step = 4096
	buf := make([]byte, step)
	for end := size; end > 0; {
		from := max(0, end-step)
		n, err := f.ReadAt(buf[:end-from], from)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if i := strings.LastIndexByte(string(buf[:n]), '\n'); i >= 0 {
			return from + int64(i) + 1, nil
		}
		end = from
	}
	return 0, nil
}
