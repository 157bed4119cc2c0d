package s3server

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"btw-backup/internal/testkit/tools"
)

func TestStart(t *testing.T) {
	for _, kind := range Kinds {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			s := Start(t, kind)
			response, err := http.Get("http://" + s.Endpoint + "/" + s.Bucket)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != http.StatusForbidden {
				t.Errorf("a request without a signature got %s, want 403", response.Status)
			}
			pid := s.Pid()
			s.Stop()
			if c, err := net.Dial("tcp", s.Endpoint); err == nil {
				_ = c.Close()
				t.Error("the server is still there after Stop")
			}
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("its process is still there: %v", err)
			}
		})
	}
}

// What a server was sent is there when it starts again after it was killed.
func TestRestart(t *testing.T) {
	for _, kind := range Kinds {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			s := Start(t, kind)
			c := newClient(t)
			c.put(s.Access, "a/b", "server_side_encryption = True")
			s.Kill()
			s.Restart(t)
			if got := c.s3cmd(s.Access, "get", s.URI("a/b"), "-"); got != known {
				t.Errorf("got %q, want %q", got, known)
			}
		})
	}
}

// MinIO encrypts what it is asked to encrypt, and versitygw says nothing
// about it: that is why there are both.
func TestEncryption(t *testing.T) {
	for _, test := range []struct {
		kind     Kind
		ask      string
		info     bool
		findable bool
	}{
		{MinIO, "True", true, false},
		{MinIO, "False", false, true},
		{VersityGW, "True", false, true},
	} {
		t.Run(test.kind.String()+" "+test.ask, func(t *testing.T) {
			t.Parallel()
			s := Start(t, test.kind)
			c := newClient(t)
			c.put(s.Access, "a/b", "server_side_encryption = "+test.ask)
			info := c.s3cmd(s.Access, "info", s.URI("a/b"))
			if got := strings.Contains(info, "AES256"); got != test.info {
				t.Errorf("s3cmd info says AES256: %t, want %t\n%s", got, test.info, info)
			}
			if got := find(t, s.Data, known); got != test.findable {
				t.Errorf("the text is findable below %s: %t, want %t", s.Data, got, test.findable)
			}
		})
	}
}

// A server does not outlive the test that started it, however that ended.
func TestGuard(t *testing.T) {
	m, err := startGuard(os.Environ(), "sleep", "600")
	if err != nil {
		t.Fatal(err)
	}
	_ = m.stdin.Close() // as the end of the test's process does
	select {
	case <-m.gone:
	case <-time.After(10 * time.Second):
		t.Error("the server is still there")
	}
	m.end(syscall.SIGKILL)
}

const known = "a text that is easy to find, and that nobody else writes: 4711\n"

// client is s3cmd.
type client struct {
	t   *testing.T
	dir string
}

func newClient(t *testing.T) client {
	tools.Need(t, "s3cmd")
	return client{t, t.TempDir()}
}

func (c client) put(a Access, key string, extra ...string) {
	c.t.Helper()
	file := filepath.Join(c.dir, "file")
	if err := os.WriteFile(file, []byte(known), 0o600); err != nil {
		c.t.Fatal(err)
	}
	a.S3cfg(c.t, filepath.Join(c.dir, "extra"), extra...)
	c.run("extra", "put", file, a.URI(key))
}

func (c client) s3cmd(a Access, args ...string) string {
	c.t.Helper()
	a.S3cfg(c.t, filepath.Join(c.dir, "plain"))
	return c.run("plain", args...)
}

func (c client) run(config string, args ...string) string {
	c.t.Helper()
	cmd := exec.Command("s3cmd", append([]string{"-c", filepath.Join(c.dir, config), "--no-progress"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("%s: %v\n%s", cmd, err, &stderr)
	}
	return string(output)
}

// find tells whether a file below dir holds the text.
func find(t *testing.T, dir, text string) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(name)
		found = found || bytes.Contains(content, []byte(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
