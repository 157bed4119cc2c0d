package listing_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"btw-backup/internal/testkit/listing"
	"btw-backup/internal/testkit/tools"
)

var tree = listing.Tree{Dirs: 3, Files: 1001, Size: 7}

// What is made up here and there is the same, and s3cmd says so.
func TestTree(t *testing.T) {
	tools.Need(t, "s3cmd")
	s := listing.Start(t, "some/prefix/", tree)
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := tree.Create(root); err != nil {
		t.Fatal(err)
	}
	s3cmd := func(args ...string) string {
		t.Helper()
		s.S3cfg(t, filepath.Join(dir, "s3cfg"))
		output, err := exec.Command("s3cmd", append([]string{"-c", filepath.Join(dir, "s3cfg")}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("s3cmd %s: %v\n%s", args, err, output)
		}
		return string(output)
	}
	if got := s3cmd("sync", "--dry-run", "--delete-removed", root+"/", s.URI("some/prefix/")); strings.Contains(got, "load:") || strings.Contains(got, "delete:") {
		t.Errorf("s3cmd finds a difference:\n%s", got)
	}
	if got := strings.Count(s3cmd("ls", "--recursive", s.URI("some/")), "\n"); got != tree.Len() {
		t.Errorf("s3cmd lists %d objects, want %d", got, tree.Len())
	}
	if err := os.WriteFile(filepath.Join(root, "more"), []byte("more"), 0o600); err != nil {
		t.Fatal(err)
	}
	s3cmd("sync", root+"/", s.URI("some/prefix/"))
	if got := s.Sent(); !slices.Equal(got, []string{"some/prefix/more"}) {
		t.Errorf("sent: %q", got)
	}
}

func TestPages(t *testing.T) {
	s := listing.Start(t, "p/", tree)
	c, err := minio.New(s.Endpoint, &minio.Options{
		Creds:        credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""),
		BucketLookup: minio.BucketLookupPath,
		MaxRetries:   1,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "p/000001/000500é +", "p/z"} {
		if _, err := c.PutObject(t.Context(), s.Bucket, key, strings.NewReader("x"), 1, minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	list := func(options minio.ListObjectsOptions) []string {
		t.Helper()
		options.Recursive = true
		var keys []string
		for object := range c.ListObjects(t.Context(), s.Bucket, options) {
			if object.Err != nil {
				t.Fatal(object.Err)
			}
			if object.Size == 7 && object.ETag != tree.MD5() {
				t.Fatalf("%s: ETag %s", object.Key, object.ETag)
			}
			keys = append(keys, object.Key)
		}
		if !slices.IsSorted(keys) {
			t.Error("the listing is not sorted")
		}
		return keys
	}
	for _, v1 := range []bool{false, true} {
		before := s.Pages()
		if got, want := len(list(minio.ListObjectsOptions{UseV1: v1})), tree.Len()+3; got != want {
			t.Errorf("%d keys, want %d", got, want)
		}
		if got := s.Pages() - before; got != 4 {
			t.Errorf("%d pages, want 4", got)
		}
		if got, want := len(list(minio.ListObjectsOptions{UseV1: v1, Prefix: "p/000001/"})), tree.Files+1; got != want {
			t.Errorf("%d keys in one directory, want %d", got, want)
		}
	}
	got := list(minio.ListObjectsOptions{StartAfter: "p/000001/000499", Prefix: "p/000001/0005"})
	if len(got) < 2 || got[0] != "p/000001/000500" || got[1] != "p/000001/000500é +" {
		t.Errorf("after a key: %q", got[:min(2, len(got))])
	}
	if got := list(minio.ListObjectsOptions{Prefix: "q"}); len(got) > 0 {
		t.Errorf("another prefix: %q", got)
	}
}

// What is made up stays.
func TestRefused(t *testing.T) {
	s := listing.Start(t, "", tree)
	c, err := minio.New(s.Endpoint, &minio.Options{Creds: credentials.NewStaticV4("a", "b", ""), Region: "us-east-1", MaxRetries: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.RemoveObject(t.Context(), s.Bucket, tree.Path(5), minio.RemoveObjectOptions{}); err == nil {
		t.Error("deleted")
	}
	if _, err := c.PutObject(t.Context(), s.Bucket, tree.Path(5), strings.NewReader("x"), 1, minio.PutObjectOptions{}); err == nil {
		t.Error("written")
	}
	if s.Refused() != 2 {
		t.Errorf("%d were refused", s.Refused())
	}
	if _, err := c.StatObject(t.Context(), s.Bucket, tree.Path(tree.Len()), minio.StatObjectOptions{}); minio.ToErrorResponse(err).Code != "NoSuchKey" {
		t.Errorf("one too many: %v", err)
	}
	if info, err := c.StatObject(t.Context(), s.Bucket, tree.Path(tree.Len()-1), minio.StatObjectOptions{}); err != nil || info.Size != 7 {
		t.Errorf("the last one: %+v, %v", info, err)
	}
}
