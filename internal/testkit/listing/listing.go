// Package listing is an S3 server with a great many objects that nobody ever
// stored: it makes up the listing when it is asked, page by page, so that a
// sync of a million objects can be measured without a million uploads.
//
//	tree := listing.Tree{Dirs: 1000, Files: 1000, Size: 64}
//	server := listing.Start(t, "prefix/", tree) // has them off-site
//	tree.Create(root)                           // and here they are too
//
// It is no fake of a server's behaviour beyond that (package fakes3 is): it
// checks no signature. What it is sent it keeps beside the made-up objects;
// those can be read, and neither changed nor deleted: whoever tries is told
// so, and [Server.Refused] counts.
package listing

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"btw-backup/internal/testkit/faultproxy"
	"btw-backup/internal/testkit/s3server"
)

// Server is a running server.
type Server struct {
	s3server.Access

	prefix string
	tree   Tree
	md5    string

	mu      sync.Mutex
	sent    map[string][]byte
	pages   int
	refused int
}

// Start starts a server whose bucket holds the files of tree below prefix. It
// ends with the test.
func Start(t testing.TB, prefix string, tree Tree) *Server {
	s := &Server{
		Access: s3server.Access{AccessKey: "anybody", SecretKey: "anything", Bucket: "btw-listing"},
		prefix: prefix,
		tree:   tree,
		md5:    tree.MD5(),
		sent:   map[string][]byte{},
	}
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	s.Endpoint = server.Listener.Addr().String()
	return s
}

// Pages is how many pages of the listing were asked for.
func (s *Server) Pages() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pages
}

// Refused is how many requests were refused: to write or delete what is made
// up, or what this server does not know.
func (s *Server) Refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// Sent are the keys of the objects that were sent.
func (s *Server) Sent() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []string
	for key := range s.sent {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	query := r.URL.Query()
	bucket := key == ""
	switch {
	case bucket && r.Method == http.MethodHead:
	case bucket && r.Method == http.MethodGet && query.Has("location"):
		write(w, `<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></LocationConstraint>`)
	case bucket && r.Method == http.MethodGet && query.Has("uploads"):
		write(w, `<ListMultipartUploadsResult><Bucket>`+s.Bucket+`</Bucket><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>`)
	case bucket && r.Method == http.MethodGet && query.Get("delimiter") == "":
		s.list(w, r)
	case !bucket && len(query) == 0 && r.Method == http.MethodPut && s.number(key) < 0:
		s.take(w, r, key)
	case !bucket && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		s.give(w, r, key)
	default:
		s.mu.Lock()
		s.refused++
		s.mu.Unlock()
		faultproxy.Reply(http.StatusNotImplemented, "NotImplemented", "internal/testkit/listing makes its objects up")(nil).ServeHTTP(w, r)
	}
}

// number is the number of the made-up file under a key; -1: there is none.
func (s *Server) number(key string) int {
	path, ok := strings.CutPrefix(key, s.prefix)
	dir, file, _ := strings.Cut(path, "/")
	d, dirErr := strconv.Atoi(dir)
	f, fileErr := strconv.Atoi(file)
	i := d*s.tree.Files + f
	if !ok || dirErr != nil || fileErr != nil || i < 0 || i >= s.tree.Len() || s.tree.Path(i) != path {
		return -1
	}
	return i
}

func (s *Server) take(w http.ResponseWriter, r *http.Request, key string) {
	content, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent[key] = content
	w.Header().Set("ETag", etag(content))
	w.Header().Set("X-Amz-Server-Side-Encryption", r.Header.Get("X-Amz-Server-Side-Encryption"))
}

func (s *Server) give(w http.ResponseWriter, r *http.Request, key string) {
	s.mu.Lock()
	content, ok := s.sent[key]
	s.mu.Unlock()
	if s.number(key) >= 0 {
		content, ok = make([]byte, s.tree.Size), true
	}
	if !ok {
		faultproxy.Reply(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")(nil).ServeHTTP(w, r)
		return
	}
	w.Header().Set("ETag", etag(content))
	w.Header().Set("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	_, _ = io.Copy(w, bytes.NewReader(content))
}

func etag(content []byte) string { return fmt.Sprintf(`"%x"`, md5.Sum(content)) }

func write(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/xml")
	_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+body)
}
