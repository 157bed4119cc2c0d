package s3server

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// minioTimeout is how long a start may take: 0.4 s on an idle machine.
const minioTimeout = 60 * time.Second

// The guard starts the server, which prints its pid first, and ends it when
// standard input ends, because the test closed it or is dead.
const guard = `
sh -c 'echo $$; exec "$@"' minio "$@" </dev/null &
server=$!
exec >/dev/null
read -r _
kill $server
wait $server
`

// minio is a running MinIO: the guard, and the server that is its child.
type minio struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	server int

	gone chan struct{} // closed when the server has ended
	mu   sync.Mutex
	said bytes.Buffer
}

// startMinIO starts MinIO on one directory, where it keeps each object as a
// directory with a file xl.meta, which holds small contents too. The key for
// server-side encryption is made for this server, and kept for its next start.
//
// MinIO opens its port by itself, so between our asking for a free one and
// its opening it somebody else may take it; then the next one is tried.
func (s *Server) startMinIO(program string) error {
	s.Dir = filepath.Join(s.Data, s.Bucket) // a directory is a bucket
	home := filepath.Join(s.Data, ".home")
	for _, dir := range []string{s.Dir, home} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if s.kmsKey == "" {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails
		s.kmsKey = "test:" + base64.StdEncoding.EncodeToString(key)
	}
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TZ=UTC",
		"MINIO_ROOT_USER=" + s.AccessKey, "MINIO_ROOT_PASSWORD=" + s.SecretKey,
		"MINIO_KMS_SECRET_KEY=" + s.kmsKey,
		"MINIO_CI_CD=on", // a directory of the system's disk will do
		// Nothing that costs a test time or memory.
		"MINIO_BROWSER=off", "MINIO_UPDATE=off", "_MINIO_SCANNER=off",
		"_MINIO_AUTO_DRIVE_HEALING=off", "_MINIO_DRIVE_ACTIVE_MONITORING=off",
	}
	var err error
	for range 5 {
		if s.Endpoint, err = freeAddress(); err != nil {
			return err
		}
		var m *minio
		m, err = startGuard(env, program, "server", "--quiet", "--address", s.Endpoint, s.Data)
		if err != nil {
			return err
		}
		if err = m.ready(s.Endpoint, s.AccessKey); err == nil {
			s.process = m
			return nil
		}
		m.end(syscall.SIGTERM)
		if !strings.Contains(err.Error(), "already in use") {
			return err
		}
	}
	return err
}

func startGuard(env []string, args ...string) (*minio, error) {
	m := &minio{gone: make(chan struct{})}
	m.cmd = exec.Command("/bin/sh", append([]string{"-c", guard, "minio-guard"}, args...)...)
	m.cmd.Env = env
	m.cmd.Stderr = m
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // ^C is for the test
	var err error
	if m.stdin, err = m.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := m.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	r := bufio.NewReader(stdout)
	if _, err := fmt.Fscanln(r, &m.server); err != nil {
		close(m.gone)
		m.end(syscall.SIGTERM)
		return nil, fmt.Errorf("the guard of MinIO did not start: %w\n%s", err, m.words())
	}
	go func() {
		_, _ = io.Copy(m, r)
		close(m.gone)
	}()
	return m, nil
}

// ready waits until the server answers, and it is this one: another test's
// MinIO does not know the key.
func (m *minio) ready(endpoint, key string) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	get := func(path, want string) bool {
		response, err := client.Get("http://" + endpoint + path)
		if err != nil {
			return false
		}
		defer response.Body.Close() //nolint:errcheck // only read
		body, err := io.ReadAll(response.Body)
		return err == nil && (response.StatusCode == http.StatusOK || want != "" && bytes.Contains(body, []byte(want)))
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(minioTimeout)
	for {
		if get("/minio/health/ready", "") &&
			get("/?AWSAccessKeyId="+key+"&Signature=none&Expires=4102444800", "<Code>SignatureDoesNotMatch<") {
			return nil
		}
		select {
		case <-m.gone:
			return fmt.Errorf("MinIO ended: %s", m.words())
		case <-deadline:
			return fmt.Errorf("MinIO is not ready after %s: %s", minioTimeout, m.words())
		case <-tick.C:
		}
	}
}

// Write takes what the server prints.
func (m *minio) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.said.Write(p)
}

func (m *minio) words() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.said.String()
}

// The server's pid is its own until the guard has waited for it.
func (m *minio) pid() int { return m.server }

func (m *minio) end(how syscall.Signal) {
	if m.server != 0 {
		if err := syscall.Kill(m.server, how); err != nil && !errors.Is(err, syscall.ESRCH) {
			_, _ = fmt.Fprintln(m, err)
		}
	}
	_ = m.stdin.Close()
	<-m.gone // before Wait, which closes what is read until then
	_ = m.cmd.Wait()
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
