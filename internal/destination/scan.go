package destination

import (
	"cmp"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
	"btw-backup/internal/rdiff"
	"btw-backup/internal/tbz"
)

// Kind is how backups are kept.
type Kind string

// The kinds of backup; their names are the values of the TYPE setting.
const (
	Tar   Kind = "tar"
	Rdiff Kind = "rdiff"
)

// Backup is a backup in a destination. For an rdiff backup it is the whole
// chain.
type Backup struct {
	Dst  string    // relative to ROOT_PATH, as Clean returns it
	Time time.Time // the one in its name
	Kind Kind

	// Artifact is the name of the file that an rdiff backup holds.
	Artifact string

	// Increments are the names of the states after the full one, oldest
	// first; only an rdiff backup has them. The last one is the newest state.
	Increments []time.Time

	newest time.Time // of the states in a chain, as rdiff-backup has it
}

// Name is what list prints.
func (b Backup) Name() string {
	if b.Kind == Tar {
		return Name(b.Time) + TarSuffix
	}
	return Name(b.Time)
}

// Path is how the backup stands in the sync state.
func (b Backup) Path() string {
	if b.Kind == Tar {
		return b.Dst + "/" + b.Name()
	}
	return b.Dst + "/" + b.Name() + "/"
}

// Newest is the time of the newest state that it holds. It may be a second
// later than the name that the Python program gave to the state.
func (b Backup) Newest() time.Time {
	newest := b.Time
	for _, t := range append(b.Increments[:len(b.Increments):len(b.Increments)], b.newest) {
		if t.After(newest) {
			newest = t
		}
	}
	return newest
}

// Odd is something that has a backup's name and is none.
type Odd struct {
	Name string
	Why  string

	// Interrupted says that it is a chain whose last run did not end. Its
	// older states are there, and it can be mended.
	Interrupted bool

	newest time.Time // of its states, whole or not, if it is a chain
}

// Contents is what lies in a destination.
type Contents struct {
	Backups []Backup // by name, which is by time
	Odd     []Odd
	Hidden  []string // names that begin with HiddenPrefix
	HasLog  bool
}

// Newest returns the newest backup of a kind.
func (c Contents) Newest(kind Kind) (Backup, bool) {
	for _, b := range slices.Backward(c.Backups) {
		if b.Kind == kind {
			return b, true
		}
	}
	return Backup{}, false
}

// Latest is the newest time that any state in the destination bears, whole or
// not; no new one may be named before it.
func (c Contents) Latest() time.Time {
	var latest time.Time
	for _, b := range c.Backups {
		if t := b.Newest(); t.After(latest) {
			latest = t
		}
	}
	for _, o := range c.Odd {
		t, _, _ := ParseName(o.Name)
		for _, t := range []time.Time{t, o.newest} {
			if t.After(latest) {
				latest = t
			}
		}
	}
	return latest
}

// Scan looks at the destination dst, which lies at dir. It only reads.
func Scan(fsys durable.FS, dir, dst string) (Contents, error) {
	var c Contents
	entries, err := afero.ReadDir(fsys, dir)
	if err != nil {
		return c, err
	}
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, HiddenPrefix) {
			c.Hidden = append(c.Hidden, name)
		}
		if name == LogName {
			c.HasLog = true
		}
		t, kind, ok := ParseName(name)
		if !ok {
			continue
		}
		b := Backup{Dst: dst, Time: t, Kind: kind}
		var odd *Odd
		if kind == Tar {
			odd, err = checkTar(fsys, filepath.Join(dir, name), entry)
		} else {
			odd, err = readChain(fsys, filepath.Join(dir, name), entry, &b)
		}
		if err != nil {
			return c, err
		}
		if odd != nil {
			odd.Name = name
			c.Odd = append(c.Odd, *odd)
		}
		if odd == nil || odd.Interrupted {
			c.Backups = append(c.Backups, b)
		}
	}
	slices.SortFunc(c.Backups, func(a, b Backup) int { return cmp.Compare(a.Name(), b.Name()) })
	return c, nil
}

func checkTar(fsys durable.FS, name string, info fs.FileInfo) (*Odd, error) {
	if !info.Mode().IsRegular() {
		return &Odd{Why: "it is not a file"}, nil
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	whole, err := tbz.LooksWhole(f, info.Size())
	if err != nil {
		return nil, err
	}
	if !whole {
		return &Odd{Why: "it is not a whole bzip2 file"}, nil
	}
	return nil, nil
}

func readChain(fsys durable.FS, dir string, info fs.FileInfo, b *Backup) (*Odd, error) {
	if !info.IsDir() {
		return &Odd{Why: "it is not a directory"}, nil
	}
	state, err := rdiff.Read(fsys, dir)
	if err != nil {
		return nil, err
	}
	if len(state.Markers) == 0 {
		return &Odd{Why: "its first backup was never finished"}, nil
	}
	newest := state.Markers[len(state.Markers)-1]
	b.Artifact, err = state.Artifact(fsys, dir)
	if err != nil {
		return nil, err
	}
	if b.Artifact == "" {
		return &Odd{Why: "it holds no artifact", newest: newest}, nil
	}
	b.newest = newest
	// The first session is the full backup, whatever second rdiff-backup gave
	// it: the Python program let that differ from the directory's name.
	b.Increments = state.Sessions()[1:]
	if !state.Whole() {
		return &Odd{Why: "its last backup was interrupted", Interrupted: true, newest: newest}, nil
	}
	return nil, nil
}
