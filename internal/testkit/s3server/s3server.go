// Package s3server starts a real S3 server for a test: one that checks
// signatures and keeps what it is sent, where a test can look at it.
//
// There are two, since each reads the protocol differently: versitygw, a
// gateway on plain files that is ready at once and ignores encryption, and
// MinIO, which really encrypts. [Access] is what a client has to know of
// either; the packages fakes3, faultproxy and slowlink speak of it too.
//
//	server := s3server.Start(t, s3server.MinIO)
//	server.S3cfg(t, config, "server_side_encryption = True")
//
// The servers are programs of modules of their own, testserver/ and
// testserver/minio/, since each brings a hundred dependencies or more that
// the product has no use for. [Start] builds what is not built yet: a minute,
// and two or three for MinIO; from then on it lies ready. Each test gets a
// server of its own, with keys made up for it, which ends with the test: at
// its cleanup, or, should the test die, when the pipe to its standard input
// closes.
package s3server

import (
	"crypto/rand"
	"strings"
	"syscall"
	"testing"
)

// Kind is one of the servers.
type Kind int

// The kinds of servers.
const (
	// VersityGW keeps each object as a plain file, and has none of the
	// encryption that it is asked for.
	VersityGW Kind = iota
	// MinIO encrypts what it is asked to encrypt.
	MinIO
)

// Kinds are all of them, for tests that go through them.
var Kinds = []Kind{VersityGW, MinIO}

func (k Kind) String() string {
	if k == MinIO {
		return "minio"
	}
	return "versitygw"
}

// Server is a running server.
type Server struct {
	Access
	Kind Kind
	Data string // all that the server writes lies below it
	Dir  string // the bucket's objects; versitygw: as plain files, DIR/KEY

	program string
	kmsKey  string  // MinIO's
	process process // nil: it does not run
}

// process is a server that runs.
type process interface {
	pid() int
	end(how syscall.Signal) // and wait until it is gone
}

// Start starts a server for the test: versitygw, unless another kind is
// named.
func Start(t testing.TB, kind ...Kind) *Server {
	t.Helper()
	s := &Server{
		Access: Access{
			AccessKey: rand.Text(),
			SecretKey: rand.Text(),
			Bucket:    "btw-" + strings.ToLower(rand.Text()[:8]),
		},
		Data: t.TempDir(),
	}
	if len(kind) > 0 {
		s.Kind = kind[0]
	}
	var err error
	if s.program, err = Build(s.Kind); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	s.Restart(t)
	return s
}

// Restart starts a server again that was stopped or killed, on what it left.
// Its Endpoint is another one then.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop()
	start := s.startVersityGW
	if s.Kind == MinIO {
		start = s.startMinIO
	}
	if err := start(s.program); err != nil {
		t.Fatal(err)
	}
}

// Stop ends the server and waits until it is gone: what the test sends from
// then on is refused. The test's end does it too.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

// Kill ends the server in the middle of whatever it does.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Pid is the server's process.
func (s *Server) Pid() int { return s.process.pid() }

func (s *Server) end(how syscall.Signal) {
	if s.process != nil {
		s.process.end(how)
		s.process = nil
	}
}
