package scripted

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/afero"

	"btw-backup/internal/rdiff"
)

// rdiffBackup is rdiff-backup 2.2.2, for a source that holds one file.
func (p *process) rdiffBackup() error {
	args := p.args
	switch {
	case len(args) == 1 && args[0] == "--version":
		_, err := fmt.Fprintln(p.out, "rdiff-backup 2.2.2")
		return err
	case len(args) == 5 && args[0] == "--current-time" && args[2] == "backup":
		seconds, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return err
		}
		return p.backup(args[3], repository{p, args[4]}, time.Unix(seconds, 0))
	case len(args) == 3 && args[0] == "--force" && args[1] == "regress":
		return repository{p, args[2]}.regress()
	}
	_, _ = fmt.Fprintf(&p.err, "rdiff-backup: the script knows nothing of %q", args)
	return exit(1)
}

// repository is one that a process works on.
type repository struct {
	*process
	dir string
}

func (r repository) mirror(name string) string { return filepath.Join(r.dir, name) }
func (r repository) data(name string) string   { return filepath.Join(r.dir, rdiff.DataDir, name) }

// stamp is how a time stands in a name.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// steps does one step after the other, up to the first that fails.
func steps(all ...func() error) error {
	for _, step := range all {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// backup adds the one file in src to a repository, or makes it.
func (p *process) backup(src string, r repository, t time.Time) error {
	entries, err := afero.ReadDir(p.fs, src)
	if err != nil {
		return err
	}
	if len(entries) != 1 {
		return fmt.Errorf("the script backs up one file, not %d", len(entries))
	}
	name, mtime := entries[0].Name(), entries[0].ModTime()
	content, err := afero.ReadFile(p.fs, filepath.Join(src, name))
	if err != nil {
		return err
	}
	state := content // of the mirror, once this run is over
	_, err = p.fs.Stat(r.data(""))
	if errors.Is(err, os.ErrNotExist) {
		return r.full(name, string(state), mtime, t)
	}
	if err != nil {
		return err
	}
	was, err := rdiff.Read(p.fs, r.dir)
	if err != nil {
		return err
	}
	if len(was.Markers) != 1 {
		_, _ = fmt.Fprint(&p.err, "ERROR: more than one current_mirror")
		return exit(1)
	}
	if !was.Markers[0].Before(t) {
		_, _ = fmt.Fprint(&p.err, "ERROR: the time of the last backup is not in the past")
		return exit(1)
	}
	return r.increment(name, string(state), mtime, was.Markers[0], t)
}

// full makes a repository. The marker comes last.
func (r repository) full(name, content string, mtime, t time.Time) error {
	return steps(
		func() error {
			err := r.fs.Mkdir(r.dir, 0o700)
			if err == nil || errors.Is(err, os.ErrExist) {
				err = r.fs.Chmod(r.dir, 0o700)
			}
			return err
		},
		func() error { return r.fs.Mkdir(r.data(""), 0o700) },
		func() error { return r.fs.Mkdir(r.data("increments"), 0o700) },
		func() error { return r.log(rdiff.Log, "") },
		r.probe,
		func() error { return r.write(r.data("chars_to_quote"), "") },
		func() error { return r.write(r.data("special_escapes"), "") },
		func() error { return r.log(rdiff.Log, "NOTE: Starting mirror\n") },
		func() error { return r.write(r.data("file_statistics."+stamp(t)+".data.gz"), "") },
		func() error { return r.fill("rdiff-backup.tmp.1", content, mtime, false) },
		func() error { return r.fs.Rename(r.mirror("rdiff-backup.tmp.1"), r.mirror(name)) },
		func() error { return r.touch(r.dir, mtime) },
		func() error { return r.metadata(name, content, t) },
		func() error { return r.synced("current_mirror."+stamp(t)+".data", "PID 4711\n") },
		func() error { return r.statistics(t) },
	)
}

// increment adds a state. The new marker comes first, the old one goes last,
// and the mirror is never synced.
func (r repository) increment(name, content string, mtime, last, t time.Time) error {
	old, err := afero.ReadFile(r.fs, r.mirror(name))
	if err != nil {
		return err
	}
	oldInfo, err := r.fs.Stat(r.mirror(name))
	if err != nil {
		return err
	}
	changed := oldInfo.Size() != int64(len(content)) || oldInfo.ModTime().Unix() != mtime.Unix()
	diff := "increments/" + name + "." + stamp(last) + ".diff"
	if !incompressible(name) {
		diff += ".gz"
	}
	return steps(
		func() error { return r.log(rdiff.Log, "") },
		r.probe,
		func() error { return r.synced("current_mirror."+stamp(t)+".data", "PID 4711\n") },
		func() error { return r.log(rdiff.Log, "NOTE: Starting increment operation\n") },
		func() error { return r.write(r.data("file_statistics."+stamp(t)+".data.gz"), "") },
		func() error {
			marker := r.data("increments." + stamp(last) + ".dir")
			return steps(
				func() error { return r.write(marker, "") },
				func() error { return r.touch(marker, mtime) },
				func() error { return r.sync(marker) },
			)
		},
		func() error {
			if !changed {
				return nil
			}
			return steps(
				func() error { return r.fill("rdiff-backup.tmp.1", content, mtime, false) },
				func() error { return r.write(r.data(diff), encodeDiff(string(old), content, oldInfo.ModTime())) },
				func() error { return r.touch(r.data(diff), oldInfo.ModTime()) },
				func() error { return r.sync(r.data(diff)) },
				func() error { return r.fs.Rename(r.mirror("rdiff-backup.tmp.1"), r.mirror(name)) },
			)
		},
		func() error { return r.touch(r.dir, mtime) },
		func() error { return r.metadata(name, content, t) },
		func() error {
			return r.synced("mirror_metadata."+stamp(last)+".diff.gz", encodeMetadata(name, string(old)))
		},
		func() error { return r.fs.Remove(r.data("mirror_metadata." + stamp(last) + ".snapshot.gz")) },
		func() error { return r.fs.Remove(r.data("current_mirror." + stamp(last) + ".data")) },
		func() error { return r.statistics(t) },
	)
}

// fill writes a temporary file in the mirror. A backup does not sync it, a
// regress does.
func (r repository) fill(temp, content string, mtime time.Time, sync bool) error {
	name := r.mirror(temp)
	f, err := r.fs.Create(name)
	if err != nil {
		return err
	}
	for part := range strings.SplitAfterSeq(content, "\n") { // a large file is written in many writes
		if part != "" && err == nil {
			_, err = f.WriteString(part)
		}
	}
	if err == nil && sync {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return r.touch(name, mtime)
}

// touch sets owner, mode and time.
func (r repository) touch(name string, mtime time.Time) error {
	info, err := r.fs.Stat(name)
	if err != nil {
		return err
	}
	return steps(
		func() error { return r.fs.Chown(name, 0, 0) },
		func() error { return r.fs.Chmod(name, info.Mode().Perm()) },
		func() error { return r.fs.Chtimes(name, mtime, mtime) },
	)
}

// sync syncs a file and the directory that it is in.
func (r repository) sync(name string) error {
	for _, name := range []string{name, filepath.Dir(name)} {
		f, err := r.fs.Open(name)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// synced makes a file that lasts.
func (r repository) synced(name, content string) error {
	if err := r.write(r.data(name), content); err != nil {
		return err
	}
	return r.sync(r.data(name))
}

// metadata writes what is known of the mirror.
func (r repository) metadata(name, content string, t time.Time) error {
	return steps(
		func() error {
			return r.synced("mirror_metadata."+stamp(t)+".snapshot.gz", encodeMetadata(name, content))
		},
		func() error { return r.synced("access_control_lists."+stamp(t)+".snapshot", "") },
		func() error { return r.synced("extended_attributes."+stamp(t)+".snapshot", "") },
	)
}

// statistics come when all is done, and are not synced.
func (r repository) statistics(t time.Time) error {
	return steps(
		func() error { return r.appendTo("file_statistics."+stamp(t)+".data.gz", "statistics") },
		func() error { return r.write(r.data("session_statistics."+stamp(t)+".data"), "StartTime\n") },
		func() error { return r.write(r.data("error_log."+stamp(t)+".data"), "") },
	)
}

// log makes a log if it is not there, and appends to it.
func (r repository) log(name, line string) error { return r.appendTo(name, line) }

func (r repository) appendTo(name, text string) error {
	f, err := r.fs.OpenFile(r.data(name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err == nil && text != "" {
		_, err = f.WriteString(text)
	}
	if f != nil {
		err = errors.Join(err, f.Close())
	}
	return err
}

// probe tries out what the file system can do, in a directory of its own.
func (r repository) probe() error {
	dir := r.data("rdiff-backup.tmp.0")
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := r.fs.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for _, made := range []string{"5-_ a.snapshot.gz", "uni\u00e1\u0084\u0089", `:\"`, "A", "foo"} {
		if err := r.write(in(made), ""); err != nil {
			return err
		}
		if err := r.fs.Remove(in(made)); err != nil {
			return err
		}
	}
	return steps(
		func() error { return r.fs.Mkdir(in("hl"), 0o700) },
		func() error { return r.write(in("hardlinked_file1"), "") },
		func() error { return r.fs.Link(in("hardlinked_file1"), in("hl/hardlinked_file2")) },
		func() error { return r.write(in("dir_inc_check"), "") },
		func() error { return r.fs.Remove(in("dir_inc_check")) },
		func() error { return r.write(in("regfile"), "") },
		func() error { return r.fs.Remove(in("regfile")) },
		func() error { return r.write(in("high_perms_file"), "") },
		func() error { return r.write(in("high_perms_dir"), "") },
		func() error { return r.fs.Remove(in("high_perms_file")) },
		func() error { return r.fs.Remove(in("high_perms_dir")) },
		func() error { return r.write(in("symlinked_file1"), "") },
		func() error { return r.fs.SymlinkIfPossible("symlinked_file1", in("symlinked_file2")) },
		func() error { return r.fs.Remove(in("symlinked_file2")) },
		func() error { return r.fs.Remove(in("symlinked_file1")) },
		func() error { return r.write(in("foo"), "") },
		func() error { return r.write(in("foo."), "") },
		func() error { return r.fs.Remove(in("foo")) },
		func() error { return r.fs.Remove(in("foo.")) },
		func() error { return r.fs.Remove(in("hardlinked_file1")) },
		func() error { return r.fs.Remove(in("hl/hardlinked_file2")) },
		func() error { return r.fs.Remove(in("hl")) },
		func() error { return r.fs.Remove(dir) },
	)
}
