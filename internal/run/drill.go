package run

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"

	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/exec"
)

// Drill restores a state into scratch space and compares what came of it with
// the backup. What is no tree, other does, for which there is an empty directory.
func (r *Run) Drill(ctx context.Context, s destination.State, scratch string,
	other func(ctx context.Context, f *StateFile, room string) (Verdict, error),
) (v Verdict, err error) {
	p, err := r.placeOf(s.Backup.Dst)
	if err != nil {
		return v, err
	}
	// Locked in any case: what lies in it under a temporary name is another
	// run's to remove.
	if err := r.visit(ctx, p); err != nil {
		return v, err
	}
	defer p.held.Release() //nolint:errcheck // the kernel releases what we cannot
	room := p.temp("drill")
	if scratch != "" {
		room = filepath.Join(scratch, TempRestore+"drill-"+strings.ReplaceAll(p.Dst, "/", "-"))
	}
	if err := r.FS.RemoveAll(room); err != nil {
		return v, err
	}
	if err := r.FS.Mkdir(room, durable.DirMode); err != nil {
		return v, err
	}
	defer func() { err = join(err, r.FS.RemoveAll(room)) }()
	err = p.withState(ctx, s, room, func(f *StateFile) (err error) {
		if !f.archive() {
			v, err = other(ctx, f, room)
			return err
		}
		tree := filepath.Join(room, "tree")
		if err := r.FS.Mkdir(tree, durable.DirMode); err != nil {
			return err
		}
		u := untar{run: r, file: f, dir: tree}
		if err := u.extract(ctx); err != nil {
			return err
		}
		v = u.verdict
		return u.compare(ctx)
	})
	words := s.Path() + ": " + v.Words
	if err != nil {
		words = err.Error()
	}
	r.remember(ctx, s.Backup.Dst, func(h *History) { h.Drill = &Result{OK: err == nil, Words: words} })
	return v, err
}

// compare has tar compare what was extracted with the archive.
func (u *untar) compare(ctx context.Context) error {
	out, in := io.Pipe()
	read := make(chan error, 1)
	go func() {
		_, err := u.file.Read(ctx, in, true)
		in.CloseWithError(err) // nil is io.EOF
		read <- err
	}()
	_, err := u.run.Exec.Run(ctx, exec.Cmd{
		Args:  []string{"tar", "--compare", "--file=-", "--directory=" + u.dir, "--numeric-owner"},
		Stdin: out, Package: "tar", Env: []string{"LC_ALL=C", "TAR_OPTIONS"},
	})
	out.CloseWithError(errTarEnded)
	readErr := <-read
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Status == 1 {
		return &DamagedError{u.file.State.Path(), "what was restored from it is not what it holds: " + firstLine(exit.Stdout+exit.Stderr)}
	}
	return join(err, ignore(readErr, errTarEnded, err != nil))
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
