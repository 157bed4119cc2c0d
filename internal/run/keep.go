package run

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"btw-backup/internal/artifact"
	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/rdiff"
	"btw-backup/internal/syncstate"
)

// spoolDir makes the temporary directory that will hold an artifact, and
// nothing else, as rdiff-backup wants it.
func (p *Place) spoolDir() (string, error) {
	p.spools++
	purpose := "artifact"
	if p.spools > 1 {
		purpose = fmt.Sprintf("artifact-%d", p.spools)
	}
	return p.freshDir(purpose)
}

// Compare produces the artifact and tells whether it equals the newest state
// of a backup.
func (p *Place) Compare(ctx context.Context, a *artifact.Artifact, b destination.Backup) (bool, error) {
	previous, err := p.previous(ctx, a, b)
	if err != nil {
		return false, err
	}
	if previous == nil {
		return false, p.spool(ctx, a)
	}
	dir, err := p.spoolDir()
	if err != nil {
		return false, err
	}
	equal, err := a.Compare(ctx, p.run.FS, *previous, filepath.Join(dir, a.Name))
	var unreadable *artifact.PreviousError
	if errors.As(err, &unreadable) {
		// It is no reason to make no backup, rather the reverse.
		p.run.Log.Warn(fmt.Sprintf("%s cannot be compared with (%v): keeping a new one", b.Path(), unreadable))
		return false, nil
	}
	return equal, err
}

// previous returns what a backup holds for a new artifact to be compared
// with; nil means that nothing can equal it.
func (p *Place) previous(ctx context.Context, a *artifact.Artifact, b destination.Backup) (*artifact.Previous, error) {
	file := filepath.Join(p.Dir, b.Name())
	if b.Kind == destination.Rdiff {
		if b.Artifact != a.Name {
			return nil, nil
		}
		return &artifact.Previous{File: filepath.Join(file, b.Artifact), Form: a.Form}, nil
	}
	if a.Form != artifact.Bzip2 {
		return nil, nil
	}
	record, err := p.tarRecord(ctx, b)
	var bad *damaged
	if errors.As(err, &bad) {
		return nil, p.setAside(b.Name(), "it cannot be read to its end")
	}
	if err != nil {
		return nil, err
	}
	return &artifact.Previous{File: file, Form: a.Form, Index: record.Members}, nil
}

// spool produces an artifact if that has not been done.
func (p *Place) spool(ctx context.Context, a *artifact.Artifact) error {
	if made := a.Made(); made != nil {
		switch {
		case made.Spool == "":
			return Refuse("%s equals the backup that it was compared with, and is not kept twice", a.Name)
		case p.run.spent[made.Spool]:
			return Refuse("%s has been kept already: make it anew to keep it again", a.Name)
		case filepath.Dir(filepath.Dir(made.Spool)) != p.Dir:
			return Refuse("%s was compared with a backup in another destination: keep it there, or make it anew", a.Name)
		}
		return nil
	}
	dir, err := p.spoolDir()
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
	if p.owner != nil {
		err := p.owner.own(p.run.FS, made.Spool)
		if err == nil {
			err = durable.SyncDir(p.run.FS, made.Spool) // the owner, too
		}
		if err != nil {
			return b, err
		}
	}
	var err error
	if b.Time, err = p.nextTime(ctx); err != nil {
		return b, err
	}
	if err := p.register(syncstate.Push, b.Name()); err != nil {
		return b, err
	}
	p.run.spent[made.Spool] = true
	if err := p.publish(made.Spool, b.Name()); err != nil {
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
	if strings.Contains(p.Dir, `\`) {
		return destination.Backup{}, Refuse("%s: rdiff-backup cannot work where a path holds a backslash: use another name, or type tar", p.Dir)
	}
	if onto != nil && onto.Dst != p.Dst {
		return *onto, Refuse("%s lies in another destination than %s", onto.Path(), p.Dst)
	}
	if onto != nil {
		if onto.Artifact != a.Name {
			return *onto, Refuse("%s holds %s, not %s: give each its own destination", onto.Path(), onto.Artifact, a.Name)
		}
		err := sound(ctx, p.run.FS, filepath.Join(p.Dir, onto.Name()))
		var verdict *unsound
		switch {
		case errors.As(err, &verdict):
			if err := p.setAside(onto.Name(), verdict.why); err != nil {
				return *onto, err
			}
			onto = nil
		case err != nil:
			return *onto, err
		}
	}
	if err := p.spool(ctx, a); err != nil {
		return destination.Backup{}, err
	}
	t, err := p.nextTime(ctx)
	if err != nil {
		return destination.Backup{}, err
	}
	b := destination.Backup{Dst: p.Dst, Kind: destination.Rdiff, Time: t, Artifact: a.Name}
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
	p.run.spent[made.Spool] = true
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
	if err := p.holds(ctx, chain, a, t); err != nil {
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
	return p.publish(chain, name)
}

// publish gives what is durable under a temporary name its own.
func (p *Place) publish(temp, name string) error {
	err := durable.Publish(p.run.FS, temp, filepath.Join(p.Dir, name))
	p.doubt = p.doubt || err != nil
	return err
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
		return p.holds(ctx, repository, a, t)
	})
}

// holds makes sure that rdiff-backup did what it was asked to: its exit status
// does not tell.
func (p *Place) holds(ctx context.Context, repository string, a *artifact.Artifact, t time.Time) error {
	state, err := rdiff.Read(p.run.FS, repository)
	if err != nil {
		return err
	}
	name, err := state.Artifact(p.run.FS, repository)
	if err != nil {
		return err
	}
	if !state.Whole() || !state.Markers[0].Equal(t) || name != a.Name {
		return fmt.Errorf("rdiff-backup exited with code 0, but left no whole state of %s", destination.Name(t))
	}
	sum, err := artifact.SumFile(ctx, p.run.FS, filepath.Join(repository, a.Name))
	if err != nil {
		return err
	}
	if sum != a.Made().Stored {
		return fmt.Errorf("rdiff-backup exited with code 0, but its copy of %s is not what it was given", a.Name)
	}
	return nil
}
