package run

import (
	"context"
	"crypto/sha1" //nolint:gosec // what rdiff-backup records; it is not for us to choose
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/afero"

	"btw-backup/internal/artifact"
	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/exec"
	"btw-backup/internal/rdiff"
	"btw-backup/internal/syncstate"
)

// mend brings a chain whose last run was interrupted back to its state before
// that run, and sets aside whatever else has a backup's name and is none.
// Runs of this program leave no such chain: they work on a clone. It comes
// from the Python program, or from an off-site copy that was cut off.
func (p *Place) mend(ctx context.Context, odd destination.Odd) error {
	if !odd.Interrupted {
		return p.setAside(odd.Name, odd.Why)
	}
	clone, err := p.regressed(ctx, odd.Name)
	var verdict *unsound
	if errors.As(err, &verdict) {
		return p.setAside(odd.Name, odd.Why+" and cannot be mended: "+verdict.why)
	}
	if err != nil {
		return err
	}
	if err := p.exchange(clone, odd.Name); err != nil {
		return err
	}
	p.run.Log.Warn(p.Dst + "/" + odd.Name + ": " + odd.Why + "; taken back to its last good state")
	return p.unlist(odd.Name)
}

// regressed returns a clone of the chain that is whole and sound.
func (p *Place) regressed(ctx context.Context, name string) (clone string, err error) {
	// rdiff-backup first. Its status means nothing: it exits 2 when it
	// worked and 0 when it did nothing.
	clone, err = p.clone(name)
	if err != nil {
		return "", err
	}
	var exit *exec.ExitError
	err = p.run.rdiff.Regress(ctx, clone)
	if err != nil && (!errors.As(err, &exit) || diskFull(exit)) {
		return "", err
	}
	var verdict *unsound
	if err := sound(ctx, p.run.FS, clone); err == nil || !errors.As(err, &verdict) {
		return clone, err
	}
	// A first increment that was killed before it wrote anything but its
	// marker, rdiff-backup cannot take back. Nothing is lost by forgetting it.
	if err := p.run.FS.RemoveAll(clone); err != nil {
		return "", err
	}
	if clone, err = p.clone(name); err != nil {
		return "", err
	}
	if err := forgetNewest(p.run.FS, clone); err != nil {
		return "", err
	}
	return clone, sound(ctx, p.run.FS, clone)
}

// diskFull tells whether a program failed for want of space. That says nothing
// about what it was given.
func diskFull(exit *exec.ExitError) bool {
	return strings.Contains(exit.Stderr+exit.Stdout, "No space left on device")
}

// forgetNewest removes what the newest session left in a repository.
func forgetNewest(fsys durable.FS, repository string) error {
	state, err := rdiff.Read(fsys, repository)
	if err != nil || len(state.Markers) < 2 {
		return err
	}
	newest := state.Markers[len(state.Markers)-1]
	data := filepath.Join(repository, rdiff.DataDir)
	for _, dir := range []string{repository, data} {
		entries, err := afero.ReadDir(fsys, dir)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if rdiff.OfSession(entry.Name(), newest) || strings.HasPrefix(entry.Name(), rdiff.TempPrefix) {
				if err := fsys.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// unsound is the verdict that a repository is broken. Any other error says
// only that this could not be found out: a disk that is full, say.
type unsound struct{ why string }

func (e *unsound) Error() string { return e.why }

// sound says in an error what is wrong with a repository: it must have ended
// its last run, and its mirror must be what that run recorded.
func sound(ctx context.Context, fsys durable.FS, repository string) error {
	state, err := rdiff.Read(fsys, repository)
	if err != nil {
		return err
	}
	if !state.Whole() {
		return &unsound{"its last run did not end"}
	}
	metadata, err := rdiff.ReadMetadata(fsys, repository, state.Markers[0])
	var path *fs.PathError
	if errors.As(err, &path) {
		return err
	}
	if err != nil {
		return &unsound{err.Error()}
	}
	if !slices.Contains(state.Mirror, metadata.Name) {
		return &unsound{"it holds no artifact"}
	}
	f, err := fsys.Open(filepath.Join(repository, metadata.Name))
	if err != nil {
		return err
	}
	defer f.Close()   //nolint:errcheck // only read
	sum := sha1.New() //nolint:gosec // see the import
	size, err := io.Copy(sum, artifact.Interruptible(ctx, f))
	if err != nil {
		return err
	}
	if size != metadata.Size || hex.EncodeToString(sum.Sum(nil)) != metadata.SHA1 {
		return &unsound{"its artifact is not the one that was recorded"}
	}
	return nil
}

// clone makes a copy of a chain that rdiff-backup can work on, without taking
// space and without touching the original. What is to change its owner is
// copied: the original keeps its own until the clone takes its place.
func (p *Place) clone(name string) (string, error) {
	clone := p.temp("chain")
	if err := p.run.FS.RemoveAll(clone); err != nil {
		return "", err
	}
	return clone, durable.Clone(p.run.FS, filepath.Join(p.Dir, name), clone, func(file string, info fs.FileInfo) bool {
		return rdiff.IsLog(file) || p.owner.changes(info)
	})
}

// exchange puts a clone with a newer state in the place of the chain called
// name, durably, and removes the old one.
func (p *Place) exchange(clone, name string) error {
	fsys := p.run.FS
	if err := p.owner.own(fsys, clone); err != nil {
		return err
	}
	if err := durable.SyncTree(fsys, clone); err != nil {
		return err
	}
	if err := p.register(syncstate.Sync, name+"/"); err != nil {
		return err
	}
	chain, old := filepath.Join(p.Dir, name), filepath.Join(p.Dir, destination.OldPrefix+name)
	if err := durable.Replace(fsys, clone, chain, old); err != nil {
		p.doubt = true
		return err
	}
	return fsys.RemoveAll(clone)
}

// increment adds the artifact in the directory spool to the chain called name
// as its state of the time t.
func (p *Place) increment(ctx context.Context, spool, name string, t time.Time, check func(repository string) error) error {
	clone, err := p.clone(name)
	if err != nil {
		return err
	}
	if err := p.run.rdiff.Backup(ctx, spool, clone, t); err != nil {
		return err
	}
	if err := check(clone); err != nil {
		return err
	}
	return p.exchange(clone, name)
}
