// Package ping tells a monitor that something happened, by asking for a URL: the
// way of healthchecks.io, Uptime Kuma and their like.
//
// A monitor is no reason to keep a backup waiting: an answer that does not come
// within seconds is given up, and asked for once more, since the net may have
// been away for a moment. What is answered does not matter, but for the status.
// The URL is often all that a stranger needs to tell the monitor lies, so no
// error names more of it than the host.
package ping

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// HTTP tells monitors over the net.
type HTTP struct {
	// Client asks; nil means one that gives up after a while.
	Client *http.Client
}

const (
	patience = 10 * time.Second
	attempts = 2
)

// Ping asks for a URL. Any status but one of success is an error.
func (h HTTP) Ping(ctx context.Context, address string) (err error) {
	client := h.Client
	if client == nil {
		client = &http.Client{Timeout: patience}
	}
	for range attempts {
		if err = ask(ctx, client, address); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

func ask(ctx context.Context, client *http.Client, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return errors.New("it is no URL")
	}
	request.Header.Set("User-Agent", "btw-backup")
	answer, err := client.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // without the URL
		}
		return fmt.Errorf("%s: %w", request.URL.Host, err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
	_ = answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s: it answers %s", request.URL.Host, answer.Status)
	}
	return nil
}
