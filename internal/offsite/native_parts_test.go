package offsite

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"btw-backup/internal/testkit/faultproxy"
)

// TestNativeMultipart: an upload that fails is aborted, and what a former run
// left is swept.
func TestNativeMultipart(t *testing.T) {
	s, server, _ := nativeRealSite(t, "p")
	proxy := faultproxy.Start(t, server.Endpoint)
	server.At(proxy.Endpoint).S3cfg(t, s.config+"/s3cfg", "multipart_chunk_size_mb = 5")
	s.write(s.root, map[string]string{"big": strings.Repeat("0123456789abcdef", 12<<16)})
	proxy.On(faultproxy.All(faultproxy.Op("UploadPart"), func(r faultproxy.Request) bool { return r.N > 3 }), faultproxy.Denied)
	s.fails(s.store("").Push(context.Background(), "big"), "the key may not write there")
	aborted := func() (n int) {
		for _, r := range proxy.Requests() {
			if r.Op == "AbortMultipartUpload" {
				n++
			}
		}
		return n
	}
	if aborted() != 1 {
		t.Errorf("requests %v, want one to abort", proxy.Requests())
	}
	proxy.Heal()
	store := s.store("").(*native)
	s.ok(store.Check(context.Background()))
	for _, key := range []string{"p/old", "p2/old"} {
		_, err := store.core().NewMultipartUpload(context.Background(), server.Bucket, key, newSending(context.Background(), store, nil).options(&source{info: stat(t, s.root+"/big"), md5: "00"}))
		s.ok(err)
	}
	s.ok(s.store("").Sync(context.Background(), ""))
	if aborted() != 1 {
		t.Error("what began a moment ago was swept")
	}
	s.change = func(c *Config) { c.Clock = laterClock{by: 25 * time.Hour} }
	s.ok(s.store("").Sync(context.Background(), ""))
	if aborted() != 2 {
		t.Errorf("%d uploads were aborted, want 2: a/ is not a2/", aborted())
	}
}

func stat(t *testing.T, name string) os.FileInfo {
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info
}
