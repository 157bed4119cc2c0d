package destination_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/tbz"
	"btw-backup/internal/testkit/faultfs"
	"btw-backup/internal/testkit/golden"
)

func at(name string) time.Time {
	t, _, ok := destination.ParseName(name)
	if !ok {
		panic(name)
	}
	return t
}

func TestParseName(t *testing.T) {
	t.Parallel()
	const tar, rdiff = destination.Tar, destination.Rdiff
	for _, test := range []struct {
		name string
		kind destination.Kind
		want time.Time
	}{
		{"2026-01-31T13:05:09", rdiff, time.Date(2026, 1, 31, 13, 5, 9, 0, time.UTC)},
		{"2026-01-31T13:05:09.tbz", tar, time.Date(2026, 1, 31, 13, 5, 9, 0, time.UTC)},
		{"2024-02-29T23:59:59", rdiff, time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC)},
		{"0001-01-01T00:00:00.tbz", tar, time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		got, kind, ok := destination.ParseName(test.name)
		if !ok || !got.Equal(test.want) || kind != test.kind {
			t.Errorf("%s: got %v, %v, %v", test.name, got, kind, ok)
		}
		if back := (destination.Backup{Time: got, Kind: kind}).Name(); back != test.name {
			t.Errorf("%s: is written as %s", test.name, back)
		}
	}
	for _, name := range []string{
		"", ".tbz", "log.txt", "2026-01-31", "2026-01-31T13:05", "2026-01-31T13:05:09Z", "2026-01-31T13:05:09+00:00",
		"2026-1-31T13:05:09", "2026-01-31T3:05:09", "2026-01-31 13:05:09", "2026-01-31t13:05:09", "2026-02-29T00:00:00",
		"2026-01-31T24:00:00", "2026-01-31T13:05:60", "2026-01-31T13:05:09.5", "2026-01-31T13:05:09,5", "2026-01-31T13:05:09.000",
		" 2026-01-31T13:05:09", "2026-01-31T13:05:09 ", "2026-01-31T13:05:09.tbz.tbz", "2026-01-31T13:05:09.TBZ",
		"2026-01-31T13:05:09.tar", ".btw-old-2026-01-31T13:05:09", "12026-01-31T13:05:09", "２026-01-31T13:05:09",
	} {
		if _, _, ok := destination.ParseName(name); ok {
			t.Errorf("%q is taken for a backup", name)
		}
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	berlin := time.FixedZone("CET", 3600)
	if got := destination.Name(time.Date(2026, 1, 1, 0, 30, 0, 999_999_999, berlin)); got != "2025-12-31T23:30:00" {
		t.Errorf("got %s", got)
	}
}

func FuzzParseName(f *testing.F) {
	for _, name := range []string{
		"2026-01-31T13:05:09", "2026-01-31T13:05:09.tbz", "2026-01-31T13:05:09.5", "2026-01-31T13:05:9", "0000-00-00T00:00:00",
		"9999-12-31T23:59:59", "log.txt", ".tbz", "-001-01-01T00:00:00",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got, kind, ok := destination.ParseName(name)
		if !ok {
			return
		}
		// What parses is written the same way, byte by byte.
		if back := (destination.Backup{Time: got, Kind: kind}).Name(); back != name {
			t.Errorf("%q: is written as %q", name, back)
		}
		if destination.MayBe(name) || !destination.IsPart("etc/"+name) {
			t.Errorf("%q may be a destination, or is no part of one", name)
		}
	})
}

func TestClean(t *testing.T) {
	t.Parallel()
	for dst, want := range map[string]string{
		"etc":                          "etc",
		"a/b/c":                        "a/b/c",
		"a//b/":                        "a/b",
		"./a":                          "a",
		"a/./b/.":                      "a/b",
		"a/../b":                       "b",
		"-g":                           "-g",
		"my files/of  today":           "my files/of  today",
		" ":                            " ",
		"...":                          "...",
		"..a":                          "..a",
		".hidden":                      ".hidden",
		".btw":                         ".btw",
		"x.btw-y":                      "x.btw-y",
		"é/日本":                         "é/日本",
		"a\\b'\"$*":                    "a\\b'\"$*",
		"2026-01-31":                   "2026-01-31",
		"2026-01-31T13:05:09.tbz/../a": "a",
	} {
		if got, err := destination.Clean(dst); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", dst, got, err, want)
		}
	}
	const (
		out     = "leads out of ROOT_PATH"
		control = "holds a control character"
		own     = "names that begin with .btw- are this program's own"
	)
	for dst, want := range map[string]string{
		"":                        "the dst argument is empty: name a directory below ROOT_PATH",
		"/":                       "the dst argument cannot be an absolute path",
		"/etc":                    "the dst argument cannot be an absolute path",
		"//etc":                   "the dst argument cannot be an absolute path",
		".":                       `the dst argument "." is ROOT_PATH itself: name a directory below it`,
		"./":                      `the dst argument "./" is ROOT_PATH itself: name a directory below it`,
		"a/..":                    `the dst argument "a/.." is ROOT_PATH itself: name a directory below it`,
		"..":                      out,
		"../etc":                  out,
		"a/../../b":               out,
		"a\nb":                    control,
		"a\tb":                    control,
		"a\x00":                   control,
		"a\x7f":                   control,
		"a\u0085b":                control,
		"caf\xe9":                 "is not valid UTF-8",
		".btw-records":            own,
		"a/.btw-tmp-1/b":          own,
		"2026-01-31T13:05:09":     "2026-01-31T13:05:09 is the name of a backup",
		"a/2026-01-31T13:05:09/b": "2026-01-31T13:05:09 is the name of a backup",
		"2026-01-31T13:05:09.tbz": "2026-01-31T13:05:09.tbz is the name of a backup",
	} {
		if got, err := destination.Clean(dst); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: got %q, %v, want …%s", dst, got, err, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, dst := range []string{"etc", "a//b/", "../x", "a/../../b", "/", "\x00", "a/./.btw-x", "2026-01-31T13:05:09/x", "\xff"} {
		f.Add(dst)
	}
	f.Fuzz(func(t *testing.T, dst string) {
		clean, err := destination.Clean(dst)
		if err != nil {
			return
		}
		if !fs.ValidPath(clean) || clean == "." || !utf8.ValidString(clean) || strings.ContainsFunc(clean, unicode.IsControl) {
			t.Errorf("%q: is taken for %q", dst, clean)
		}
		if again, err := destination.Clean(clean); err != nil || again != clean {
			t.Errorf("%q: cleaned once %q, twice %q, %v", dst, clean, again, err)
		}
		for part := range strings.SplitSeq(clean, "/") {
			if !destination.MayBe(part) {
				t.Errorf("%q: %q may be no destination", dst, part)
			}
		}
	})
}

func TestOfAndIsPart(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		path, of string
		isPart   bool
	}{
		{"", "", false},
		{"etc", "", false},
		{"etc/", "", false},
		{"a/b", "a", false},
		{"etc/2026-01-31T13:05:09.tbz", "etc", true},
		{"etc/2026-01-31T13:05:09/", "etc", true},
		{"etc/2026-01-31T13:05:09", "etc", true},
		{"a/b c/2026-01-31T13:05:09/", "a/b c", true},
		{"etc/log.txt", "etc", true},
		{"etc/.btw-records/2026-01-31T13:05:09.json", "etc", true},
		{"a/b/.btw-records/2026-01-31T13:05:09.json", "a/b", true},
		{".btw-root", "", false},
	} {
		if got := destination.Of(test.path); got != test.of {
			t.Errorf("%q: is of %q, want %q", test.path, got, test.of)
		}
		if got := destination.IsPart(test.path); got != test.isPart {
			t.Errorf("%q: is part of a destination: %v", test.path, got)
		}
	}
}

func TestMayBe(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"etc": true, ".hidden": true, "2026": true, "2026-01-31T13:05:09": false, "2026-01-31T13:05:09.tbz": false,
		".btw-records": false, ".btw-tmp-1": false,
	} {
		if destination.MayBe(name) != want {
			t.Errorf("%s: got %v", name, !want)
		}
	}
}

// whole is a bzip2 file.
func whole(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	w := tbz.NewWriter(&b, nil)
	if _, err := w.Write([]byte("an archive")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// put makes files, given as NAME, CONTENT; a name that ends in a slash is a
// directory, and needs a content as well.
func put(t *testing.T, dir string, files ...string) {
	t.Helper()
	for i := 0; i < len(files); i += 2 {
		name := filepath.Join(dir, files[i])
		err := os.MkdirAll(filepath.Dir(name), 0o700)
		if strings.HasSuffix(files[i], "/") {
			err = errors.Join(err, os.MkdirAll(name, 0o700))
		} else {
			err = errors.Join(err, os.WriteFile(name, []byte(files[i+1]), 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// listing is what list prints, and what is odd.
func listing(c destination.Contents) (lines []string) {
	for _, b := range c.Backups {
		lines = append(lines, b.Name())
		for _, t := range b.Increments {
			lines = append(lines, " "+destination.Name(t))
		}
	}
	for _, o := range c.Odd {
		mark := ""
		if o.Interrupted {
			mark = " (can be mended)"
		}
		lines = append(lines, o.Name+": "+o.Why+mark)
	}
	return lines
}

func TestScan(t *testing.T) {
	t.Parallel()
	const (
		day1 = "2026-01-01T00:00:00"
		day2 = "2026-01-02T00:00:00"
		day3 = "2026-01-03T00:00:00"
		data = "/rdiff-backup-data/"
	)
	good := whole(t)
	marker := func(day string) string { return data + "current_mirror." + day + "Z.data" }
	inc := func(day string) string { return data + "increments." + day + "Z.dir" }
	for _, test := range []struct {
		name   string
		files  []string
		want   string // lines
		latest string
	}{
		{name: "empty"},
		{name: "tar", files: []string{day2 + ".tbz", good, day1 + ".tbz", good}, want: day1 + ".tbz\n" + day2 + ".tbz", latest: day2},
		{name: "truncated tar", files: []string{day1 + ".tbz", good, day2 + ".tbz", good[:len(good)-1]}, want: day1 + ".tbz\n" + day2 + ".tbz: it is not a whole bzip2 file", latest: day2},
		{name: "empty tar", files: []string{day1 + ".tbz", ""}, want: day1 + ".tbz: it is not a whole bzip2 file", latest: day1},
		{name: "no bzip2", files: []string{day1 + ".tbz", strings.Repeat("zeros", 100)}, want: day1 + ".tbz: it is not a whole bzip2 file", latest: day1},
		{name: "a directory called tbz", files: []string{day1 + ".tbz/", ""}, want: day1 + ".tbz: it is not a file", latest: day1},
		{name: "a file called as a chain", files: []string{day1, good}, want: day1 + ": it is not a directory", latest: day1},
		{name: "full", files: []string{day1 + "/backup.tar", "x", day1 + marker(day1), ""}, want: day1, latest: day1},
		{
			name:  "full and increments",
			files: []string{day1 + "/backup.tar", "x", day1 + marker(day3), "", day1 + inc(day2), "", day1 + inc(day1), ""},
			want:  day1 + "\n " + day2 + "\n " + day3, latest: day3,
		},
		{name: "no repository", files: []string{day1 + "/", ""}, want: day1 + ": its first backup was never finished", latest: day1},
		{
			name: "first backup interrupted", files: []string{day1 + "/backup.tar", "x", day1 + data + "backup.log", ""},
			want: day1 + ": its first backup was never finished", latest: day1,
		},
		{
			// The state of the run that did not end may not be whole, but
			// its time is taken.
			name:  "increment interrupted",
			files: []string{day1 + "/backup.tar", "x", day1 + marker(day1), "", day1 + marker(day3), "", day1 + inc(day1), ""},
			want:  day1 + "\n" + day1 + ": its last backup was interrupted (can be mended)", latest: day3,
		},
		{
			name: "second increment interrupted",
			files: []string{
				day1 + "/backup.tar", "x", day1 + marker(day2), "", day1 + marker(day3), "",
				day1 + inc(day1), "", day1 + inc(day2), "", day1 + "/rdiff-backup.tmp.1", "",
			},
			want: day1 + "\n " + day2 + "\n" + day1 + ": its last backup was interrupted (can be mended)", latest: day3,
		},
		{name: "no mirror", files: []string{day1 + marker(day1), ""}, want: day1 + ": it holds no artifact", latest: day1},
		{
			name:  "two mirrors",
			files: []string{day1 + "/a", "", day1 + "/b", "", day1 + marker(day1), ""},
			want:  day1 + ": it holds no artifact", latest: day1,
		},
		{
			name: "both kinds, sorted", latest: day3,
			files: []string{day3 + ".tbz", good, day2 + "/x.dump", "", day2 + marker(day2), "", day1 + ".tbz", good, day2 + ".tbz", good},
			want:  day1 + ".tbz\n" + day2 + "\n" + day2 + ".tbz\n" + day3 + ".tbz",
		},
		{
			name: "what is none of ours", latest: day1,
			files: []string{
				"notes", "", "log.txt", "", "sub/" + day3 + ".tbz", good, day3 + ".tbz.part", good, day3 + ".tar", good,
				"2026-1-5T00:00:00.tbz", good, day1 + ".tbz", good, ".btw-old-" + day2 + "/x", "", ".btw-tmp-" + day2 + ".tbz", good,
			},
			want: day1 + ".tbz",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			put(t, dir, test.files...)
			c, err := destination.Scan(durable.OS{}, dir, "d")
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(listing(c), "\n"); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
			latest := ""
			if t := c.Latest(); !t.IsZero() {
				latest = destination.Name(t)
			}
			if latest != test.latest {
				t.Errorf("the latest is %q, want %q", latest, test.latest)
			}
		})
	}
}

func TestScanNotesWhatLiesBeside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir, ".btw-records/x", "", ".btw-tmp-1", "", "log.txt", "", "notes", "", "2026-01-01T00:00:00.tbz", whole(t))
	c, err := destination.Scan(durable.OS{}, dir, "a/b")
	if err != nil || !c.HasLog || fmt.Sprint(c.Hidden) != "[.btw-records .btw-tmp-1]" || len(c.Backups) != 1 {
		t.Fatalf("got %+v, %v", c, err)
	}
	if p := c.Backups[0].Path(); p != "a/b/2026-01-01T00:00:00.tbz" {
		t.Errorf("its path is %s", p)
	}
	chain := destination.Backup{Dst: "a/b", Time: at("2026-01-01T00:00:00"), Kind: destination.Rdiff}
	if p := chain.Path(); p != "a/b/2026-01-01T00:00:00/" {
		t.Errorf("its path is %s", p)
	}
	if _, err := destination.Scan(durable.OS{}, dir+"/none", "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a destination that is not there: %v", err)
	}
	// A link is not followed: it may lead anywhere.
	if err := os.Symlink("2026-01-01T00:00:00.tbz", dir+"/2026-01-02T00:00:00.tbz"); err != nil {
		t.Fatal(err)
	}
	if c, err = destination.Scan(durable.OS{}, dir, "d"); err != nil || len(c.Odd) != 1 || len(c.Backups) != 1 {
		t.Errorf("got %+v, %v", c, err)
	}
}

// What cannot be read is not taken for what is not there, or for broken.
func TestScanUnreadable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir, "2026-01-01T00:00:00.tbz", whole(t), "2026-01-02T00:00:00/backup.tar", "", "2026-01-02T00:00:00/rdiff-backup-data/x", "")
	for _, name := range []string{"", "2026-01-01T00:00:00.tbz", "2026-01-02T00:00:00", "2026-01-02T00:00:00/rdiff-backup-data"} {
		_, err := destination.Scan(faultfs.Unreadable{Denied: filepath.Join(dir, name)}, dir, "d")
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestNewest(t *testing.T) {
	t.Parallel()
	c := destination.Contents{Backups: []destination.Backup{
		{Kind: destination.Rdiff, Time: at("2026-01-01T00:00:00"), Increments: []time.Time{at("2026-01-05T00:00:00")}},
		{Kind: destination.Tar, Time: at("2026-01-02T00:00:00")},
		{Kind: destination.Rdiff, Time: at("2026-01-03T00:00:00")},
	}}
	if b, ok := c.Newest(destination.Rdiff); !ok || b.Name() != "2026-01-03T00:00:00" {
		t.Errorf("got %v, %v", b, ok)
	}
	if b, ok := c.Newest(destination.Tar); !ok || b.Name() != "2026-01-02T00:00:00.tbz" {
		t.Errorf("got %v, %v", b, ok)
	}
	if _, ok := (destination.Contents{}).Newest(destination.Tar); ok {
		t.Error("nothing has a newest backup")
	}
	// No name may come before any state, nor before what is no backup.
	if got := c.Latest(); !got.Equal(at("2026-01-05T00:00:00")) {
		t.Errorf("got %v", got)
	}
	c.Odd = []destination.Odd{{Name: "2026-01-06T00:00:00.tbz"}}
	if got := c.Latest(); !got.Equal(at("2026-01-06T00:00:00")) {
		t.Errorf("got %v", got)
	}
}

// What list printed: testdata/golden/README.md.
func TestGolden(t *testing.T) {
	t.Parallel()
	for archive, destinations := range map[string]map[string]string{
		"python-installation": {
			"etc":     "2026-11-23T06:03:19.tbz\n2026-11-23T06:03:21.tbz",
			"www":     "2026-11-23T06:03:19\n 2026-11-23T06:03:22\n 2026-11-23T06:03:27\n2026-11-23T06:03:29",
			"globals": "2026-11-23T06:03:31\n 2026-11-23T06:03:33",
		},
		"berlin": {"tz": "2026-11-23T07:32:54\n 2026-11-23T07:32:56"},
	} {
		dir := t.TempDir()
		golden.Unpack(t, archive, dir)
		for dst, want := range destinations {
			c, err := destination.Scan(durable.OS{}, filepath.Join(dir, "root", dst), dst)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(listing(c), "\n"); got != want {
				t.Errorf("%s: got\n%s\nwant\n%s", dst, got, want)
			}
		}
	}
}
