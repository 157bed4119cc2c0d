package artifact

import (
	"bytes"
	"crypto/sha256"
	"io"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
	"btw-backup/internal/tbz"
)

// A follower goes along with a stream as long as it equals the previous
// artifact.
type follower interface {
	// follow takes the next bytes of the stream, which is no longer equal
	// if it returns false. Then branch comes next.
	follow(p []byte) (same bool, err error)

	// end tells, at the stream's end, whether the previous artifact ends
	// here too. If not, branch comes next.
	end() (same bool, err error)

	// branch writes all that was followed to out, which begins file; it may
	// return another output in its place.
	branch(file afero.File, out output) (output, error)

	// damage is a [PreviousError] if the previous artifact could not be read
	// to where it differs.
	damage() error

	Close() error
}

// contentFollower reads the previous artifact.
type contentFollower struct {
	fs       durable.FS
	previous Previous
	ignore   func(line []byte) bool

	file   io.Closer
	reader io.Reader // the content that counts
	buf    []byte

	equal   int64     // how many bytes that count were equal
	pending []byte    // what was followed and was not found equal, or not asked yet
	ignored []ignored // what did not count
	broken  error
}

// ignored is a line of the stream that does not count.
type ignored struct {
	at   int64 // after so many bytes that count
	line []byte
}

func newContentFollower(fsys durable.FS, previous Previous, ignore func([]byte) bool) (*contentFollower, error) {
	file, err := fsys.Open(previous.File)
	if err != nil {
		return nil, err
	}
	f := &contentFollower{fs: fsys, previous: previous, ignore: ignore, file: file}
	f.reader = f.content(file)
	return f, nil
}

// content returns what counts of the previous artifact.
func (f *contentFollower) content(file io.Reader) io.Reader {
	if f.previous.Form == Bzip2 {
		file = tbz.NewReader(file)
	}
	if f.ignore != nil {
		file = WithoutLines(file, f.ignore)
	}
	return file
}

func (f *contentFollower) Close() error { return f.file.Close() }

func (f *contentFollower) follow(p []byte) (bool, error) {
	if f.ignore == nil {
		return f.match(p)
	}
	f.pending = append(f.pending, p...)
	for {
		end := bytes.IndexByte(f.pending, '\n') + 1
		if end == 0 {
			return true, nil
		}
		line := f.pending[:end]
		if f.ignore(line) {
			f.ignored = append(f.ignored, ignored{f.equal, bytes.Clone(line)})
			f.pending = f.pending[end:]
			continue
		}
		rest := f.pending
		if same, err := f.match(line); !same || err != nil {
			f.pending = rest
			return same, err
		}
		f.pending = rest[end:]
	}
}

// match compares p with the next bytes of the previous artifact. What differs
// is pending.
func (f *contentFollower) match(p []byte) (bool, error) {
	if cap(f.buf) < len(p) {
		f.buf = make([]byte, len(p))
	}
	n := f.read(f.buf[:len(p)])
	if n == len(p) && bytes.Equal(f.buf[:n], p) {
		f.equal += int64(n)
		return true, nil
	}
	f.pending = bytes.Clone(p)
	return false, nil
}

func (f *contentFollower) end() (bool, error) {
	if len(f.pending) > 0 { // a last line without newline
		rest := f.pending
		if same, err := f.match(rest); !same || err != nil {
			return same, err
		}
		f.pending = nil
	}
	var one [1]byte
	return f.read(one[:]) == 0 && f.broken == nil, nil
}

// read fills p from the previous artifact, as far as that reaches. io.ReadFull
// would not do: it gives a file that was cut off, and one that ends, one error.
func (f *contentFollower) read(p []byte) (n int) {
	for n < len(p) && f.broken == nil {
		k, err := f.reader.Read(p[n:])
		n += k
		if err == io.EOF { // a wrapped one is no end
			break
		}
		f.broken = err
	}
	return n
}

func (f *contentFollower) damage() error {
	if f.broken == nil {
		return nil
	}
	return Unreadable(f.broken)
}

func (f *contentFollower) branch(_ afero.File, out output) (output, error) {
	file, err := f.fs.Open(f.previous.File)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // only read
	content := f.content(file)
	var at int64
	for _, i := range f.ignored {
		if err := out.copyFrom(content, i.at-at); err != nil {
			return nil, err
		}
		at = i.at
		if _, err := out.Write(i.line); err != nil {
			return nil, err
		}
	}
	if err := out.copyFrom(content, f.equal-at); err != nil {
		return nil, err
	}
	_, err = out.Write(f.pending)
	return nil, err
}

// digestFollower knows the digests of the previous artifact's members.
type digestFollower struct {
	fs       durable.FS
	previous Previous

	equal   int // how many members were equal
	pending []byte
}

func newDigestFollower(fsys durable.FS, previous Previous) *digestFollower {
	return &digestFollower{fs: fsys, previous: previous, pending: make([]byte, 0, tbz.MemberSize)}
}

func (*digestFollower) Close() error { return nil }

// damage is nil: the digests were found true of the file.
func (*digestFollower) damage() error { return nil }

func (f *digestFollower) follow(p []byte) (bool, error) {
	for {
		n := min(len(p), tbz.MemberSize-len(f.pending))
		f.pending = append(f.pending, p[:n]...)
		p = p[n:]
		if len(f.pending) < tbz.MemberSize {
			return true, nil
		}
		if !f.match() {
			f.pending = append(f.pending, p...)
			return false, nil
		}
		f.equal++
		f.pending = f.pending[:0]
	}
}

// match tells whether what is pending is the next member.
func (f *digestFollower) match() bool {
	if f.equal >= len(f.previous.Index) {
		return false
	}
	next := f.previous.Index[f.equal]
	return next.Plain == int64(len(f.pending)) && next.SHA256 == sha256.Sum256(f.pending)
}

func (f *digestFollower) end() (bool, error) {
	left := f.previous.Index[f.equal:]
	if len(f.pending) == 0 {
		return len(left) == 0, nil
	}
	return len(left) == 1 && f.match(), nil
}

func (f *digestFollower) branch(file afero.File, out output) (output, error) {
	old, err := f.fs.Open(f.previous.File)
	if err != nil {
		return nil, err
	}
	defer old.Close() //nolint:errcheck // only read
	index := f.previous.Index[:f.equal]
	plain, stored := index.Sizes()
	var instead output
	switch {
	case f.equal == 0:
	case stored > 0:
		// The same members, as they are stored already.
		if _, err := io.CopyN(file, old, stored); err != nil {
			return nil, err
		}
		instead = newOutput(file, Bzip2, index)
		out = instead
	default:
		if err := out.copyFrom(tbz.NewReader(old), plain); err != nil {
			return nil, err
		}
	}
	_, err = out.Write(f.pending)
	f.pending = nil
	return instead, err
}
