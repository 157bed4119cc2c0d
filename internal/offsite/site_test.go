package offsite

import (
	"cmp"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"btw-backup/internal/durable"
	"btw-backup/internal/exec"
)

// site is a machine with a ROOT_PATH and a place for the copy.
type site struct {
	*testing.T
	root, target, config string
	uri                  string // what store("") takes; empty is the directory
	fsys                 durable.FS
	exec                 exec.Runner
	verify               func(ctx context.Context, path string) error
	engine               string // for s3:// URIs; empty is s3cmd
	change               func(*Config)
}

func newSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{T: t, root: dir + "/root", target: dir + "/target", config: dir + "/config", fsys: durable.OS{}, exec: exec.OS{}}
	for _, d := range []string{s.root, s.target, s.config} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// write makes files below a directory: a path that ends in a slash is an
// empty directory, "-> X" a symbolic link.
func (s *site) write(dir string, files map[string]string) {
	s.Helper()
	for name, content := range files {
		full := filepath.Join(dir, name)
		var err error
		target, isLink := strings.CutPrefix(content, "-> ")
		switch {
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(full, 0o700)
		default:
			if err = os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
				break
			}
			if isLink {
				err = os.Symlink(target, full)
			} else {
				err = os.WriteFile(full, []byte(content), 0o600)
			}
		}
		if err != nil {
			s.Fatal(err)
		}
	}
}

func (s *site) remove(names ...string) {
	s.Helper()
	for _, name := range names {
		if err := os.RemoveAll(filepath.Join(s.root, name)); err != nil {
			s.Fatal(err)
		}
	}
}

// tree reads a directory back, in the form that write takes. The marker is
// left out, and directories that hold something.
func (s *site) tree(dir string) map[string]string {
	s.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		switch {
		case err != nil || rel == "." || rel == Marker || rel == ".sgwtmp": // the last is versitygw's
			return err
		case d.IsDir():
			entries, err := os.ReadDir(name)
			if len(entries) == 0 {
				found[rel+"/"] = ""
			}
			return err
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(name)
			found[rel] = "-> " + target
			return err
		}
		content, err := os.ReadFile(name)
		found[rel] = string(content)
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	return found
}

// want holds a directory against what it is to hold.
func (s *site) want(dir string, want map[string]string) {
	s.Helper()
	got := s.tree(dir)
	for _, name := range sortedKeys(got) {
		if content, ok := want[name]; !ok {
			s.Errorf("%s: should not be there", name)
		} else if content != got[name] {
			s.Errorf("%s: holds %q, want %q", name, got[name], content)
		}
	}
	for _, name := range sortedKeys(want) {
		if _, ok := got[name]; !ok {
			s.Errorf("%s: is missing", name)
		}
	}
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// store makes the store for a URI; empty is the site's own.
func (s *site) store(uri string) Store {
	s.Helper()
	if uri == "" {
		uri = cmp.Or(s.uri, "file://"+s.target)
	}
	c := Config{
		FS: s.fsys, Exec: s.exec, Root: s.root, URI: uri, ConfigDir: s.config, S3cmdConfig: s.config + "/s3cfg", Verify: s.verify,
		Engine: cmp.Or(s.engine, S3cmd), Clock: realClock{},
	}
	if s.change != nil {
		s.change(&c)
	}
	store, err := New(c)
	if err != nil {
		s.Fatal(err)
	}
	return store
}

func (s *site) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// fails wants an error that says something.
func (s *site) fails(err error, want string) {
	s.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		s.Fatalf("got error %v, want one with %q", err, want)
	}
}

// realClock is the machine's.
type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
