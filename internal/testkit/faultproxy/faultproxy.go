// Package faultproxy stands between an S3 client and a server and makes
// trouble, in front of whatever server a test has: the real ones (package
// s3server) and the fake one (package fakes3).
//
//	server := fakes3.Start(t)
//	proxy := faultproxy.Start(t, server.Endpoint)
//	server.At(proxy.Endpoint).S3cfg(t, config)
//
//	proxy.On(faultproxy.Every(3), faultproxy.Unavailable)
//	proxy.On(faultproxy.Key("b"), faultproxy.Delay(time.Second))
//	...
//	proxy.Heal()
//	for _, request := range proxy.Requests() { ...
//
// A rule is a [Match], which requests it is about, and a [Fault], what becomes
// of them. All rules that match take part, the first one outermost: a fault
// that answers by itself keeps the request from those after it and from the
// server.
//
// Paths, queries, headers and bodies go through as they come, the Host header
// too, so that signatures hold. Without a rule the proxy is not to be noticed:
// where the server cannot be reached, it cuts the connection.
package faultproxy

import (
	"context"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Proxy is a running proxy.
type Proxy struct {
	Endpoint string // 127.0.0.1:PORT

	server *httptest.Server
	next   http.Handler // the server

	mu       sync.Mutex
	target   string
	rules    []rule
	requests []*Request
	n        int // requests counted
	writes   int
}

type rule struct {
	match Match
	fault Fault
}

// Start starts a proxy in front of the server at target (HOST:PORT). It ends
// with the test.
func Start(t testing.TB, target string) *Proxy { return start(t, target, (*httptest.Server).Start) }

// StartTLS starts a proxy that speaks https to its clients, with a
// certificate that none of them trusts; see [Proxy.CAFile].
func StartTLS(t testing.TB, target string) *Proxy {
	return start(t, target, (*httptest.Server).StartTLS)
}

func start(t testing.TB, target string, how func(*httptest.Server)) *Proxy {
	p := &Proxy{target: target}
	quiet := log.New(io.Discard, "", 0)
	p.next = &httputil.ReverseProxy{
		Rewrite: p.rewrite,
		// A connection of its own for each request: versitygw wants it so, and a
		// request is never sent twice because an idle connection was gone.
		Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		ErrorLog:  quiet,
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {
			panic(http.ErrAbortHandler)
		},
	}
	p.server = httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	ctx, cancel := context.WithCancel(context.Background())
	p.server.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	p.server.Config.ErrorLog = quiet
	how(p.server)
	t.Cleanup(func() {
		cancel()
		p.server.CloseClientConnections()
		p.server.Close()
	})
	p.Endpoint = p.server.Listener.Addr().String()
	return p
}

// On adds a rule. It holds for the requests that arrive from now on.
func (p *Proxy) On(match Match, fault Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, rule{match, fault})
}

// Heal takes all rules away and counts requests from 1 again. The log stays.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules, p.n, p.writes = nil, 0, 0
}

// Requests are the requests that arrived since the start, or since the last
// Forget, in the order of arrival.
func (p *Proxy) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	requests := make([]Request, len(p.requests))
	for i, r := range p.requests {
		requests[i] = *r
	}
	return requests
}

// Forget empties the log and counts requests from 1 again.
func (p *Proxy) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests, p.n, p.writes = nil, 0, 0
}

// Target names another server: the same one, started again.
func (p *Proxy) Target(endpoint string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = endpoint
}

// CAFile writes the certificate that a client has to trust, for a proxy that
// speaks https: for ca_certs_file.
func (p *Proxy) CAFile(t testing.TB, path string) {
	t.Helper()
	block := &pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	request, handler := p.arrive(r)
	defer func() {
		if reason := recover(); reason != nil {
			p.answered(request, 0)
			panic(reason)
		}
	}()
	a := &answer{ResponseWriter: w, before: func(status int, _ http.Header) { p.answered(request, status) }}
	handler.ServeHTTP(a, r)
	a.end()
}

// arrive writes the request down and tells who is to deal with it.
func (p *Proxy) arrive(r *http.Request) (*Request, http.Handler) {
	request := read(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	if request.IsWrite() {
		p.writes++
	}
	request.N, request.Writes = p.n, p.writes
	p.requests = append(p.requests, request)
	handler := p.next
	for _, rule := range slices.Backward(p.rules) {
		if rule.match(*request) {
			handler = rule.fault(handler)
		}
	}
	return request, handler
}

func (p *Proxy) answered(r *Request, status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.Status = status
}

// rewrite aims a request at the server and leaves all that a client may have
// signed as it was.
func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	path, query, hasQuery := strings.Cut(r.In.RequestURI, "?")
	r.Out.URL = &url.URL{Scheme: "http", Host: p.target, Opaque: path, RawQuery: query, ForceQuery: hasQuery}
	r.Out.Host = r.In.Host
}
