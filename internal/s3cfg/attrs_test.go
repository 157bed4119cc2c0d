package s3cfg

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"
)

const emptyMD5 = "d41d8cd98f00b204e9800998ecf8427e"

func TestFileAttrs(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(name, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, time.Unix(1700000000, 999_999_999), time.Unix(-1, 500_000_000)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	known := Names{
		User:  func(id uint32) (string, bool) { return `DOM\a b/é:+`, id == stat.Uid },
		Group: func(id uint32) (string, bool) { return "a-._~Z9", id == stat.Gid },
	}
	a := FileAttrs(info, strings.ToUpper(emptyMD5), known)
	for key, want := range map[string]string{
		"uname": "DOM%5Ca%20b%2F%C3%A9%3A%2B", "gname": "a-._~Z9", "mode": "33184", "md5": emptyMD5,
		"atime": "1700000000", "mtime": "-1",
	} {
		if a[key] != want {
			t.Errorf("%s: got %s, want %s", key, a[key], want)
		}
	}
	for key, want := range map[string]int64{"uid": int64(stat.Uid), "gid": int64(stat.Gid), "ctime": int64(stat.Ctim.Sec)} {
		if got, ok := a.Number(key); !ok || got != want {
			t.Errorf("%s: got %d, want %d", key, got, want)
		}
	}
	nobody := Names{User: func(uint32) (string, bool) { return "", true }}
	a = FileAttrs(info, emptyMD5, nobody)
	if _, ok := a["uname"]; ok || len(a) != 7 {
		t.Errorf("got %s", a)
	}
	if !strings.HasPrefix(a.String(), "atime:1700000000/ctime:") || !strings.Contains(a.String(), "/md5:"+emptyMD5+"/mode:33184/") {
		t.Errorf("got %s", a)
	}
}

func TestFileAttrsWithoutOwner(t *testing.T) {
	files := fstest.MapFS{"x": {Mode: 0o755 | fs.ModeSetuid | fs.ModeSticky, ModTime: time.Unix(5, 0)}}
	info, err := fs.Stat(files, "x")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := FileAttrs(info, emptyMD5, Names{}).String(), "md5:"+emptyMD5+"/mode:35821/mtime:5"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAttrs(t *testing.T) {
	for _, test := range []struct{ in, out, md5 string }{
		{"", "", ""},
		{"uid:0/md5:" + emptyMD5 + "/new:1", "md5:" + emptyMD5 + "/new:1/uid:0", emptyMD5},
		{"md5:" + strings.ToUpper(emptyMD5), "md5:" + strings.ToUpper(emptyMD5), emptyMD5},
		{"md5:" + emptyMD5[1:], "md5:" + emptyMD5[1:], ""},
		{"md5:" + emptyMD5[1:] + "g", "md5:" + emptyMD5[1:] + "g", ""},
		{"md5:", "", ""},
		{"a/b:c:d/:e/f:/g:h//", "g:h", ""},
		{"a:b c/d:é/e:f", "e:f", ""},
		{"a:1/a:2", "a:2", ""},
	} {
		a := ParseAttrs(test.in)
		if a.String() != test.out || a.MD5() != test.md5 {
			t.Errorf("%q: got %q, %q", test.in, a, a.MD5())
		}
	}
	if got := (Attrs{"a": "", "b": "x/y", "c": "x:y", "": "z", "d": "\n", "e": "f"}).String(); got != "e:f" {
		t.Errorf("got %q", got)
	}
}

func FuzzAttrs(f *testing.F) {
	f.Add("atime:1795411060/gid:0/gname:root/md5:" + emptyMD5 + "/mode:33188")
	f.Add("a:b:c//:/d:%2F/é:x")
	f.Fuzz(func(t *testing.T, text string) {
		a := ParseAttrs(text)
		written := a.String()
		if again := ParseAttrs(written); again.String() != written || len(again) != len(a) {
			t.Fatalf("%q, then %q", written, again)
		}
		if written == "" {
			return
		}
		for pair := range strings.SplitSeq(written, "/") { // as s3cmd does
			if len(strings.Split(pair, ":")) != 2 {
				t.Fatalf("s3cmd cannot read %q", written)
			}
		}
	})
}
