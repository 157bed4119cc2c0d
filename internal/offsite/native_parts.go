package offsite

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
)

// A large file is sent in parts, several at a time. What was sent of one that
// was left unfinished is not seen in any listing and costs money: it is
// aborted when the sending fails, and what could not be, because the machine
// was switched off, say, is swept by a later Sync.

// partSize is how large the parts of a file are: s3cmd's setting, or larger
// if there would be too many.
func (s *sending) partSize(size int64) int64 {
	const mebibyte = 1 << 20
	most := int64(min(max(s.access.config.MaxParts, 1), 10000))
	part := s.access.config.PartSize
	if least := (size + most - 1) / most; part < least {
		part = (least + mebibyte - 1) / mebibyte * mebibyte
	}
	return part
}

// inParts tells whether a file is sent in parts.
func (s *sending) inParts(l *source) bool {
	return s.access.config.Multipart && l.info.Size() > s.access.config.PartSize
}

// sumParts finds the MD5s of a file's parts, if it is sent in any.
func (s *sending) sumParts(l *source) error {
	if !s.inParts(l) {
		return nil
	}
	size := l.info.Size()
	part := s.partSize(size)
	for offset := int64(0); offset < size; offset += part {
		sum, err := s.sumOf(l, offset, min(part, size-offset))
		if err != nil {
			return err
		}
		l.parts = append(l.parts, sum)
	}
	return nil
}

func (s *sending) uploadParts(t *task, l *source) (err error) {
	key, options := s.prefix+t.key, s.options(l)
	var id string
	var begun *answer
	err = s.request(s.ctx, t.path, func(ctx context.Context, c *minio.Core) (err error) {
		ctx, begun = answered(ctx)
		if id, err = c.NewMultipartUpload(ctx, s.bucket, key, options); err != nil {
			return s.uploadError(t, l, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			s.abort(key, id)
		}
	}()
	parts, err := s.sendParts(t, l, id)
	if err != nil {
		return err
	}
	err = s.request(s.ctx, t.path, func(ctx context.Context, c *minio.Core) error {
		_, err := c.CompleteMultipartUpload(ctx, s.bucket, key, id, parts, minio.PutObjectOptions{})
		return err
	})
	var response minio.ErrorResponse
	if errors.As(err, &response) && response.Code == "NoSuchUpload" {
		// Perhaps it was completed, and only the answer was lost.
		if o, lookErr := s.lookUp(t.key); lookErr == nil && o != nil && o.size == l.info.Size() && o.md5 == l.md5 {
			return nil
		}
	}
	if err == nil && !s.confirmed(begun) {
		// Not every server says so when an upload begins.
		ctx, a := answered(s.ctx)
		if _, err := s.core().StatObject(ctx, s.bucket, key, minio.StatObjectOptions{}); err == nil {
			s.encrypted(a)
		}
	}
	return err
}

// sendParts sends the parts of a file. When one fails, no other is begun; but
// those under way end by themselves: a part that a server is still busy with
// brings an upload that was aborted back.
func (s *sending) sendParts(t *task, l *source, id string) ([]minio.CompletePart, error) {
	size, part := l.info.Size(), s.partSize(l.info.Size())
	parts := make([]minio.CompletePart, (size+part-1)/part)
	going, stop := context.WithCancelCause(s.ctx)
	defer stop(nil)
	var sent sync.WaitGroup
	for i := range parts {
		select {
		case s.parts <- struct{}{}:
		case <-going.Done():
		}
		if going.Err() != nil {
			break
		}
		sent.Add(1)
		go func() {
			defer func() { <-s.parts; sent.Done() }()
			offset := int64(i) * part
			etag, err := s.sendPart(t, l, id, i+1, offset, min(part, size-offset))
			if err != nil {
				stop(err)
				return
			}
			parts[i] = minio.CompletePart{PartNumber: i + 1, ETag: etag}
		}()
	}
	sent.Wait()
	return parts, context.Cause(going)
}

func (s *sending) sendPart(t *task, l *source, id string, number int, offset, size int64) (etag string, err error) {
	var sum []byte
	if l.parts != nil {
		sum = l.parts[number-1]
	} else if sum, err = s.sumOf(l, offset, size); err != nil {
		return "", err
	}
	err = s.request(s.ctx, t.path, func(ctx context.Context, c *minio.Core) error {
		ctx, a := answered(ctx)
		sent, err := c.PutObjectPart(ctx, s.bucket, s.prefix+t.key, id, number, s.body(l, offset, size), size,
			minio.PutObjectPartOptions{Md5Base64: base64.StdEncoding.EncodeToString(sum), DisableContentSha256: true})
		if err != nil {
			return s.uploadError(t, l, err)
		}
		etag = sent.ETag
		if underKMS(a.header) {
			return nil
		}
		return confirm(t.path, hex.EncodeToString(sum), sent.ETag)
	})
	if err == nil {
		s.count.doneBytes.Add(size)
		s.progress()
	}
	return etag, err
}

// abort gives an upload up. It has a moment for that even when it is all over.
func (s *sending) abort(key, id string) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(s.ctx), 5*time.Second)
	defer stop()
	if err := s.core().AbortMultipartUpload(ctx, s.bucket, key, id); err != nil {
		s.say("%s: an unfinished upload could not be aborted, and will be swept: %s", key, short(err))
	}
}

// sweepAge is how old an unfinished upload must be to be swept. We are the
// only sender of ours; somebody else may be one below the same prefix.
const sweepAge = 24 * time.Hour

// sweepUploads aborts what former runs left unfinished below a path, once a
// run. That some servers cannot list it, and some keys may not, is no error.
func (s *sending) sweepUploads(p string) {
	s.native.mu.Lock()
	done := s.swept
	s.swept = true
	s.native.mu.Unlock()
	if done || s.show != nil {
		return
	}
	begin := s.prefix + printable(p)
	if p != "" {
		begin += "/"
	}
	keyMarker, idMarker := "", ""
	for {
		result, err := s.core().ListMultipartUploads(s.ctx, s.bucket, begin, keyMarker, idMarker, "", pageSize)
		if err != nil {
			s.say("unfinished uploads could not be listed: %s", short(err))
			return
		}
		for _, u := range result.Uploads {
			if strings.HasPrefix(u.Key, begin) && s.Clock.Now().Sub(u.Initiated) > sweepAge {
				s.abort(u.Key, u.UploadID)
				s.say("swept an unfinished upload of %s", u.Key)
			}
		}
		if !result.IsTruncated || result.NextKeyMarker == "" {
			return
		}
		keyMarker, idMarker = result.NextKeyMarker, result.NextUploadIDMarker
	}
}
