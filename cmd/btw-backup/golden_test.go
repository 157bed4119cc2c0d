package main

import (
	"crypto/md5" //nolint:gosec // what S3 calls an ETag
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"btw-backup/internal/testkit/golden"
)

// TestTheGoldenBucketEqualsTheGoldenRoot holds what the Python program's bucket
// held against its ROOT_PATH, by size and MD5, as a sync compares them: there is
// nothing to send. (golden_take_over.txtar does the sync itself.)
func TestTheGoldenBucketEqualsTheGoldenRoot(t *testing.T) {
	type object struct {
		size int64
		md5  string
	}
	remote := map[string]object{}
	for _, o := range golden.Objects(t) {
		path, ok := strings.CutPrefix(o.Key, "golden/")
		if !ok {
			t.Errorf("the key %q is not below the prefix", o.Key)
		}
		remote[path] = object{o.Size, o.ETag}
	}

	dir := t.TempDir()
	golden.Unpack(t, "python-installation", dir)
	root := os.DirFS(filepath.Join(dir, "root"))
	local := 0
	if err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		local++
		content, err := fs.ReadFile(root, path)
		sum := md5.Sum(content) //nolint:gosec // see the import
		if got, want := remote[path], (object{int64(len(content)), hex.EncodeToString(sum[:])}); got != want {
			t.Errorf("%s: the bucket held %v, and here is %v", path, got, want)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if local == 0 || local != len(remote) {
		t.Errorf("%d files here, %d objects there", local, len(remote))
	}
}
