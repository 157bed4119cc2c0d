package run

import (
	"context"
	"errors"
	"io/fs"

	"btw-backup/internal/offsite"
	"btw-backup/internal/syncstate"
)

// AllowDeletions lets this run delete most of what is off-site, once.
func (r *Run) AllowDeletions() { r.allowDeletions = true }

// Preview shows what sending would do, and keeps this run from sending
// anything: all that is pending, or with full all of ROOT_PATH. Other runs may
// be at work meanwhile; then it shows what was so when it looked.
func (r *Run) Preview(ctx context.Context, full bool, show func(offsite.Change)) error {
	r.previewed = true
	if err := r.Prepare(ctx); err != nil {
		return err
	}
	pending, err := r.state.Pending()
	if err != nil {
		return err
	}
	if full {
		pending = []syncstate.Entry{{Op: syncstate.Sync}} // which is all
	}
	if err := r.store.Check(ctx); err != nil {
		return err
	}
	for _, entry := range pending {
		if !validPath(entry.Path) {
			continue
		}
		r.Log.Progress("looking at "+shown(entry.Path), -1)
		err := r.store.Preview(ctx, entry.Path, entry.Op == syncstate.Sync, show)
		switch {
		case err == nil:
		case errors.Is(err, fs.ErrNotExist):
			r.Log.Info(entry.Path + " is registered and is not there")
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, new(*offsite.EmptyError)), errors.As(err, new(*offsite.DeletionsError)):
			r.Log.Warn(err.Error()) // which sending would end with
		default:
			return err
		}
	}
	return nil
}
