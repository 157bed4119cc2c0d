package ping_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"btw-backup/internal/ping"
)

func TestPing(t *testing.T) {
	var asked []string
	status := []int{http.StatusOK}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.RequestURI())
		w.WriteHeader(status[min(len(asked), len(status))-1])
	}))
	defer server.Close()
	address := server.URL + "/secret?a=b"

	if err := (ping.HTTP{}).Ping(t.Context(), address); err != nil || len(asked) != 1 || asked[0] != "GET /secret?a=b" {
		t.Errorf("asked %q, %v", asked, err)
	}
	// Once more, if the first time it failed.
	asked, status = nil, []int{http.StatusBadGateway, http.StatusNoContent}
	if err := (ping.HTTP{}).Ping(t.Context(), address); err != nil || len(asked) != 2 {
		t.Errorf("asked %q, %v", asked, err)
	}
	asked, status = nil, []int{http.StatusNotFound}
	err := ping.HTTP{}.Ping(t.Context(), address)
	if err == nil || !strings.Contains(err.Error(), "404") || len(asked) != 2 {
		t.Errorf("asked %q, %v", asked, err)
	}
	for _, wrong := range []string{"http://127.0.0.1:1/secret", "http://[::1", "gopher://x/secret"} {
		err := ping.HTTP{}.Ping(t.Context(), wrong)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

func TestAMonitorThatDoesNotAnswer(t *testing.T) {
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-done }))
	defer server.Close()
	defer close(done)
	hasty := ping.HTTP{Client: &http.Client{Timeout: 20 * time.Millisecond}}
	if err := hasty.Ping(t.Context(), server.URL); err == nil {
		t.Error("it was told, it seems")
	}
}
