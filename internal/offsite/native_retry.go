package offsite

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/minio/minio-go/v7"
)

// DefaultS3Timeout is how long a run goes on trying without getting anywhere.
const DefaultS3Timeout = 60 * time.Second

// patience is one for all requests of a store: while some of them succeed, a
// single one that does not is tried again; when none has for a time, the
// store cannot be used.
type patience struct {
	clock   Clock
	timeout time.Duration
	success atomic.Int64 // when a request last succeeded, in Unix nanoseconds
	moved   atomic.Int64 // when a large body last moved
	ever    atomic.Bool  // one did succeed
}

func newPatience(clock Clock, timeout time.Duration) *patience {
	p := &patience{clock: clock, timeout: timeout}
	p.begin()
	return p
}

// begin starts the time anew: between two Pushes the store was not asked.
func (p *patience) begin() { p.success.Store(p.clock.Now().UnixNano()) }

// since tells how long ago that was.
func (p *patience) since(nanoseconds *atomic.Int64) time.Duration {
	return time.Duration(p.clock.Now().UnixNano() - nanoseconds.Load())
}

// leastTries is how often something large is tried on a line so slow that one
// try takes longer than the time-out.
const leastTries = 5

// most and first are the pauses between tries.
const (
	firstPause = 100 * time.Millisecond
	mostPause  = 5 * time.Second
)

// try sends a request until it succeeds, or fails for a reason that lasts. It
// returns the last error, and whether it gave up on one that might pass.
func (p *patience) try(ctx context.Context, request func(ctx context.Context) error) (gaveUp bool, err error) {
	pause := firstPause
	for tries := 1; ; tries++ {
		err := request(ctx)
		switch {
		case err == nil:
			p.success.Store(p.clock.Now().UnixNano())
			p.ever.Store(true)
			return false, nil
		case context.Cause(ctx) != nil:
			return false, context.Cause(ctx)
		case !passing(err) && !errors.As(err, new(*unconfirmedError)):
			return false, err
		case !p.ever.Load() && errors.Is(err, syscall.ECONNREFUSED):
			return true, err // nobody is there, and nobody was
		case errors.As(err, new(*unconfirmedError)) && tries >= leastTries:
			return false, err
		case p.since(&p.success) >= p.timeout && (p.since(&p.moved) >= p.timeout || tries >= leastTries):
			return true, err
		}
		// Many wait at once: let them not come back at once.
		wait := pause/2 + rand.N(pause/2+1)
		wait = min(wait, max(p.timeout-p.since(&p.success), firstPause))
		if err := p.clock.Sleep(ctx, wait); err != nil {
			return false, err
		}
		pause = min(2*pause, mostPause)
	}
}

// passing tells whether an error is one that may be gone a moment later.
func passing(err error) bool {
	var response minio.ErrorResponse
	if errors.As(err, &response) {
		switch response.Code {
		case "XMinioStorageFull", "NotImplemented", "InsufficientStorage":
			return false
		case "RequestTimeout", "SlowDown", "Throttling", "InternalError", "OperationAborted",
			"BadDigest", "XAmzContentChecksumMismatch", "IncompleteBody", "XAmzContentSHA256Mismatch":
			return true // of the last ones: what arrived is not what was sent
		}
		switch response.StatusCode {
		case http.StatusRequestTimeout, http.StatusTooManyRequests:
			return true
		case http.StatusNotImplemented, http.StatusInsufficientStorage:
			return false
		}
		return response.StatusCode >= 500
	}
	if isCertificate(err) || isUnknownHost(err) || errors.As(err, new(*localError)) {
		return false
	}
	var op *net.OpError
	var network net.Error
	return errors.Is(err, errLost) || errors.As(err, &op) || errors.As(err, &network) && network.Timeout() ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, http.ErrServerClosed) || isBrokenAnswer(err)
}

// localError is one of reading the local file, while it was being sent.
type localError struct{ err error }

func (e *localError) Error() string { return e.err.Error() }
func (e *localError) Unwrap() error { return e.err }

// unconfirmedError says that the server did not confirm the MD5 of what it
// was sent.
type unconfirmedError struct{ path, sent, got string }

func (e *unconfirmedError) Error() string {
	return e.path + ": the server does not confirm what it was sent: the MD5 is " + e.sent + ", it says " + e.got
}
