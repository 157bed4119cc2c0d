package crashfs_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
)

// player does a story and takes down what it sees.
type player struct {
	t    *testing.T
	fs   durable.FS
	dir  string
	seen []string
}

func (p *player) path(name string) string { return p.dir + "/" + name }

// saw takes down the outcome of a step.
func (p *player) saw(err error, format string, args ...any) {
	step := strings.ReplaceAll(fmt.Sprintf(format, args...), "../"+filepath.Base(p.dir), "../DIR")
	if len(step) > 200 {
		step = step[:200] + "…"
	}
	p.seen = append(p.seen, step+": "+verdict(err))
}

// verdict names an error by what a program can ask of it.
func verdict(err error) string {
	var errno syscall.Errno
	var path *fs.PathError
	var link *os.LinkError
	shape := ""
	switch {
	case errors.As(err, &path):
		shape = "PathError "
	case errors.As(err, &link):
		shape = "LinkError "
	}
	switch {
	case err == nil:
		return "done"
	case errors.Is(err, io.EOF):
		return "EOF"
	case errors.Is(err, fs.ErrClosed):
		return shape + "closed"
	case errors.Is(err, errors.ErrUnsupported):
		return shape + "unsupported"
	case errors.As(err, &errno):
		return shape + errno.Error()
	}
	return "another error"
}

func (p *player) mkdir(name string) { p.saw(p.fs.Mkdir(p.path(name), 0o700), "mkdir %s", name) }
func (p *player) mkdirAll(name string) {
	p.saw(p.fs.MkdirAll(p.path(name), 0o700), "mkdirall %s", name)
}
func (p *player) remove(name string)    { p.saw(p.fs.Remove(p.path(name)), "remove %s", name) }
func (p *player) removeAll(name string) { p.saw(p.fs.RemoveAll(p.path(name)), "removeall %s", name) }

func (p *player) rename(a, b string) { p.saw(p.fs.Rename(p.path(a), p.path(b)), "rename %s %s", a, b) }

func (p *player) link(a, b string) { p.saw(p.fs.Link(p.path(a), p.path(b)), "link %s %s", a, b) }

func (p *player) exchange(a, b string) {
	p.saw(p.fs.Exchange(p.path(a), p.path(b)), "exchange %s %s", a, b)
}

func (p *player) chmod(n string, m fs.FileMode) { p.saw(p.fs.Chmod(p.path(n), m), "chmod %s %o", n, m) }

func (p *player) symlink(target, name string) {
	p.saw(p.fs.SymlinkIfPossible(target, p.path(name)), "symlink %s %s", target, name)
}

func (p *player) readlink(name string) {
	target, err := p.fs.ReadlinkIfPossible(p.path(name))
	p.saw(err, "readlink %s = %q", name, target)
}

// open opens a file; nil means that this failed.
func (p *player) open(name string, flag int) afero.File {
	f, err := p.fs.OpenFile(p.path(name), flag, 0o600)
	p.saw(err, "open %s %x", name, flag)
	if err != nil {
		return nil
	}
	p.t.Cleanup(func() { _ = f.Close() })
	return f
}

func (p *player) write(name, content string) {
	f := p.open(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if f == nil {
		return
	}
	n, err := f.WriteString(content)
	p.saw(err, "write %s, %d", name, n)
	p.saw(f.Sync(), "sync %s", name)
	p.saw(f.Close(), "close %s", name)
}

func (p *player) read(name string) {
	content, err := afero.ReadFile(p.fs, p.path(name))
	p.saw(err, "read %s = %q", name, content)
}

func (p *player) stat(name string) {
	for _, how := range []func(string) (fs.FileInfo, error){
		p.fs.Stat, func(name string) (fs.FileInfo, error) { return durable.Lstat(p.fs, name) },
	} {
		info, err := how(p.path(name))
		if err != nil {
			p.saw(err, "stat %s", name)
			continue
		}
		p.saw(nil, "stat %s = %s", name, describe(info))
	}
}

func describe(info fs.FileInfo) string {
	text := fmt.Sprintf("%s %v", info.Name(), info.Mode())
	if !info.IsDir() {
		text += fmt.Sprintf(" %d", info.Size())
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		text += fmt.Sprintf(" %o %d:%d", stat.Mode, stat.Uid, stat.Gid)
		if !info.IsDir() { // some file systems count no links of directories
			text += fmt.Sprintf(" %d links", stat.Nlink)
		}
	}
	return text
}

func (p *player) list(name string) {
	entries, err := afero.ReadDir(p.fs, p.path(name))
	var names []string
	for _, entry := range entries {
		names = append(names, describe(entry))
	}
	p.saw(err, "list %s = %q", name, names)
}
