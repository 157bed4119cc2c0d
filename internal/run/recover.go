package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/afero"

	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/syncstate"
)

// recover clears up after a run that was interrupted, whatever it was doing.
func (p *Place) recover(ctx context.Context) error {
	if err := p.rescan(); err != nil {
		return err
	}
	if err := p.finishExchanges(); err != nil {
		return err
	}
	if err := p.removeTemps(); err != nil {
		return err
	}
	if err := p.cutLog(); err != nil {
		return err
	}
	if err := p.rescan(); err != nil {
		return err
	}
	for _, odd := range p.contents.Odd {
		if err := p.mend(ctx, odd); err != nil {
			return err
		}
	}
	if len(p.contents.Odd) > 0 {
		if err := p.rescan(); err != nil {
			return err
		}
	}
	return p.withdrawGone()
}

// finishExchanges looks after chains that were to be replaced on a file
// system that cannot exchange two names: see durable.Replace.
func (p *Place) finishExchanges() error {
	for _, hidden := range p.contents.Hidden {
		name, ok := strings.CutPrefix(hidden, destination.OldPrefix)
		if !ok {
			continue
		}
		old, chain := filepath.Join(p.Dir, hidden), filepath.Join(p.Dir, name)
		there, err := durable.Exists(p.run.FS, chain)
		if err != nil {
			return err
		}
		if there {
			err = p.run.FS.RemoveAll(old)
		} else {
			err = durable.Publish(p.run.FS, old, chain)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removeTemps removes everything under a temporary name.
func (p *Place) removeTemps() error {
	for _, dir := range []string{p.Dir, filepath.Join(p.Dir, destination.RecordDir)} {
		entries, err := afero.ReadDir(p.run.FS, dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if !durable.IsTemp(entry.Name()) {
				continue
			}
			if err := p.run.FS.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// cutLog cuts off a last line of the log that has no end.
func (p *Place) cutLog() error {
	if !p.contents.HasLog {
		return nil
	}
	name := filepath.Join(p.Dir, destination.LogName)
	f, err := p.run.FS.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // synced where it was changed
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	whole, err := lastLineEnd(f, size)
	if err != nil || whole == size {
		return err
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

// setAside renames what has a backup's name and is none, so that nobody takes
// it for one; it is never deleted.
func (p *Place) setAside(name, why string) error {
	aside := filepath.Join(p.Dir, destination.AsidePrefix+name)
	for n := 2; ; n++ {
		there, err := durable.Exists(p.run.FS, aside)
		if err != nil {
			return err
		}
		if !there {
			break
		}
		aside = filepath.Join(p.Dir, fmt.Sprintf("%s%s.%d", destination.AsidePrefix, name, n))
	}
	if err := durable.Publish(p.run.FS, filepath.Join(p.Dir, name), aside); err != nil {
		return err
	}
	p.run.Log.Warn(fmt.Sprintf("%s/%s: %s; set aside as %s, not deleted", p.Dst, name, why, filepath.Base(aside)))
	return p.rescan()
}

// withdrawGone withdraws what is registered and is not there: a run was
// stopped between the registration and the renaming, or somebody deleted it.
// Only the holder of the destination's lock can know that.
func (p *Place) withdrawGone() error {
	pending, err := p.run.state.Pending()
	if err != nil {
		return err
	}
	for _, entry := range pending {
		if destination.Of(entry.Path) != p.Dst {
			continue
		}
		there, err := durable.Exists(p.run.FS, p.run.path(entry.Path))
		if err != nil {
			return err
		}
		if there {
			continue
		}
		if err := p.run.state.Withdraw(entry); err != nil {
			return err
		}
		p.run.Log.Info(entry.Path + " was registered and is not there: withdrawn")
	}
	return nil
}
