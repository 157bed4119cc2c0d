// Package slowlink puts distance between a client and a server: a TCP proxy
// that delivers all that it is given after a while, in each direction, without
// limiting how much is under way. Loopback hides what requests side by side
// bring; over a link with a round trip of 20 ms it shows.
//
// The round trip of opening a connection is not part of it: the kernel
// accepts at once.
package slowlink

import (
	"net"
	"sync"
	"testing"
	"time"
)

// chunk is how much is read at once, and queue how many chunks are under way
// at most: 128 MiB, which at 10 ms is more than loopback carries.
const (
	chunk = 64 << 10
	queue = 2048
)

// Start starts a proxy to target (HOST:PORT), and returns its address. It
// ends with the test. The delay is that of one direction: half a round trip.
func Start(t testing.TB, target string, delay time.Duration) (endpoint string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: target, delay: delay, open: map[net.Conn]bool{}}
	p.running.Go(func() { p.accept(listener) })
	t.Cleanup(func() {
		_ = listener.Close()
		p.end()
		p.running.Wait()
	})
	return listener.Addr().String()
}

type proxy struct {
	target  string
	delay   time.Duration
	running sync.WaitGroup

	mu    sync.Mutex
	open  map[net.Conn]bool
	ended bool
}

func (p *proxy) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.connect(client) })
	}
}

// connect joins a client with the server until both are done.
func (p *proxy) connect(client net.Conn) {
	if !p.keep(client) {
		return
	}
	defer p.close(client)
	server, err := net.Dial("tcp", p.target)
	if err != nil || !p.keep(server) {
		return
	}
	defer p.close(server)
	var both sync.WaitGroup
	both.Go(func() { p.carry(server, client) })
	both.Go(func() { p.carry(client, server) })
	both.Wait()
}

// A parcel is what was read at once, and when it is due.
type parcel struct {
	data []byte
	due  time.Time
}

// carry delivers what comes from one side to the other, and its end.
func (p *proxy) carry(to, from net.Conn) {
	parcels := make(chan parcel, queue)
	go func() {
		defer close(parcels)
		for {
			buffer := buffers.Get().(*[chunk]byte)
			n, err := from.Read(buffer[:])
			parcels <- parcel{buffer[:n], time.Now().Add(p.delay)}
			if err != nil {
				return
			}
		}
	}()
	for parcel := range parcels {
		time.Sleep(time.Until(parcel.due))
		if _, err := to.Write(parcel.data); err != nil {
			_ = from.Close() // ends the reading
		}
		buffers.Put((*[chunk]byte)(parcel.data[:chunk]))
	}
	if to, ok := to.(*net.TCPConn); ok {
		_ = to.CloseWrite()
	}
}

var buffers = sync.Pool{New: func() any { return new([chunk]byte) }}

// keep notes an open connection, and closes it where all is over.
func (p *proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		_ = c.Close()
		return false
	}
	p.open[c] = true
	return true
}

func (p *proxy) close(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
	_ = c.Close()
}

func (p *proxy) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	for c := range p.open {
		_ = c.Close()
	}
}
