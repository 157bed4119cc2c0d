package offsite

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/minio/minio-go/v7"
)

// explain makes of what went wrong one line that says what to mend. What
// whatever is tried next would end with too is an *[UnavailableError].
func (n *native) explain(what string, gaveUp bool, err error) error {
	if err == nil {
		return nil
	}
	if errors.As(err, new(*localError)) || errors.As(err, new(*ChangedError)) || errors.As(err, new(*unconfirmedError)) ||
		errors.As(err, new(*UnavailableError)) {
		return err
	}
	if reason := n.reason(err); reason != "" {
		return &UnavailableError{URI: n.URI, Reason: reason, Err: err}
	}
	if gaveUp {
		return &UnavailableError{
			URI: n.URI, Err: err,
			Reason: fmt.Sprintf("nothing came through for %s (S3_TIMEOUT); the last thing said was: %s", n.patience.timeout, short(err)),
		}
	}
	return &storeError{fmt.Sprintf("%s: %s", what, short(err)), err}
}

// storeError is a server's answer in other words.
type storeError struct {
	text string
	err  error
}

func (e *storeError) Error() string { return e.text }
func (e *storeError) Unwrap() error { return e.err }

// reason says what makes the store unusable, if that is what err says.
func (n *native) reason(err error) string {
	config := n.S3cmdConfig
	switch {
	case isCertificate(err):
		return fmt.Sprintf("the certificate of %s does not verify: %s; see ca_certs_file in %s, or check_ssl_certificate", n.host(), innermost(err), config)
	case isUnknownHost(err):
		return fmt.Sprintf("the host %s is not known: see host_base in %s, and this machine's DNS", n.host(), config)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("%s refuses the connection: see host_base in %s, or start the server", n.host(), config)
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return fmt.Sprintf("%s speaks plain http: see use_https in %s", n.host(), config)
	}
	var response minio.ErrorResponse
	if !errors.As(err, &response) {
		return ""
	}
	switch response.Code {
	case "RequestTimeTooSkewed", "RequestExpired":
		return "this machine's clock and the server's are too far apart: set the clock (timedatectl set-ntp true)"
	case "InvalidAccessKeyId":
		return fmt.Sprintf("the server does not know the key: see access_key in %s", config)
	case "SignatureDoesNotMatch":
		return fmt.Sprintf("the secret key is wrong: see secret_key in %s", config)
	case "ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired":
		return fmt.Sprintf("the session token is no longer valid: see access_token in %s", config)
	case "InvalidBucketName":
		return fmt.Sprintf("%s is no name of a bucket: see S3_URI_PREFIX (%s)", n.bucket, response.Message)
	case "NoSuchBucket":
		return fmt.Sprintf("there is no bucket %s: make it, or see S3_URI_PREFIX", n.bucket)
	case "XMinioStorageFull", "InsufficientStorage", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "OverQuota":
		return fmt.Sprintf("the server is full: make room, or have the quota raised (%s)", response.Code)
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "InvalidRegion", "IllegalLocationConstraintException":
		return fmt.Sprintf("the bucket %s is in another region: see bucket_location and host_base in %s (%s)", n.bucket, config, short(err))
	case "AccountProblem", "NotSignedUp", "AllAccessDisabled":
		return fmt.Sprintf("the server has closed the account: %s", short(err))
	}
	if response.StatusCode == http.StatusInsufficientStorage {
		return "the server is full: make room, or have the quota raised"
	}
	return ""
}

// isDenied tells whether the key may not do what was asked. That concerns
// this one kind of request: a key that may do nothing but put is worth having.
func isDenied(err error) bool {
	var response minio.ErrorResponse
	return errors.As(err, &response) && (response.Code == "AccessDenied" || response.StatusCode == http.StatusForbidden && response.Code == "")
}

// denied says what the key may not do.
func (n *native) denied(verb string, err error) error {
	return &UnavailableError{URI: n.URI, Err: err, Reason: fmt.Sprintf("the key may not %s there: see access_key in %s, and its rights", verb, n.S3cmdConfig)}
}

// isAbsent tells whether there is no such object.
func isAbsent(err error) bool {
	var response minio.ErrorResponse
	return errors.As(err, &response) && (response.Code == "NoSuchKey" || response.StatusCode == http.StatusNotFound && response.Code != "NoSuchBucket")
}

// isRefusedEncryption tells whether a server said no to an upload for what it
// was asked to encrypt with.
func isRefusedEncryption(err error) bool {
	var response minio.ErrorResponse
	if !errors.As(err, &response) {
		return false
	}
	switch response.StatusCode {
	case http.StatusNotImplemented, http.StatusBadRequest:
	default:
		return strings.HasPrefix(response.Code, "KMS.")
	}
	text := strings.ToLower(response.Code + " " + response.Message)
	for _, word := range []string{"encryption", "notimplemented", "kms", "sse"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

func isCertificate(err error) bool {
	return errors.As(err, new(*tls.CertificateVerificationError)) || errors.As(err, new(x509.UnknownAuthorityError)) ||
		errors.As(err, new(x509.HostnameError)) || errors.As(err, new(x509.CertificateInvalidError))
}

func isUnknownHost(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

// isBrokenAnswer tells whether an answer was cut off or garbled on its way.
func isBrokenAnswer(err error) bool {
	return errors.As(err, new(*xml.SyntaxError)) || strings.Contains(err.Error(), "malformed HTTP")
}

// short is an error without the URL that it came from.
func short(err error) string {
	var response minio.ErrorResponse
	if errors.As(err, &response) {
		text := response.Code
		if response.StatusCode != 0 {
			text = fmt.Sprintf("%d %s", response.StatusCode, response.Code)
		}
		if response.Message != "" {
			text += ": " + response.Message
		}
		return text
	}
	return innermost(err)
}

// innermost unwraps what net/http wraps around an error, and which names URLs.
func innermost(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil || errors.As(err, new(*net.OpError)) && !errors.As(inner, new(*net.OpError)) {
			return err.Error()
		}
		err = inner
	}
}
