package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"btw-backup/internal/exec"
	"btw-backup/internal/lock"
	"btw-backup/internal/run"
	"btw-backup/starlib"
)

// The exit statuses, as every command's help tells.
const (
	statusDone    = 0
	statusFailed  = 1
	statusUsage   = 2
	statusPending = 3
	statusBusy    = 4
	statusSignal  = 128 // plus the signal's number
)

const statusHelp = `Exit status:
  0    done: made, or nothing had changed; durable, and off-site
  1    failed, or refused
  2    the command line is wrong
  3    made and safe here, but something due off-site stays pending
  4    another run holds what this one needs, and the wait ran out
  130, 143  stopped by SIGINT, SIGTERM, after cleaning up`

// usageError is a command line that is wrong.
type usageError struct {
	err error
	cmd *cobra.Command
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// taleError is an error with what it means for the backups.
type taleError struct {
	err   error
	kept  []string
	doubt bool
}

func (e *taleError) Error() string { return e.err.Error() }
func (e *taleError) Unwrap() error { return e.err }

// report tells a person of an error and returns the exit status that it means.
func (p *program) report(ctx context.Context, err error) int {
	p.log.done()
	var signal stopped
	var usage *usageError
	var pending *run.PendingError
	var busy *lock.BusyError
	switch {
	case err == nil:
		return statusDone
	case errors.As(err, &signal), errors.As(context.Cause(ctx), &signal):
		p.log.fail(signal.Error())
		return statusSignal + int(signal.signal)
	case errors.As(err, &usage):
		if usage.cmd != nil {
			_, _ = fmt.Fprintln(p.log.out, strings.TrimSpace(usage.cmd.UsageString()))
		}
		p.log.fail(err.Error())
		return statusUsage
	case errors.As(err, &pending):
		p.lastWords(pending.Why...)
		p.log.fail(pending.Error())
		return statusPending
	}
	p.lastWords(err)
	p.log.fail(message(err))
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		p.log.detail(hinted.Hint())
	}
	p.details(err)
	if errors.As(err, &busy) {
		return statusBusy
	}
	return statusFailed
}

// message returns what went wrong. The place in a recipe follows on a line of
// its own, unless the message makes no sense without.
func message(err error) string {
	var e *starlib.Error
	if errors.As(err, &e) && !e.Static() && (e.Unwrap() != nil || e.Failed()) {
		return strings.ReplaceAll(e.Msg, "\n", "; ")
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

// lastWords passes on what tools said before they failed.
func (p *program) lastWords(errs ...error) {
	for _, err := range errs {
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.Stderr != "" {
			p.log.line(exit.Stderr)
		} else if exit != nil && exit.Stdout != "" {
			p.log.line(exit.Stdout)
		}
	}
}

// details says where in a recipe it happened and what it means for the
// backups. What was refused before anything happened needs neither.
func (p *program) details(err error) {
	var tale *taleError
	var failed *starlib.Error
	if !errors.As(err, &tale) || len(tale.kept) == 0 && !tale.doubt && simple(err) {
		return
	}
	if errors.As(err, &failed) && failed.Unwrap() != nil {
		if file, line, source := failed.Where(); line > 0 {
			p.log.detail(fmt.Sprintf("at %s:%d: %s", file, line, source))
		}
	}
	var consequential interface{ Consequence() string }
	switch {
	case errors.As(err, &consequential) && len(tale.kept) == 0:
		p.log.detail(consequential.Consequence())
	case tale.doubt:
		p.log.detail("the disk failed at the last step: the next run finds out whether the backup was kept; nothing was removed")
	case len(tale.kept) == 0:
		p.log.detail("no backup was made; nothing was removed")
	default:
		p.log.detail("the backup was made and is safe here: " + strings.Join(tale.kept, ", "))
	}
}

// simple tells whether an error says all there is to say.
func simple(err error) bool {
	var failed *starlib.Error
	if errors.As(err, &failed) && (failed.Failed() || failed.Static()) {
		return true
	}
	return errors.As(err, new(*run.Refusal)) || errors.As(err, new(*lock.BusyError))
}
