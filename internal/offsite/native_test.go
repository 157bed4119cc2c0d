package offsite

import (
	"context"
	"maps"
	"strings"
	"testing"

	"btw-backup/internal/testkit/fakes3"
)

// fake is a server in memory, on which the prefix p is used.
type fake struct{ *fakes3.Server }

// copied reads the copy back.
func (f fake) copied(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for key, content := range f.Objects(t) {
		if name, ok := strings.CutPrefix(key, "p/"); ok {
			found[name] = content
		}
	}
	return found
}

// nativeSite is a site whose copy is in a bucket, under p.
func nativeSite(t *testing.T, extra ...string) (*site, fake) {
	t.Helper()
	s := newSite(t)
	server := fake{fakes3.Start(t)}
	server.S3cfg(t, s.config+"/s3cfg", extra...)
	s.uri, s.engine = server.URI("p"), Native
	return s, server
}

func TestNativeSync(t *testing.T) {
	s, server := nativeSite(t)
	ctx := context.Background()
	server.Put(t, "p2/x", "another's", nil)
	server.Put(t, "px", "another's", nil)
	want := maps.Clone(hard)
	s.write(s.root, want)
	s.ok(s.store("").Sync(ctx, ""))
	s.wantFiles(server.copied(t), want)

	s.write(s.root, map[string]string{"plain.tbz": "PLAIN", "new": "1"})
	s.remove("a2", "deep", "empty")
	s.write(s.root, map[string]string{"deep": "shallow", "empty/inside": "in", "deep-er": "1"})
	delete(want, "a2/x")
	delete(want, "deep/er/and/deeper/file")
	delete(want, "empty")
	want["plain.tbz"], want["new"], want["deep"], want["empty/inside"], want["deep-er"] = "PLAIN", "1", "shallow", "in", "1"
	s.ok(s.store("").Sync(ctx, ""))
	s.wantFiles(server.copied(t), want)

	s.remove("deep", "empty")
	s.write(s.root, map[string]string{"deep/er": "again", "empty": ""})
	delete(want, "deep")
	delete(want, "empty/inside")
	want["deep/er"], want["empty"] = "again", ""
	s.ok(s.store("").Sync(ctx, ""))
	s.wantFiles(server.copied(t), want)
	if keys := server.Keys(t); len(keys) != len(want)+2 {
		t.Errorf("the bucket holds %d objects, want %d", len(keys), len(want)+2)
	}
	if o := server.Object(t, "p/new"); o.SSE != "AES256" || !strings.Contains(o.Meta["X-Amz-Meta-S3cmd-Attrs"], "md5:c4ca4238a0b923820dcc509a6f75849b/") {
		t.Errorf("an object has the metadata %q and the encryption %q", o.Meta, o.SSE)
	}
}
