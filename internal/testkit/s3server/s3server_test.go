package s3server

import (
	"net"
	"net/http"
	"testing"
)

func TestStart(t *testing.T) {
	s := Start(t)
	response, err := http.Get("http://" + s.Endpoint + "/" + s.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("a request without a signature got %s, want 403", response.Status)
	}
	s.Stop()
	if c, err := net.Dial("tcp", s.Endpoint); err == nil {
		_ = c.Close()
		t.Error("the server is still there after Stop")
	}
}
