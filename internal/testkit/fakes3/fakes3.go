// Package fakes3 is an S3 server in the test's own process, for tests that
// have to be fast, or need a server that does not do as it is told.
//
// It is gofakes3, rclone's fork, with its backend in memory: it checks
// signatures, and starts and answers in no time. What it leaves out of the
// protocol and our tests look at is added here:
//
//   - conditions on a write (If-Match, If-None-Match) hold at the moment of
//     the write, also when two writers ask at once
//   - an empty delimiter is none
//   - the encryption that an upload asked for is confirmed, and shown by HEAD:
//     a proof that it was asked for, not that anything was encrypted
//
// It knows no ETags of the form MD5-N: the ETag of a multipart upload is the
// MD5 of its content. For that, and for all that is about a server's own
// reading of the protocol, there are the real ones (package s3server). Faults
// come from a proxy in front of it (package faultproxy).
package fakes3

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"

	"btw-backup/internal/testkit/faultproxy"
	"btw-backup/internal/testkit/s3server"
)

// Server is a running server.
type Server struct {
	s3server.Access

	backend    *backend
	encryption *encryption
}

// Object is what the server keeps under a key.
type Object struct {
	Content string
	// Meta are the headers that it was sent with, such as
	// X-Amz-Meta-S3cmd-Attrs and Content-Type.
	Meta map[string]string
	// SSE is the server-side encryption that was asked for: AES256.
	SSE string
}

// Start starts a server for the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{
		Access: s3server.Access{
			AccessKey: rand.Text(),
			SecretKey: rand.Text(),
			Bucket:    "btw-" + strings.ToLower(rand.Text()[:8]),
		},
		backend:    &backend{Backend: s3mem.New(), undeletable: map[string]bool{}},
		encryption: &encryption{asked: map[string]string{}},
	}
	if err := s.backend.CreateBucket(t.Context(), s.Bucket); err != nil {
		t.Fatal(err)
	}
	fake := gofakes3.New(s.backend,
		gofakes3.WithV4Auth(map[string]string{s.AccessKey: s.SecretKey}),
		gofakes3.WithoutVersioning())
	server := httptest.NewServer(s.encryption.confirm(s.refuse(fake.Server())))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	s.Endpoint = server.Listener.Addr().String()
	return s
}

// Keys are the keys in the bucket, sorted by their bytes.
func (s *Server) Keys(t testing.TB) []string {
	t.Helper()
	list, err := s.backend.ListBucket(t.Context(), s.Bucket, &gofakes3.Prefix{}, gofakes3.ListBucketPage{})
	if err != nil {
		t.Fatal(err)
	}
	keys := make([]string, len(list.Contents))
	for i, object := range list.Contents {
		keys[i] = object.Key
	}
	slices.Sort(keys)
	return keys
}

// Objects are the contents in the bucket, by their keys.
func (s *Server) Objects(t testing.TB) map[string]string {
	t.Helper()
	objects := map[string]string{}
	for _, key := range s.Keys(t) {
		objects[key] = s.Object(t, key).Content
	}
	return objects
}

// Object is the object under a key, which must be there.
func (s *Server) Object(t testing.TB, key string) Object {
	t.Helper()
	object, err := s.backend.GetObject(t.Context(), s.Bucket, key, nil)
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	defer object.Contents.Close() //nolint:errcheck // memory
	content, err := io.ReadAll(object.Contents)
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return Object{string(content), maps.Clone(object.Metadata), s.encryption.of(s.Bucket + "/" + key)}
}

// Put puts an object there, as if somebody else had sent it; meta may be nil.
func (s *Server) Put(t testing.TB, key, content string, meta map[string]string) {
	t.Helper()
	all := map[string]string{"Last-Modified": time.Now().UTC().Format(http.TimeFormat)}
	maps.Copy(all, meta)
	_, err := s.backend.Backend.PutObject(t.Context(), s.Bucket, key, all, strings.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
}

// Remove removes objects, as if somebody else had done it.
func (s *Server) Remove(t testing.TB, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if _, err := s.backend.DeleteObject(t.Context(), s.Bucket, key); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
	}
}

// refuse answers what asks for the deletion of one undeletable object.
func (s *Server) refuse(next http.Handler) http.Handler {
	denied := faultproxy.Denied(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimPrefix(r.URL.Path, "/"+s.Bucket+"/")
		if r.Method == http.MethodDelete && !r.URL.Query().Has("uploadId") && s.backend.refuses(key) {
			denied.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Undeletable makes every attempt to delete these keys end with AccessDenied:
// in the reply to a batch, key by key.
func (s *Server) Undeletable(keys ...string) {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	for _, key := range keys {
		s.backend.undeletable[key] = true
	}
}

// backend is the one in memory, with what it lacks.
type backend struct {
	*s3mem.Backend

	mu          sync.Mutex // held over every write
	undeletable map[string]bool
}

// ListBucket takes an empty delimiter, as minio-go sends it, for none.
func (b *backend) ListBucket(ctx context.Context, bucket string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	p := gofakes3.Prefix{}
	if prefix != nil {
		p = *prefix
	}
	p.HasDelimiter = p.HasDelimiter && p.Delimiter != ""
	return b.Backend.ListBucket(ctx, bucket, &p, page)
}

// PutObject checks the conditions again while nobody else writes.
func (b *backend) PutObject(ctx context.Context, bucket, key string, meta map[string]string, input io.Reader, size int64) (gofakes3.PutObjectResult, error) {
	content, err := gofakes3.ReadAll(input, size)
	if err != nil {
		return gofakes3.PutObjectResult{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if gofakes3.HasWriteConditions(ctx) {
		etag := ""
		object, err := b.HeadObject(ctx, bucket, key)
		switch {
		case err == nil:
			etag = hex.EncodeToString(object.Hash)
		case !gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchKey):
			return gofakes3.PutObjectResult{}, err
		}
		if err := gofakes3.CheckWriteConditions(ctx, err == nil, etag); err != nil {
			return gofakes3.PutObjectResult{}, err
		}
	}
	return b.Backend.PutObject(ctx, bucket, key, meta, bytes.NewReader(content), size)
}

func (b *backend) refuses(key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.undeletable[key]
}

// DeleteMulti refuses what is undeletable and deletes the others.
func (b *backend) DeleteMulti(ctx context.Context, bucket string, keys ...string) (gofakes3.MultiDeleteResult, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var refused []gofakes3.ErrorResult
	keys = slices.DeleteFunc(keys, func(key string) bool {
		if b.undeletable[key] {
			refused = append(refused, gofakes3.ErrorResult{Key: key, Code: "AccessDenied", Message: "Access Denied."})
		}
		return b.undeletable[key]
	})
	result, err := b.Backend.DeleteMulti(ctx, bucket, keys...)
	result.Error = append(result.Error, refused...)
	return result, err
}
