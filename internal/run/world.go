package run

import (
	"context"
	"time"

	"btw-backup/internal/durable"
	"btw-backup/internal/exec"
	"btw-backup/internal/lock"
	"btw-backup/internal/offsite"
	"btw-backup/internal/settings"
)

// World is the only way to the outside.
type World struct {
	FS     durable.FS
	Exec   exec.Runner
	Clock  Clock
	Locker lock.Locker
	Config settings.Dir
	Log    Log

	// Pinger tells a monitor; nil means that there is none to be told.
	Pinger Pinger

	// Getenv, when it is not nil, looks up an environment variable.
	Getenv func(name string) (value string, set bool)

	// Verbose, when it is not nil, hears of each file that is sent or deleted
	// off-site, from several goroutines.
	Verbose func(message string)

	// LockTimeout, when it is not nil, counts instead of the setting.
	LockTimeout *time.Duration
}

// Clock tells the time.
type Clock interface {
	Now() time.Time
	// Sleep waits, or returns the cause of ctx's end.
	Sleep(ctx context.Context, d time.Duration) error
}

// Pinger asks for a URL, so that whoever serves it knows that something
// happened.
type Pinger interface {
	Ping(ctx context.Context, url string) error
}

// Log hears what a person may want to know while a run goes on. Each message
// is one line.
type Log interface {
	// Warn is for what a person should know of, from cron too.
	Warn(message string)
	// Info is for a person who watches.
	Info(message string)
	// Progress is for a person who watches: what is going on and how many
	// bytes it has come to. It may be called often.
	Progress(what string, bytes int64)
	// Transfer is for a person who watches: how far a sending has come. It may
	// be called often, and from several goroutines.
	Transfer(what string, p offsite.Progress)
}

// SystemClock is the machine's.
type SystemClock struct{}

// Now implements [Clock].
func (SystemClock) Now() time.Time { return time.Now() } //nolint:forbidigo // the one clock

// Sleep implements [Clock].
func (SystemClock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d) //nolint:forbidigo // the one clock
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// waiter says how long to wait for a lock, and tells a person who watches for
// whom.
func (w *World) waiter(limit time.Duration) lock.Waiter {
	return lock.Waiter{
		Limit:  limit,
		OnWait: func(what, holder string) { w.Log.Info("waiting for " + holder + ", which holds " + what) },
	}
}
