package artifact

import (
	"bufio"
	"errors"
	"io"

	"github.com/spf13/afero"

	"btw-backup/internal/tbz"
)

// output writes a spool in its form.
type output interface {
	io.Writer
	copyFrom(r io.Reader, n int64) error
	finish() (tbz.Index, error) // all is written: make it durable and close
	abandon() error
}

func newOutput(file afero.File, form Form, have tbz.Index) output {
	if form == Bzip2 {
		return &bzip2Output{Writer: tbz.NewWriter(file, have), file: file}
	}
	return &plainOutput{file}
}

type plainOutput struct{ afero.File }

// copyFrom leaves the copying to the kernel where both are files.
func (o *plainOutput) copyFrom(r io.Reader, n int64) error {
	_, err := io.CopyN(o.File, r, n)
	return err
}

func (o *plainOutput) finish() (tbz.Index, error) {
	return nil, errors.Join(o.Sync(), o.Close())
}

func (o *plainOutput) abandon() error { return o.Close() }

type bzip2Output struct {
	*tbz.Writer
	file afero.File
}

func (o *bzip2Output) copyFrom(r io.Reader, n int64) error {
	_, err := io.CopyN(o.Writer, r, n)
	return err
}

func (o *bzip2Output) finish() (tbz.Index, error) {
	err := o.Close()
	if err == nil {
		err = o.file.Sync()
	}
	return o.Index(), errors.Join(err, o.file.Close())
}

func (o *bzip2Output) abandon() error { return o.file.Close() }

// WithoutLines returns what r holds but for the lines that ignore names.
func WithoutLines(r io.Reader, ignore func(line []byte) bool) io.Reader {
	return &lineFilter{r: bufio.NewReaderSize(r, 64<<10), ignore: ignore, atStart: true}
}

type lineFilter struct {
	r       *bufio.Reader
	ignore  func([]byte) bool
	atStart bool // of a line
	left    []byte
	err     error
}

// Read hands out the lines piece by piece, so that one line of a dump may be
// as long as it likes; only a piece that begins a line is asked about.
func (f *lineFilter) Read(p []byte) (int, error) {
	for len(f.left) == 0 {
		if f.err != nil {
			return 0, f.err
		}
		var piece []byte
		piece, f.err = f.r.ReadSlice('\n')
		if errors.Is(f.err, bufio.ErrBufferFull) {
			f.err = nil
		}
		if f.atStart && f.ignore(piece) {
			continue
		}
		f.atStart = len(piece) > 0 && piece[len(piece)-1] == '\n'
		f.left = piece
	}
	n := copy(p, f.left)
	f.left = f.left[n:]
	return n, nil
}
