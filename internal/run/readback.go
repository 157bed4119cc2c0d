package run

import (
	"context"
	"errors"
	"io"
)

// ReadBack reads the newest backup of a destination as somebody who restores it
// would, to its end, compares it with its record, and returns how many files
// and directories it holds.
func (r *Run) ReadBack(ctx context.Context, dst string) (name string, entries int, err error) {
	state, err := r.Find(dst, "")
	if err != nil {
		return "", 0, err
	}
	err = r.WithState(ctx, state, "", func(f *StateFile) error {
		v, err := f.Read(ctx, io.Discard, true)
		if err == nil && !v.Verified {
			err = errors.New(state.Path() + ": " + v.Words)
		}
		entries = v.Entries
		return err
	})
	return state.Name(), entries, err
}

// counter counts the bytes that are written to it.
type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
