// Package s3server starts a real S3 server for a test: one that checks
// signatures and keeps what it is sent, as plain files that a test can look
// at.
//
// The server is the program in testserver/, a module of its own. It is built
// by [Start], about a minute the first time, and from then on Go's cache has
// it. Each test gets a server of its own, with keys made up for it, which
// ends with the test: at its cleanup, or, should the test die, when the pipe
// to its standard input closes.
package s3server

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Server is a running server.
type Server struct {
	Endpoint             string // 127.0.0.1:PORT; http, path style
	AccessKey, SecretKey string
	Bucket               string // it is there, and empty
	Dir                  string // the bucket's objects, as plain files: DIR/KEY

	data   string
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr *bytes.Buffer
}

// Start starts a server for the test.
func Start(t testing.TB) *Server {
	t.Helper()
	program := build(t)
	s := &Server{
		AccessKey: rand.Text(),
		SecretKey: rand.Text(),
		Bucket:    "btw-" + strings.ToLower(rand.Text()[:8]),
		data:      t.TempDir(),
	}
	s.Dir = filepath.Join(s.data, "buckets", s.Bucket)
	s.start(t, program)
	t.Cleanup(s.Stop)
	return s
}

func (s *Server) start(t testing.TB, program string) {
	t.Helper()
	s.stderr = &bytes.Buffer{}
	s.cmd = exec.Command(program, "-dir", s.data, "-bucket", s.Bucket)
	s.cmd.Env = append(os.Environ(), "ACCESS_KEY="+s.AccessKey, "SECRET_KEY="+s.SecretKey)
	s.cmd.Stderr = s.stderr
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.stdin = stdin
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if _, scanErr := fmt.Sscanf(line, "endpoint %s", &s.Endpoint); err != nil || scanErr != nil {
		s.Stop()
		t.Fatalf("the S3 server did not start: %q\n%s", line, s.stderr)
	}
}

// Stop ends the server and waits until it is gone: what the test sends from
// then on is refused. The test's end does it too.
func (s *Server) Stop() {
	if s.cmd.ProcessState != nil {
		return
	}
	_ = s.stdin.Close()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
}

// URI gives the s3:// URI of a key in the bucket.
func (s *Server) URI(key string) string { return "s3://" + s.Bucket + "/" + key }

// S3cfg writes a configuration file for s3cmd, with extra lines at its end.
func (s *Server) S3cfg(t testing.TB, path string, extra ...string) {
	t.Helper()
	lines := append([]string{
		"[default]",
		"access_key = " + s.AccessKey,
		"secret_key = " + s.SecretKey,
		"host_base = " + s.Endpoint,
		"host_bucket = " + s.Endpoint, // without %(bucket)s: path style
		"use_https = False",
		"bucket_location = us-east-1",
	}, extra...)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// build builds the server, once a process. Packages that are tested side by
// side may do it at the same time: each builds under a name of its own, and
// the rename gives every one of them a whole program.
func build(t testing.TB) string {
	t.Helper()
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

var built = sync.OnceValues(func() (string, error) {
	_, here, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(here) {
		return "", fmt.Errorf("s3server: cannot tell where the source lies (built with -trimpath?): %q", here)
	}
	source := filepath.Join(filepath.Dir(here), "..", "..", "..", "testserver")
	cache, err := os.UserCacheDir()
	if err != nil { // no HOME
		cache = filepath.Join(os.TempDir(), fmt.Sprintf("btw-backup-cache-%d", os.Getuid()))
	}
	cache = filepath.Join(cache, "btw-backup")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(cache, "building-")
	if err != nil {
		return "", err
	}
	_ = f.Close()
	defer os.Remove(f.Name()) //nolint:errcheck // gone once it is renamed
	cmd := exec.Command("go", "build", "-o", f.Name(), ".")
	cmd.Dir = source
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", source, err, output)
	}
	program := filepath.Join(cache, "testserver")
	return program, os.Rename(f.Name(), program)
})
