package rdiff_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1" //nolint:gosec // what rdiff-backup records
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"btw-backup/internal/durable"
	"btw-backup/internal/exec"
	"btw-backup/internal/rdiff"
	"btw-backup/internal/testkit/golden"
	"btw-backup/internal/testkit/tools"
)

// put makes a repository of empty files; those that begin with a dot and a
// slash stand beside rdiff-backup-data.
func put(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		full := filepath.Join(dir, rdiff.DataDir, name)
		if strings.HasPrefix(name, "./") {
			full = filepath.Join(dir, name)
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o700), os.WriteFile(full, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// clocks writes times as the time of day, in UTC.
func clocks(times []time.Time) string {
	var all []string
	for _, t := range times {
		all = append(all, t.UTC().Format(time.TimeOnly))
	}
	return strings.Join(all, " ")
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name                                string
		files                               []string
		markers, increments, sessions, file string
		whole                               bool
	}{
		{name: "nothing"},
		{name: "an artifact and no data", files: []string{"./backup.tar"}, file: "backup.tar"},
		{name: "full, not finished", files: []string{"./backup.tar", "backup.log", "mirror_metadata.2026-01-01T01:00:00Z.snapshot.gz"}, file: "backup.tar"},
		{
			name: "full", files: []string{"./backup.tar", "current_mirror.2026-01-01T01:00:00Z.data", "increments/x"},
			markers: "01:00:00", sessions: "01:00:00", file: "backup.tar", whole: true,
		},
		{
			name:    "increments",
			files:   []string{"./x", "current_mirror.2026-01-01T03:00:00Z.data", "increments.2026-01-01T02:00:00Z.dir", "increments.2026-01-01T01:00:00Z.dir"},
			markers: "03:00:00", increments: "01:00:00 02:00:00", sessions: "01:00:00 02:00:00 03:00:00", file: "x", whole: true,
		},
		{
			name:    "offsets, over the end of summer time",
			files:   []string{"current_mirror.2026-10-25T02:30:00+01:00.data", "increments.2026-10-25T02:30:00+02:00.dir", "increments.2026-10-24T19:00:00-05:00.dir"},
			markers: "01:30:00", increments: "00:00:00 00:30:00", sessions: "00:00:00 00:30:00 01:30:00", whole: true,
		},
		{
			name:    "one state under two zones",
			files:   []string{"current_mirror.2026-01-01T03:00:00Z.data", "increments.2026-01-01T02:00:00Z.dir", "increments.2026-01-01T03:00:00+01:00.dir"},
			markers: "03:00:00", increments: "02:00:00", sessions: "02:00:00 03:00:00", whole: true,
		},
		{
			name: "interrupted",
			files: []string{
				"./x", "./rdiff-backup.tmp.1", "./rdiff-backup.tmp.22", "current_mirror.2026-01-01T02:00:00Z.data",
				"current_mirror.2026-01-01T03:00:00Z.data", "increments.2026-01-01T02:00:00Z.dir", "increments.2026-01-01T01:00:00Z.dir",
			},
			markers: "02:00:00 03:00:00", increments: "01:00:00 02:00:00", sessions: "01:00:00 02:00:00", file: "x",
		},
		{
			name:    "names that bear no time",
			files:   []string{"./a", "./b", "current_mirror.data", "current_mirror.2026-01-01.data", "increments.dir", "increments", "chars_to_quote", "current_mirror.2026-01-01T02:00:00.data", "rdiff-backup.tmp.1", "current_mirror"},
			markers: "", file: "a b",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, err := rdiff.Read(durable.OS{}, put(t, test.files...))
			if err != nil {
				t.Fatal(err)
			}
			if clocks(s.Markers) != test.markers || clocks(s.Increments) != test.increments || clocks(s.Sessions()) != test.sessions ||
				strings.Join(s.Mirror, " ") != test.file || s.Whole() != test.whole {
				t.Errorf("got %+v, sessions %s", s, clocks(s.Sessions()))
			}
		})
	}
	if _, err := rdiff.Read(durable.OS{}, t.TempDir()+"/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
	if _, err := rdiff.Read(durable.OS{}, put(t, "./"+rdiff.DataDir)); err == nil {
		t.Error("a file in the place of the data is read as nothing")
	}
}

func TestOfSession(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 2, 0, 0, 0, time.UTC)
	for name, want := range map[string]bool{
		"current_mirror.2026-01-01T02:00:00Z.data":          true,
		"mirror_metadata.2026-01-01T03:00:00+01:00.diff.gz": true,
		"session_statistics.2026-01-01T02:00:01Z.data":      false,
		"backup.log": false,
		"increments": false,
		"error_log.2026-01-01T02:00:00+01:00.data":             false,
		"file_statistics.2025-12-31T21:00:00-05:00.data.gz":    true,
		"access_control_lists.2026-01-01T02:00:00Z.snapshot":   true,
		"extended_attributes.2026-01-01T02:00:00.000Z.snapsho": false,
	} {
		if got := rdiff.OfSession(name, at); got != want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

const goodMetadata = `File .
  Type dir
  ModTime 1795415576
  Permissions 448
File backup.tar
  Type reg
  Size 10240
  SHA1Digest e5fa44f2b31c1fb553b6021e7360d07d5d91ff5e
  ModTime 1795415576
`

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadMetadata(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 2, 0, 0, 0, time.UTC)
	want := rdiff.Metadata{Name: "backup.tar", Size: 10240, SHA1: "e5fa44f2b31c1fb553b6021e7360d07d5d91ff5e"}
	whole := zipped(t, goodMetadata)
	for _, test := range []struct {
		name, file string
		content    []byte
		err        string
	}{
		{"zipped", "mirror_metadata.2026-01-01T02:00:00Z.snapshot.gz", whole, ""},
		{"with an offset", "mirror_metadata.2026-01-01T03:00:00+01:00.snapshot.gz", whole, ""},
		{"plain", "mirror_metadata.2026-01-01T02:00:00Z.snapshot", []byte(goodMetadata), ""},
		{"of another time", "mirror_metadata.2026-01-01T02:00:01Z.snapshot.gz", whole, "there is no mirror_metadata of 2026-01-01T02:00:00Z: file does not exist"},
		{"the way back", "mirror_metadata.2026-01-01T02:00:00Z.diff.gz", whole, "there is no mirror_metadata of 2026-01-01T02:00:00Z: file does not exist"},
		{"something else", "extended_attributes.2026-01-01T02:00:00Z.snapshot.gz", whole, "there is no mirror_metadata of 2026-01-01T02:00:00Z: file does not exist"},
		{"empty", "mirror_metadata.2026-01-01T02:00:00Z.snapshot.gz", nil, "EOF"},
		{"no gzip", "mirror_metadata.2026-01-01T02:00:00Z.snapshot.gz", []byte(goodMetadata), "gzip: invalid header"},
		{"empty and plain", "mirror_metadata.2026-01-01T02:00:00Z.snapshot", nil, "it lists no file with its digest"},
		{"no file", "mirror_metadata.2026-01-01T02:00:00Z.snapshot", []byte("File .\n  Type dir\n"), "it lists no file with its digest"},
		{"cut within the digest", "mirror_metadata.2026-01-01T02:00:00Z.snapshot", []byte(goodMetadata[:len(goodMetadata)-30]), "it lists no digest of the file"},
		{"two files", "mirror_metadata.2026-01-01T02:00:00Z.snapshot", []byte(goodMetadata + "File b\n"), "it lists more than one file"},
		{"a size that is none", "mirror_metadata.2026-01-01T02:00:00Z.snapshot", []byte(strings.Replace(goodMetadata, "10240", "10k", 1)), `it gives the size "10k"`},
		{"a line without an end", "mirror_metadata.2026-01-01T02:00:00Z.snapshot", []byte(goodMetadata + strings.Repeat("x", 1<<17)), "token too long"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := put(t, "current_mirror.2026-01-01T02:00:00Z.data")
			if err := os.WriteFile(filepath.Join(dir, rdiff.DataDir, test.file), test.content, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := rdiff.ReadMetadata(durable.OS{}, dir, at)
			if test.err == "" && (err != nil || got != want) {
				t.Errorf("got %+v, %v", got, err)
			}
			if test.err != "" && (err == nil || !strings.HasPrefix(err.Error(), dir) || !strings.HasSuffix(err.Error(), test.err)) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	if _, err := rdiff.ReadMetadata(durable.OS{}, t.TempDir(), at); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without data: %v", err)
	}
}

// However short a zipped one was cut, it says so.
func TestTruncatedMetadata(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 2, 0, 0, 0, time.UTC)
	dir := put(t, "current_mirror.2026-01-01T02:00:00Z.data")
	name := filepath.Join(dir, rdiff.DataDir, "mirror_metadata.2026-01-01T02:00:00Z.snapshot.gz")
	whole := zipped(t, goodMetadata)
	for n := range whole {
		if err := os.WriteFile(name, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := rdiff.ReadMetadata(durable.OS{}, dir, at); err == nil {
			t.Errorf("%d of %d bytes are read as %+v", n, len(whole), got)
		}
	}
}

// listed is what the real rdiff-backup lists, and whether the repository is
// in the end what was recorded of it.
func listed(t *testing.T, repository string) string {
	t.Helper()
	result, err := exec.OS{}.Run(t.Context(), exec.Cmd{
		Args: []string{"rdiff-backup", "--parsable-output", "list", "increments", repository}, Env: []string{"TZ=UTC"},
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, result.Stderr)
	}
	var lines []string
	for line := range strings.Lines(result.Stdout) {
		// "EPOCH directory", or from API 201 on YAML.
		epoch := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "time: "))[0]
		if isNumber(epoch) {
			lines = append(lines, epoch)
		}
	}
	return strings.Join(lines, " ")
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func epochs(times []time.Time) string {
	var all []string
	for _, t := range times {
		all = append(all, strconv.FormatInt(t.Unix(), 10))
	}
	return strings.Join(all, " ")
}

// check compares what we read off the names with what rdiff-backup says, and
// the metadata with the mirror.
func check(t *testing.T, repository string) rdiff.State {
	t.Helper()
	s, err := rdiff.Read(durable.OS{}, repository)
	if err != nil || !s.Whole() || len(s.Mirror) != 1 {
		t.Fatalf("%s: got %+v, %v", repository, s, err)
	}
	if got, want := epochs(s.Sessions()), listed(t, repository); got != want {
		t.Errorf("%s: we read %s, rdiff-backup lists %s", repository, got, want)
	}
	content, err := os.ReadFile(filepath.Join(repository, s.Mirror[0]))
	if err != nil {
		t.Fatal(err)
	}
	m, err := rdiff.ReadMetadata(durable.OS{}, repository, s.Markers[0])
	sum := sha1.Sum(content) //nolint:gosec // what rdiff-backup records
	if err != nil || m != (rdiff.Metadata{Name: s.Mirror[0], Size: int64(len(content)), SHA1: hex.EncodeToString(sum[:])}) {
		t.Errorf("%s: got %+v, %v", repository, m, err)
	}
	return s
}

func TestGolden(t *testing.T) {
	t.Parallel()
	tools.Need(t, "rdiff-backup")
	for _, test := range []struct{ archive, repository, sessions string }{
		{"python-installation", "www/2026-11-23T06:03:19", "06:03:20 06:03:22 06:03:27"},
		{"python-installation", "www/2026-11-23T06:03:29", "06:03:29"},
		{"python-installation", "globals/2026-11-23T06:03:31", "06:03:31 06:03:33"},
		{"berlin", "tz/2026-11-23T07:32:54", "07:32:54 07:32:56"},
	} {
		t.Run(test.repository, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			golden.Unpack(t, test.archive, dir)
			s := check(t, filepath.Join(dir, "root", test.repository))
			if got := clocks(s.Sessions()); got != test.sessions {
				t.Errorf("got %s, want %s", got, test.sessions)
			}
			if !slices.Equal(s.Sessions()[:len(s.Increments)], s.Increments) {
				t.Errorf("the increments are %s", clocks(s.Increments))
			}
		})
	}
}

// TestLogsAreWhatIsChangedInPlace: a clone by hard links must not share them.
func TestLogsAreWhatIsChangedInPlace(t *testing.T) {
	for path, want := range map[string]bool{
		"/r/rdiff-backup-data/backup.log":                          true,
		"/r/rdiff-backup-data/regress.log":                         true,
		"/r/shop.log":                                              false,
		"/r/rdiff-backup-data/increments/shop.log":                 false,
		"/r/rdiff-backup-data/error_log.2026-11-23T06:03:31Z.data": false,
	} {
		if got := rdiff.IsLog(path); got != want {
			t.Errorf("%s: got %v", path, got)
		}
	}
}
