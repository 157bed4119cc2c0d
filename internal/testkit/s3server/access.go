package s3server

import (
	"os"
	"strings"
	"testing"
)

// Access is what a client needs to know of a server.
type Access struct {
	Endpoint             string // 127.0.0.1:PORT; http, path style
	AccessKey, SecretKey string
	Bucket               string // it is there, and empty
}

// At is the same server by way of another address: a proxy's.
func (a Access) At(endpoint string) Access {
	a.Endpoint = endpoint
	return a
}

// URI gives the s3:// URI of a key in the bucket.
func (a Access) URI(key string) string { return "s3://" + a.Bucket + "/" + key }

// S3cfg writes a configuration file for s3cmd, with extra lines at its end;
// the last line of a name counts.
func (a Access) S3cfg(t testing.TB, path string, extra ...string) {
	t.Helper()
	lines := append([]string{
		"[default]",
		"access_key = " + a.AccessKey,
		"secret_key = " + a.SecretKey,
		"host_base = " + a.Endpoint,
		"host_bucket = " + a.Endpoint, // without %(bucket)s: path style
		"use_https = False",
		"bucket_location = us-east-1",
	}, extra...)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}
