package s3cfg

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/spf13/afero"
)

// TLS returns how the server's certificate is checked and which one is shown
// to it, nil if the server is spoken to without TLS.
//
// As with s3cmd, those of CACertsFile are trusted instead of the machine's
// own, not beside them.
func (c *Config) TLS(fsys afero.Fs) (*tls.Config, error) {
	if !c.HTTPS {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CACertsFile != "" {
		pem, err := afero.ReadFile(fsys, c.CACertsFile)
		if err != nil {
			return nil, fmt.Errorf("%s: ca_certs_file: %w", c.File, err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: ca_certs_file = %s: there is no certificate in PEM form in it", c.File, c.CACertsFile)
		}
	}
	if c.ClientCertFile != "" {
		pair, err := c.clientCert(fsys)
		if err != nil {
			return nil, err
		}
		t.Certificates = []tls.Certificate{pair}
	}
	switch {
	case !c.CheckCertificate:
		t.InsecureSkipVerify = true
	case !c.CheckHostname:
		t.InsecureSkipVerify = true // in favour of our own check
		t.VerifyConnection = func(state tls.ConnectionState) error { return verifyChain(t.RootCAs, state) }
	}
	return t, nil
}

func (c *Config) clientCert(fsys afero.Fs) (tls.Certificate, error) {
	cert, err := afero.ReadFile(fsys, c.ClientCertFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: ssl_client_cert_file: %w", c.File, err)
	}
	key := cert
	if c.ClientKeyFile != "" {
		if key, err = afero.ReadFile(fsys, c.ClientKeyFile); err != nil {
			return tls.Certificate{}, fmt.Errorf("%s: ssl_client_key_file: %w", c.File, err)
		}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return pair, fmt.Errorf("%s: ssl_client_cert_file = %s: %w", c.File, c.ClientCertFile, err)
	}
	return pair, nil
}

// verifyChain checks who a certificate comes from, and not whom it is for.
func verifyChain(roots *x509.CertPool, state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server shows no certificate")
	}
	others := x509.NewCertPool()
	for _, cert := range state.PeerCertificates[1:] {
		others.AddCert(cert)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: others})
	return err
}
