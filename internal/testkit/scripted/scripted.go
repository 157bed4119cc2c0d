// Package scripted has programs that a backup runs, in a form that works on a
// file system in memory: tar, PostgreSQL's, and rdiff-backup.
//
// # Concepts
//
// A simulation of crashes needs programs that make the same changes of the file
// system as the real ones, in the same order, and fsync what these fsync and no
// more; what is in the files matters less. A scripted program is only as honest
// as its author. So rdiff-backup, whose order decides over the life of a chain,
// is held to the real one: killed before every system call, both must leave the
// same sets of names (see rdiff_real_test.go).
//
// What they write goes to a [crashfs.FS], where each change bears the name of
// the program.
package scripted

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/afero"

	"btw-backup/internal/crashfs"
	"btw-backup/internal/durable"
	"btw-backup/internal/exec"
)

// Machine is where the programs run: an [exec.Runner].
type Machine struct {
	FS *crashfs.FS

	// Now is the time for pg_dump, which writes it into the dump.
	Now func() time.Time

	// Databases holds what is in each database, Globals the roles. A server's
	// own files are its own affair: they are not on FS.
	Databases map[string]string
	Globals   string

	// Fail, when it is not nil, says how a program fails that is run.
	Fail func(program string) *Failure

	keys int // random keys so far
}

// Failure is how a program fails.
type Failure struct {
	Status int
	Stderr string

	// After is how many bytes it writes to standard output before.
	After int
}

var _ exec.Runner = (*Machine)(nil)

// process is one run of a program.
type process struct {
	*Machine
	fs   *crashfs.FS
	name string
	args []string
	out  io.Writer
	err  strings.Builder
}

// exit is the status that a program ends with.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// Run implements [exec.Runner].
func (m *Machine) Run(ctx context.Context, cmd exec.Cmd) (exec.Result, error) {
	if err := context.Cause(ctx); err != nil {
		return exec.Result{Status: -1}, err
	}
	name := path.Base(cmd.Args[0])
	var kept strings.Builder
	p := &process{Machine: m, fs: m.FS.As(name), name: name, args: cmd.Args[1:], out: &kept}
	sink := &sink{}
	if cmd.Stdout != nil {
		sink.w, sink.left = cmd.Stdout, -1
		p.out = sink
	}
	programs := map[string]func(*process) error{
		"tar": (*process).tar, "pg_dump": (*process).pgDump, "pg_dumpall": (*process).pgDumpall,
		"pg_restore": (*process).pgRestore, "rdiff-backup": (*process).rdiffBackup,
	}
	program := programs[name]
	if program == nil {
		return exec.Result{Status: -1}, &exec.MissingError{Program: name, Package: cmd.Package}
	}
	var failure *Failure
	if m.Fail != nil {
		if failure = m.Fail(name); failure != nil {
			sink.left = failure.After
		}
	}
	err := program(p)
	result := exec.Result{Stdout: kept.String(), Stderr: p.err.String()}
	var status exit
	switch {
	case sink.err != nil:
		return result, sink.err
	case errors.Is(err, crashfs.ErrKilled):
		result.Status, result.Signal = 128+int(syscall.SIGKILL), syscall.SIGKILL
	case failure != nil:
		result.Status, result.Stderr = failure.Status, failure.Stderr
	case errors.As(err, &status):
		result.Status = int(status)
	case err != nil:
		result.Status, result.Stderr = 1, name+": "+err.Error()
		if errno := syscall.Errno(0); errors.As(err, &errno) {
			result.Stderr = name + ": " + strings.ToUpper(errno.Error()[:1]) + errno.Error()[1:]
		}
	}
	if result.Status != 0 {
		return result, &exec.ExitError{Program: cmd.Args[0], Result: result}
	}
	return result, nil
}

// sink is standard output. It swallows what comes after the program was to
// fail.
type sink struct {
	w    io.Writer
	left int // -1: no end
	err  error
}

func (s *sink) Write(p []byte) (int, error) {
	take := p
	if s.left >= 0 {
		take = p[:min(len(p), s.left)]
		s.left -= len(take)
	}
	if len(take) > 0 && s.err == nil {
		_, s.err = s.w.Write(take)
	}
	if s.err != nil {
		return 0, s.err
	}
	return len(p), nil
}

// option returns the value of an option --name=value.
func (p *process) option(name string) string {
	for _, arg := range p.args {
		if value, ok := strings.CutPrefix(arg, "--"+name+"="); ok {
			return value
		}
	}
	return ""
}

// write makes a file with a content, in one write, as a program does that does
// not care whether it lasts.
func (p *process) write(name, content string) (err error) {
	f, err := p.fs.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if content != "" {
		_, err = f.WriteString(content)
	}
	return err
}

// tar writes an archive of a tree. It knows --directory and --exclude=./NAME.
func (p *process) tar() error {
	src := p.option("directory")
	w := tar.NewWriter(p.out)
	err := durable.Walk(p.fs, src, func(name string, info fs.FileInfo) error {
		inside := "." + strings.TrimPrefix(name, src)
		for _, arg := range p.args {
			if arg == "--exclude="+inside {
				return fs.SkipDir
			}
		}
		if info.IsDir() {
			inside += "/"
		}
		header := &tar.Header{Name: inside, Mode: int64(info.Mode().Perm()), ModTime: info.ModTime().Truncate(time.Second), Typeflag: tar.TypeDir}
		if info.Mode().IsRegular() {
			header.Typeflag, header.Size = tar.TypeReg, info.Size()
		}
		if err := w.WriteHeader(header); err != nil || info.IsDir() {
			return err
		}
		content, err := afero.ReadFile(p.fs, name)
		if err == nil {
			_, err = w.Write(content)
		}
		return err
	})
	if err != nil {
		_, _ = fmt.Fprintf(&p.err, "tar: %v", err)
		return exit(2)
	}
	return w.Close()
}
