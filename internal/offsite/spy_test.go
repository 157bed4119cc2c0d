package offsite

import (
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
)

// spyFS is the real file system, with an eye on it and a finger in it.
type spyFS struct {
	durable.OS
	target string   // what happens below it is written down
	log    []string // as "op path"; a temporary name is "TEMP"
	deny   map[string]error
	before func(op, name string)
	full   string // writing to a file below it fails: no space left
}

func (s *spyFS) see(op, name string) error {
	if s.before != nil {
		s.before(op, name)
	}
	if rel, ok := strings.CutPrefix(name, s.target+"/"); ok && s.target != "" {
		if i := strings.Index(rel, durable.TempPrefix); i >= 0 {
			rel = rel[:i] + "TEMP"
		}
		s.log = append(s.log, op+" "+rel)
	}
	if err := s.deny[name]; err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

func (s *spyFS) Open(name string) (afero.File, error) {
	if err := s.deny[name]; err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if s.before != nil {
		s.before("open", name)
	}
	return s.OS.Open(name)
}

func (s *spyFS) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	if flag&os.O_CREATE != 0 {
		if err := s.see("create", name); err != nil {
			return nil, err
		}
	}
	f, err := s.OS.OpenFile(name, flag, perm)
	if err == nil && s.full != "" && strings.HasPrefix(name, s.full) {
		return fullFile{f}, nil
	}
	return f, err
}

func (s *spyFS) Rename(a, b string) error {
	if err := s.see("rename", b); err != nil {
		return err
	}
	return s.OS.Rename(a, b)
}

func (s *spyFS) Remove(name string) error {
	if err := s.see("remove", name); err != nil {
		return err
	}
	return s.OS.Remove(name)
}

func (s *spyFS) Mkdir(name string, mode os.FileMode) error {
	if _, err := os.Lstat(name); err != nil {
		if err := s.see("mkdir", name); err != nil {
			return err
		}
	}
	return s.OS.Mkdir(name, mode)
}

// done gives the renames and removals, and forgets them.
func (s *spyFS) done() []string {
	var done []string
	for _, line := range s.log {
		if !strings.HasSuffix(line, "TEMP") {
			done = append(done, line)
		}
	}
	s.log = nil
	return done
}

type fullFile struct{ afero.File }

func (f fullFile) Write([]byte) (int, error) {
	return 0, &fs.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
}

func (f fullFile) ReadFrom(r interface{ Read([]byte) (int, error) }) (int64, error) {
	n, err := f.Write(nil)
	return int64(n), err
}
