package offsite

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Clock tells the time.
type Clock interface {
	Now() time.Time
	// Sleep waits, or returns the cause of ctx's end.
	Sleep(ctx context.Context, d time.Duration) error
}

// transport carries requests over connections that give up when nothing moves
// on them, keeps to a rate limit, and notes what minio-go does not pass on:
// the headers of an answer.
type transport struct {
	http  *http.Transport
	limit *rateLimit // nil: as fast as it goes
}

// transportConfig is what a transport is made from.
type transportConfig struct {
	clock   Clock
	timeout time.Duration // with nothing moving for so long, a connection is dead
	conns   int           // how many stay open for the next request
	limit   int64         // bytes a second; 0 is no limit
	proxy   *url.URL      // nil: none
	tls     *tls.Config   // nil: the system's
}

func newTransport(c transportConfig) *transport {
	dialer := &net.Dialer{Timeout: min(c.timeout, 20*time.Second), KeepAlive: 15 * time.Second}
	t := &transport{http: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &liveConn{Conn: conn, timeout: c.timeout}, nil
		},
		MaxIdleConns:          c.conns,
		MaxIdleConnsPerHost:   c.conns,
		IdleConnTimeout:       c.timeout,
		TLSHandshakeTimeout:   min(c.timeout, 20*time.Second),
		ExpectContinueTimeout: 0,
		DisableCompression:    true,
		TLSClientConfig:       c.tls,
	}}
	if c.proxy != nil {
		t.http.Proxy = http.ProxyURL(c.proxy)
	}
	if c.limit > 0 {
		t.limit = &rateLimit{clock: c.clock, rate: c.limit}
	}
	return t
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if t.limit != nil && request.Body != nil {
		request = request.Clone(request.Context())
		request.Body = &limitedBody{request.Body, request.Context(), t.limit}
	}
	response, err := t.http.RoundTrip(request)
	if err != nil && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "server closed idle connection")) {
		err = errLost // minio-go has words of its own for EOF, that nothing could be told by
	}
	if a, ok := request.Context().Value(answerKey{}).(*answer); ok && err == nil {
		a.header = response.Header
	}
	return response, err
}

// errLost is that a server hung up.
var errLost = errors.New("the server closed the connection without an answer")

// answer is where the headers of an answer are put.
type answer struct{ header http.Header }

type answerKey struct{}

// answered makes a context under which a request's answer can be looked at.
func answered(ctx context.Context) (context.Context, *answer) {
	a := &answer{}
	return context.WithValue(ctx, answerKey{}, a), a
}

// liveConn is a connection that is dead when nothing has moved on it for a
// time: a request that takes long is no fault, one that stands still is.
type liveConn struct {
	net.Conn
	timeout time.Duration
}

func (c *liveConn) alive() error {
	return c.SetDeadline(time.Now().Add(c.timeout)) //nolint:forbidigo // connections know no other clock than the machine's
}

func (c *liveConn) Read(p []byte) (int, error) {
	if err := c.alive(); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *liveConn) Write(p []byte) (int, error) {
	const most = 64 << 10 // so that a large one, on a slow line, is seen to move
	written := 0
	for {
		if err := c.alive(); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(p[:min(len(p), most)])
		written += n
		p = p[n:]
		if err != nil || len(p) == 0 {
			return written, err
		}
	}
}

// rateLimit shares a number of bytes a second among all who ask.
type rateLimit struct {
	clock Clock
	rate  int64
	mu    sync.Mutex
	next  time.Time // when the next byte may go
}

// wait waits until n bytes more may go.
func (l *rateLimit) wait(ctx context.Context, n int) error {
	l.mu.Lock()
	now := l.clock.Now()
	if l.next.Before(now) {
		l.next = now
	}
	pause := l.next.Sub(now)
	l.next = l.next.Add(time.Duration(float64(n) / float64(l.rate) * float64(time.Second)))
	l.mu.Unlock()
	if pause <= 0 {
		return nil
	}
	return l.clock.Sleep(ctx, pause)
}

type limitedBody struct {
	io.ReadCloser
	ctx   context.Context //nolint:containedctx // of the request that it is the body of
	limit *rateLimit
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), 16<<10)])
	if waitErr := b.limit.wait(b.ctx, n); waitErr != nil && err == nil {
		err = waitErr
	}
	return n, err
}
