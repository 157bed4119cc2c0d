package s3server

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// A recipe tells how a server's program is built.
type recipe struct {
	module string // its directory, from the repository's
	target string // what to build there
	env    []string
}

func (k Kind) recipe() recipe {
	if k == MinIO {
		// Without cgo it comes out the same whether a C compiler is there yet or not.
		return recipe{"testserver/minio", "github.com/minio/minio", []string{"CGO_ENABLED=0"}}
	}
	return recipe{"testserver", ".", nil}
}

// unused is how long the program of another version is kept: a branch that
// pins another one may be worked on by turns.
const unused = 30 * 24 * time.Hour

// Build returns the path of a server's program, and builds it first where
// this version of it was not built before. Who asks for it while somebody
// else builds it waits.
//
// The programs lie in the user's cache directory, each named after its
// sources and the version of Go, so that finding one takes no time.
func Build(kind Kind) (string, error) {
	r := kind.recipe()
	_, here, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(here) {
		return "", fmt.Errorf("s3server: cannot tell where the source lies (built with -trimpath?): %q", here)
	}
	r.module = filepath.Join(filepath.Dir(here), "..", "..", "..", r.module)
	version, err := r.version()
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil { // no HOME
		cache = filepath.Join(os.TempDir(), fmt.Sprintf("btw-backup-cache-%d", os.Getuid()))
	}
	cache = filepath.Join(cache, "btw-backup")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", err
	}
	name := filepath.Join(cache, kind.String())
	program := name + "-" + version
	if built(program) {
		return program, nil
	}
	lock, err := os.OpenFile(name+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close() //nolint:errcheck // which gives the lock back
	if err := flock(lock); err != nil {
		return "", err
	}
	if built(program) {
		return program, nil
	}
	return program, r.build(name, program)
}

// version is the digest of all that goes into the program.
func (r recipe) version() (string, error) {
	digest := sha256.New()
	_, _ = fmt.Fprintln(digest, runtime.Version(), runtime.GOOS, runtime.GOARCH, r)
	files, err := filepath.Glob(filepath.Join(r.module, "*.go"))
	if err != nil {
		return "", err
	}
	slices.Sort(files)
	for _, file := range append(files, filepath.Join(r.module, "go.mod"), filepath.Join(r.module, "go.sum")) {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		_, _ = fmt.Fprintf(digest, "%s %d\n%s", filepath.Base(file), len(text), text)
	}
	return fmt.Sprintf("%x", digest.Sum(nil)[:8]), nil
}

// built tells whether the program is there, and notes that it is in use.
func built(program string) bool {
	now := time.Now()
	return os.Chtimes(program, now, now) == nil
}

// build builds the program under a name of its own first, so that a program
// that is there is whole.
func (r recipe) build(name, program string) error {
	building := name + ".building"
	defer os.Remove(building) //nolint:errcheck // gone once it is renamed
	cmd := exec.Command("go", "build", "-ldflags", "-s -w", "-o", building, r.target)
	cmd.Dir = r.module
	cmd.Env = append(os.Environ(), r.env...)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s in %s: %w\n%s", r.target, r.module, err, output)
	}
	old, err := filepath.Glob(name + "-*")
	if err != nil {
		return err
	}
	for _, file := range old {
		info, err := os.Stat(file)
		if err == nil && time.Since(info.ModTime()) > unused {
			err = os.Remove(file)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Rename(building, program)
}

// flock waits for the lock on a file. It is given back when the file is
// closed, or its holder dies.
func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
