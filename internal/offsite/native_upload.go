package offsite

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/minio/minio-go/v7"

	"btw-backup/internal/s3cfg"
)

// upload sends a file. The server is told the MD5 beforehand, so that it
// refuses what arrives otherwise, and its answer is held against it.
func (s *sending) upload(t *task, l *source) error {
	if err := s.sum(t, l); err != nil {
		return err
	}
	var err error
	if s.inParts(l) {
		err = s.uploadParts(t, l)
	} else {
		err = s.uploadWhole(t, l)
	}
	if changed := l.unchanged(); changed != nil && context.Cause(s.ctx) == nil && !isUnavailable(err) {
		return changed
	}
	return err
}

// options are what goes with a file, whichever way it is sent.
func (s *sending) options(l *source) minio.PutObjectOptions {
	config := s.access.config
	attrs := s3cfg.FileAttrs(l.info, l.md5, s.access.names)
	if !config.PreserveAttrs {
		attrs = s3cfg.Attrs{s3cfg.MD5Attr: l.md5}
	}
	return minio.PutObjectOptions{
		UserMetadata:         map[string]string{s3cfg.AttrsHeader: attrs.String()},
		ContentType:          config.ContentType,
		StorageClass:         config.StorageClass,
		ServerSideEncryption: s.access.sse,
	}
}

func (s *sending) uploadWhole(t *task, l *source) error {
	size := l.info.Size()
	options := s.options(l)
	sum, err := hex.DecodeString(l.md5)
	if err != nil {
		return err
	}
	// The signature covers the MD5, which the server checks: that is enough for
	// what is large, and spares both sides to sum it up in yet another way.
	options.DisableContentSha256 = true
	sha := ""
	if l.content != nil || size == 0 {
		whole := sha256.Sum256(l.content)
		sha = hex.EncodeToString(whole[:])
	}
	err = s.request(s.ctx, t.path, func(ctx context.Context, c *minio.Core) error {
		ctx, a := answered(ctx)
		info, err := c.PutObject(ctx, s.bucket, s.prefix+t.key, s.body(l, 0, size), size, base64.StdEncoding.EncodeToString(sum), sha, options)
		if err != nil {
			return s.uploadError(t, l, err)
		}
		s.encrypted(a)
		if underKMS(a.header) {
			return nil
		}
		return confirm(t.path, l.md5, info.ETag)
	})
	if err == nil {
		s.count.doneBytes.Add(size)
	}
	return err
}

// confirm holds what a server says that it has against what was sent.
func confirm(path, sent, etag string) error {
	if etag != sent {
		return &unconfirmedError{path, sent, etag}
	}
	return nil
}

// uploadError sees what an error of an upload really is.
func (s *sending) uploadError(t *task, l *source, err error) error {
	var response minio.ErrorResponse
	switch {
	case errors.As(err, new(*localError)):
		return err
	case l.unchanged() != nil:
		return l.unchanged()
	case s.access.sse != nil && isRefusedEncryption(err):
		return &UnavailableError{
			URI: s.URI, Err: err,
			Reason: fmt.Sprintf("it refuses to encrypt what it is sent (%s): set up server-side encryption there, or, to do without, write S3_SSE = None in the general configuration", short(err)),
		}
	case isDenied(err):
		return s.denied("write", err)
	case errors.As(err, &response) && (response.Code == "BadDigest" || response.Code == "InvalidDigest"):
		return &unconfirmedError{t.path, l.md5, "that something else arrived"}
	}
	return err
}

// body reads a section of a file, for a request.
func (s *sending) body(l *source, offset, size int64) io.Reader {
	b := &body{sending: s, large: size > smallSize}
	if l.content != nil {
		b.from = bytes.NewReader(l.content[offset : offset+size])
	} else {
		b.from = io.NewSectionReader(l.file, offset, size)
	}
	return b
}

type body struct {
	*sending
	from  io.Reader
	large bool
}

func (b *body) Read(p []byte) (int, error) {
	if err := context.Cause(b.ctx); err != nil {
		return 0, err
	}
	n, err := b.from.Read(p)
	if b.large {
		b.patience.moved.Store(b.Clock.Now().UnixNano())
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = &localError{err}
	}
	return n, err
}

// sumOf finds the MD5 of a section.
func (s *sending) sumOf(l *source, offset, size int64) ([]byte, error) {
	sum := md5.New()
	_, err := io.CopyBuffer(sum, reader{s.ctx, io.NewSectionReader(l.file, offset, size)}, make([]byte, 256<<10))
	return sum.Sum(nil), err
}
