package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
)

// The test of the test: a protocol that is broken on purpose has to be caught.
// Here the protocol is broken from below, by a file system that does not do what
// it is told; testdata/mutants has patches that break it in the source, for
// "go tool mage mutants".

// mutant is a file system that breaks the protocol.
type mutant struct {
	durable.FS
	noFileSync, noDirSync bool
	noTemp                bool // files are made under their final names
	lateRegister          bool // what is registered is written after the next renaming
	noRepair              bool // a torn line is not cut off

	late []byte
}

// place says where what is asked for lies really.
func (m *mutant) place(name string) string {
	base := path.Base(name)
	final := strings.TrimPrefix(base, durable.TempPrefix)
	isOwn := final == base || final == "artifact" || final == "chain" || strings.Trim(final, "0123456789") == ""
	if !m.noTemp || isOwn {
		return name
	}
	return path.Join(path.Dir(name), final)
}

func (m *mutant) Open(name string) (afero.File, error) { return m.OpenFile(name, os.O_RDONLY, 0) }

func (m *mutant) OpenFile(name string, flag int, perm fs.FileMode) (afero.File, error) {
	f, err := m.FS.OpenFile(m.place(name), flag, perm)
	if err != nil {
		return nil, err
	}
	return &mutantFile{f, m}, nil
}

func (m *mutant) Remove(name string) error { return m.FS.Remove(m.place(name)) }

func (m *mutant) Rename(a, b string) error {
	if m.place(a) != b {
		if err := m.FS.Rename(m.place(a), b); err != nil {
			return err
		}
	}
	return m.flush()
}

func (m *mutant) Exchange(a, b string) error {
	if err := m.FS.Exchange(a, b); err != nil {
		return err
	}
	return m.flush()
}

// flush writes what was registered too late.
func (m *mutant) flush() error {
	if m.late == nil {
		return nil
	}
	f, err := m.FS.OpenFile("/config/sync_state", os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // in memory
	_, err = f.Write(m.late)
	m.late = nil
	if err == nil {
		err = f.Sync()
	}
	return err
}

type mutantFile struct {
	afero.File
	m *mutant
}

func (f *mutantFile) Sync() error {
	info, err := f.Stat()
	if err != nil || info.IsDir() && f.m.noDirSync || !info.IsDir() && f.m.noFileSync {
		return err
	}
	return f.File.Sync()
}

func (f *mutantFile) Write(p []byte) (int, error) {
	isEntry := strings.HasSuffix(f.Name(), "sync_state") && strings.Contains(string(p), " +") && !strings.Contains(string(p), ".btw-root")
	if f.m.lateRegister && isEntry {
		f.m.late = append(f.m.late, p...)
		return len(p), nil
	}
	return f.File.Write(p)
}

func (f *mutantFile) WriteString(s string) (int, error) { return f.Write([]byte(s)) }

func (f *mutantFile) Truncate(n int64) error {
	if f.m.noRepair {
		return nil
	}
	return f.File.Truncate(n)
}

// TestThePatchesOfMutantsApply keeps the patches alive while the source changes.
func TestThePatchesOfMutantsApply(t *testing.T) {
	patches, err := filepath.Glob("testdata/mutants/*.patch")
	if err != nil || len(patches) < 9 {
		t.Fatalf("there are %d patches, %v", len(patches), err)
	}
	for _, patch := range patches {
		name, err := filepath.Abs(patch)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("git", "apply", "--check", name)
		cmd.Dir = "../.."
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", patch, err, out)
		}
	}
}

func TestTheRingCatchesMutants(t *testing.T) {
	t.Parallel()
	for name, mutate := range map[string]func(m *mutant){
		"nothing":                       func(*mutant) {},
		"no fsync of files":             func(m *mutant) { m.noFileSync = true },
		"no fsync of directories":       func(m *mutant) { m.noDirSync = true },
		"no temporary names":            func(m *mutant) { m.noTemp = true },
		"registered after the rename":   func(m *mutant) { m.lateRegister = true },
		"no repair of unfinished lines": func(m *mutant) { m.noRepair = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			caught := ""
			for _, sc := range scenes() {
				switch sc.name {
				case "fs tar, nothing yet", "fs tar, changed", "fs tar, unchanged", "fs rdiff, changed":
				default:
					continue
				}
				x := &explorer{scene: sc, all: &tally{}, thorough: name != "nothing"}
				x.report = func(string, ...any) {}
				x.caught = func(what string) {
					if caught == "" {
						caught = what
					}
				}
				x.wrap = func(s *site) {
					s.wrap = func(fsys durable.FS) durable.FS {
						m := &mutant{FS: fsys}
						mutate(m)
						return m
					}
				}
				x.explore()
				if caught != "" {
					break
				}
			}
			if name == "nothing" {
				if caught != "" {
					t.Errorf("nothing is wrong, and yet: %s", caught)
				}
				return
			}
			if caught == "" {
				t.Error("the ring did not notice")
			}
			t.Logf("caught: %s", caught)
		})
	}
}
