package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
)

const (
	sourceLink = "src"
	backupDir  = "backup"
)

// UnknownError says that fs-init was never told of a source path. Scripts match
// on the message; what to do is in the hint.
type UnknownError struct{ Src string }

func (e *UnknownError) Error() string { return "no working directory for: " + e.Src }

// Hint tells what to do about it.
func (e *UnknownError) Hint() string {
	return fmt.Sprintf("to set it up: btw-backup fs-init --type tar %s NAME; was it spelled differently then? /a and /a/ are two paths", e.Src)
}

// working returns the working directories for the source path src: there
// should be one or none.
func (d Dir) working(src string) ([]string, error) {
	entries, err := afero.ReadDir(d.FS, d.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []string
	suffix := "." + Hash(src)
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), suffix) && !durable.IsTemp(entry.Name()) {
			found = append(found, filepath.Join(d.Path, entry.Name()))
		}
	}
	slices.Sort(found)
	for _, dir := range found {
		// Two paths can have one hash, and links can be changed.
		target, err := d.FS.ReadlinkIfPossible(filepath.Join(dir, sourceLink))
		if err != nil {
			return nil, err
		}
		if target != src {
			return nil, fmt.Errorf("found a working directory with the wrong path: %s", dir)
		}
	}
	return found, nil
}

// Filesystem reads the settings for backups of the tree at src, which fs-init
// has been told of before. The path is taken byte for byte.
func (d Dir) Filesystem(src string) (Backup, error) {
	if err := checkSource(src); err != nil {
		return Backup{}, err
	}
	found, err := d.working(src)
	switch {
	case err != nil:
		return Backup{}, err
	case len(found) == 0:
		return Backup{}, &UnknownError{Src: src}
	case len(found) > 1:
		return Backup{}, fmt.Errorf("duplicate working directories: %s", strings.Join(found, ", "))
	}
	name, err := filepath.Rel(d.Path, found[0])
	if err != nil {
		return Backup{}, err
	}
	v, _, err := d.read(filepath.Join(name, generalFile))
	if err != nil {
		return Backup{}, err
	}
	b, err := v.backup()
	if err != nil {
		return b, err
	}
	b.Source = "fs:" + src
	b.Type, err = v.text(typeSetting, "")
	if err == nil && b.Type != "tar" && b.Type != "rdiff" {
		err = fmt.Errorf(`%s: TYPE must be "tar" or "rdiff", not %q`, v.file, b.Type)
	}
	return b, err
}

func checkSource(src string) error {
	switch {
	case !filepath.IsAbs(src):
		return errors.New("the source path must be absolute")
	case strings.ContainsRune(src, 0):
		return fmt.Errorf("the source path %q holds a NUL byte", src)
	}
	return nil
}

// Init makes the working directory for the tree at src, which need not exist
// yet, and returns its path. kind is "tar" or "rdiff".
func (d Dir) Init(src, name, kind string) (string, error) {
	if err := checkSource(src); err != nil {
		return "", err
	}
	if name == "" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") || strings.ContainsRune(name, '/') ||
		strings.ContainsFunc(name, unicode.IsControl) || !utf8.ValidString(name) {
		return "", fmt.Errorf("the name %q cannot be part of a directory's name: use letters and digits", name)
	}
	if kind != "tar" && kind != "rdiff" {
		return "", fmt.Errorf(`the type must be "tar" or "rdiff", not %q`, kind)
	}
	found, err := d.working(src)
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return "", fmt.Errorf("there is already a directory for this path: %s", found[0])
	}
	if err := d.Make(); err != nil {
		return "", err
	}
	dir := filepath.Join(d.Path, name+"."+Hash(src))
	return dir, d.fill(dir, src, kind)
}

// fill makes a working directory under a temporary name first, so that no
// half of one is ever found.
func (d Dir) fill(dir, src, kind string) (err error) {
	temp, err := afero.TempDir(d.FS, d.Path, durable.TempPrefix)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.FS.RemoveAll(temp))
		}
	}()
	text := "TYPE=\"tar\"\n"
	if kind == "rdiff" {
		text = "TYPE=\"rdiff\"\nMAX_INCREMENTAL_COUNT=10\nMAX_INCREMENTAL_SPAN=\"24h\"\n"
	}
	if err := durable.WriteBytes(d.FS, filepath.Join(temp, generalFile), []byte(text), nil); err != nil {
		return err
	}
	if err := d.FS.SymlinkIfPossible(src, filepath.Join(temp, sourceLink)); err != nil {
		return err
	}
	if err := d.FS.Mkdir(filepath.Join(temp, backupDir), durable.DirMode); err != nil {
		return err
	}
	if err := durable.SyncTree(d.FS, temp); err != nil {
		return err
	}
	return durable.Publish(d.FS, temp, dir)
}

// Make makes the config directory if it is not there. Its parent must be.
func (d Dir) Make() error {
	parent := filepath.Dir(d.Path)
	if _, err := d.FS.Stat(parent); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s, which is to hold the config directory, does not exist", parent)
	} else if err != nil {
		return err
	}
	_, err := durable.MkdirAll(d.FS, parent, d.Path)
	return err
}
