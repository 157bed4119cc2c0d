package run

import (
	"context"
	"errors"
	"fmt"

	"btw-backup/internal/exec"
	"btw-backup/internal/settings"
)

// What hooks are told, in BTW_BACKUP_RESULT.
const (
	hookBegin   = "begin"
	hookOK      = "ok"
	hookPending = "pending" // made and safe here, and not off-site: told as a failure
	hookFailed  = "failed"
)

// runHooks runs and tells what the settings say. Only of the program that is run
// before a backup does a failure count; a monitor that cannot be told is a
// warning.
func (r *Run) runHooks(ctx context.Context, dst, result, message string) error {
	general, err := r.General()
	if err != nil {
		return nil //nolint:nilerr // the run says so
	}
	name, hook := "ON_SUCCESS", general.Hooks.Success
	switch result {
	case hookBegin:
		name, hook = "ON_BEGIN", general.Hooks.Begin
	case hookPending, hookFailed:
		name, hook = "ON_FAILURE", general.Hooks.Failure
	}
	r.tell(ctx, dst, hook)
	if len(hook.Command) == 0 {
		return nil
	}
	_, err = r.Exec.Run(ctx, exec.Cmd{Args: hook.Command, Env: []string{
		"BTW_BACKUP_DST=" + dst, "BTW_BACKUP_RESULT=" + result, "BTW_BACKUP_MESSAGE=" + message,
	}})
	var exit *exec.ExitError
	if errors.As(err, &exit) && result != hookBegin {
		return fmt.Errorf("%s: %w: %s", name, err, firstLine(exit.Stderr+exit.Stdout))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (r *Run) tell(ctx context.Context, dst string, hook settings.Hook) {
	if hook.URL == "" {
		return
	}
	if err := r.Ping(ctx, hook.URL); err != nil {
		r.Log.Warn(dst + ": the monitor could not be told: " + err.Error())
	}
}

// Ping asks for a URL.
func (r *Run) Ping(ctx context.Context, url string) error {
	if r.Pinger == nil {
		return errors.New("there is no way out")
	}
	return r.Pinger.Ping(ctx, url)
}
