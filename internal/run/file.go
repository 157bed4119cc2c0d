package run

import (
	"context"
	"io"
	"path/filepath"
	"strings"

	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
)

// RestoreFile writes the artifact of a state to the file target, which must not
// exist, under a temporary name until it is whole and verified. A compressed one
// is decompressed, unless the name of the target says that it is compressed.
func (r *Run) RestoreFile(ctx context.Context, s destination.State, target string) (v Verdict, err error) {
	defer func() { err = Consequence(err, "nothing was restored") }()
	if err := r.checkTarget(target, false); err != nil {
		return v, err
	}
	room := filepath.Join(filepath.Dir(target), TempRestore+filepath.Base(target))
	held, err := r.takeRoom(ctx, room)
	if err != nil {
		return v, err
	}
	defer func() { err = join(err, join(r.FS.RemoveAll(room), held.Release())) }()
	if err := emptyDir(r.FS, room); err != nil {
		return v, err
	}
	expand := !strings.HasSuffix(target, ".bz2") && !strings.HasSuffix(target, destination.TarSuffix)
	err = r.WithState(ctx, s, room, func(f *StateFile) error {
		return durable.WriteFile(r.FS, target, nil, func(w io.Writer) (err error) {
			v, err = f.Read(ctx, w, expand)
			return err
		})
	})
	return v, err
}
