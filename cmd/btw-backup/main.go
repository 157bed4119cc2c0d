// Btw-backup backs up one server. Its backup procedures are recipes, short
// Starlark files that call verbs written in Go; the stock ones are the
// commands that it documents.
//
// # What goes where
//
// Standard output carries what was asked for, and nothing else. Standard error
// carries what went wrong, each line with the program's name before it, and a
// tool's own last words as they are. What is meant for a person who watches,
// notes and progress, is shown only where standard error is a terminal, so that
// a mail from cron means trouble. Colour is decided for each stream by itself.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"btw-backup/internal/durable"
	"btw-backup/internal/exec"
	"btw-backup/internal/lock"
	"btw-backup/internal/ping"
	"btw-backup/internal/run"
)

// version is set when a release is built.
var version = ""

// versionText returns the version, or the commit that was built.
func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return "3.0.0-dev+" + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return "3.0.0-dev"
}

func main() {
	os.Exit(realMain(run.SystemClock{}))
}

// realMain is main with a clock to be chosen, for the tests.
func realMain(clock run.Clock) int {
	// Whatever is made is its owner's alone, and no mask that the caller left
	// may take the owner's own rights.
	syscall.Umask(0o077)
	ctx, stop := untilSignal(context.Background())
	defer stop()
	p := &program{
		world: run.World{
			FS: durable.OS{}, Exec: exec.OS{}, Clock: clock, Locker: lock.OS{},
			Getenv: os.LookupEnv, Pinger: ping.HTTP{},
		},
		stdout: os.Stdout,
		log:    newLog(os.Stderr),
	}
	return p.main(ctx, os.Args[1:])
}

// stopped is the cause of a context that a signal ended.
type stopped struct{ signal syscall.Signal }

func (s stopped) Error() string {
	return fmt.Sprintf("stopped by SIG%s", map[syscall.Signal]string{
		syscall.SIGINT: "INT", syscall.SIGTERM: "TERM", syscall.SIGHUP: "HUP", syscall.SIGQUIT: "QUIT",
	}[s.signal])
}

// untilSignal returns a context that the first signal to stop ends. The
// second one ends the program at once, as if nobody listened.
func untilSignal(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	go func() {
		s, ok := <-signals
		if !ok {
			return
		}
		signal.Reset(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
		cancel(stopped{s.(syscall.Signal)})
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel(nil)
	}
}
