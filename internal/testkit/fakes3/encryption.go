package fakes3

import (
	"net/http"
	"strings"
	"sync"

	"btw-backup/internal/testkit/faultproxy"
)

const sse = "X-Amz-Server-Side-Encryption"

// encryption remembers which objects were to be encrypted, and confirms it.
type encryption struct {
	mu    sync.Mutex
	asked map[string]string // by BUCKET/KEY
}

// confirm adds the header that the fake leaves out.
func (e *encryption) confirm(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		object, query := strings.TrimPrefix(r.URL.Path, "/"), r.URL.Query()
		faultproxy.EditHeader(func(header http.Header) {
			switch {
			case r.Method == http.MethodPut && !query.Has("partNumber"),
				r.Method == http.MethodPost && query.Has("uploads"):
				e.set(object, r.Header.Get(sse))
			}
			if asked := e.of(object); asked != "" && r.Method != http.MethodDelete {
				header.Set(sse, asked)
			}
		})(next).ServeHTTP(w, r)
	})
}

func (e *encryption) set(object, asked string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked[object] = asked
}

func (e *encryption) of(object string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked[object]
}
