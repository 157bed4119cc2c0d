package artifact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"

	"btw-backup/internal/durable"
	"btw-backup/internal/tbz"
)

// Form is how an artifact is stored.
type Form int

// The forms. Bzip2 is what package tbz writes; any bzip2 file can be read.
const (
	Plain Form = iota
	Bzip2
)

// Artifact is a file that can be produced.
type Artifact struct {
	Name string // the file's name in a backup: backup.tar
	Form Form

	// Produce runs the producer, which writes the plain stream to w. An
	// error, of the producer or of w, means that the stream is worthless.
	Produce func(ctx context.Context, w io.Writer) error

	// ProduceFile is set instead of Produce by a producer that must write a
	// file itself. Same tells, for it, whether two such files hold the same;
	// what is wrong with the first is a [PreviousError].
	ProduceFile func(ctx context.Context, name string) error
	Same        func(ctx context.Context, previous, name string) (bool, error)

	// Ignore tells which lines of the stream do not count when it is
	// compared; nil means that all do. A line comes with its newline.
	Ignore func(line []byte) bool

	// Complete looks at the stream's length and its last bytes (at most
	// TailLength) and says in an error what is missing.
	Complete func(size int64, tail []byte) error

	made *Made
}

// TailLength is how much of the stream's end Complete gets to see.
const TailLength = 1024

// Made is an artifact that has been produced.
type Made struct {
	// Spool is the file that holds it, "" if it equals the previous one.
	Spool string

	Plain  Sum       // of the plain stream
	Stored Sum       // of the spool
	Index  tbz.Index // of the spool, when its form is Bzip2
}

// Sum is the length and the digest of some bytes.
type Sum struct {
	Size   int64      `json:"size"`
	SHA256 tbz.Digest `json:"sha256"`
}

// Previous is the artifact that a new one is compared with.
type Previous struct {
	File string
	Form Form

	// Index, when it is not nil, is known to be true of File, and spares
	// reading it. Its Stored lengths may be 0: then they are not known.
	Index tbz.Index
}

// PreviousError says that the previous artifact cannot be read, or understood.
// Compare returns it with the new artifact spooled: it can be kept.
type PreviousError struct{ err error }

func (e *PreviousError) Error() string { return e.err.Error() }
func (e *PreviousError) Unwrap() error { return e.err }

// Unreadable makes a [PreviousError] of an error, for Same.
func Unreadable(err error) error { return &PreviousError{err} }

// Made returns what the artifact was made into, or nil if it was not yet.
func (a *Artifact) Made() *Made { return a.made }

// Spool produces the artifact and writes it to the file name, which must not
// exist, and makes the file durable. On an error the file may be left there.
func (a *Artifact) Spool(ctx context.Context, fsys durable.FS, name string) error {
	if a.ProduceFile != nil {
		return a.spoolFile(ctx, fsys, name)
	}
	_, err := a.run(ctx, fsys, name, nil)
	return err
}

// Compare produces the artifact and tells whether it equals the previous one.
// If it does not, it is spooled, as by [Artifact.Spool].
func (a *Artifact) Compare(ctx context.Context, fsys durable.FS, previous Previous, spool string) (bool, error) {
	if a.ProduceFile != nil {
		if err := a.spoolFile(ctx, fsys, spool); err != nil {
			return false, err
		}
		return a.Same(ctx, previous.File, spool)
	}
	var f follower
	var err error
	if previous.Index != nil {
		f = newDigestFollower(fsys, previous)
	} else {
		f, err = newContentFollower(fsys, previous, a.Ignore)
	}
	if err != nil {
		return false, err
	}
	equal, err := a.run(ctx, fsys, spool, f)
	if err == nil && !equal {
		err = f.damage()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return equal && err == nil, err
}

func (a *Artifact) spoolFile(ctx context.Context, fsys durable.FS, name string) error {
	if err := a.ProduceFile(ctx, name); err != nil {
		return err
	}
	err := fsys.Chmod(name, durable.FileMode)
	if errors.Is(err, fs.ErrNotExist) {
		return a.nothing()
	}
	if err != nil {
		return err
	}
	sum, err := SumFile(ctx, fsys, name)
	if err != nil {
		return err
	}
	if sum.Size == 0 {
		return a.nothing()
	}
	if err := durable.SyncDir(fsys, name); err != nil { // a file syncs like a directory
		return err
	}
	a.made = &Made{Spool: name, Plain: sum, Stored: sum}
	return nil
}

// nothing is the error of a producer that ended well and wrote nothing.
func (a *Artifact) nothing() error {
	return fmt.Errorf("nothing was produced to be kept as %s", a.Name)
}

// run lets the producer write to a stream that goes along with f as long as
// it can, and into the spool from then on.
func (a *Artifact) run(ctx context.Context, fsys durable.FS, spool string, f follower) (equal bool, err error) {
	s := &stream{fs: fsys, spool: spool, form: a.Form, follower: f, sum: sha256.New()}
	defer func() { err = errors.Join(err, s.abandon()) }()
	if f == nil {
		if err := s.begin(); err != nil {
			return false, err
		}
	}
	if err := a.Produce(ctx, s); err != nil {
		return false, err
	}
	if s.size == 0 {
		return false, a.nothing()
	}
	if a.Complete != nil {
		if err := a.Complete(s.size, s.tail); err != nil {
			return false, err
		}
	}
	made, err := s.end(ctx)
	if err != nil {
		return false, err
	}
	a.made = made
	return made.Spool == "", nil
}

// stream is what a producer writes to.
type stream struct {
	fs    durable.FS
	spool string
	form  Form

	follower follower // while the stream equals the previous artifact
	out      output   // from the first difference on

	sum  hash.Hash
	size int64
	tail []byte
}

func (s *stream) Write(p []byte) (int, error) {
	s.sum.Write(p)
	s.size += int64(len(p))
	s.tail = append(s.tail, p[max(0, len(p)-TailLength):]...)
	s.tail = s.tail[max(0, len(s.tail)-TailLength):]

	if s.out == nil {
		same, err := s.follower.follow(p)
		if err != nil {
			return 0, err
		}
		if same {
			return len(p), nil
		}
		// p has been taken by the follower, which gives it on.
		return len(p), s.begin()
	}
	return s.out.Write(p)
}

// begin begins the spool with all that came so far.
func (s *stream) begin() (err error) {
	file, err := durable.Create(s.fs, s.spool)
	if err != nil {
		return err
	}
	s.out = newOutput(file, s.form, nil)
	if s.follower == nil {
		return nil
	}
	out, err := s.follower.branch(file, s.out)
	if out != nil {
		s.out = out
	}
	return err
}

// end is called when the producer ended well.
func (s *stream) end(ctx context.Context) (*Made, error) {
	made := &Made{Plain: Sum{Size: s.size}}
	s.sum.Sum(made.Plain.SHA256[:0])
	if s.out == nil {
		same, err := s.follower.end()
		if err != nil {
			return nil, err
		}
		if same {
			return made, nil
		}
		if err := s.begin(); err != nil {
			return nil, err
		}
	}
	index, err := s.out.finish()
	s.out = nil
	if err != nil {
		return nil, err
	}
	made.Spool, made.Index, made.Stored = s.spool, index, made.Plain
	if s.form == Bzip2 {
		made.Stored, err = SumFile(ctx, s.fs, s.spool)
	}
	return made, err
}

// abandon closes the spool of a run that did not end well.
func (s *stream) abandon() error {
	if s.out == nil {
		return nil
	}
	return s.out.abandon()
}

// Interruptible returns a reader of r that ends with the cause of ctx's end, for
// files that take a while to read.
func Interruptible(ctx context.Context, r io.Reader) io.Reader { return &interruptible{ctx, r} }

type interruptible struct {
	ctx context.Context //nolint:containedctx // it lives as long as one reading
	r   io.Reader
}

func (i *interruptible) Read(p []byte) (int, error) {
	if i.ctx.Err() != nil {
		return 0, context.Cause(i.ctx)
	}
	return i.r.Read(p)
}

// SumFile reads a file and returns its length and digest.
func SumFile(ctx context.Context, fsys durable.FS, name string) (Sum, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return Sum{}, err
	}
	defer f.Close() //nolint:errcheck // only read
	h := sha256.New()
	n, err := io.Copy(h, Interruptible(ctx, f))
	if err != nil {
		return Sum{}, err
	}
	sum := Sum{Size: n}
	h.Sum(sum.SHA256[:0])
	return sum, nil
}

// IndexFile decompresses a bzip2 file that somebody else wrote, and returns
// the digests of its content, cut into members as package tbz would have. How
// long these are in the file it cannot tell: their Stored is 0. An error that
// is not the file system's means that the file is damaged.
func IndexFile(ctx context.Context, fsys durable.FS, name string) (tbz.Index, Sum, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, Sum{}, err
	}
	defer f.Close() //nolint:errcheck // only read
	r := tbz.NewReader(Interruptible(ctx, f))
	var index tbz.Index
	whole := sha256.New()
	var sum Sum
	for {
		var buf bytes.Buffer
		n, err := io.CopyN(&buf, r, tbz.MemberSize)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, Sum{}, fmt.Errorf("%s: %w", name, err)
		}
		if n > 0 || len(index) == 0 {
			index = append(index, tbz.Member{Plain: n, SHA256: sha256.Sum256(buf.Bytes())})
			whole.Write(buf.Bytes())
			sum.Size += n
		}
		if n < tbz.MemberSize {
			break
		}
	}
	whole.Sum(sum.SHA256[:0])
	return index, sum, nil
}
