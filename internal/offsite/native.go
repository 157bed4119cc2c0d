package offsite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/minio/minio-go/v7"
)

// native is a store in S3, spoken to in its own protocol.
//
// A Push or Sync of a tree lays two streams side by side, the local walk in
// the order of keys (ordered.go) and the server's listing (native_list.go),
// and holds neither. What must be sent is sent while they go on
// (native_send.go), by several workers; what must be deleted is written down
// on disk until all has been sent (native_delete.go).
//
// Keys, metadata and encryption are s3cmd's: what either sent, the other finds
// equal. See native_compare.go.
type native struct {
	base
	bucket string
	prefix string // of every key; empty, or with a slash at its end

	mu       sync.Mutex
	client   *minio.Core
	access   *access
	patience *patience
	warned   bool   // that the server does not say that it encrypts
	swept    bool   // unfinished uploads of former runs were looked for
	region   string // that the server sent us to
}

// DefaultS3Workers is how many requests are under way at once: as many as hide
// 20 ms to the server, and few enough for one with a single disk.
const DefaultS3Workers = 24

func newNative(b base) (Store, error) {
	bucket, prefix, err := b.bucketAndPrefix()
	if err != nil {
		return nil, err
	}
	if b.Clock == nil {
		return nil, errors.New("offsite: the native engine needs a clock")
	}
	if b.S3Workers <= 0 {
		b.S3Workers = DefaultS3Workers
	}
	if b.S3Timeout <= 0 {
		b.S3Timeout = DefaultS3Timeout
	}
	n := &native{base: b, bucket: bucket, prefix: prefix}
	n.patience = newPatience(b.Clock, b.S3Timeout)
	return n, nil
}

// bucketAndPrefix takes an s3:// URI apart. The prefix is empty or ends in a
// slash.
func (b *base) bucketAndPrefix() (bucket, prefix string, err error) {
	bucket, prefix, _ = strings.Cut(strings.TrimPrefix(b.URI, "s3://"), "/")
	if bucket == "" {
		return "", "", fmt.Errorf("S3_URI_PREFIX %q: names no bucket: write s3://BUCKET/PREFIX", b.URI)
	}
	if !utf8.ValidString(prefix) || prefix != printable(prefix) {
		return "", "", fmt.Errorf("S3_URI_PREFIX %q: may not hold control characters", b.URI)
	}
	if b.S3cmdConfig == "" {
		return "", "", errors.New("you must specify S3CMD_CONFIG in the general configuration")
	}
	if !filepath.IsAbs(b.S3cmdConfig) {
		return "", "", fmt.Errorf("S3CMD_CONFIG %s: must be an absolute path", b.S3cmdConfig)
	}
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	return bucket, prefix, nil
}

// uri gives the URI of a key below the prefix.
func (n *native) uri(key string) string { return "s3://" + n.bucket + "/" + n.prefix + key }

// host is the server, for messages.
func (n *native) host() string {
	if n.access == nil {
		return n.URI
	}
	return n.access.endpoint
}

// Check implements [Store].
func (n *native) Check(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return n.connect()
}

// connect reads S3CMD_CONFIG, once, and makes the client. It asks nobody.
func (n *native) connect() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.client != nil {
		return nil
	}
	a, err := n.readAccess()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return n.unavailable("S3CMD_CONFIG: there is no file %s: make it with: s3cmd --configure --config=%s", n.S3cmdConfig, n.S3cmdConfig)
	case err != nil:
		return n.unavailable("S3CMD_CONFIG: %v", err)
	}
	n.access = a
	n.client, err = a.client(a.config.Region)
	if err != nil {
		return n.unavailable("S3CMD_CONFIG: %s: %v", n.S3cmdConfig, err)
	}
	return nil
}

// Push implements [Store].
func (n *native) Push(ctx context.Context, p string) error {
	return n.send(ctx, p, false, nil)
}

// Sync implements [Store].
func (n *native) Sync(ctx context.Context, p string) error {
	return n.send(ctx, p, true, nil)
}

// Preview implements [Store].
func (n *native) Preview(ctx context.Context, p string, deletions bool, show func(Change)) error {
	return n.send(ctx, p, deletions, show)
}

func (n *native) send(ctx context.Context, p string, deletions bool, show func(Change)) error {
	p, mustBeDir, err := clean(p)
	if err != nil {
		return err
	}
	info, err := n.local.topOf(p, mustBeDir)
	if err != nil {
		return err
	}
	if err := n.Check(ctx); err != nil {
		return err
	}
	n.patience.begin()
	s := newSending(ctx, n, show)
	defer s.end()
	if info.IsDir() {
		return onlyOwn(s.tree(p, deletions))
	}
	return onlyOwn(s.single(p, info))
}
