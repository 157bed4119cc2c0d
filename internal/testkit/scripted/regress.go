package scripted

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1" //nolint:gosec // what rdiff-backup records
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
	"btw-backup/internal/rdiff"
)

// regress takes back a run that did not end, if it can see one: while nothing is
// in increments/ it does nothing, and says that all is well. When it worked, it
// exits with 2.
func (r repository) regress() error {
	if err := r.log("regress.log", ""); err != nil {
		return err
	}
	state, err := rdiff.Read(r.fs, r.dir)
	if err != nil {
		return err
	}
	increments, err := afero.ReadDir(r.fs, r.data("increments"))
	if err != nil {
		return err
	}
	if len(state.Markers) < 2 || len(increments) == 0 {
		return r.log("regress.log", "NOTE: Given repository doesn't need to be regressed\n")
	}
	last, broken := state.Markers[0], state.Markers[1]
	err = steps(
		r.probe,
		func() error { return r.log("regress.log", "WARNING: Previous backup seems to have failed\n") },
		func() error { return r.log("regress.log", "NOTE: Regressing\n") },
		func() error { return r.regressMetadata(last, broken) },
		func() error { return r.regressMirror(last) },
		func() error { return r.touch(r.dir, last) },
		func() error { return durable.RemoveIfThere(r.fs, r.data("increments."+stamp(last)+".dir")) },
		func() error { return r.fs.Remove(r.data("current_mirror." + stamp(broken) + ".data")) },
	)
	if err != nil {
		return err
	}
	return exit(2)
}

// regressMetadata makes the older metadata the newest again.
func (r repository) regressMetadata(last, broken time.Time) error {
	data, err := r.names(r.data(""))
	if err != nil {
		return err
	}
	snapshot := "mirror_metadata." + stamp(last) + ".snapshot.gz"
	diff := "mirror_metadata." + stamp(last) + ".diff.gz"
	if !slices.Contains(data, snapshot) {
		content, err := afero.ReadFile(r.fs, r.data(diff))
		if err != nil {
			return err
		}
		err = steps(
			func() error { return r.write(r.data("rdiff-backup.tmp.1"), string(content)) },
			func() error { return r.syncFile(r.data("rdiff-backup.tmp.1")) },
			func() error { return r.fs.Rename(r.data("rdiff-backup.tmp.1"), r.data(snapshot)) },
		)
		if err != nil {
			return err
		}
	}
	for _, name := range data {
		kind, _, _ := strings.Cut(name, ".")
		if kind != "current_mirror" && rdiff.OfSession(name, broken) {
			if err := r.fs.Remove(r.data(name)); err != nil {
				return err
			}
		}
	}
	if slices.Contains(data, diff) {
		return r.fs.Remove(r.data(diff))
	}
	return nil
}

// regressMirror makes the older content the mirror again.
func (r repository) regressMirror(last time.Time) error {
	mirror, err := r.names(r.dir)
	if err != nil {
		return err
	}
	increments, err := r.names(r.data("increments"))
	if err != nil {
		return err
	}
	for _, name := range mirror {
		for _, increment := range increments {
			if !strings.HasPrefix(increment, name+"."+stamp(last)) {
				continue
			}
			diff, err := afero.ReadFile(r.fs, r.data("increments/"+increment))
			if err != nil {
				return err
			}
			now, err := afero.ReadFile(r.fs, r.mirror(name))
			if err != nil {
				return err
			}
			// A mirror that was not replaced yet is as it should be.
			if content, mtime, err := decodeDiff(diff, string(now)); err == nil {
				if err := r.fill("rdiff-backup.tmp.2", content, mtime, true); err != nil {
					return err
				}
				if err := r.fs.Rename(r.mirror("rdiff-backup.tmp.2"), r.mirror(name)); err != nil {
					return err
				}
			}
			if err := r.fs.Remove(r.data("increments/" + increment)); err != nil {
				return err
			}
		}
	}
	for _, name := range mirror {
		if strings.HasPrefix(name, rdiff.TempPrefix) && name != "rdiff-backup.tmp.2" {
			if err := r.fs.Remove(r.mirror(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r repository) names(dir string) ([]string, error) {
	entries, err := afero.ReadDir(r.fs, dir)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, err
}

// syncFile syncs a file, and not the directory that it is in.
func (r repository) syncFile(name string) error {
	f, err := r.fs.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only synced
	return f.Sync()
}

func incompressible(name string) bool {
	return slices.Contains([]string{".gz", ".bz2", ".zst", ".tgz"}, filepath.Ext(name))
}

func digest(content string) string {
	sum := sha1.Sum([]byte(content)) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}

// writers are used again: to make one takes longer than all else.
var writers = sync.Pool{New: func() any { return gzip.NewWriter(io.Discard) }}

func compress(text string) string {
	var b bytes.Buffer
	w, _ := writers.Get().(*gzip.Writer)
	defer writers.Put(w)
	w.Reset(&b)
	_, _ = io.WriteString(w, text) // to memory
	_ = w.Close()
	return b.String()
}

func decompress(data []byte) (string, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(r)
	return string(text), err
}

func encodeMetadata(name, content string) string {
	return compress(fmt.Sprintf("File .\n  Type dir\nFile %s\n  Type reg\n  Size %d\n  SHA1Digest %s\n", name, len(content), digest(content)))
}

// encodeDiff makes what leads from a newer content to an older one. As with a
// real one, applied to anything else it gives rubbish: here, an error.
func encodeDiff(older, newer string, mtime time.Time) string {
	return compress(fmt.Sprintf("%s %d\n%s", digest(newer), mtime.Unix(), older))
}

func decodeDiff(diff []byte, newer string) (older string, mtime time.Time, err error) {
	text, err := decompress(diff)
	if err != nil {
		return "", mtime, err
	}
	head, older, _ := strings.Cut(text, "\n")
	var sum string
	var seconds int64
	if _, err := fmt.Sscanf(head, "%s %d", &sum, &seconds); err != nil {
		return "", mtime, err
	}
	if sum != digest(newer) {
		return "", mtime, fmt.Errorf("the difference is not one to this mirror")
	}
	return older, time.Unix(seconds, 0), nil
}

// States restores every state of a chain, oldest first, and checks each as far
// as rdiff-backup could. Whoever restores a chain checks the newest against its
// digest.
func States(fsys durable.FS, dir, artifact string) ([]string, error) {
	state, err := rdiff.Read(fsys, dir)
	if err != nil {
		return nil, err
	}
	content, err := afero.ReadFile(fsys, filepath.Join(dir, artifact))
	if err != nil {
		return nil, err
	}
	metadata, err := rdiff.ReadMetadata(fsys, dir, state.Markers[len(state.Markers)-1])
	if err != nil {
		return nil, err
	}
	if metadata.SHA1 != digest(string(content)) {
		return nil, fmt.Errorf("%s: the mirror is not the one that was recorded: %q", dir, content)
	}
	states := []string{string(content)}
	for _, t := range slices.Backward(state.Increments) {
		name := filepath.Join(dir, rdiff.DataDir, "increments", artifact+"."+stamp(t)+".diff")
		if !incompressible(artifact) {
			name += ".gz"
		}
		diff, err := afero.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		older, _, err := decodeDiff(diff, states[0])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		states = append([]string{older}, states...)
	}
	return states, nil
}
