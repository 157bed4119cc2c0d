package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/md5" //nolint:gosec // what S3 calls an ETag
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheGoldenBucketEqualsTheGoldenRoot holds what the Python program's bucket
// held against its ROOT_PATH, by size and MD5, as a sync compares them: there is
// nothing to send. (golden_take_over.txtar does the sync itself.)
func TestTheGoldenBucketEqualsTheGoldenRoot(t *testing.T) {
	golden := filepath.Join(top, "testdata", "golden")
	text, err := os.ReadFile(filepath.Join(golden, "objects.json"))
	if err != nil {
		t.Fatal(err)
	}
	var objects []struct {
		Key  string
		Size int64
		ETag string
	}
	if err := json.Unmarshal(text, &objects); err != nil {
		t.Fatal(err)
	}
	type object struct {
		size int64
		md5  string
	}
	remote := map[string]object{}
	for _, o := range objects {
		path, ok := strings.CutPrefix(o.Key, "golden/")
		if !ok {
			t.Errorf("the key %q is not below the prefix", o.Key)
		}
		remote[path] = object{o.Size, o.ETag}
	}

	f, err := os.Open(filepath.Join(golden, "python-installation.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	local := 0
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		path, ok := strings.CutPrefix(h.Name, "btw-golden/root/")
		if !ok || h.Typeflag != tar.TypeReg {
			continue
		}
		local++
		sum := md5.New() //nolint:gosec // see the import
		if _, err := io.Copy(sum, r); err != nil {
			t.Fatal(err)
		}
		if got, want := remote[path], (object{h.Size, hex.EncodeToString(sum.Sum(nil))}); got != want {
			t.Errorf("%s: the bucket held %v, and here is %v", path, got, want)
		}
	}
	if local == 0 || local != len(remote) {
		t.Errorf("%d files here, %d objects there", local, len(remote))
	}
}
