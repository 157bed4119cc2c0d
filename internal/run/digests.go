package run

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/afero"

	"btw-backup/internal/artifact"
	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/rdiff"
	"btw-backup/internal/syncstate"
	"btw-backup/internal/tbz"
)

// Each destination holds a list of the digests of all files in its backups,
// .btw-sha256, that needs no program of ours to be checked:
//
//	cd ROOT_PATH/DST && sha256sum --check --quiet .btw-sha256
//
// The run that makes a backup lists what it made, and nothing else. A digest
// that stands there is not taken anew: it would hide what rotted. Only files
// that rdiff-backup itself replaces, the mirror and its log, get new ones. What
// another program made is listed by verify, once it has been found sound, with
// a comment before its line that says from when on it is known.

// digest is a line of the list.
type digest struct {
	sum   tbz.Digest
	since string // when it was taken of what was there before; "" if when it was made
}

// digestList maps names in a destination to digests.
type digestList map[string]digest

const sinceComment = "# not known before "

// readDigests reads the list of the destination at dir. One that is not there
// is empty. A line that nobody understands is an error: it may be the list that
// has rotted.
func readDigests(fsys durable.FS, dir string) (digestList, error) {
	list := digestList{}
	text, err := afero.ReadFile(fsys, filepath.Join(dir, destination.DigestsName))
	if errors.Is(err, fs.ErrNotExist) {
		return list, nil
	}
	if err != nil {
		return nil, err
	}
	since := ""
	lines := bufio.NewScanner(strings.NewReader(string(text)))
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if after, ok := strings.CutPrefix(line, sinceComment); ok {
			since = after
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		d := digest{since: since}
		since = ""
		line, escaped := strings.CutPrefix(line, `\`)
		sum, name, ok := strings.Cut(line, "  ")
		if !ok || d.sum.UnmarshalText([]byte(sum)) != nil {
			return nil, fmt.Errorf("%s: line %d is not one of sha256sum's", filepath.Join(dir, destination.DigestsName), n)
		}
		if escaped {
			name = unescapeName.Replace(name)
		}
		list[name] = d
	}
	return list, lines.Err()
}

// sha256sum escapes a name that holds one of these, and marks the line.
var (
	escapeName   = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`)
	unescapeName = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r")
)

// writeDigests makes the list durable, under its own name.
func (p *Place) writeDigests(list digestList) error {
	own := func(tempname string) error { return p.owner.own(p.run.FS, tempname) }
	return durable.WriteFile(p.run.FS, filepath.Join(p.Dir, destination.DigestsName), own, func(w io.Writer) error {
		out := bufio.NewWriter(w)
		for _, name := range slices.Sorted(maps.Keys(list)) {
			d := list[name]
			if d.since != "" {
				_, _ = out.WriteString(sinceComment + d.since + "\n")
			}
			mark, written := "", escapeName.Replace(name)
			if written != name {
				mark = `\`
			}
			_, _ = out.WriteString(mark + hex.EncodeToString(d.sum[:]) + "  " + written + "\n")
		}
		return out.Flush()
	})
}

// filesOf returns the names, in a destination, of the files of a backup in it.
func filesOf(fsys durable.FS, dir, backup string) ([]string, error) {
	var names []string
	err := durable.Walk(fsys, filepath.Join(dir, backup), func(name string, info fs.FileInfo) error {
		if !info.Mode().IsRegular() {
			return nil
		}
		rel, err := filepath.Rel(dir, name)
		names = append(names, filepath.ToSlash(rel))
		return err
	})
	return names, err
}

// listDigests lists the files of a backup that this run made, or to which it
// added a state; before are the files that it had until then, and stored is
// the digest of its artifact, which is known.
func (p *Place) listDigests(ctx context.Context, b destination.Backup, before []string, stored artifact.Sum) error {
	list, err := readDigests(p.run.FS, p.Dir)
	if err != nil {
		// It is made again by verify, of what is sound.
		p.run.Log.Warn(err.Error() + "; begun anew: btw-backup verify " + p.Dst)
		list = digestList{}
	}
	files, err := filesOf(p.run.FS, p.Dir, b.Name())
	if err != nil {
		return err
	}
	for _, name := range before {
		if !slices.Contains(files, name) {
			delete(list, name) // by rdiff-backup
		}
	}
	for _, name := range files {
		if rdiff.IsScribble(name) {
			continue
		}
		inChain := strings.TrimPrefix(name, b.Name()+"/")
		sum := stored
		switch {
		case slices.Contains(before, name) && rdiff.Settled(inChain):
			continue
		case b.Kind == destination.Rdiff && inChain != b.Artifact:
			if sum, err = artifact.SumFile(ctx, p.run.FS, filepath.Join(p.Dir, name)); err != nil {
				return err
			}
		}
		list[name] = digest{sum: sum.SHA256}
	}
	return p.writeDigests(list)
}

// unlist takes out of the list those of a chain's files that are gone, or no
// longer what they were, when it has been taken back to an earlier state.
func (p *Place) unlist(chain string) error {
	list, err := readDigests(p.run.FS, p.Dir)
	if err != nil || len(list) == 0 {
		return err
	}
	files, err := filesOf(p.run.FS, p.Dir, chain)
	if err != nil {
		return err
	}
	maps.DeleteFunc(list, func(name string, _ digest) bool {
		inChain, ok := strings.CutPrefix(name, chain+"/")
		return ok && (!rdiff.Settled(inChain) || !slices.Contains(files, name))
	})
	return p.writeDigests(list)
}

// catchUp takes out of the list what an increment made stale that was published
// and not listed: its run was killed in between. Then no marker of the chain
// that is there is listed. What lies in increments/ is never removed by one, and
// stays listed. It tells whether there was anything to do.
func (l digestList) catchUp(chain string, files []string) bool {
	listed := false
	for _, name := range files {
		inChain := strings.TrimPrefix(name, chain+"/")
		if _, ok := l[name]; ok && rdiff.IsMarker(strings.TrimPrefix(inChain, rdiff.DataDir+"/")) {
			return false
		}
	}
	maps.DeleteFunc(l, func(name string, _ digest) bool {
		inChain, ok := strings.CutPrefix(name, chain+"/")
		listed = listed || ok
		return ok && (!rdiff.Settled(inChain) || !slices.Contains(files, name) && !strings.HasPrefix(inChain, rdiff.DataDir+"/increments/"))
	})
	return listed
}

// catchUpDigests is catchUp for the chain that gets the increments.
func (p *Place) catchUpDigests() error {
	b, ok := p.contents.Newest(destination.Rdiff)
	if !ok {
		return nil
	}
	list, err := readDigests(p.run.FS, p.Dir)
	if err != nil || len(list) == 0 {
		return nil //nolint:nilerr // whoever writes or checks it says so
	}
	files, err := filesOf(p.run.FS, p.Dir, b.Name())
	if err != nil || !list.catchUp(b.Name(), files) {
		return err
	}
	// The chain may have been sent already, with the list as it was.
	if err := p.register(syncstate.Push, destination.DigestsName); err != nil {
		return err
	}
	return p.writeDigests(list)
}
