package run_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"btw-backup/internal/artifact"
	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/exec"
	"btw-backup/internal/lock"
	"btw-backup/internal/offsite"
	"btw-backup/internal/run"
	"btw-backup/internal/settings"
	"btw-backup/internal/testkit/tools"
)

// stage is a server to run on: a config directory, ROOT_PATH, a directory for
// the off-site copy, a clock, and a file system that notes what is done to it.
type stage struct {
	t     *testing.T
	dir   string
	now   time.Time
	warns []string
	trace *trace
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t, dir: t.TempDir(), now: time.Date(2026, 1, 31, 13, 5, 9, 0, time.UTC)}
	s.trace = &trace{dir: s.dir}
	for _, dir := range []string{"config", "root", "copy"} {
		if err := os.Mkdir(filepath.Join(s.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *stage) Now() time.Time { return s.now }

func (s *stage) Sleep(_ context.Context, d time.Duration) error {
	s.now = s.now.Add(d)
	return nil
}

func (s *stage) Warn(message string)    { s.warns = append(s.warns, message) }
func (s *stage) Info(string)            {}
func (s *stage) Progress(string, int64) {}

func (s *stage) Transfer(string, offsite.Progress) {}

// world returns what a run stands on. Settings are not read from a file: that
// has tests of its own.
func (s *stage) world() run.World {
	if err := os.WriteFile(filepath.Join(s.dir, "config", "config.py"), nil, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return run.World{
		FS: s.trace, Exec: exec.OS{}, Clock: s, Locker: lock.OS{}, Log: s,
		Config: settings.Dir{
			FS: s.trace, Path: filepath.Join(s.dir, "config"), UID: 1,
			Eval: func(string, []byte) (map[string]any, error) {
				return map[string]any{
					"ROOT_PATH":     filepath.Join(s.dir, "root"),
					"S3_URI_PREFIX": "file://" + filepath.Join(s.dir, "copy"),
				}, nil
			},
		},
	}
}

// perform does a run of its own, and returns what was done to ROOT_PATH and the
// sync state meanwhile.
func (s *stage) perform(act func(r *run.Run) error) []string {
	s.t.Helper()
	s.trace.ops = nil
	r := run.New(s.world())
	if err := r.Finish(s.t.Context(), act(r)); err != nil {
		s.t.Fatal(err)
	}
	return s.trace.ops
}

func text(name string, form artifact.Form, content string) *artifact.Artifact {
	return &artifact.Artifact{Name: name, Form: form, Produce: func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	}}
}

// keepTar and keepRdiff are what the stock recipes do with an artifact.
func keepTar(ctx context.Context, content string) func(*run.Run) error {
	return func(r *run.Run) error {
		p, err := r.Open(ctx, "tar", nil)
		if err != nil {
			return err
		}
		a := text("backup.tar", artifact.Bzip2, content)
		if b, ok := p.Latest(destination.Tar); ok {
			if equal, err := p.Compare(ctx, a, b); err != nil {
				return err
			} else if equal {
				_, err := p.Unchanged(".tbz", "dropping backup")
				return err
			}
		}
		_, err = p.Keep(ctx, a)
		return err
	}
}

func keepRdiff(ctx context.Context, content string) func(*run.Run) error {
	return func(r *run.Run) error {
		p, err := r.Open(ctx, "rdiff", nil)
		if err != nil {
			return err
		}
		a := text("backup.tar", artifact.Plain, content)
		var onto *destination.Backup
		if b, ok := p.Latest(destination.Rdiff); ok {
			onto = &b
			if equal, err := p.Compare(ctx, a, b); err != nil {
				return err
			} else if equal {
				_, err := p.Unchanged("", "skipping creation of new incremental backup")
				return err
			}
		}
		_, err = p.Rdiff(ctx, a, onto)
		return err
	}
}

// TestTheOrderOfEachKeeping holds every kind of run to the protocol: what a
// killed run did not sync, synced; then the artifact durable
// under a temporary name, registered, renamed, the name durable, recorded, sent,
// marked as done.
func TestTheOrderOfEachKeeping(t *testing.T) {
	tools.Need(t, "rdiff-backup")
	t.Parallel()
	s := newStage(t)
	ctx := t.Context()
	s.perform(func(r *run.Run) error { return r.SendPending(ctx, true) }) // the marker of ROOT_PATH

	s.expect("tar, first", s.perform(keepTar(ctx, "one")), `
sync config/sync_state
mkdir root/tar
sync root
sync root/tar
open root/tar/.btw-tmp-artifact/backup.tar
sync root/tar/.btw-tmp-artifact/backup.tar
append "+push tar/2026-01-31T13:05:09.tbz"
sync config/sync_state
rename root/tar/.btw-tmp-artifact/backup.tar root/tar/2026-01-31T13:05:09.tbz
sync root/tar
mkdir root/tar/.btw-records
sync root/tar
open root/tar/.btw-records/.btw-tmp-2026-01-31T13:05:09.json
sync root/tar/.btw-records/.btw-tmp-2026-01-31T13:05:09.json
rename root/tar/.btw-records/.btw-tmp-2026-01-31T13:05:09.json root/tar/.btw-records/2026-01-31T13:05:09.json
sync root/tar/.btw-records
open root/tar/.btw-tmp-.btw-sha256
sync root/tar/.btw-tmp-.btw-sha256
rename root/tar/.btw-tmp-.btw-sha256 root/tar/.btw-sha256
sync root/tar
copied copy/tar/2026-01-31T13:05:09.tbz
copied copy/tar/.btw-records/2026-01-31T13:05:09.json
copied copy/tar/.btw-sha256
append "-push tar/2026-01-31T13:05:09.tbz"
sync config/sync_state
`)
	s.now = s.now.Add(time.Hour)
	s.expect("tar, unchanged for the first time", s.perform(keepTar(ctx, "one")), `
sync config/sync_state
sync root
sync root/tar
sync root/tar/.btw-records
append "+push tar/log.txt"
sync config/sync_state
open root/tar/.btw-tmp-log.txt
sync root/tar/.btw-tmp-log.txt
rename root/tar/.btw-tmp-log.txt root/tar/log.txt
sync root/tar
copied copy/tar/log.txt
append "-push tar/log.txt"
sync config/sync_state
`)
	s.expect("tar, unchanged again", s.perform(keepTar(ctx, "one")), `
sync config/sync_state
sync root
sync root/tar
sync root/tar/.btw-records
sync root/tar/log.txt
append "+push tar/log.txt"
sync config/sync_state
append root/tar/log.txt
sync root/tar/log.txt
copied copy/tar/log.txt
append "-push tar/log.txt"
sync config/sync_state
`)
	s.expect("rdiff, full", s.perform(keepRdiff(ctx, "one")), `
sync config/sync_state
mkdir root/rdiff
sync root
sync root/rdiff
open root/rdiff/.btw-tmp-artifact/backup.tar
sync root/rdiff/.btw-tmp-artifact/backup.tar
sync root/rdiff/.btw-tmp-chain/…
sync root/rdiff/.btw-tmp-chain
append "+push rdiff/2026-01-31T14:05:09/"
sync config/sync_state
rename root/rdiff/.btw-tmp-chain root/rdiff/2026-01-31T14:05:09
sync root/rdiff
mkdir root/rdiff/.btw-records
sync root/rdiff
open root/rdiff/.btw-records/.btw-tmp-2026-01-31T14:05:09.json
sync root/rdiff/.btw-records/.btw-tmp-2026-01-31T14:05:09.json
rename root/rdiff/.btw-records/.btw-tmp-2026-01-31T14:05:09.json root/rdiff/.btw-records/2026-01-31T14:05:09.json
sync root/rdiff/.btw-records
open root/rdiff/.btw-tmp-.btw-sha256
sync root/rdiff/.btw-tmp-.btw-sha256
rename root/rdiff/.btw-tmp-.btw-sha256 root/rdiff/.btw-sha256
sync root/rdiff
copied copy/rdiff/2026-01-31T14:05:09/…
copied copy/rdiff/.btw-records/2026-01-31T14:05:09.json
copied copy/rdiff/.btw-sha256
append "-push rdiff/2026-01-31T14:05:09/"
sync config/sync_state
`)
	s.now = s.now.Add(time.Hour)
	increment := `
sync config/sync_state
sync root
sync root/rdiff
sync root/rdiff/.btw-records
open root/rdiff/.btw-tmp-artifact/backup.tar
sync root/rdiff/.btw-tmp-artifact/backup.tar
clone into root/rdiff/.btw-tmp-chain
sync root/rdiff/.btw-tmp-chain/…
sync root/rdiff/.btw-tmp-chain
append "+sync rdiff/2026-01-31T14:05:09/"
sync config/sync_state
%s
sync root/rdiff
open root/rdiff/.btw-records/.btw-tmp-%[2]s.json
sync root/rdiff/.btw-records/.btw-tmp-%[2]s.json
rename root/rdiff/.btw-records/.btw-tmp-%[2]s.json root/rdiff/.btw-records/%[2]s.json
sync root/rdiff/.btw-records
open root/rdiff/.btw-tmp-.btw-sha256
sync root/rdiff/.btw-tmp-.btw-sha256
rename root/rdiff/.btw-tmp-.btw-sha256 root/rdiff/.btw-sha256
sync root/rdiff
copied copy/rdiff/2026-01-31T14:05:09/…
copied copy/rdiff/.btw-records/%[2]s.json
copied copy/rdiff/.btw-sha256
append "-sync rdiff/2026-01-31T14:05:09/"
sync config/sync_state
`
	s.expect("rdiff, increment", s.perform(keepRdiff(ctx, "two")), fmt.Sprintf(increment,
		"exchange root/rdiff/.btw-tmp-chain root/rdiff/2026-01-31T14:05:09", "2026-01-31T15:05:09"))

	s.now = s.now.Add(time.Hour)
	s.trace.noExchange = true
	s.expect("rdiff, increment, without renameat2", s.perform(keepRdiff(ctx, "three")), fmt.Sprintf(increment,
		"rename root/rdiff/2026-01-31T14:05:09 root/rdiff/.btw-old-2026-01-31T14:05:09\n"+
			"sync root/rdiff\n"+
			"rename root/rdiff/.btw-tmp-chain root/rdiff/2026-01-31T14:05:09\n"+
			"sync root/rdiff\n"+
			"rename root/rdiff/.btw-old-2026-01-31T14:05:09 root/rdiff/.btw-tmp-chain", "2026-01-31T16:05:09"))
	if len(s.warns) > 0 {
		t.Errorf("warnings: %q", s.warns)
	}
}

func (s *stage) expect(what string, got []string, want string) {
	s.t.Helper()
	have := strings.Join(got, "\n")
	want = strings.TrimSpace(want)
	if have != want {
		s.t.Errorf("%s:\n--- got\n%s\n--- want\n%s", what, have, want)
	}
}

// trace notes what is done, shortened to what the protocol is about.
type trace struct {
	durable.OS
	dir        string
	ops        []string
	noExchange bool
}

var (
	random = regexp.MustCompile(`-\d+$`)
	chain  = regexp.MustCompile(`(root/rdiff/\.btw-tmp-chain)/.*`)
	copied = regexp.MustCompile(`(copy/rdiff/2026-01-31T14:05:09)/.*`)
)

func (x *trace) name(path string) string {
	rel, err := filepath.Rel(x.dir, path)
	if err != nil {
		return path
	}
	return random.ReplaceAllString(rel, "-*")
}

func (x *trace) note(format string, args ...any) {
	op := fmt.Sprintf(format, args...)
	op = copied.ReplaceAllString(op, "$1/…")
	switch isChain := chain.MatchString(op); {
	case isChain && strings.HasPrefix(op, "sync ") && strings.HasSuffix(op, rdiffLog):
		return // synced twice: when it is copied, and with the whole chain
	case isChain && strings.HasPrefix(op, "sync "):
		op = chain.ReplaceAllString(op, "$1/…")
	case isChain:
		op = chain.ReplaceAllString("clone into "+strings.Fields(op)[1], "$1")
	}
	if n := len(x.ops); n > 0 && x.ops[n-1] == op {
		return // once is enough
	}
	x.ops = append(x.ops, op)
}

const rdiffLog = "rdiff-backup-data/backup.log"

// interesting leaves out the locks, the memory of ids, and how the copy is
// made, which is the off-site package's own affair.
func interesting(name string) bool {
	return strings.HasPrefix(name, "root") || name == "config/sync_state"
}

func (x *trace) Mkdir(name string, perm fs.FileMode) error {
	err := x.OS.Mkdir(name, perm)
	if n := x.name(name); err == nil && interesting(n) && !strings.Contains(n, ".btw-tmp-") {
		x.note("mkdir %s", n)
	}
	return err
}

func (x *trace) Rename(a, b string) error {
	err := x.OS.Rename(a, b)
	switch to := x.name(b); {
	case err == nil && interesting(to):
		x.note("rename %s %s", x.name(a), to)
	case err == nil && strings.HasPrefix(to, "copy/"):
		x.note("copied %s", to)
	}
	return err
}

func (x *trace) Link(a, b string) error {
	x.note("link %s", x.name(b))
	return x.OS.Link(a, b)
}

func (x *trace) Exchange(a, b string) error {
	if x.noExchange {
		return errors.ErrUnsupported
	}
	x.note("exchange %s %s", x.name(a), x.name(b))
	return x.OS.Exchange(a, b)
}

func (x *trace) Open(name string) (afero.File, error) {
	f, err := x.OS.Open(name)
	if err != nil {
		return nil, err
	}
	return &tracedFile{File: f, trace: x, name: x.name(name)}, nil
}

func (x *trace) OpenFile(name string, flag int, perm fs.FileMode) (afero.File, error) {
	f, err := x.OS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	n := x.name(name)
	if flag&os.O_EXCL != 0 && interesting(n) {
		x.note("open %s", n)
	}
	return &tracedFile{File: f, trace: x, name: n, append: flag&os.O_APPEND != 0}, nil
}

type tracedFile struct {
	afero.File
	trace  *trace
	name   string
	append bool
}

func (f *tracedFile) Sync() error {
	if interesting(f.name) {
		f.trace.note("sync %s", f.name)
	}
	return f.File.Sync()
}

func (f *tracedFile) Write(p []byte) (int, error) {
	switch {
	case f.name == "config/"+filepath.Base(run.StatePath("")):
		for line := range strings.Lines(string(p)) {
			_, event, _ := strings.Cut(strings.TrimSpace(line), " ")
			f.trace.note("append %q", event)
		}
	case f.append:
		f.trace.note("append %s", f.name)
	}
	return f.File.Write(p)
}

func (f *tracedFile) WriteString(s string) (int, error) { return f.Write([]byte(s)) }
