package run

import (
	"archive/tar"
	"context"
	"crypto/sha1" //nolint:gosec // what rdiff-backup records; it is not for us to choose
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"btw-backup/internal/artifact"
	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/rdiff"
	"btw-backup/internal/tbz"
)

// What is restored is read in one way, whatever it is restored for: [Run.Find]
// finds the state, [Run.WithState] has its artifact in a file, and
// [StateFile.Read] reads that to its end and holds it against what was recorded
// when it was made. Nothing here needs the sync state, the off-site copy or a
// disk that can be written to: a restore is done on a bad day.

// Find returns the state of a destination that at asks for: see
// [destination.Contents.At].
func (r *Run) Find(dst, at string) (destination.State, error) {
	contents, err := r.Look(dst)
	if err != nil {
		return destination.State{}, err
	}
	state, err := contents.At(at, r.Clock.Now())
	if err != nil {
		return state, Refuse("%s: %w", dst, err)
	}
	for _, odd := range contents.Odd {
		if t, _, _ := destination.ParseName(odd.Name); !odd.Interrupted && t.After(state.Time) && at == "" {
			r.Log.Warn(fmt.Sprintf("%s/%s is newer, but no backup: %s", state.Backup.Dst, odd.Name, odd.Why))
		}
	}
	return state, nil
}

// StateFile is a state's artifact in a file, for as long as [Run.WithState]
// lasts.
type StateFile struct {
	State destination.State
	Name  string // the artifact's: backup.tar
	Path  string // where it lies; compressed, if it is a tar backup's

	run    *Run
	record *Record         // of ours, if there is one
	theirs *rdiff.Metadata // rdiff-backup's, if it is a state of a chain
}

// Verdict says how sure it is that what was read is what was backed up.
type Verdict struct {
	Entries  int  // files, directories and so on, if it is an archive
	Verified bool // held against a digest that was recorded when it was made
	Words    string
}

// WithState calls use while the artifact of a state lies in a file. Of a chain,
// the destination is locked meanwhile, and an older state is brought back by
// rdiff-backup from a clone: it writes a log into the repository that it reads,
// and nothing may be written into a backup. The clone lies in the destination,
// where it takes no space; only if nothing can be made there, in otherwise.
func (r *Run) WithState(ctx context.Context, s destination.State, otherwise string, use func(f *StateFile) error) error {
	p, err := r.placeOf(s.Backup.Dst)
	if err != nil {
		return err
	}
	if s.Backup.Kind == destination.Rdiff {
		if err := r.visit(ctx, p); err != nil {
			return err
		}
		defer p.held.Release() //nolint:errcheck // the kernel releases what we cannot
	}
	return p.withState(ctx, s, otherwise, use)
}

// placeOf returns a destination to read in, not locked yet.
func (r *Run) placeOf(dst string) (*Place, error) {
	root, err := r.Root()
	if err != nil {
		return nil, err
	}
	if root, err = durable.Resolve(r.FS, root); err != nil {
		return nil, err
	}
	return &Place{run: r, Dst: dst, Dir: filepath.Join(root, dst)}, nil
}

// withState is WithState for who holds the lock, if it takes one.
func (p *Place) withState(ctx context.Context, s destination.State, otherwise string, use func(f *StateFile) error) error {
	f := &StateFile{State: s, Name: tarArtifact, Path: filepath.Join(p.Dir, s.Backup.Name()), run: p.run}
	if record, ok, err := readRecord(p.run.FS, p.Dir, s.Time); err != nil {
		return err
	} else if ok {
		f.record = &record
	}
	if s.Backup.Kind == destination.Tar {
		return use(f)
	}
	return p.withChainState(ctx, f, otherwise, use)
}

// visit locks a destination to read in it. Nothing is recovered.
func (r *Run) visit(ctx context.Context, p *Place) error {
	if held := r.places[p.Dst]; held != nil {
		return Refuse("%s is open in this run to be written to: read from it in another run", p.Dst)
	}
	general, err := r.General()
	if err != nil {
		return err
	}
	wait := r.waiter(general.LockTimeout)
	p.held, err = r.Locker.Dir(ctx, p.Dir, wait)
	if errors.Is(err, errors.ErrUnsupported) {
		p.held, err = r.lockFile(ctx, "dst-"+strings.ReplaceAll(p.Dst, "/", "\\"), wait)
	}
	return err
}

func (p *Place) withChainState(ctx context.Context, f *StateFile, otherwise string, use func(f *StateFile) error) (err error) {
	fsys := p.run.FS
	chain, name := filepath.Join(p.Dir, f.State.Backup.Name()), f.State.Backup.Name()
	f.Name = f.State.Backup.Artifact
	state, err := rdiff.Read(fsys, chain)
	if err != nil {
		return err
	}
	// By what is there now: since the state was found, another may have come.
	if sessions := state.Sessions(); state.Whole() && f.State.Nth == len(sessions)-1 {
		f.Path = filepath.Join(chain, f.Name)
		if err := f.expect(chain, state); err != nil {
			return err
		}
		return use(f)
	}
	defer func() {
		for _, purpose := range []string{"chain", "state"} {
			err = join(err, fsys.RemoveAll(p.temp(purpose)))
		}
	}()
	if _, err := p.freshDir("state"); errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		p.scratch = otherwise
		_, err = p.freshDir("state")
		if err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	clone, err := p.wholeClone(ctx, name, state)
	if err != nil {
		return err
	}
	if state, err = rdiff.Read(fsys, clone); err != nil {
		return err
	}
	if err := f.expect(clone, state); err != nil {
		return err
	}
	f.Path = filepath.Join(p.temp("state"), "artifact")
	p.run.Log.Progress("bringing back "+f.State.Path(), -1)
	if err := p.run.rdiff.Restore(ctx, filepath.Join(clone, f.Name), state.Sessions()[f.State.Nth], f.Path); err != nil {
		return err
	}
	if there, err := durable.Exists(fsys, f.Path); err != nil || !there {
		return join(err, f.damaged("rdiff-backup brings nothing back"))
	}
	return use(f)
}

// wholeClone returns a clone of a chain that is whole: one whose last run was
// interrupted is taken back to the state before, in the clone.
func (p *Place) wholeClone(ctx context.Context, name string, state rdiff.State) (string, error) {
	if state.Whole() {
		return p.clone(name)
	}
	clone, err := p.regressed(ctx, name)
	var verdict *unsound
	if errors.As(err, &verdict) {
		err = fmt.Errorf("%s/%s: its last backup was interrupted, and it cannot be taken back to the state before: %w", p.Dst, name, err)
	}
	return clone, err
}

// expect finds out what rdiff-backup recorded of the state.
func (f *StateFile) expect(repository string, state rdiff.State) error {
	sessions := state.Sessions()
	if f.State.Nth >= len(sessions) || f.State.Nth > 0 && destination.Name(sessions[f.State.Nth]) != f.State.Name() {
		return Refuse("%s is not there any more", f.State.Path())
	}
	metadata, err := rdiff.ReadDigest(f.run.FS, repository, sessions[f.State.Nth], f.Name)
	switch {
	case errors.As(err, new(*fs.PathError)):
		return err
	case err == nil:
		f.theirs = &metadata
	case f.record == nil:
		f.run.Log.Warn(f.State.Path() + ": what rdiff-backup recorded of it cannot be read: " + err.Error())
	}
	return nil
}

// compressed tells whether the file is a bzip2 file.
func (f *StateFile) compressed() bool {
	return f.State.Backup.Kind == destination.Tar || strings.HasSuffix(f.Name, ".bz2")
}

// archive tells whether the artifact is a tar archive.
func (f *StateFile) archive() bool { return strings.HasSuffix(f.Name, ".tar") }

// Read reads the artifact to its end, writes it to w uncompressed if expand is
// set, and as it is stored otherwise, and returns how sure it is that this is
// what was backed up. An error means that w was not given what it should.
func (f *StateFile) Read(ctx context.Context, w io.Writer, expand bool) (v Verdict, err error) {
	file, err := f.run.FS.Open(f.Path)
	if err != nil {
		return v, err
	}
	defer file.Close()                                          //nolint:errcheck // only read
	sum256, sum1, count := sha256.New(), sha1.New(), &counter{} //nolint:gosec // see the import
	sums := []io.Writer{sum256, count}
	if f.theirs != nil {
		sums = append(sums, sum1)
	}
	raw := io.TeeReader(artifact.Interruptible(ctx, file), io.MultiWriter(sums...))
	plain := raw
	if expand && f.compressed() {
		plain = tbz.NewReader(raw)
	}
	out := &taker{w: w, tell: func(n int64) { f.run.Log.Progress("reading "+f.State.Path(), n) }}
	plain = io.TeeReader(plain, out)
	if f.archive() && expand {
		v.Entries, err = countEntries(plain)
	} else {
		_, err = io.Copy(io.Discard, plain)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, raw)
	}
	switch {
	case ctx.Err() != nil:
		return v, context.Cause(ctx)
	case out.err != nil:
		return v, out.err
	case errors.As(err, new(*fs.PathError)):
		return v, err
	case err != nil:
		return v, f.damaged("it cannot be read to its end: " + err.Error())
	}
	stored := artifact.Sum{Size: count.n}
	sum256.Sum(stored.SHA256[:0])
	err = f.judge(&v, stored, hex.EncodeToString(sum1.Sum(nil)))
	return v, err
}

// countEntries reads a tar archive to its end, and what is padded behind it.
func countEntries(r io.Reader) (entries int, err error) {
	archive := tar.NewReader(r)
	for {
		_, err := archive.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.Copy(io.Discard, r)
			return entries, err
		}
		if err != nil {
			return entries, err
		}
		entries++
	}
}

// taker remembers that what was read could not be passed on: that says nothing
// about what was read.
type taker struct {
	w    io.Writer
	tell func(n int64)
	n    int64
	err  error
}

func (t *taker) Write(p []byte) (n int, err error) {
	n, t.err = t.w.Write(p)
	t.n += int64(n)
	t.tell(t.n)
	return n, t.err
}

// judge holds what was read against what was recorded.
func (f *StateFile) judge(v *Verdict, stored artifact.Sum, sha1 string) error {
	switch {
	case f.record != nil && f.record.Stored != stored:
		return f.damaged("it does not hold what was recorded when it was made")
	case f.theirs != nil && (f.theirs.SHA1 != sha1 || f.theirs.Size != stored.Size):
		return f.damaged("it does not hold what rdiff-backup recorded when it was made")
	case f.record != nil && f.record.Adopted == "":
		v.Verified, v.Words = true, "verified: it holds what was recorded when it was made"
	case f.theirs != nil:
		v.Verified, v.Words = true, "verified: it holds what rdiff-backup recorded when it was made"
	case f.record != nil:
		v.Words = "not verified: it was recorded only on " + f.record.Adopted + ", and holds what it held then"
	default:
		v.Words = "not verified against a record, for there is none: it reads well to its end"
	}
	return nil
}

// DamagedError says that a state is not what was backed up.
type DamagedError struct{ Path, Why string }

func (e *DamagedError) Error() string { return e.Path + " is damaged: " + e.Why }

func (f *StateFile) damaged(why string) error { return &DamagedError{f.State.Path(), why} }
