package offsite

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"btw-backup/internal/exec"
)

type runnerFunc func(ctx context.Context, cmd exec.Cmd) (exec.Result, error)

func (f runnerFunc) Run(ctx context.Context, cmd exec.Cmd) (exec.Result, error) { return f(ctx, cmd) }

// scripted writes down what is run.
type scripted struct {
	run   runnerFunc
	cmds  [][]string // the arguments that are not the same every time
	envs  [][]string
	verbs []string
}

func (s *scripted) Run(ctx context.Context, cmd exec.Cmd) (exec.Result, error) {
	i := slices.IndexFunc(cmd.Args, func(arg string) bool { return slices.Contains([]string{"ls", "put", "del"}, arg) })
	s.verbs = append(s.verbs, cmd.Args[i])
	s.cmds = append(s.cmds, cmd.Args[i:])
	s.envs = append(s.envs, cmd.Env)
	return s.run(ctx, cmd)
}

// bucket is an S3 store and an s3cmd in one, which does as it is told and no
// more: the real ones are in s3cmd_real_test.go.
type bucket map[string]string

func (b bucket) run(_ context.Context, cmd exec.Cmd) (exec.Result, error) {
	var args []string
	listFile := ""
	for _, arg := range cmd.Args[1:] {
		if name, ok := strings.CutPrefix(arg, "--files-from="); ok {
			listFile = name
		}
		if !strings.HasPrefix(arg, "--") {
			args = append(args, arg)
		}
	}
	key := func(uri string) string { return strings.TrimPrefix(uri, "s3://b/") }
	verb, args := args[0], args[1:]
	switch verb {
	case "ls":
		for _, k := range sortedKeys(b) {
			if strings.HasPrefix(k, key(args[0])) {
				_, err := fmt.Fprintf(cmd.Stdout, "2026-01-31 13:05 %12d  %x     s3://b/%s\n", len(b[k]), md5.Sum([]byte(b[k])), k)
				if err != nil {
					return exec.Result{}, err
				}
			}
		}
	case "put":
		names := map[string]string{args[0]: key(args[1])}
		if listFile != "" {
			clear(names)
			list, err := os.ReadFile(listFile)
			if err != nil {
				return exec.Result{}, err
			}
			for line := range strings.Lines(string(list)) {
				name := filepath.Clean(strings.TrimSuffix(line, "\n"))
				names[filepath.Join(cmd.Dir, name)] = key(args[1]) + name
			}
		}
		for name, k := range names {
			content, err := os.ReadFile(name)
			if err != nil {
				return exec.Result{}, err
			}
			b[k] = string(content)
		}
	case "del":
		for _, uri := range args {
			delete(b, key(uri))
		}
	}
	return exec.Result{}, nil
}

// fakeSite has a bucket called b, in which it uses the prefix p.
func fakeSite(t *testing.T, b bucket, config ...string) (*site, *scripted, Store) {
	s := newSite(t)
	s.write(s.config, map[string]string{"s3cfg": strings.Join(config, "\n")})
	spy := &scripted{run: b.run}
	s.exec = spy
	return s, spy, s.store("s3://b/p")
}

func TestS3cmdArguments(t *testing.T) {
	b := bucket{"p/old": "", "p2/x": "another's", "px": "another's"}
	s, spy, store := fakeSite(t, b)
	ctx := context.Background()
	s.write(s.root, map[string]string{"d/a b": "1", "d/e/": ""})
	var first exec.Cmd
	s.exec = runnerFunc(func(ctx context.Context, cmd exec.Cmd) (exec.Result, error) { first = cmd; return spy.Run(ctx, cmd) })
	s.ok(s.store("s3://b/p/").Push(ctx, "d/a b"))
	want := []string{
		"s3cmd", "--config=" + s.config + "/s3cfg", "--encoding=UTF-8", "--no-progress", "--max-delete=-1",
		"--server-side-encryption", "--stop-on-error", "put", s.root + "/d/a b", "s3://b/p/d/a b",
	}
	if !slices.Equal(first.Args, want) {
		t.Errorf("ran %q, want %q", first.Args, want)
	}
	if first.Package != "s3cmd" {
		t.Errorf("package %q, want s3cmd", first.Package)
	}
	spy.cmds = nil
	s.write(s.root, map[string]string{"d/c": "2", "d/f/g": "3"})
	s.ok(store.Sync(ctx, ""))
	ls := []string{"ls", "--recursive", "--list-md5", "--limit=-1", "s3://b/p/"}
	for i, want := range [][]string{
		ls,
		{"put", "--recursive", "--files-from=" + s.config + "/.btw-tmp-offsite-files", ".", "s3://b/p/"},
		{"del", "s3://b/p/old"},
		ls,
	} {
		if i >= len(spy.cmds) || !slices.Equal(spy.cmds[i], want) {
			t.Fatalf("ran %q, want %q as number %d", spy.cmds, want, i+1)
		}
	}
	for name, content := range map[string]string{"p/d/a b": "1", "p/d/c": "2", "p/d/f/g": "3", "p2/x": "another's", "px": "another's"} {
		if b[name] != content {
			t.Errorf("%s holds %q, want %q", name, b[name], content)
		}
	}
	if len(b) != 5 {
		t.Errorf("the bucket holds %q", sortedKeys(b))
	}
	if left := s.tree(s.config); len(left) != 1 {
		t.Errorf("something was left in the config directory: %q", sortedKeys(left))
	}
}

// TestS3cmdRepositoryOrder: see rdiff.go.
func TestS3cmdRepositoryOrder(t *testing.T) {
	b := bucket{"p/d/T/m": "old", "p/d/T/rdiff-backup-data/current_mirror.1.data": "1", "p/d/T/rdiff-backup-data/meta.1": "1"}
	s, spy, store := fakeSite(t, b)
	s.write(s.root, map[string]string{
		"d/T/m": "new", "d/T/rdiff-backup-data/current_mirror.2.data": "2",
		"d/T/rdiff-backup-data/increments.1.dir": "", "d/T/rdiff-backup-data/session_statistics.2.data": "2",
	})
	s.ok(store.Sync(context.Background(), "d/T/"))
	var order []string
	for _, cmd := range spy.cmds {
		order = append(order, cmd[0]+" "+filepath.Base(cmd[len(cmd)-1]))
	}
	want := []string{
		"ls T", "put increments.1.dir", "put current_mirror.2.data", "put m", "put session_statistics.2.data",
		"del meta.1", "del current_mirror.1.data", "ls T",
	}
	if !slices.Equal(order, want) {
		t.Errorf("ran %q, want %q", order, want)
	}
}

// TestS3cmdUnreadable: s3cmd is not even asked what is there.
func TestS3cmdUnreadable(t *testing.T) {
	for _, what := range []string{"d", "d/f", "d/f/g"} {
		s, spy, _ := fakeSite(t, bucket{"p/d/f/g": "1"})
		s.write(s.root, map[string]string{"d/f/g": "1"})
		s.fsys = &spyFS{deny: map[string]error{filepath.Join(s.root, what): syscall.EACCES}}
		if err := s.store("s3://b/p").Sync(context.Background(), ""); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: got error %v, want permission denied", what, err)
		}
		if len(spy.cmds) > 0 {
			t.Errorf("%s: ran %q", what, spy.cmds)
		}
	}
}

func TestS3cmdConfig(t *testing.T) {
	ctx := context.Background()
	for _, test := range []struct{ line, want string }{
		{"", ""},
		{"[default]\naccess_key = x=y # \n\nnonsense", ""},
		{"dry_run = True", "sets dry_run, with which nothing would be sent: take that line out"},
		{"recursive=yes", "sets recursive"},
		{"encrypt = \"on\"", "sets encrypt"},
		{"human_readable_sizes = 1", "sets human_readable_sizes"},
		{"dry_run = $DRY", "sets dry_run"},
		{"dry_run = True\ndry_run = False", ""},
		{"# dry_run = True", ""},
		{"urlencoding_mode = verbatim", "sets urlencoding_mode = verbatim"},
		{"urlencoding_mode = normal", ""},
	} {
		s, _, store := fakeSite(t, bucket{}, test.line)
		if err := store.Check(ctx); test.want == "" {
			s.ok(err)
		} else {
			s.fails(err, s.config+"/s3cfg "+test.want)
		}
	}
	s, spy, store := fakeSite(t, bucket{})
	s.ok(os.Remove(s.config + "/s3cfg"))
	s.fails(store.Check(ctx), "S3CMD_CONFIG: there is no file "+s.config+"/s3cfg: make it with: s3cmd --configure --config="+s.config+"/s3cfg")
	s.write(s.root, map[string]string{"x": ""})
	if err := store.Push(ctx, "x"); err == nil || len(spy.cmds) > 0 {
		t.Errorf("without its configuration: got error %v, ran %q", err, spy.cmds)
	}
	s.write(s.config, map[string]string{"s3cfg/": ""})
	s.fails(store.Check(ctx), "is a directory")
	s.ok(os.Remove(s.config + "/s3cfg"))
	s.write(s.config, map[string]string{"s3cfg": ""})
	s.fsys = &spyFS{deny: map[string]error{s.config + "/s3cfg": syscall.EACCES}}
	s.fails(s.store("s3://b/p").Check(ctx), "permission denied")
}

// TestS3cmdErrors: an exit status becomes words, and what it wraps.
func TestS3cmdErrors(t *testing.T) {
	ctx := context.Background()
	for _, test := range []struct {
		status      int
		stderr      string
		want        string
		unavailable bool
	}{
		{65, "WARNING: Waiting 15 sec...\nERROR: Upload of 'x' failed too many times\nERROR: Exiting now because of --stop-on-error\n", "the off-site copy s3://b/p cannot be used: s3cmd put exited with code: 65 (the server could not be reached, or not for long enough): Exiting now", true},
		{2, "ERROR: Upload of 'x' is not possible\n", "s3://b/p: s3cmd put exited with code: 2 (some files could not be sent): Upload of 'x' is not possible", false},
		{11, "ERROR: S3 error: 400 (KeyTooLongError)\n", "s3cmd put exited with code: 11 (the server reported an error): S3 error: 400", false},
		{77, "", "see access_key and secret_key in CONFIG/s3cfg)", true},
		{111, "ERROR: [Errno 111] Connection refused", "the connection was refused: see host_base in CONFIG/s3cfg): [Errno 111]", true},
		{99, "", "s3cmd put exited with code: 99", false},
		{1, "Problem: KeyError: 'x'\nS3cmd: 2.3.0\n", "s3cmd put exited with code: 1: KeyError: 'x'", false},
		{137, "", "s3cmd put exited with code: 137 (killed)", false},
	} {
		s, spy, store := fakeSite(t, bucket{})
		s.write(s.root, map[string]string{"d/x": "1", "d/y": "2"})
		spy.run = func(context.Context, exec.Cmd) (exec.Result, error) {
			result := exec.Result{Status: test.status, Stderr: test.stderr}
			if test.status > 128 {
				result.Signal = syscall.SIGKILL
			}
			return result, &exec.ExitError{Program: "s3cmd", Result: result}
		}
		for _, path := range []string{"d/x", "d/"} {
			err := store.Push(ctx, path)
			s.fails(err, strings.ReplaceAll(test.want, "CONFIG", s.config))
			if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.Stderr != test.stderr {
				t.Errorf("%d: the program's own words are lost in %v", test.status, err)
			}
			if unavailable := (*UnavailableError)(nil); errors.As(err, &unavailable) != test.unavailable {
				t.Errorf("%d: %v: is it an *UnavailableError? want %v", test.status, err, test.unavailable)
			}
		}
	}
	s, spy, store := fakeSite(t, bucket{})
	s.write(s.root, map[string]string{"x": ""})
	spy.run = func(context.Context, exec.Cmd) (exec.Result, error) {
		return exec.Result{}, &exec.MissingError{Program: "s3cmd", Package: "s3cmd"}
	}
	err := store.Push(ctx, "x")
	if missing := (*exec.MissingError)(nil); !errors.As(err, &missing) {
		t.Errorf("got error %v, want an *exec.MissingError", err)
	}
}

// TestS3cmdLies: exit 0 is not taken at its word.
func TestS3cmdLies(t *testing.T) {
	ctx := context.Background()
	for _, test := range []struct{ lies, want string }{
		{"put", "s3cmd said that d/x was sent, but it is not at s3://b/p/d/x"},
		{"del", "s3cmd said that s3://b/p/d/old was deleted, but it is still there"},
	} {
		b := bucket{"p/d/old": "1"}
		s, spy, store := fakeSite(t, b)
		s.write(s.root, map[string]string{"d/x": "1", "d/y": "2"})
		spy.run = func(ctx context.Context, cmd exec.Cmd) (exec.Result, error) {
			if slices.Contains(cmd.Args, test.lies) {
				return exec.Result{}, nil
			}
			return b.run(ctx, cmd)
		}
		s.fails(store.Sync(ctx, "d/"), test.want)
		if test.lies == "put" {
			s.fails(store.Push(ctx, "d/"), test.want)
		}
	}
	// What it lists must be understood, all of it.
	for _, output := range []string{
		"nonsense\n", "2026-01-31 13:05 many  md5  s3://b/p/x\n", "2026-01-31 13:05 12  md5  s3://b/other/x\n",
		"2026-01-31 13:05 12  md5  s3://b/p/cut-off", "DIR s3://b/p/x/\n",
	} {
		s, spy, store := fakeSite(t, bucket{})
		spy.run = func(_ context.Context, cmd exec.Cmd) (exec.Result, error) {
			_, err := cmd.Stdout.Write([]byte(output))
			return exec.Result{}, err
		}
		s.write(s.root, map[string]string{"x": "1"})
		s.fails(store.Sync(ctx, ""), "s3cmd ls: ")
		if len(spy.cmds) != 1 {
			t.Errorf("%q: ran %q", output, spy.cmds)
		}
	}
}

// TestS3cmdChanged: a file that changes while it is sent stays pending, and
// nothing is deleted.
func TestS3cmdChanged(t *testing.T) {
	b := bucket{"p/d/old": "1"}
	s, spy, store := fakeSite(t, b)
	s.write(s.root, map[string]string{"d/log.txt": "1"})
	spy.run = func(ctx context.Context, cmd exec.Cmd) (exec.Result, error) {
		result, err := b.run(ctx, cmd)
		if slices.Contains(cmd.Args, "put") {
			content := s.tree(s.root)["d/log.txt"]
			s.write(s.root, map[string]string{"d/log.txt": content + "2"})
		}
		return result, err
	}
	for what, err := range map[string]error{
		"push": store.Push(context.Background(), "d/log.txt"),
		"sync": store.Sync(context.Background(), "d/"),
	} {
		if changed := (*ChangedError)(nil); !errors.As(err, &changed) {
			t.Errorf("%s: got error %v, want a *ChangedError", what, err)
		}
	}
	if _, ok := b["p/d/old"]; !ok {
		t.Error("something was deleted all the same")
	}
}

// TestS3cmdManyDeletions: an argument list has an end.
func TestS3cmdManyDeletions(t *testing.T) {
	b := bucket{"p/keep": "1"}
	for i := range 3000 {
		b[fmt.Sprintf("p/d/%0100d", i)] = "1"
	}
	s, spy, store := fakeSite(t, b)
	s.write(s.root, map[string]string{"keep": "1"})
	var many *DeletionsError
	if err := store.Sync(context.Background(), ""); !errors.As(err, &many) || len(b) != 3001 {
		t.Fatalf("got error %v, want a *DeletionsError; %d objects are left", err, len(b))
	}
	s.change = func(c *Config) { c.AllowDeletions = func() bool { return true } }
	store = s.store("s3://b/p")
	s.ok(store.Sync(context.Background(), ""))
	if len(b) != 1 {
		t.Errorf("%d objects are left, want 1", len(b))
	}
	for _, cmd := range spy.cmds {
		if length := len(strings.Join(cmd, " ")); length > 100<<10 {
			t.Errorf("a command line of %d bytes", length)
		}
	}
	if len(spy.cmds) < 4 {
		t.Errorf("ran s3cmd %q", spy.verbs)
	}
}
