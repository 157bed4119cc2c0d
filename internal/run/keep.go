package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"btw-backup/internal/artifact"
	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/rdiff"
	"btw-backup/internal/syncstate"
)

// spoolDir is the purpose of the temporary directory that holds the artifact,
// and nothing else, as rdiff-backup wants it.
const spoolDir = "artifact"

// Compare produces the artifact and tells whether it equals the newest state
// of a backup.
func (p *Place) Compare(ctx context.Context, a *artifact.Artifact, b destination.Backup) (bool, error) {
	previous, err := p.previous(a, b)
	if err != nil {
		return false, err
	}
	if previous == nil {
		return false, p.spool(ctx, a)
	}
	dir, err := p.freshDir(spoolDir)
	if err != nil {
		return false, err
	}
	return a.Compare(ctx, p.run.FS, *previous, filepath.Join(dir, a.Name))
}

// previous returns what a backup holds for a new artifact to be compared
// with; nil means that nothing can equal it.
func (p *Place) previous(a *artifact.Artifact, b destination.Backup) (*artifact.Previous, error) {
	file := filepath.Join(p.Dir, b.Name())
	if b.Kind == destination.Rdiff {
		mirror, err := p.mirror(b)
		if err != nil || mirror != a.Name {
			return nil, err
		}
		return &artifact.Previous{File: filepath.Join(file, mirror), Form: a.Form}, nil
	}
	if a.Form != artifact.Bzip2 {
		return nil, nil
	}
	record, err := p.tarRecord(b)
	var bad *damaged
	if errors.As(err, &bad) {
		return nil, p.setAside(b.Name(), "it cannot be read to its end")
	}
	if err != nil {
		return nil, err
	}
	return &artifact.Previous{File: file, Form: a.Form, Index: record.Members}, nil
}

// mirror returns the name of the artifact that a chain holds.
func (p *Place) mirror(b destination.Backup) (string, error) {
	state, err := rdiff.Read(p.run.FS, filepath.Join(p.Dir, b.Name()))
	if err != nil {
		return "", err
	}
	if len(state.Mirror) != 1 {
		return "", fmt.Errorf("%s holds %d files, and should hold one", b.Path(), len(state.Mirror))
	}
	return state.Mirror[0], nil
}

// spool produces an artifact if that has not been done.
func (p *Place) spool(ctx context.Context, a *artifact.Artifact) error {
	if made := a.Made(); made != nil {
		if made.Spool == "" {
			return Refuse("%s equals the backup that it was compared with, and is not kept twice", a.Name)
		}
		return nil
	}
	dir, err := p.freshDir(spoolDir)
	if err != nil {
		return err
	}
	return a.Spool(ctx, p.run.FS, filepath.Join(dir, a.Name))
}

// Keep keeps an artifact as a tar backup.
func (p *Place) Keep(ctx context.Context, a *artifact.Artifact) (destination.Backup, error) {
	b := destination.Backup{Dst: p.Dst, Kind: destination.Tar}
	if a.Form != artifact.Bzip2 {
		return b, Refuse("%s is not compressed, and only a bzip2 file can be kept as TIME.tbz", a.Name)
	}
	if err := p.spool(ctx, a); err != nil {
		return b, err
	}
	made := a.Made()
	if err := p.owner.own(p.run.FS, made.Spool); err != nil {
		return b, err
	}
	var err error
	if b.Time, err = p.nextTime(ctx); err != nil {
		return b, err
	}
	if err := p.register(syncstate.Push, b.Name()); err != nil {
		return b, err
	}
	if err := durable.Publish(p.run.FS, made.Spool, filepath.Join(p.Dir, b.Name())); err != nil {
		return b, err
	}
	p.kept(b.Path(), made)
	p.run.newest[b.Path()] = recordName(b.Time)
	err = p.write(b.Time, Record{
		Backup: b.Name(), Artifact: a.Name,
		Plain: made.Plain, Stored: made.Stored, Members: made.Index,
	})
	if err != nil {
		return b, err
	}
	return b, p.rescan()
}

// Rdiff keeps an artifact with rdiff-backup: as a full backup, or as an
// increment onto a chain. A chain whose newest state turns out not to be
// what was recorded gets no increment: it is set aside and a full backup made.
func (p *Place) Rdiff(ctx context.Context, a *artifact.Artifact, onto *destination.Backup) (destination.Backup, error) {
	if onto != nil {
		mirror, err := p.mirror(*onto)
		if err != nil {
			return *onto, err
		}
		if mirror != a.Name {
			return *onto, Refuse("%s holds %s, not %s: give each its own destination", onto.Path(), mirror, a.Name)
		}
		if err := sound(p.run.FS, filepath.Join(p.Dir, onto.Name())); err != nil {
			if err := p.setAside(onto.Name(), err.Error()); err != nil {
				return *onto, err
			}
			onto = nil
		}
	}
	if err := p.spool(ctx, a); err != nil {
		return destination.Backup{}, err
	}
	t, err := p.nextTime(ctx)
	if err != nil {
		return destination.Backup{}, err
	}
	b := destination.Backup{Dst: p.Dst, Kind: destination.Rdiff, Time: t}
	if onto == nil {
		err = p.full(ctx, a, t)
	} else {
		b = *onto
		b.Increments = append(b.Increments[:len(b.Increments):len(b.Increments)], t)
		err = p.incrementOf(ctx, a, b, t)
	}
	if err != nil {
		return b, err
	}
	made := a.Made()
	p.kept(b.Dst+"/"+destination.Name(t), made)
	p.run.newest[b.Path()] = recordName(t)
	err = p.write(t, Record{
		Backup: destination.Name(t), Chain: b.Name(), Artifact: a.Name,
		Plain: made.Plain, Stored: made.Stored, Members: made.Index,
	})
	if err != nil {
		return b, err
	}
	return b, p.rescan()
}

// kept notes that a backup is there now.
func (p *Place) kept(path string, made *artifact.Made) {
	p.run.kept = append(p.run.kept, path)
	p.run.Log.Info(fmt.Sprintf("kept %s (%s)", path, Bytes(made.Stored.Size)))
}

// Bytes shows a number of bytes to a person.
func Bytes(n int64) string {
	const unit = 1000
	if n < unit {
		return fmt.Sprintf("%d bytes", n)
	}
	size, prefix := float64(n)/unit, 0
	for size >= unit {
		size /= unit
		prefix++
	}
	return fmt.Sprintf("%.1f %cB", size, "kMGTPE"[prefix])
}

// full makes a new chain.
func (p *Place) full(ctx context.Context, a *artifact.Artifact, t time.Time) error {
	fsys, made := p.run.FS, a.Made()
	chain, err := p.freshDir("chain")
	if err != nil {
		return err
	}
	if err := fsys.Chtimes(made.Spool, t, t); err != nil {
		return err
	}
	if err := p.run.rdiff.Backup(ctx, filepath.Dir(made.Spool), chain, t); err != nil {
		return err
	}
	if err := p.holds(chain, a, t); err != nil {
		return err
	}
	if err := p.owner.own(fsys, chain); err != nil {
		return err
	}
	if err := durable.SyncTree(fsys, chain); err != nil {
		return err
	}
	name := destination.Name(t)
	if err := p.register(syncstate.Push, name+"/"); err != nil {
		return err
	}
	return durable.Publish(fsys, chain, filepath.Join(p.Dir, name))
}

// incrementOf adds a state to the chain b.
func (p *Place) incrementOf(ctx context.Context, a *artifact.Artifact, b destination.Backup, t time.Time) error {
	made := a.Made()
	mirror, err := p.run.FS.Stat(filepath.Join(p.Dir, b.Name(), a.Name))
	if err != nil {
		return err
	}
	// To rdiff-backup two files of one size and one second are the same.
	mtime := mirror.ModTime().Truncate(time.Second).Add(time.Second)
	if mtime.Before(t) {
		mtime = t
	}
	if err := p.run.FS.Chtimes(made.Spool, mtime, mtime); err != nil {
		return err
	}
	return p.increment(ctx, filepath.Dir(made.Spool), b.Name(), t, func(repository string) error {
		return p.holds(repository, a, t)
	})
}

// holds makes sure that rdiff-backup did what it was asked to: its exit status
// does not tell.
func (p *Place) holds(repository string, a *artifact.Artifact, t time.Time) error {
	state, err := rdiff.Read(p.run.FS, repository)
	if err != nil {
		return err
	}
	if !state.Whole() || !state.Markers[0].Equal(t) || len(state.Mirror) != 1 || state.Mirror[0] != a.Name {
		return fmt.Errorf("rdiff-backup exited with code 0, but left no whole state of %s", destination.Name(t))
	}
	sum, err := artifact.SumFile(p.run.FS, filepath.Join(repository, a.Name))
	if err != nil {
		return err
	}
	if sum != a.Made().Stored {
		return fmt.Errorf("rdiff-backup exited with code 0, but its copy of %s is not what it was given", a.Name)
	}
	return nil
}

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
	f, err := fsys.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
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
