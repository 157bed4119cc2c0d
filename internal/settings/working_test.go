package settings_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
	"btw-backup/internal/settings"
)

func TestHash(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		// CONTRACT.md
		"/etc":          "FAAdkg",
		"/srv/www":      "U-hwFg",
		"/usr/local/go": "rqp5oQ",
		"/tmp/é":        "CpBW5A",
		"/srv/site677":  "_cLS", // a leading zero byte

		// The installations of the Python program in testdata.
		"/srv/btw-golden/source/www": "lLhZuQ",
		"/srv/btw-golden/source/etc": "PCbN3A",
		"/srv/btw-tz/source":         "jF3Ozw",

		"": "", // zero: all four bytes lead
	} {
		if got := settings.Hash(path); got != want {
			t.Errorf("%q: got %s, want %s", path, got, want)
		}
	}
	if settings.Hash("/srv/www") == settings.Hash("/srv/www/") {
		t.Error("two sources have one hash")
	}
}

func TestInit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, src, label, kind, text string }{
		{"tar", "/srv/www", "www", "tar", "TYPE=\"tar\"\n"},
		{"rdiff", "/srv/www", "www", "rdiff", "TYPE=\"rdiff\"\nMAX_INCREMENTAL_COUNT=10\nMAX_INCREMENTAL_SPAN=\"24h\"\n"},
		{"with a slash", "/srv/www/", "www", "tar", "TYPE=\"tar\"\n"},
		{"not UTF-8", "/srv/caf\xe9/\xff", "www", "tar", "TYPE=\"tar\"\n"},
		{"odd letters", "/srv/a b\n'\"$x", "my site.2 @é", "tar", "TYPE=\"tar\"\n"},
		{"not clean", "/srv//x/../y/.", "y", "tar", "TYPE=\"tar\"\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := site(t)
			d.Path = filepath.Join(d.Path, ".btw-backup") // not there yet
			dir, err := d.Init(test.src, test.label, test.kind)
			if err != nil {
				t.Fatal(err)
			}
			if want := filepath.Join(d.Path, test.label+"."+settings.Hash(test.src)); dir != want {
				t.Errorf("made %s, want %s", dir, want)
			}
			for name, mode := range map[string]fs.FileMode{
				"": fs.ModeDir | 0o700, "backup": fs.ModeDir | 0o700, "config.py": 0o600, "..": fs.ModeDir | 0o700,
			} {
				if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != mode {
					t.Errorf("%s: %v, %v", name, info, err)
				}
			}
			if names := list(t, dir); names != "backup config.py src" {
				t.Errorf("it holds %s", names)
			}
			if names := list(t, d.Path); names != filepath.Base(dir) {
				t.Errorf("beside it lies %s", names)
			}
			if target, err := os.Readlink(dir + "/src"); err != nil || target != test.src {
				t.Errorf("src leads to %q, %v", target, err)
			}
			if text, err := os.ReadFile(dir + "/config.py"); err != nil || string(text) != test.text {
				t.Errorf("config.py holds %q, %v", text, err)
			}

			// And it is found again, once only.
			want := settings.Backup{Type: test.kind, MaxIncrementalCount: 10, MaxIncrementalSpan: 24 * time.Hour, Source: "fs:" + test.src}
			if got, err := d.Filesystem(test.src); err != nil || got.Type != want.Type || test.kind == "rdiff" && got != want {
				t.Errorf("got %+v, %v", got, err)
			}
			_, err = d.Init(test.src, "other", "tar")
			says(t, d, err, "there is already a directory for this path: "+dir)
		})
	}
}

func TestInitRefuses(t *testing.T) {
	t.Parallel()
	const unfit = " cannot be part of a directory's name: use letters and digits"
	for _, test := range []struct{ src, label, kind, want string }{
		{"srv/www", "www", "tar", "the source path must be absolute"},
		{"", "www", "tar", "the source path must be absolute"},
		{"/srv\x00", "www", "tar", `the source path "/srv\x00" holds a NUL byte`},
		{"/srv", "", "tar", `the name ""` + unfit},
		{"/srv", ".", "tar", `the name "."` + unfit},
		{"/srv", "..", "tar", `the name ".."` + unfit},
		{"/srv", ".hidden", "tar", `the name ".hidden"` + unfit},
		{"/srv", "-q", "tar", `the name "-q"` + unfit},
		{"/srv", "a/b", "tar", `the name "a/b"` + unfit},
		{"/srv", "a\nb", "tar", `the name "a\nb"` + unfit},
		{"/srv", "a\x00", "tar", `the name "a\x00"` + unfit},
		{"/srv", "caf\xe9", "tar", `the name "caf\xe9"` + unfit},
		{"/srv", "www", "zip", `the type must be "tar" or "rdiff", not "zip"`},
	} {
		d := site(t)
		_, err := d.Init(test.src, test.label, test.kind)
		says(t, d, err, test.want)
		if left := list(t, d.Path); left != "" {
			t.Errorf("%q: left %s", test.label, left)
		}
	}
	d := site(t)
	d.Path = filepath.Join(d.Path, "none", "config")
	if _, err := d.Init("/srv", "www", "tar"); err == nil || !strings.HasSuffix(err.Error(), "/none, which is to hold the config directory, does not exist") {
		t.Errorf("without a parent: %v", err)
	}
}

// failing is a file system on which the n-th change fails.
type failing struct {
	durable.OS
	left *int
}

var errFull = errors.New("no space left on device")

func (f failing) spend() error {
	if *f.left--; *f.left == 0 {
		return errFull
	}
	return nil
}

func (f failing) Mkdir(name string, mode fs.FileMode) error {
	if err := f.spend(); err != nil {
		return err
	}
	return f.OS.Mkdir(name, mode)
}

func (f failing) OpenFile(name string, flag int, mode fs.FileMode) (afero.File, error) {
	if err := f.spend(); err != nil {
		return nil, err
	}
	return f.OS.OpenFile(name, flag, mode)
}

func (f failing) SymlinkIfPossible(target, name string) error {
	if err := f.spend(); err != nil {
		return err
	}
	return f.OS.SymlinkIfPossible(target, name)
}

func (f failing) Rename(a, b string) error {
	if err := f.spend(); err != nil {
		return err
	}
	return f.OS.Rename(a, b)
}

func TestInitFailsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		d := site(t, "config.py", "")
		left := n
		d.FS = failing{left: &left}
		_, err := d.Init("/srv", "www", "rdiff")
		if err == nil {
			if n < 6 {
				t.Errorf("only %d operations could fail", n-1)
			}
			return
		}
		if !errors.Is(err, errFull) {
			t.Errorf("operation %d: %v", n, err)
		}
		if left := list(t, d.Path); left != "config.py" {
			t.Errorf("operation %d: left %s", n, left)
		}
	}
}

func TestFilesystem(t *testing.T) {
	t.Parallel()
	const src = "/srv/www" // U-hwFg
	link := func(t *testing.T, d settings.Dir, name, target string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(d.Path, name, "src")); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name, src string
		files     []string
		links     map[string]string
		want      settings.Backup
		err       string
	}{
		{
			name: "found", src: src, files: []string{"any.name.U-hwFg/config.py", "TYPE=\"rdiff\"\nMAX_INCREMENTAL_COUNT=2\nMAX_INCREMENTAL_SPAN=\"1w\""},
			links: map[string]string{"any.name.U-hwFg": src},
			want:  settings.Backup{Type: "rdiff", MaxIncrementalCount: 2, MaxIncrementalSpan: 168 * time.Hour},
		},
		{name: "none", src: src, err: "no working directory for: /srv/www"},
		{name: "relative", src: "www", err: "the source path must be absolute"},
		{
			name: "another one's", src: src + "/", files: []string{"www.U-hwFg/config.py", `TYPE="tar"`},
			links: map[string]string{"www.U-hwFg": src}, err: "no working directory for: /srv/www/",
		},
		{
			name: "two", src: src, files: []string{"b.U-hwFg/config.py", `TYPE="tar"`, "a.U-hwFg/config.py", `TYPE="tar"`},
			links: map[string]string{"b.U-hwFg": src, "a.U-hwFg": src},
			err:   "duplicate working directories: DIR/a.U-hwFg, DIR/b.U-hwFg",
		},
		{
			name: "a wrong link", src: src, files: []string{"www.U-hwFg/config.py", `TYPE="tar"`},
			links: map[string]string{"www.U-hwFg": "/srv/www/"}, err: "found a working directory with the wrong path: DIR/www.U-hwFg",
		},
		{
			name: "half of one", src: src, files: []string{".btw-tmp-1.U-hwFg/config.py", ""},
			err: "no working directory for: /srv/www",
		},
		{
			name: "no type", src: src, files: []string{"www.U-hwFg/config.py", ""},
			links: map[string]string{"www.U-hwFg": src}, err: `DIR/www.U-hwFg/config.py: TYPE must be "tar" or "rdiff", not ""`,
		},
		{
			name: "no config.py", src: src, files: []string{"www.U-hwFg/other", ""},
			links: map[string]string{"www.U-hwFg": src}, err: `DIR/www.U-hwFg/config.py: TYPE must be "tar" or "rdiff", not ""`,
		},
		{
			name: "a strange type", src: src, files: []string{"www.U-hwFg/config.py", `TYPE="TAR"`},
			links: map[string]string{"www.U-hwFg": src}, err: `DIR/www.U-hwFg/config.py: TYPE must be "tar" or "rdiff", not "TAR"`,
		},
		{
			name: "a type of a wrong type", src: src, files: []string{"www.U-hwFg/config.py", `TYPE=1`},
			links: map[string]string{"www.U-hwFg": src}, err: `DIR/www.U-hwFg/config.py: TYPE must be a string in quotes, not 1`,
		},
		{
			name: "a slip", src: src, files: []string{"www.U-hwFg/config.py", "TYPE=\"rdiff\"\nMAX_INCREMENTAL_COUNTS=1"},
			links: map[string]string{"www.U-hwFg": src},
			err:   `DIR/www.U-hwFg/config.py: there is no setting MAX_INCREMENTAL_COUNTS; did you mean MAX_INCREMENTAL_COUNT?`,
		},
		{
			name: "no assignment", src: src, files: []string{"www.U-hwFg/config.py", "import os"},
			links: map[string]string{"www.U-hwFg": src}, err: `DIR/www.U-hwFg/config.py:1: not an assignment`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := site(t, test.files...)
			for name, target := range test.links {
				link(t, d, name, target)
			}
			got, err := d.Filesystem(test.src)
			if test.err != "" {
				says(t, d, err, test.err)
			} else if got.Source = ""; err != nil || got != test.want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	d := site(t)
	d.Path += "/none"
	_, err := d.Filesystem(src)
	says(t, d, err, "no working directory for: /srv/www")
	d = site(t, "www.U-hwFg/config.py", `TYPE="tar"`)
	if _, err := d.Filesystem(src); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without src: %v", err)
	}
}

func TestMake(t *testing.T) {
	t.Parallel()
	d := site(t)
	d.Path = filepath.Join(d.Path, "config")
	for range 2 { // the second time it is there
		if err := d.Make(); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(d.Path); err != nil || info.Mode() != fs.ModeDir|0o700 {
		t.Errorf("got %v, %v", info, err)
	}
}

func list(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return strings.Join(names, " ")
}
