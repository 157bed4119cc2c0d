package faultproxy_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"btw-backup/internal/testkit/fakes3"
	"btw-backup/internal/testkit/faultproxy"
	"btw-backup/internal/testkit/s3server"
)

// client is an S3 client that tries each request once.
func client(t *testing.T, a s3server.Access, transport http.RoundTripper) *minio.Client {
	t.Helper()
	c, err := minio.New(a.Endpoint, &minio.Options{
		Creds:        credentials.NewStaticV4(a.AccessKey, a.SecretKey, ""),
		Region:       "us-east-1",
		BucketLookup: minio.BucketLookupPath,
		Secure:       transport != nil,
		Transport:    transport,
		MaxRetries:   1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func put(c *minio.Client, a s3server.Access, key, content string) (minio.UploadInfo, error) {
	return c.PutObject(context.Background(), a.Bucket, key, strings.NewReader(content), int64(len(content)),
		minio.PutObjectOptions{DisableMultipart: true})
}

func remove(c *minio.Client, a s3server.Access, keys ...string) error {
	objects := make(chan minio.ObjectInfo, len(keys))
	for _, key := range keys {
		objects <- minio.ObjectInfo{Key: key}
	}
	close(objects)
	var errs []error
	for failed := range c.RemoveObjects(context.Background(), a.Bucket, objects, minio.RemoveObjectsOptions{}) {
		errs = append(errs, fmt.Errorf("%s: %w", failed.ObjectName, failed.Err))
	}
	return errors.Join(errs...)
}

// ops are the requests, in order, as "PutObject KEY STATUS".
func ops(p *faultproxy.Proxy) []string {
	var all []string
	for _, r := range p.Requests() {
		all = append(all, fmt.Sprint(r, " ", r.Status))
	}
	return all
}

// Signatures hold through the proxy, whatever the key, on every server; and
// the log tells what was asked.
func TestTransparent(t *testing.T) {
	servers := map[string]func(t *testing.T) s3server.Access{
		"fake": func(t *testing.T) s3server.Access { return fakes3.Start(t).Access },
	}
	for _, kind := range s3server.Kinds {
		servers[kind.String()] = func(t *testing.T) s3server.Access { return s3server.Start(t, kind).Access }
	}
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := start(t)
			p := faultproxy.Start(t, a.Endpoint)
			a = a.At(p.Endpoint)
			c := client(t, a, nil)
			keys := []string{"a b/c+d", "100%", "%41", "é😀", "q?a=b&c#d", "colon:x", "back\\slash", "quote'\"", "(a)*!~"}
			var want []string
			for _, key := range keys {
				if _, err := put(c, a, key, "content of "+key); err != nil {
					t.Fatalf("%s: %v", key, err)
				}
				want = append(want, "PutObject "+key+" 200")
			}
			var listed []string
			for object := range c.ListObjects(t.Context(), a.Bucket, minio.ListObjectsOptions{Recursive: true}) {
				if object.Err != nil {
					t.Fatal(object.Err)
				}
				listed = append(listed, object.Key)
			}
			slices.Sort(keys)
			if !slices.Equal(listed, keys) {
				t.Errorf("listed %q, want %q", listed, keys)
			}
			want = append(want, "ListObjectsV2  200", "DeleteObjects  a b/c+d é😀 200", "HeadObject é😀 404")
			if err := remove(c, a, "a b/c+d", "é😀"); err != nil {
				t.Fatal(err)
			}
			if _, err := c.StatObject(t.Context(), a.Bucket, "é😀", minio.StatObjectOptions{}); minio.ToErrorResponse(err).Code != "NoSuchKey" {
				t.Errorf("deleted, but: %v", err)
			}
			if got := ops(p); !slices.Equal(got, want) {
				t.Errorf("the log:\n%q\nwant\n%q", got, want)
			}
		})
	}
}

func TestMultipartLog(t *testing.T) {
	a := fakes3.Start(t)
	p := faultproxy.Start(t, a.Endpoint)
	c := client(t, a.At(p.Endpoint), nil)
	content := bytes.Repeat([]byte("0123456789abcdef"), 6<<20/16)
	_, err := c.PutObject(t.Context(), a.Bucket, "big", bytes.NewReader(content), int64(len(content)),
		minio.PutObjectOptions{PartSize: 5 << 20, NumThreads: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"CreateMultipartUpload big 200", "UploadPart big 200", "UploadPart big 200", "CompleteMultipartUpload big 200"}
	if got := ops(p); !slices.Equal(got, want) {
		t.Errorf("the log:\n%q\nwant\n%q", got, want)
	}
	if writes := p.Requests()[3].Writes; writes != 1 {
		t.Errorf("%d writes, want 1: only the last of them changes the bucket", writes)
	}
}

// What becomes of one upload under a fault: what the client hears, and
// whether the server has it.
func TestFaults(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault faultproxy.Fault
		code  string // what the client hears; "cut", or "" for success
		there bool
	}{
		{"unavailable", faultproxy.Unavailable, "ServiceUnavailable", false},
		{"slow down", faultproxy.SlowDown, "SlowDown", false},
		{"too many", faultproxy.TooMany, "TooManyRequests", false},
		{"internal", faultproxy.InternalError, "InternalError", false},
		{"full", faultproxy.Full, "XMinioStorageFull", false},
		{"skewed", faultproxy.Skewed, "RequestTimeTooSkewed", false},
		{"denied", faultproxy.Denied, "AccessDenied", false},
		{"no encryption", faultproxy.NoEncryption, "NotImplemented", false},
		{"cut", faultproxy.Cut, "cut", false},
		{"cut in the body", faultproxy.CutBody(3), "cut", false},
		{"answer lost", faultproxy.LoseAnswer, "cut", true},
		{"hang", faultproxy.Hang, "cut", false},
		{"delay", faultproxy.Delay(10 * time.Millisecond), "", true},
		{"slow", faultproxy.Slow(100), "", true},
		{"wrong ETag", faultproxy.WrongETag, "", true},
		{"no ETag", faultproxy.NoETag, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := fakes3.Start(t)
			p := faultproxy.Start(t, server.Endpoint)
			p.On(faultproxy.Op("PutObject"), test.fault)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			info, err := client(t, server.At(p.Endpoint), nil).PutObject(ctx, server.Bucket, "key",
				strings.NewReader("content"), 7, minio.PutObjectOptions{DisableMultipart: true})
			switch code := minio.ToErrorResponse(err).Code; {
			case test.code == "" && err != nil,
				test.code == "cut" && (err == nil || code != "InternalError" && code != ""),
				test.code != "" && test.code != "cut" && code != test.code:
				t.Errorf("the client hears %q, %v; want %q", code, err, test.code)
			}
			const md5 = "9a0364b9e99bb480dd25e1f0284c8555"
			if test.code == "" {
				if got, want := info.ETag == md5, !strings.HasSuffix(test.name, "ETag"); got != want {
					t.Errorf("ETag %q", info.ETag)
				}
			}
			if there := len(server.Keys(t)) == 1; there != test.there {
				t.Errorf("the server has it: %t, want %t", there, test.there)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	server := fakes3.Start(t)
	p := faultproxy.Start(t, server.Endpoint)
	a := server.At(p.Endpoint)
	c := client(t, a, nil)
	// failed tells which of eight uploads fail.
	failed := func() string {
		var s strings.Builder
		for i := range 8 {
			if _, err := put(c, a, fmt.Sprint(i), "x"); err != nil {
				_, _ = fmt.Fprint(&s, i)
			}
		}
		p.Heal()
		return s.String()
	}
	for _, test := range []struct {
		name  string
		match faultproxy.Match
		want  string
	}{
		{"Every", faultproxy.Every(3), "25"},
		{"First", faultproxy.First(2), "01"},
		{"After", faultproxy.After(6), "67"},
		{"AfterWrites", faultproxy.AfterWrites(5), "567"},
		{"Key", faultproxy.Key("4", "x"), "4"},
		{"Times", faultproxy.Times(2, faultproxy.After(1)), "12"},
		{"All", faultproxy.All(faultproxy.After(4), faultproxy.Every(2), faultproxy.Write), "57"},
		{"another operation", faultproxy.Op("HeadObject"), ""},
		{"Always", faultproxy.Always, "01234567"},
	} {
		p.On(test.match, faultproxy.Denied)
		if got := failed(); got != test.want {
			t.Errorf("%s: these failed: %q, want %q", test.name, got, test.want)
		}
	}
	p.Forget()
	if len(p.Requests()) > 0 {
		t.Error("the log is not empty")
	}
}

// Rules take part in their order.
func TestNested(t *testing.T) {
	server := fakes3.Start(t)
	p := faultproxy.Start(t, server.Endpoint)
	a := server.At(p.Endpoint)
	p.On(faultproxy.Always, faultproxy.Delay(50*time.Millisecond))
	p.On(faultproxy.Always, faultproxy.Full)
	p.On(faultproxy.Always, faultproxy.Denied)
	start := time.Now()
	_, err := put(client(t, a, nil), a, "key", "x")
	if code := minio.ToErrorResponse(err).Code; code != "XMinioStorageFull" || time.Since(start) < 50*time.Millisecond {
		t.Errorf("%s after %s", code, time.Since(start))
	}
}

// A server that is gone is a connection that is cut; another one can be named.
func TestTarget(t *testing.T) {
	server := s3server.Start(t)
	p := faultproxy.Start(t, server.Endpoint)
	a := server.At(p.Endpoint)
	c := client(t, a, nil)
	server.Kill()
	if _, err := put(c, a, "key", "x"); err == nil {
		t.Error("the server is dead and takes an object")
	}
	if got := ops(p); !slices.Equal(got, []string{"PutObject key 0"}) {
		t.Errorf("the log: %q", got)
	}
	server.Restart(t)
	p.Target(server.Endpoint)
	if _, err := put(c, a, "key", "x"); err != nil {
		t.Error(err)
	}
}

func TestTLS(t *testing.T) {
	for _, kind := range s3server.Kinds {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			server := s3server.Start(t, kind)
			p := faultproxy.StartTLS(t, server.Endpoint)
			a := server.At(p.Endpoint)
			transport := http.DefaultTransport.(*http.Transport).Clone()
			_, err := put(client(t, a, transport), a, "key", "x")
			if unknown := new(x509.UnknownAuthorityError); !errors.As(err, unknown) {
				t.Errorf("nobody trusts the certificate, but: %v", err)
			}
			file := filepath.Join(t.TempDir(), "ca.pem")
			p.CAFile(t, file)
			pem, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			transport = transport.Clone()
			transport.TLSClientConfig.RootCAs = x509.NewCertPool()
			transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem)
			if _, err := put(client(t, a, transport), a, "key", "x"); err != nil {
				t.Error(err)
			}
		})
	}
}
