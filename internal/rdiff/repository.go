// Package rdiff knows rdiff-backup: what its repositories look like on the
// disk, and the two command lines by which its versions are run.
//
// # Concepts
//
// A repository is a directory that holds the newest state of what was backed
// up, the mirror, as plain files, and a directory rdiff-backup-data. There,
// each run leaves files whose names bear its time: mirror_metadata.TIME.*,
// session_statistics.TIME.data and, from the second run on, what leads back
// to the state before: increments/NAME.TIME.diff.gz and increments.TIME.dir,
// under the time of that older state. current_mirror.TIME.data is the marker:
// it says from when the mirror is. A run writes its own marker first and
// deletes the older one last. Two markers therefore mean that a run is going
// on or never ended, and none that a first run never did.
//
// Its exit statuses lie: it exits 0 with a corrupt mirror and 2 on success.
// So we judge by state, and read it off the names, without running it: that
// needs no rdiff-backup to list what is there, and costs one ReadDir.
//
// Times stand in local time with an offset in the names, "Z" under TZ=UTC.
package rdiff

import (
	"bufio"
	"compress/gzip"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
)

// DataDir is the directory in a repository that holds everything but the
// mirror.
const DataDir = "rdiff-backup-data"

// Log is what a backup appends to in DataDir.
const Log = "backup.log"

// IsLog tells whether the file at a path is a log in DataDir: backup.log,
// regress.log, restore.log. These alone rdiff-backup changes in place.
func IsLog(path string) bool {
	return strings.HasSuffix(path, ".log") && filepath.Base(filepath.Dir(path)) == DataDir
}

// TempPrefix begins the names of rdiff-backup's own temporary files.
const TempPrefix = "rdiff-backup.tmp."

// markerKind is how the name of a current_mirror file begins.
const markerKind = "current_mirror"

// IsMarker tells whether a name in DataDir is a marker's, whatever its time.
func IsMarker(name string) bool { return strings.HasPrefix(name, markerKind+".") }

// State is what the names in a repository tell.
type State struct {
	// Markers are the times of the current_mirror files, oldest first.
	Markers []time.Time

	// Increments are the times of the older states that can be restored,
	// oldest first. The mirror's own state is not among them.
	Increments []time.Time

	// Mirror lists the names that stand beside DataDir, but for the
	// temporary files of a run.
	Mirror []string
}

// Whole tells whether the last run ended: there is one marker. A repository
// with none was never finished, one with two was interrupted later.
func (s State) Whole() bool { return len(s.Markers) == 1 }

// Sessions returns the times of all states that can be restored, oldest
// first. The first is the full backup. While the last run has not ended, its
// state does not count.
func (s State) Sessions() []time.Time {
	if len(s.Markers) == 0 {
		return nil
	}
	mirror := s.Markers[0]
	var times []time.Time
	for _, t := range s.Increments {
		if t.Before(mirror) {
			times = append(times, t)
		}
	}
	return append(times, mirror)
}

// Artifact returns the name of the one file that the repository in dir keeps,
// or "" if that cannot be told. What somebody else laid beside it does not count.
func (s State) Artifact(fsys durable.FS, dir string) (string, error) {
	if len(s.Mirror) == 1 {
		return s.Mirror[0], nil
	}
	for _, marker := range s.Markers {
		metadata, err := ReadMetadata(fsys, dir, marker)
		var path *fs.PathError
		if errors.As(err, &path) {
			return "", err
		}
		if err == nil && slices.Contains(s.Mirror, metadata.Name) {
			return metadata.Name, nil
		}
	}
	return "", nil
}

// Read reads the state of the repository dir. A directory that is none yields
// the zero State.
func Read(fsys durable.FS, dir string) (State, error) {
	var s State
	entries, err := afero.ReadDir(fsys, dir)
	if err != nil {
		return s, err
	}
	for _, entry := range entries {
		if entry.Name() != DataDir && !strings.HasPrefix(entry.Name(), TempPrefix) {
			s.Mirror = append(s.Mirror, entry.Name())
		}
	}
	entries, err = afero.ReadDir(fsys, filepath.Join(dir, DataDir))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	for _, entry := range entries {
		kind, t, ok := parseName(entry.Name())
		switch {
		case !ok:
		case kind == markerKind:
			s.Markers = append(s.Markers, t)
		case kind == "increments":
			s.Increments = append(s.Increments, t)
		}
	}
	slices.SortFunc(s.Markers, time.Time.Compare)
	slices.SortFunc(s.Increments, time.Time.Compare)
	s.Increments = slices.CompactFunc(s.Increments, time.Time.Equal)
	return s, nil
}

// parseName takes a name in DataDir apart: "current_mirror.TIME.data" and the
// like. Neither the kind nor what follows the time holds a dot that could be
// mistaken, and a time holds none.
func parseName(name string) (kind string, t time.Time, ok bool) {
	kind, rest, _ := strings.Cut(name, ".")
	stamp, _, _ := strings.Cut(rest, ".")
	t, err := time.Parse(time.RFC3339, stamp)
	return kind, t.UTC(), err == nil
}

// Metadata is what the newest mirror_metadata says of the mirror's one file.
type Metadata struct {
	Name string
	Size int64
	SHA1 string // hexadecimal digits
}

// ReadMetadata reads what rdiff-backup recorded of the mirror when the run
// of the time t ended. The repository must hold one file: ours do.
func ReadMetadata(fsys durable.FS, dir string, t time.Time) (Metadata, error) {
	data := filepath.Join(dir, DataDir)
	entries, err := afero.ReadDir(fsys, data)
	if err != nil {
		return Metadata{}, err
	}
	for _, entry := range entries {
		kind, at, ok := parseName(entry.Name())
		if !ok || kind != "mirror_metadata" || !at.Equal(t) || !strings.Contains(entry.Name(), ".snapshot") {
			continue
		}
		return readMetadata(fsys, filepath.Join(data, entry.Name()))
	}
	return Metadata{}, fmt.Errorf("%s: there is no mirror_metadata of %s: %w", data, t.Format(time.RFC3339), fs.ErrNotExist)
}

// ReadDigest reads what rdiff-backup recorded of the file called artifact in
// the state of the time t, an older one or the newest. Of an older state only
// that is recorded which differs from the state after it.
func ReadDigest(fsys durable.FS, dir string, t time.Time, artifact string) (Metadata, error) {
	data := filepath.Join(dir, DataDir)
	entries, err := afero.ReadDir(fsys, data)
	if err != nil {
		return Metadata{}, err
	}
	files := map[time.Time]string{}
	for _, entry := range entries {
		kind, at, ok := parseName(entry.Name())
		if ok && kind == "mirror_metadata" && !at.Before(t) && (files[at] == "" || strings.Contains(entry.Name(), ".snapshot")) {
			files[at] = filepath.Join(data, entry.Name())
		}
	}
	if files[t.UTC()] == "" {
		return Metadata{}, fmt.Errorf("%s: there is no mirror_metadata of %s: %w", data, t.Format(time.RFC3339), fs.ErrNotExist)
	}
	for _, at := range slices.SortedFunc(maps.Keys(files), time.Time.Compare) {
		m, err := readMetadata(fsys, files[at])
		if errors.Is(err, errNoFile) {
			continue // it did not change from this state to the next
		}
		if err == nil && m.Name != artifact {
			err = fmt.Errorf("%s: it lists %q, not %s", files[at], m.Name, artifact)
		}
		return m, err
	}
	return Metadata{}, fmt.Errorf("%s: no mirror_metadata lists %s", data, artifact)
}

// errNoFile says that mirror_metadata lists no file.
var errNoFile = errors.New("it lists no file with its digest")

func readMetadata(fsys durable.FS, name string) (Metadata, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return Metadata{}, err
	}
	defer f.Close() //nolint:errcheck // only read
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return Metadata{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	m, err := parseMetadata(r)
	if err != nil {
		return Metadata{}, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// unquote undoes what rdiff-backup does to names in its metadata.
var unquote = strings.NewReplacer(`\\`, `\`, `\n`, "\n")

// sha1Size is how many bytes a SHA-1 has.
const sha1Size = 20

// parseMetadata reads "File NAME" and the indented lines that follow it. The
// first File is the repository itself, named ".".
func parseMetadata(r io.Reader) (Metadata, error) {
	var m Metadata
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "File "); ok {
			if m.Name != "" {
				return Metadata{}, errors.New("it lists more than one file")
			}
			if name != "." {
				m.Name = unquote.Replace(name)
			}
			continue
		}
		if m.Name == "" {
			continue
		}
		key, value, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		switch key {
		case "Size":
			size, err := strconv.ParseInt(value, 10, 64)
			if err != nil || size < 0 {
				return Metadata{}, fmt.Errorf("it gives the size %q", value)
			}
			m.Size = size
		case "SHA1Digest":
			m.SHA1 = value
		}
	}
	if err := lines.Err(); err != nil {
		return Metadata{}, err
	}
	if m.Name == "" {
		return Metadata{}, errNoFile
	}
	if digest, err := hex.DecodeString(m.SHA1); err != nil || len(digest) != sha1Size {
		return Metadata{}, errors.New("it lists no digest of the file")
	}
	return m, nil
}

// OfSession tells whether a name in DataDir belongs to the session of the
// time t.
func OfSession(name string, t time.Time) bool {
	_, at, ok := parseName(name)
	return ok && at.Equal(t)
}

// Settled tells of a file in a repository, by its path in it, whether
// rdiff-backup never changes it once it is there: all that bears the time of a
// session. The mirror and the logs are none.
func Settled(name string) bool {
	dir, base := filepath.Split(name)
	if strings.HasPrefix(dir, DataDir+"/increments/") {
		return true
	}
	_, _, ok := parseName(base)
	return ok && dir == DataDir+"/"
}

// IsScribble tells whether a path is that of a log which whoever restores from
// a repository by hand leaves in it. It says nothing of what was backed up.
func IsScribble(name string) bool { return strings.HasSuffix(name, "/"+DataDir+"/restore.log") }
