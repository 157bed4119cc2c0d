package offsite

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/spf13/afero"

	"btw-backup/internal/s3cfg"
)

// Two copies are equal when size and MD5 are. The MD5 of what is off-site is
// the ETag that the listing gives, if the object was sent in one piece; of one
// that was sent in parts, or is encrypted under KMS, only what s3cmd or we
// wrote beside it tells. Without either nothing is known, and it is sent
// again. (s3cmd would take the size for enough.)

// source is a local file that may be sent.
type source struct {
	path    string
	name    string
	file    afero.File
	info    fs.FileInfo
	content []byte // all of it, of a small one that was read
	md5     string
	parts   [][]byte // the MD5s of the parts that it is sent in, where they are known
}

// smallSize is up to what size a file is held in memory, so that it is read
// once.
const smallSize = 1 << 20

// open opens what a task is about, and brings what is known of it up to date.
func (s *sending) open(t *task) (*source, error) {
	l := &source{path: t.path, name: s.local.abs(t.path), md5: t.md5}
	var err error
	if l.file, err = s.FS.Open(l.name); err != nil {
		return nil, err
	}
	if l.info, err = l.file.Stat(); err == nil && !l.info.Mode().IsRegular() {
		err = &ChangedError{Path: l.name}
	}
	if err != nil {
		return nil, errors.Join(err, l.file.Close())
	}
	if t.md5 != "" && !same(l.info, t.info) {
		l.md5 = ""
	}
	return l, nil
}

func (l *source) close() { _ = l.file.Close() }

// unchanged makes sure that the file is as it was when it was opened.
func (l *source) unchanged() error {
	after, err := l.file.Stat()
	if err == nil && !same(l.info, after) {
		err = &ChangedError{Path: l.name}
	}
	return err
}

// sum finds the MD5 of the file, and remembers it.
func (s *sending) sum(t *task, l *source) error {
	small := l.info.Size() <= smallSize
	if l.md5 != "" && (!small || l.content != nil || l.info.Size() == 0) {
		return nil
	}
	began := s.Clock.Now()
	var sum []byte
	var err error
	if small {
		l.content = make([]byte, l.info.Size())
		if _, err = io.ReadFull(io.NewSectionReader(l.file, 0, l.info.Size()), l.content); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = &ChangedError{Path: l.name}
		}
		whole := md5.Sum(l.content)
		sum = whole[:]
	} else {
		// If it is surely sent, its parts are summed up as well. To do both at
		// once takes as long as to do one, where there are two processors.
		parts := make(chan error, 1)
		if t.there != nil && t.there.size == l.info.Size() {
			parts <- nil
		} else {
			go func() { parts <- s.sumParts(l) }()
		}
		sum, err = s.sumOf(l, 0, l.info.Size())
		err = errors.Join(err, <-parts)
	}
	if err == nil {
		err = l.unchanged()
	}
	if err != nil {
		return err
	}
	l.md5 = hex.EncodeToString(sum)
	if s.memory != nil {
		s.memory.learn(t.key, t.path, l.info, l.md5, began)
	}
	return nil
}

// surelyEqual tells whether a file need not even be opened.
func (s *sending) surelyEqual(t *task) bool {
	return t.md5 != "" && t.there != nil && t.there.size == t.info.Size() && t.there.md5 == t.md5
}

// equal tells whether a file is off-site already.
func (s *sending) equal(t *task, l *source) (bool, error) {
	if t.there == nil || t.there.size != l.info.Size() {
		return false, nil
	}
	if err := s.sum(t, l); err != nil {
		return false, err
	}
	if t.there.md5 == l.md5 {
		return true, nil
	}
	told, err := s.lookUp(t.key)
	if err != nil || told == nil || told.size != l.info.Size() {
		return false, err
	}
	return told.md5 == l.md5, nil
}

// lookUp asks for one object: its size, and its MD5 if anything tells it. It
// is nil when there is none.
func (s *sending) lookUp(key string) (*object, error) {
	var info minio.ObjectInfo
	err := s.request(s.ctx, key, func(ctx context.Context, c *minio.Core) (err error) {
		info, err = c.StatObject(ctx, s.bucket, s.prefix+key, minio.StatObjectOptions{})
		return err
	})
	if isAbsent(err) {
		return nil, nil
	}
	if isDenied(err) {
		return &object{path: key, size: unknownSize}, nil
	}
	if err != nil {
		return nil, err
	}
	o := &object{path: key, size: info.Size}
	etag := strings.ToLower(strings.Trim(info.ETag, `"`))
	if len(etag) == 2*md5.Size && !underKMS(info.Metadata) {
		o.md5 = etag
	} else {
		o.md5 = s3cfg.ParseAttrs(info.Metadata.Get("x-amz-meta-" + s3cfg.AttrsHeader)).MD5()
	}
	return o, nil
}

// single sends one file, after asking what is there.
func (s *sending) single(p string, info fs.FileInfo) error {
	there, err := s.lookUp(printable(p))
	if err != nil {
		return err
	}
	return s.file(task{item: item{p, info}, key: printable(p), there: there})
}
