package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/afero"

	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/syncstate"
)

// recover clears up after a run that was interrupted, whatever it was doing.
func (p *Place) recover(ctx context.Context) error {
	// A run that was killed may have exchanged two names and not synced the
	// directory. What it put aside is removed below, and must not come back.
	if err := durable.SyncDir(p.run.FS, p.Dir); err != nil {
		return err
	}
	if err := p.rescan(); err != nil {
		return err
	}
	if err := p.finishExchanges(); err != nil {
		return err
	}
	if err := p.setOursAside(); err != nil {
		return err
	}
	if err := p.removeTemps(); err != nil {
		return err
	}
	if err := p.syncRecords(); err != nil {
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
	if err := p.catchUpDigests(); err != nil {
		return err
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

// setOursAside sets aside what stands in the place of the log or the records
// and is neither. The owner of the directory, whom -u may have made one, can
// put a link there, and none is to be followed.
func (p *Place) setOursAside() error {
	for name, isRight := range map[string]func(fs.FileMode) bool{
		destination.LogName:   fs.FileMode.IsRegular,
		destination.RecordDir: fs.FileMode.IsDir,

		destination.DigestsName: fs.FileMode.IsRegular,
	} {
		info, err := durable.Lstat(p.run.FS, filepath.Join(p.Dir, name))
		if errors.Is(err, fs.ErrNotExist) || err == nil && isRight(info.Mode()) {
			continue
		}
		if err != nil {
			return err
		}
		if err := p.setAside(name, "it is not what it should be ("+info.Mode().String()+")"); err != nil {
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

// syncRecords makes the names of the records durable: a run that was killed may
// have renamed one and not synced the directory.
func (p *Place) syncRecords() error {
	err := durable.SyncDir(p.run.FS, filepath.Join(p.Dir, destination.RecordDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
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
	var gone []syncstate.Entry
	for _, entry := range pending {
		if destination.Of(entry.Path) != p.Dst || !validPath(entry.Path) {
			continue
		}
		there, err := durable.Exists(p.run.FS, p.run.path(entry.Path))
		if err != nil {
			return err
		}
		if !there {
			gone = append(gone, entry)
			p.run.Log.Info(entry.Path + " was registered and is not there: withdrawn")
		}
	}
	return p.run.state.Withdraw(gone...)
}
