package fakes3_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"

	"btw-backup/internal/testkit/fakes3"
	"btw-backup/internal/testkit/faultproxy"
	"btw-backup/internal/testkit/s3server"
)

func client(t *testing.T, a s3server.Access) *minio.Client {
	t.Helper()
	c, err := minio.New(a.Endpoint, &minio.Options{
		Creds:        credentials.NewStaticV4(a.AccessKey, a.SecretKey, ""),
		Region:       "us-east-1",
		BucketLookup: minio.BucketLookupPath,
		MaxRetries:   1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func put(c *minio.Client, a s3server.Access, key, content string, options minio.PutObjectOptions) error {
	options.DisableMultipart = true
	_, err := c.PutObject(context.Background(), a.Bucket, key, strings.NewReader(content), int64(len(content)), options)
	return err
}

func TestObjects(t *testing.T) {
	s := fakes3.Start(t)
	c := client(t, s.Access)
	attrs := map[string]string{"s3cmd-attrs": "md5:x"}
	if err := put(c, s.Access, "a/b", "content", minio.PutObjectOptions{UserMetadata: attrs}); err != nil {
		t.Fatal(err)
	}
	s.Put(t, "somebody", "else's", map[string]string{"X-Amz-Meta-X": "y"})
	s.Put(t, "a", "", nil)
	if got := s.Keys(t); !slices.Equal(got, []string{"a", "a/b", "somebody"}) {
		t.Errorf("keys: %q", got)
	}
	s.Remove(t, "a", "never was")
	if got, want := s.Objects(t), map[string]string{"a/b": "content", "somebody": "else's"}; !maps.Equal(got, want) {
		t.Errorf("objects: %q, want %q", got, want)
	}
	if got := s.Object(t, "a/b"); got.Meta["X-Amz-Meta-S3cmd-Attrs"] != "md5:x" || got.SSE != "" {
		t.Errorf("a/b: %+v", got)
	}
	info, err := c.StatObject(t.Context(), s.Bucket, "somebody", minio.StatObjectOptions{})
	if err != nil || info.UserMetadata["X"] != "y" {
		t.Errorf("somebody: %+v, %v", info, err)
	}
}

func TestWrongKeys(t *testing.T) {
	s := fakes3.Start(t)
	for code, a := range map[string]s3server.Access{
		"InvalidAccessKeyId":    {Endpoint: s.Endpoint, AccessKey: "WRONG", SecretKey: s.SecretKey, Bucket: s.Bucket},
		"SignatureDoesNotMatch": {Endpoint: s.Endpoint, AccessKey: s.AccessKey, SecretKey: "wrong", Bucket: s.Bucket},
		"NoSuchBucket":          {Endpoint: s.Endpoint, AccessKey: s.AccessKey, SecretKey: s.SecretKey, Bucket: "another"},
	} {
		err := put(client(t, a), a, "key", "x", minio.PutObjectOptions{})
		if got := minio.ToErrorResponse(err).Code; got != code {
			t.Errorf("%v: want %s", err, code)
		}
	}
}

// What was asked to be encrypted is confirmed, in one part or in many, and
// shown, unless something in between leaves it out.
func TestEncryption(t *testing.T) {
	s := fakes3.Start(t)
	c := client(t, s.Access)
	aes := minio.PutObjectOptions{ServerSideEncryption: encrypt.NewSSE(), PartSize: 5 << 20}
	big := strings.Repeat("x", 6<<20)
	if _, err := c.PutObject(t.Context(), s.Bucket, "big", strings.NewReader(big), int64(len(big)), aes); err != nil {
		t.Fatal(err)
	}
	for key, options := range map[string]minio.PutObjectOptions{"encrypted": aes, "plain": {}} {
		if err := put(c, s.Access, key, "x", options); err != nil {
			t.Fatal(err)
		}
	}
	proxy := faultproxy.Start(t, s.Endpoint)
	proxy.On(faultproxy.Op("HeadObject"), faultproxy.Unconfirmed)
	unconfirmed := client(t, s.At(proxy.Endpoint))
	for key, want := range map[string]string{"encrypted": "AES256", "big": "AES256", "plain": ""} {
		if got := head(t, c, s.Bucket, key).Get("X-Amz-Server-Side-Encryption"); got != want {
			t.Errorf("%s: HEAD says %q, want %q", key, got, want)
		}
		if got := s.Object(t, key).SSE; got != want {
			t.Errorf("%s: Object says %q, want %q", key, got, want)
		}
		if got := head(t, unconfirmed, s.Bucket, key).Get("X-Amz-Server-Side-Encryption"); got != "" {
			t.Errorf("%s: HEAD says %q through the proxy", key, got)
		}
	}
	// Sent again without, it is not encrypted.
	if err := put(c, s.Access, "encrypted", "x", minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := s.Object(t, "encrypted").SSE; got != "" {
		t.Errorf("sent again: %q", got)
	}
}

func head(t *testing.T, c *minio.Client, bucket, key string) http.Header {
	t.Helper()
	info, err := c.StatObject(t.Context(), bucket, key, minio.StatObjectOptions{})
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return info.Metadata
}

// Of many that want to be the first, one is.
func TestConditionalWrite(t *testing.T) {
	s := fakes3.Start(t)
	c := client(t, s.Access)
	var first atomic.Int32
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			options := minio.PutObjectOptions{}
			options.SetMatchETagExcept("*")
			switch err := put(c, s.Access, "marker", fmt.Sprint(i), options); {
			case err == nil:
				first.Add(1)
			case minio.ToErrorResponse(err).Code != "PreconditionFailed":
				t.Error(err)
			}
		})
	}
	all.Wait()
	if first.Load() != 1 {
		t.Errorf("%d writers were the first", first.Load())
	}
}

func TestUndeletable(t *testing.T) {
	s := fakes3.Start(t)
	c := client(t, s.Access)
	objects := make(chan minio.ObjectInfo, 4)
	for _, key := range []string{"a", "b", "c", "d"} {
		s.Put(t, key, "x", nil)
		objects <- minio.ObjectInfo{Key: key}
	}
	close(objects)
	s.Undeletable("b", "d")
	var failed []string
	for e := range c.RemoveObjects(t.Context(), s.Bucket, objects, minio.RemoveObjectsOptions{}) {
		failed = append(failed, e.ObjectName+" "+minio.ToErrorResponse(e.Err).Code)
	}
	slices.Sort(failed)
	if !slices.Equal(failed, []string{"b AccessDenied", "d AccessDenied"}) {
		t.Errorf("in a batch these fail: %q", failed)
	}
	err := c.RemoveObject(t.Context(), s.Bucket, "b", minio.RemoveObjectOptions{})
	if r := minio.ToErrorResponse(err); r.Code != "AccessDenied" || r.StatusCode != http.StatusForbidden {
		t.Errorf("alone: %d %v", r.StatusCode, err)
	}
	if got := s.Keys(t); !slices.Equal(got, []string{"b", "d"}) {
		t.Errorf("these are left: %q", got)
	}
}
