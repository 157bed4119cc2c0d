package slowlink

import (
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"testing"
	"time"
)

// echo is a server that sends back what it gets.
func echo(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}()
		}
	}()
	return listener.Addr().String()
}

func dial(t *testing.T, endpoint string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", endpoint)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.(*net.TCPConn)
}

func TestRoundTrip(t *testing.T) {
	const delay = 10 * time.Millisecond
	c := dial(t, Start(t, echo(t), delay))
	least := time.Hour
	for range 20 {
		start := time.Now()
		answer := make([]byte, 4)
		if _, err := c.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "ping" {
			t.Fatalf("%q, %v", answer, err)
		}
		took := time.Since(start)
		if took < 2*delay {
			t.Errorf("a round trip took %s, less than twice %s", took, delay)
		}
		least = min(least, took)
	}
	// On an idle machine; here others have their share too.
	if least > 3*delay {
		t.Errorf("no round trip took less than %s, want %s", least, 2*delay)
	}
}

// What is under way is not limited: 64 MiB in a few round trips.
func TestThroughput(t *testing.T) {
	const delay = 300 * time.Millisecond
	c := dial(t, Start(t, echo(t), delay))
	sent := make([]byte, 64<<20)
	_, _ = rand.Read(sent)
	start := time.Now()
	go func() {
		_, _ = c.Write(sent)
		_ = c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d bytes came back, %v: want the %d that were sent", len(got), err, len(sent))
	}
	// A window of 4 MiB, say, would take 16 round trips.
	if took := time.Since(start); took > 16*2*delay {
		t.Errorf("it took %s: something limits what is under way", took)
	}
}

// A server that is not there is a connection that ends.
func TestNoServer(t *testing.T) {
	c := dial(t, Start(t, "127.0.0.1:1", time.Millisecond))
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if n, err := c.Read(make([]byte, 1)); err == nil || n > 0 {
		t.Errorf("read %d bytes, %v", n, err)
	}
}
