package crashfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"syscall"

	"github.com/spf13/afero"
)

// handle is an open file or directory. It outlives its name.
type handle struct {
	fs     *FS
	name   string
	flag   int
	at     id
	offset int64
	closed bool

	listing []string // what Readdir has yet to give
	listed  bool
}

var _ afero.File = (*handle)(nil)

// errAppend is what os says to WriteAt on a file that is open for appending.
var errAppend = errors.New("os: invalid use of WriteAt on file opened with O_APPEND")

func (h *handle) Name() string { return h.name }

// use calls act with the inode, under the mutex, and dresses up its error.
func (h *handle) use(op string, act func(n *node) error) error {
	h.fs.core.mu.Lock()
	defer h.fs.core.mu.Unlock()
	err := error(fs.ErrClosed)
	if !h.closed {
		err = act(h.fs.core.live[h.at])
	}
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, errAppend) {
		return err
	}
	return &fs.PathError{Op: op, Path: h.name, Err: err}
}

func (h *handle) Close() error {
	return h.use("close", func(*node) error {
		h.closed = true
		return nil
	})
}

func (h *handle) readable(n *node) error {
	if h.flag&(os.O_WRONLY|os.O_RDWR) == os.O_WRONLY {
		return syscall.EBADF
	}
	if n.kind.IsDir() {
		return syscall.EISDIR
	}
	return h.fs.core.unreadable(h.fs.actor)
}

func (h *handle) Read(p []byte) (read int, err error) {
	err = h.use("read", func(n *node) error {
		if err := h.readable(n); err != nil || len(p) == 0 {
			return err
		}
		if h.offset >= int64(len(n.data)) {
			return io.EOF
		}
		read = copy(p, n.data[h.offset:])
		h.offset += int64(read)
		return nil
	})
	return read, err
}

func (h *handle) ReadAt(p []byte, off int64) (read int, err error) {
	if off < 0 {
		return 0, &fs.PathError{Op: "readat", Path: h.name, Err: errors.New("negative offset")}
	}
	err = h.use("read", func(n *node) error {
		if err := h.readable(n); err != nil {
			return err
		}
		if off < int64(len(n.data)) {
			read = copy(p, n.data[off:])
		}
		if read < len(p) {
			return io.EOF
		}
		return nil
	})
	return read, err
}

func (h *handle) Seek(offset int64, whence int) (int64, error) {
	err := h.use("seek", func(n *node) error {
		switch whence {
		case io.SeekStart:
		case io.SeekCurrent:
			offset += h.offset
		case io.SeekEnd:
			offset += n.size()
		default:
			return syscall.EINVAL
		}
		if offset < 0 {
			return syscall.EINVAL
		}
		h.offset = offset
		if n.kind.IsDir() && offset == 0 {
			h.listed, h.listing = false, nil
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return offset, nil
}

func (h *handle) writable() error {
	if h.flag&(os.O_WRONLY|os.O_RDWR) == 0 {
		return syscall.EBADF
	}
	return nil
}

// write writes p at an offset, and tells how much of it.
func (h *handle) write(p []byte, off int64) (int, error) {
	if err := h.writable(); err != nil || len(p) == 0 {
		return 0, err
	}
	before := len(h.fs.core.events)
	what := fmt.Sprintf("write %s, %d bytes at %d", h.name, len(p), off)
	err := h.fs.core.do(h.fs.actor, what, change{kind: ofBytes, file: h.at, data: bytes.Clone(p), at: off})
	if len(h.fs.core.events) == before {
		return 0, err
	}
	if err != nil {
		return len(p) / 2, err
	}
	return len(p), nil
}

func (h *handle) Write(p []byte) (written int, err error) {
	err = h.use("write", func(n *node) (err error) {
		if h.flag&os.O_APPEND != 0 {
			h.offset = n.size()
		}
		written, err = h.write(p, h.offset)
		h.offset += int64(written)
		return err
	})
	return written, err
}

func (h *handle) WriteAt(p []byte, off int64) (written int, err error) {
	if h.flag&os.O_APPEND != 0 {
		return 0, errAppend
	}
	if off < 0 {
		return 0, &fs.PathError{Op: "writeat", Path: h.name, Err: errors.New("negative offset")}
	}
	err = h.use("write", func(*node) (err error) {
		written, err = h.write(p, off)
		return err
	})
	return written, err
}

func (h *handle) WriteString(s string) (int, error) { return h.Write([]byte(s)) }

func (h *handle) Truncate(size int64) error {
	return h.use("truncate", func(n *node) error {
		if h.writable() != nil || size < 0 || n.kind.IsDir() {
			return syscall.EINVAL
		}
		return h.fs.core.do(h.fs.actor, fmt.Sprintf("truncate %s to %d", h.name, size), change{kind: ofLength, file: h.at, at: size})
	})
}

func (h *handle) Sync() error {
	return h.use("sync", func(*node) error { return h.fs.core.fsync(h.fs.actor, h.name, h.at) })
}

func (h *handle) Stat() (info fs.FileInfo, err error) {
	err = h.use("stat", func(*node) error {
		if err := h.fs.core.unreadable(h.fs.actor); err != nil {
			return err
		}
		info = h.fs.core.live.info(baseName(h.name), h.at)
		return nil
	})
	return info, err
}

func (h *handle) Readdir(count int) (infos []fs.FileInfo, err error) {
	err = h.use("readdir", func(n *node) error {
		if !n.kind.IsDir() {
			return syscall.ENOTDIR
		}
		if err := h.fs.core.unreadable(h.fs.actor); err != nil {
			return err
		}
		if !h.listed {
			h.listed = true
			h.listing = slices.Sorted(maps.Keys(n.entries))
		}
		for len(h.listing) > 0 && (count <= 0 || len(infos) < count) {
			name := h.listing[0]
			h.listing = h.listing[1:]
			if at := n.entries[name]; at != 0 {
				infos = append(infos, h.fs.core.live.info(name, at))
			}
		}
		if count > 0 && len(infos) == 0 {
			return io.EOF
		}
		return nil
	})
	return infos, err
}

func (h *handle) Readdirnames(count int) (names []string, err error) {
	infos, err := h.Readdir(count)
	for _, info := range infos {
		names = append(names, info.Name())
	}
	return names, err
}

func baseName(name string) string {
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '/' && i+1 < len(name) {
			return name[i+1:]
		}
	}
	return name
}
