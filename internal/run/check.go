package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"btw-backup/internal/artifact"
	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/exec"
	"btw-backup/internal/rdiff"
	"btw-backup/internal/syncstate"
)

// Checked is what came of verifying a destination.
type Checked struct {
	Backups, States int // that are there
	Problems        []string
	Listed          int // files whose digests were not known before

	// Bad says why, by name, of each backup that is not sound, and Gone names
	// those that are listed and not there.
	Bad  map[string]string
	Gone []string
}

// Verify reads everything in a destination and says what is damaged or missing.
//
// All files are held against the list of digests. Of each backup the newest
// state is then read as a restore would, to the end of the archive; so are the
// older ones, brought back by rdiff-backup, if deep is set or if not all their
// files are listed. What is sound and was not listed is listed then. With
// forget, what is listed and gone, and no state needs, is not a problem but
// taken off the list: somebody removed it. So is a destination as a whole.
//
// What is found is no error, and neither is that the destination cannot be read.
func (r *Run) Verify(ctx context.Context, dst string, deep, forget bool) (c Checked, err error) {
	c.Bad = map[string]string{}
	if forget {
		if forgotten, err := r.forget(ctx, dst); err != nil || forgotten {
			return c, err
		}
	}
	v := &verification{Checked: &c, run: r, deep: deep, forget: forget}
	err = v.look(ctx, dst)
	if err == nil && (len(v.fresh) > 0 || len(v.forgotten) > 0) {
		err = v.list(ctx)
	}
	if ctx.Err() != nil {
		return c, context.Cause(ctx)
	}
	if err != nil {
		v.problem(dst + ": " + strings.TrimPrefix(err.Error(), dst+": "))
	}
	words := "all well"
	switch n := len(c.Problems); n {
	case 0:
	case 1:
		words = c.Problems[0]
	default:
		words = fmt.Sprintf("%d problems, the first: %s", n, c.Problems[0])
	}
	if all, err := r.known(); c.Backups == 0 && err == nil && !all[dst] {
		return c, nil // a name that somebody mistyped, it seems
	}
	r.remember(ctx, dst, func(h *History) { h.Verify = &Result{OK: len(c.Problems) == 0, Words: words} })
	return c, nil
}

// forget forgets a destination that is not there any more.
func (r *Run) forget(ctx context.Context, dst string) (bool, error) {
	clean, err := r.realName(dst)
	if err != nil {
		return false, err
	}
	if err := r.Prepare(ctx); err != nil {
		return false, err // it may be all of ROOT_PATH that is not there
	}
	if !r.gone(clean) {
		return false, nil
	}
	if err := r.know(ctx, clean, false); err != nil {
		return false, err
	}
	return true, durable.RemoveIfThere(r.FS, r.historyName(clean))
}

type verification struct {
	*Checked
	run          *Run
	place        *Place
	deep, forget bool

	sums      map[string]artifact.Sum // of each file that is there
	fresh     digestList              // what is sound and not listed
	forgotten []string
}

func (v *verification) problem(text string) {
	v.Problems = append(v.Problems, text)
	v.run.Log.Warn(text)
}

// look does the reading. The destination is locked meanwhile, and nothing in it
// is changed.
func (v *verification) look(ctx context.Context, dst string) error {
	contents, err := v.run.Look(dst)
	if err != nil {
		return err
	}
	if len(contents.Backups) == 0 && len(contents.Odd) == 0 {
		return errors.New("there is no backup")
	}
	clean, err := v.run.realName(dst)
	if err != nil {
		return err
	}
	if v.place, err = v.run.placeOf(clean); err != nil {
		return err
	}
	if err := v.run.visit(ctx, v.place); err != nil {
		return err
	}
	defer v.place.held.Release() //nolint:errcheck // the kernel releases what we cannot
	if contents, err = v.run.Look(dst); err != nil {
		return err
	}
	v.place.contents = contents
	for _, odd := range contents.Odd {
		v.problem(clean + "/" + odd.Name + ": " + odd.Why)
	}
	list, err := readDigests(v.run.FS, v.place.Dir)
	if err != nil {
		v.problem(err.Error())
		list = digestList{}
	}
	v.fresh, v.sums = digestList{}, map[string]artifact.Sum{}
	for _, b := range contents.Backups {
		if err := v.backup(ctx, b, list); err != nil {
			return err
		}
	}
	v.missing(list)
	return nil
}

// backup verifies one backup.
func (v *verification) backup(ctx context.Context, b destination.Backup, list digestList) error {
	p := v.place
	files, err := filesOf(v.run.FS, p.Dir, b.Name())
	if err != nil {
		return err
	}
	if b.Kind == destination.Rdiff {
		list.catchUp(b.Name(), files)
	}
	v.Backups++
	problems, all := len(v.Problems), true
	good := true
	for _, name := range files {
		v.run.Log.Progress("verifying "+p.Dst+"/"+name, -1)
		sum, err := artifact.SumFile(ctx, v.run.FS, filepath.Join(p.Dir, name))
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			v.problem(err.Error())
			good = false
			continue
		}
		v.sums[name] = sum
		known, ok := list[name]
		switch {
		case ok && known.sum != sum.SHA256:
			v.problem(p.Dst + "/" + name + ": is not what it was when its digest was taken")
			good = false
		case !ok && !rdiff.IsScribble(name):
			all = false
		}
	}
	for name := range list {
		if strings.HasPrefix(name, b.Name()+"/") && v.sums[name] == (artifact.Sum{}) && !slices.Contains(files, name) {
			good = false // told by missing
		}
	}
	states := b.States()
	for _, s := range slices.Backward(states) {
		v.States++
		if !s.Newest() && !v.deep && all && good {
			continue
		}
		if err := v.state(ctx, s); err != nil {
			return err
		}
		good = good && len(v.Problems) == problems
	}
	if len(v.Problems) > problems {
		v.Bad[b.Name()] = v.Problems[problems]
	}
	for _, name := range files {
		if _, ok := list[name]; !ok && good && !rdiff.IsScribble(name) {
			v.fresh[name] = digest{sum: v.sums[name].SHA256, since: v.since(b, name)}
		}
	}
	return nil
}

// since returns from when on a file that is listed only now is known; "" if a
// record proves that it is what was made.
func (v *verification) since(b destination.Backup, name string) string {
	if name == b.Name() || name == b.Name()+"/"+b.Artifact {
		states := b.States()
		record, ok, err := readRecord(v.run.FS, v.place.Dir, states[len(states)-1].Time)
		if err == nil && ok && record.Adopted == "" && record.Stored == v.sums[name] {
			return ""
		}
	}
	return destination.Name(v.run.Clock.Now())
}

// state reads a state as a restore would.
func (v *verification) state(ctx context.Context, s destination.State) error {
	err := v.place.withState(ctx, s, "", func(f *StateFile) error {
		if _, err := f.Read(ctx, io.Discard, true); err != nil {
			return err
		}
		if !strings.HasSuffix(f.Name, ".dump") {
			return nil
		}
		result, err := v.run.Exec.Run(ctx, exec.Cmd{
			Args: []string{"pg_restore", "--list", f.Path}, Package: "postgresql-client", Env: []string{"LC_ALL=C.UTF-8"},
		})
		var exit *exec.ExitError
		switch {
		case errors.As(err, &exit):
			return f.damaged("pg_restore cannot read it: " + exit.Stderr)
		case err == nil && result.Stdout == "":
			return f.damaged("pg_restore lists nothing in it")
		}
		return err
	})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, new(*exec.MissingError)):
		return err
	case err != nil:
		text := err.Error()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			text += ": " + firstLine(exit.Stderr+exit.Stdout)
		}
		if !strings.Contains(text, s.Path()) {
			text = s.Path() + ": " + text
		}
		v.problem(text)
	}
	return nil
}

// missing tells what is listed and not there.
func (v *verification) missing(list digestList) {
	gone := map[string]bool{} // whole backups
	for _, name := range slices.Sorted(maps.Keys(list)) {
		if _, ok := v.sums[name]; ok || slices.ContainsFunc(v.Problems, func(p string) bool { return strings.Contains(p, "/"+name) }) {
			continue
		}
		backup, _, _ := strings.Cut(name, "/")
		there := slices.ContainsFunc(v.place.contents.Backups, func(b destination.Backup) bool { return b.Name() == backup })
		switch {
		case there:
			v.problem(v.place.Dst + "/" + name + ": is missing")
			v.Bad[backup] = name + " is missing"
		case v.forget:
			v.forgotten = append(v.forgotten, name)
		case !gone[backup] && !slices.ContainsFunc(v.place.contents.Odd, func(o destination.Odd) bool { return o.Name == backup }):
			gone[backup] = true
			v.Gone = append(v.Gone, backup)
			hint := "; if you removed it: btw-backup verify --forget " + v.place.Dst
			if slices.Contains(v.place.contents.Hidden, destination.AsidePrefix+backup) {
				hint = ", as it was broken: it is set aside as " + destination.AsidePrefix + backup
			}
			v.problem(v.place.Dst + "/" + backup + ": is missing" + hint)
		}
	}
}

// list adds to the list what was found sound, and takes off what is forgotten.
func (v *verification) list(ctx context.Context) error {
	p, err := v.run.Open(ctx, v.place.Dst, nil)
	if err != nil {
		return fmt.Errorf("what is sound could not be listed: %w", err)
	}
	list, err := readDigests(v.run.FS, p.Dir)
	if err != nil {
		list = digestList{}
	}
	for name, d := range v.fresh {
		// Between the two locks another run may have been at work.
		info, err := v.run.FS.Stat(filepath.Join(p.Dir, name))
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() != v.sums[name].Size {
			continue
		}
		if _, ok := list[name]; err == nil && !ok {
			list[name] = d
			v.Listed++
		}
	}
	for _, name := range v.forgotten {
		delete(list, name)
	}
	err = p.register(syncstate.Push, destination.DigestsName)
	if err == nil {
		err = p.writeDigests(list)
	}
	// There may be other destinations to verify, and backups that wait.
	return join(err, p.close(ctx))
}
