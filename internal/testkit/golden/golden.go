// Package golden gives tests the installations of the Python program that are
// frozen in testdata/golden; README.md there tells what is in them.
//
// [Unpack] unpacks one as it stood, and [Objects] lists what its bucket held.
// The paths in an installation are those of the server it was made on:
// whoever wants to use it in another place rewrites them there.
package golden

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Unpack unpacks testdata/golden/ARCHIVE.tar.gz. What stands in the archive
// below its one folder comes to stand in dir, which is made: config, root
// (ROOT_PATH), source. Modes, symbolic links, hard links and times are those
// of the archive, to the second and whatever the umask; owners are not.
func Unpack(t testing.TB, archive, dir string) {
	t.Helper()
	if err := unpack(file(t, archive+".tar.gz"), dir); err != nil {
		t.Fatalf("golden: %s: %v", archive, err)
	}
}

// Object is one of the objects that the bucket of python-installation held.
type Object struct {
	Key  string // below golden/, the prefix
	Size int64
	ETag string // the MD5 of its content
}

// Objects lists what the bucket of python-installation held.
func Objects(t testing.TB) []Object {
	t.Helper()
	text, err := os.ReadFile(file(t, "objects.json"))
	if err != nil {
		t.Fatal(err)
	}
	var objects []Object
	if err := json.Unmarshal(text, &objects); err != nil {
		t.Fatalf("golden: objects.json: %v", err)
	}
	return objects
}

// file is the path of a file in testdata/golden, whichever package is tested.
func file(t testing.TB, name string) string {
	t.Helper()
	_, here, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(here) {
		t.Fatalf("golden: cannot tell where the source lies (built with -trimpath?): %q", here)
	}
	return filepath.Join(filepath.Dir(here), "..", "..", "..", "testdata", "golden", name)
}

func unpack(archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	// What is made in a folder changes its time: they get theirs at the end.
	var folders []*tar.Header
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		name := place(dir, h.Name)
		switch h.Typeflag {
		case tar.TypeDir:
			folders = append(folders, h)
			err = os.MkdirAll(name, 0o700)
		case tar.TypeSymlink:
			err = errors.Join(os.Symlink(h.Linkname, name), finish(name, h))
		case tar.TypeLink:
			err = os.Link(place(dir, h.Linkname), name)
		case tar.TypeReg:
			err = errors.Join(write(name, r), finish(name, h))
		default:
			err = fmt.Errorf("%s is of type %q", h.Name, h.Typeflag)
		}
		if err != nil {
			return err
		}
	}
	for _, h := range slices.Backward(folders) {
		if err := finish(place(dir, h.Name), h); err != nil {
			return err
		}
	}
	return nil
}

// place is where a member of the archive goes: without its first part.
func place(dir, member string) string {
	_, rest, _ := strings.Cut(member, "/")
	return filepath.Join(dir, rest)
}

func write(name string, content io.Reader) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}

// finish gives what has been made its mode, which a symbolic link has none of,
// and its time.
func finish(name string, h *tar.Header) error {
	if h.Typeflag != tar.TypeSymlink {
		if err := os.Chmod(name, h.FileInfo().Mode()); err != nil {
			return err
		}
	}
	at := unix.NsecToTimespec(h.ModTime.UnixNano())
	return unix.UtimesNanoAt(unix.AT_FDCWD, name, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
}
