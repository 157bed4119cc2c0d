package s3cfg

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spf13/afero"
)

// TestTLS speaks to a server whose certificate is for example.com, and is
// trusted by those who have it as their CA.
func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	fsys := afero.NewMemMapFs()
	write(t, fsys, "/ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	write(t, fsys, "/empty.pem", "")
	key, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, fsys, "/key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	both, _ := afero.ReadFile(fsys, "/ca.pem")
	more, _ := afero.ReadFile(fsys, "/key.pem")
	write(t, fsys, "/both.pem", string(both)+string(more))
	for _, text := range []string{"ssl_client_cert_file = /both.pem", "ssl_client_cert_file = /ca.pem\nssl_client_key_file = /key.pem"} {
		if config, err := parse(t, text).TLS(fsys); err != nil || len(config.Certificates) != 1 {
			t.Errorf("%q: got %v", text, err)
		}
	}
	const ca = "ca_certs_file = /ca.pem\n"
	for _, test := range []struct {
		text, host string
		want       string // of the error
	}{
		{ca, "example.com", ""},
		{ca, "other.org", "not other.org"},
		{ca + "check_ssl_hostname = no", "other.org", ""},
		{"check_ssl_hostname = no", "other.org", "unknown authority"},
		{"", "example.com", "unknown authority"},
		{"check_ssl_certificate = no", "other.org", ""},
		{"check_ssl_certificate = no\ncheck_ssl_hostname = no", "other.org", ""},
	} {
		config, err := parse(t, test.text).TLS(fsys)
		if err != nil {
			t.Fatal(err)
		}
		config.ServerName = test.host
		conn, err := tls.Dial("tcp", server.Listener.Addr().String(), config)
		if err == nil {
			_ = conn.Close()
		}
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q, %s: got %v, want %q", test.text, test.host, err, test.want)
		}
	}
	if config, err := parse(t, "use_https = no\n"+"ca_certs_file = /none").TLS(fsys); config != nil || err != nil {
		t.Errorf("without TLS: got %v, %v", config, err)
	}
	for _, test := range []struct{ text, want string }{
		{"ca_certs_file = /none", "f: ca_certs_file: "},
		{"ca_certs_file = /empty.pem", "f: ca_certs_file = /empty.pem: there is no certificate in PEM form in it"},
		{"ssl_client_cert_file = /none", "f: ssl_client_cert_file: "},
		{"ssl_client_cert_file = /ca.pem", "f: ssl_client_cert_file = /ca.pem: "},
		{"ssl_client_cert_file = /ca.pem\nssl_client_key_file = /none", "f: ssl_client_key_file: "},
	} {
		if _, err := parse(t, test.text).TLS(fsys); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%q: got %v, want %s", test.text, err, test.want)
		}
	}
}
