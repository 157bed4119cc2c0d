package offsite

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"btw-backup/internal/exec"
	"btw-backup/internal/testkit/s3server"
	"btw-backup/internal/testkit/tools"
)

// realSite has a bucket on a real server, and the real s3cmd.
func realSite(t *testing.T, prefix string, extra ...string) (s *site, store Store, copied string) {
	t.Helper()
	t.Parallel()
	tools.Need(t, "s3cmd")
	s = newSite(t)
	server := s3server.Start(t)
	server.S3cfg(t, s.config+"/s3cfg", extra...)
	return s, s.store(server.URI(prefix)), filepath.Join(server.Dir, prefix)
}

// hard are names that have been trouble.
var hard = map[string]string{
	"plain.tbz":                "plain",
	"with space/a b.tbz":       "space",
	" leading/trailing ":       "white space at both ends",
	"100%/%41+b&c=d;e,f#g.tbz": "percent",
	"é/ü😀.dump":                "beyond ASCII",
	"-dash/-n":                 "dash",
	"--help":                   "a flag",
	"quote'\"`$HOME/x":         "shell",
	"a[1]*?/b?*.txt":           "pattern",
	"a[1]xy/bzz.txt":           "what the pattern matches",
	"back\\slash":              "backslash",
	"2026-01-31T13:05:09.tbz":  "colons",
	"s3:/like":                 "like a URI",
	"deep/er/and/deeper/file":  "deep",
	"empty":                    "",
	".hidden/.x":               "hidden",
	"a2/x":                     "a2",
}

// TestRealSync takes the same steps with the real s3cmd and with a directory.
func TestRealSync(t *testing.T) {
	for _, test := range []struct {
		name   string
		prefix string
		dirs   bool
	}{
		{"native, no prefix", "", false},
		{"native, prefix", "some/prefix é+%41", false},
		{"s3cmd, no prefix", "", false},
		{"s3cmd, prefix", "some/prefix é+%41", false},
		{"s3cmd, prefix with slash", "some/", false},
		{"directory", "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s *site
			var store Store
			var copied string
			if test.dirs {
				s = newSite(t)
				store, copied = s.store(""), s.target
			} else if strings.HasPrefix(test.name, "native") {
				s, _, copied = nativeRealSite(t, test.prefix)
				store = s.store("")
			} else {
				s, store, copied = realSite(t, test.prefix)
			}
			s.write(s.root, hard)
			s.write(s.root, map[string]string{
				"link":            "-> /etc/passwd",
				"dirlink":         "-> /etc",
				".btw-tmp-x":      "never sent",
				"d/.btw-tmp-y/z":  "never sent",
				"d/.btw-aside-T":  "never sent",
				"d/sent":          "1",
				"lost+found/gone": "",
			})
			ctx := context.Background()
			want := map[string]string{"d/sent": "1"}
			for name, content := range hard {
				want[name] = content
			}
			s.ok(store.Sync(ctx, ""))
			s.want(copied, want)

			// Changed in the same size, removed, added.
			s.write(s.root, map[string]string{"plain.tbz": "PLAIN", "new é": "new", "a/x": "a"})
			s.remove("a[1]*?", "-dash", "é", "100%", "with space", " leading")
			for name := range want {
				if _, err := os.Stat(filepath.Join(s.root, name)); errors.Is(err, fs.ErrNotExist) {
					delete(want, name)
				}
			}
			want["plain.tbz"], want["new é"], want["a/x"] = "PLAIN", "new", "a"
			s.ok(store.Sync(ctx, ""))
			s.want(copied, want)

			// One prefix only: a/ is not a2/.
			s.remove("a/x", "a2/x")
			s.write(s.root, map[string]string{"a/y": "y"})
			delete(want, "a/x")
			want["a/y"] = "y"
			s.ok(store.Sync(ctx, "a/"))
			s.want(copied, want)

			// What was emptied here may be a disk that is not mounted; what is
			// gone here goes there.
			s.remove("a/y")
			s.fails(store.Sync(ctx, "a"), s.root+"/a is empty here, but not off-site: is it mounted?")
			s.want(copied, want)
			s.remove("a", "a2")
			delete(want, "a/y")
			delete(want, "a2/x")
			s.ok(store.Sync(ctx, ""))
			if !test.dirs {
				_ = os.Remove(copied + "/a") // the server's own: S3 knows no directories
				_ = os.Remove(copied + "/a2")
			}
			s.want(copied, want)

			// A file becomes a directory and a directory a file.
			s.remove("empty", "deep")
			s.write(s.root, map[string]string{"empty/inside": "in", "deep": "shallow"})
			delete(want, "empty")
			delete(want, "deep/er/and/deeper/file")
			want["empty/inside"], want["deep"] = "in", "shallow"
			s.ok(store.Sync(ctx, ""))
			s.want(copied, want)

			// Equal contents that change places: s3cmd sync copies within the
			// store, and takes the new content of the one for the old.
			s.write(s.root, map[string]string{"plain.tbz": "other", "was-plain": "PLAIN"})
			want["plain.tbz"], want["was-plain"] = "other", "PLAIN"
			s.ok(store.Sync(ctx, ""))
			s.want(copied, want)

			s.write(s.root, map[string]string{"new é": "newer", "p/q/r": "tree", "p/s": ""})
			want["new é"], want["p/q/r"], want["p/s"] = "newer", "tree", ""
			s.ok(store.Push(ctx, "new é"))
			s.ok(store.Push(ctx, "p/"))
			s.ok(store.Push(ctx, "p/q/r"))
			s.want(copied, want)

			if err := store.Push(ctx, "not there"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("push of what is not there: got %v, want fs.ErrNotExist", err)
			}
			if err := store.Sync(ctx, "p/not/"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("sync of what is not there: got %v, want fs.ErrNotExist", err)
			}
			s.want(copied, want)
		})
	}
}

// TestRealControlCharacters: names that s3cmd gives to objects in its own
// writing.
func TestRealControlCharacters(t *testing.T) {
	s, store, copied := realSite(t, "p")
	s.write(s.root, map[string]string{"a\nb/c\td\r": "control", "x\x7f": "del", "plain": "1"})
	ctx := context.Background()
	want := map[string]string{"a^Jb/c^Id^M": "control", "x^?": "del", "plain": "1"}
	s.ok(store.Sync(ctx, ""))
	s.want(copied, want)
	s.write(s.root, map[string]string{"x\x7f": "DEL"})
	want["x^?"] = "DEL"
	s.ok(store.Sync(ctx, ""))
	s.want(copied, want)
	s.remove("x\x7f")
	delete(want, "x^?")
	s.ok(store.Sync(ctx, ""))
	s.want(copied, want)
	s.write(s.root, map[string]string{"x\n": "1", "x^J": "2"})
	s.fails(store.Sync(ctx, ""), "would have the same name")
	s.want(copied, want)
	s.remove("x\n", "x^J")
	s.write(s.root, map[string]string{"bad\xff": "1", "after": "sent all the same"})
	s.remove("plain")
	s.fails(store.Sync(ctx, ""), "not valid UTF-8")
	want["after"] = "sent all the same" // and nothing was deleted
	s.want(copied, want)
}

// TestRealKept: a copy beside whose name something was set aside here stays.
func TestRealKept(t *testing.T) {
	s, store, copied := realSite(t, "p")
	ctx := context.Background()
	s.write(s.root, map[string]string{"d/T/x": "good", "d/U.tbz": "good", "d/V": "old", "d/W": ""})
	s.ok(store.Sync(ctx, ""))
	s.ok(os.Rename(s.root+"/d/T", s.root+"/d/.btw-aside-T"))
	s.ok(os.Rename(s.root+"/d/U.tbz", s.root+"/d/.btw-aside-U.tbz"))
	s.remove("d/V")
	s.ok(store.Sync(ctx, ""))
	s.ok(store.Sync(ctx, "d/"))
	s.want(copied, map[string]string{"d/T/x": "good", "d/U.tbz": "good", "d/W": ""})
}

// TestRealMultipart: an object in parts has no MD5 for its ETag, and is found
// equal, or not, all the same.
func TestRealMultipart(t *testing.T) {
	s, store, copied := realSite(t, "p", "multipart_chunk_size_mb = 5")
	ctx := context.Background()
	content := strings.Repeat("0123456789abcdef", 6<<16) // 6 MiB
	s.write(s.root, map[string]string{"big": content})
	s.ok(store.Sync(ctx, ""))
	before, err := os.Stat(copied + "/big")
	s.ok(err)
	s.ok(store.Sync(ctx, ""))
	after, err := os.Stat(copied + "/big")
	s.ok(err)
	if !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
		t.Error("an unchanged object in parts was sent again")
	}
	content = "X" + content[1:]
	s.write(s.root, map[string]string{"big": content})
	s.ok(store.Sync(ctx, ""))
	s.want(copied, map[string]string{"big": content})
}

// TestRealUnchanged: what s3cmd itself sent is found equal.
func TestRealUnchanged(t *testing.T) {
	s, store, copied := realSite(t, "p")
	s.write(s.root, map[string]string{"d/a": "1", "d/b": "", "c": "3"})
	ctx := context.Background()
	uri := store.String() + "/"
	_, err := exec.OS{}.Run(ctx, exec.Cmd{Args: []string{"s3cmd", "--config=" + s.config + "/s3cfg", "--server-side-encryption", "sync", s.root + "/", uri}})
	s.ok(err)
	s.want(copied, map[string]string{"d/a": "1", "d/b": "", "c": "3"})
	spy := &scripted{run: exec.OS{}.Run}
	s.exec = spy
	s.ok(s.store(store.String()).Sync(ctx, ""))
	if len(spy.verbs) != 1 || spy.verbs[0] != "ls" {
		t.Errorf("ran s3cmd %q, want one ls: there was nothing to send", spy.verbs)
	}
}

// TestRealEnvironment: cron gives neither HOME nor a locale.
func TestRealEnvironment(t *testing.T) {
	s, _, copied := realSite(t, "p")
	s.exec = runnerFunc(func(ctx context.Context, cmd exec.Cmd) (exec.Result, error) {
		env := []string{"HOME", "LANG", "LC_CTYPE"}
		cmd.Env = append(env, cmd.Env...)
		return exec.OS{}.Run(ctx, cmd)
	})
	bucket := filepath.Base(filepath.Dir(copied))
	store := s.store("s3://" + bucket + "/p")
	s.write(s.root, map[string]string{"é": "1", "ü/ß": "2"})
	s.ok(store.Sync(context.Background(), ""))
	s.want(copied, map[string]string{"é": "1", "ü/ß": "2"})
}

// TestRealFaults: what goes wrong says so, with s3cmd's own words, and
// nothing is taken for done.
func TestRealFaults(t *testing.T) {
	t.Parallel()
	tools.Need(t, "s3cmd")
	s := newSite(t)
	server := s3server.Start(t)
	s.write(s.root, map[string]string{"d/a": "1", "d/b": "2"})
	cfg := s.config + "/s3cfg"
	ctx := context.Background()
	store := s.store(server.URI("p"))
	both := func(want string) {
		t.Helper()
		for what, err := range map[string]error{"push": store.Push(ctx, "d/a"), "sync": store.Sync(ctx, "d/")} {
			if unavailable := (*UnavailableError)(nil); !errors.As(err, &unavailable) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got error %v, want an *UnavailableError with %q", what, err, want)
			}
		}
	}
	server.S3cfg(t, cfg, "secret_key = wrong")
	both("exited with code: 77 (access was denied, or the server's certificate does not verify: see access_key and secret_key in " + cfg + "): S3 error: 403 (SignatureDoesNotMatch)")

	server.S3cfg(t, cfg)
	store = s.store("s3://no-such-bucket/p")
	both("exited with code: 12 (there is no such bucket): S3 error: 404 (NoSuchBucket)")

	store = s.store(server.URI("p"))
	// A limit on deletions, which s3cmd would keep to with exit 0.
	server.S3cfg(t, cfg, "max_delete = 1", "limit = 1", "quiet = True", "long_listing = True", "follow_symlinks = True")
	s.ok(store.Sync(ctx, ""))
	s.remove("d")
	s.write(s.root, map[string]string{"e": "5"})
	s.ok(store.Sync(ctx, ""))
	s.want(server.Dir+"/p", map[string]string{"e": "5"})

	server.Stop()
	s.fails(store.Sync(ctx, ""), "exited with code: 111 (the connection was refused: see host_base")
}

// TestRealEmptyRoot: ROOT_PATH not mounted is no reason to delete.
func TestRealEmptyRoot(t *testing.T) {
	s, store, copied := realSite(t, "p")
	s.write(s.root, map[string]string{"d/a": "1", ".btw-root": "id\n"})
	s.ok(store.Sync(context.Background(), ""))
	s.remove("d")
	s.fails(store.Sync(context.Background(), ""), "ROOT_PATH: "+s.root+" is empty here, but not off-site: is it mounted?")
	s.want(copied, map[string]string{"d/a": "1", ".btw-root": "id\n"})
}

// TestRealVerify: a push finds what is there already, by every name.
func TestRealVerify(t *testing.T) {
	s, store, copied := realSite(t, "p")
	s.uri = store.String()
	ctx := context.Background()
	names := []string{"plain", "d/x y", "d/x*", "d*/[x]?*", "c\td", "é%41+"}
	want := map[string]string{}
	for _, name := range names {
		s.write(s.root, map[string]string{name: "good"})
		want[printable(name)] = "good"
	}
	s.ok(store.Sync(ctx, ""))
	asked := s.asked(errors.New("differs from its record"))
	for _, name := range names {
		s.ok(s.store("").Push(ctx, name)) // the same
		s.write(s.root, map[string]string{name: "rotten"})
		s.fails(s.store("").Push(ctx, name), "is not sent")
	}
	if !slices.Equal(*asked, names) {
		t.Errorf("asked about %q, want %q", *asked, names)
	}
	s.fails(s.store("").Push(ctx, "d/"), "is not sent")
	s.fails(s.store("").Sync(ctx, ""), "is not sent")
	s.want(copied, want)
	s.write(s.root, map[string]string{"plain": "better"})
	want["plain"] = "better"
	s.ok(s.store("").Push(ctx, "plain"))
	s.want(copied, want)
}
