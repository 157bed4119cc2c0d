package crashfs

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
)

// FS is a file system that can crash, as one program sees it.
type FS struct {
	core  *core
	actor string
}

var _ durable.FS = (*FS)(nil)

// core is what all programs share.
type core struct {
	mu     sync.Mutex
	clock  func() time.Time
	base   tree // as it was, durably, before the first event
	live   tree // as the programs see it
	events []Event
	next   id
	fault  Fault
	reads  int

	noExchange bool
}

// Umask is taken from the mode of everything that is made.
const Umask fs.FileMode = 0o077

// New makes an empty file system. The clock gives the times of its files.
func New(clock func() time.Time) *FS {
	root := tree{rootID: {kind: fs.ModeDir, perm: 0o755, mtime: clock(), ctime: clock(), entries: map[string]id{}}}
	return &FS{core: &core{clock: clock, base: root, live: root.clone(), next: rootID + 1}}
}

// As returns the file system as another program sees it. Its events bear the
// program's name.
func (f *FS) As(actor string) *FS { return &FS{core: f.core, actor: actor} }

// SetClock sets the clock.
func (f *FS) SetClock(clock func() time.Time) { f.core.clock = clock }

// NoExchange takes the ability to exchange two names away, as on NFS.
func (f *FS) NoExchange() { f.core.noExchange = true }

// Name implements [afero.Fs].
func (f *FS) Name() string { return "crashfs" }

const permBits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// newNode returns what is made with a mode.
func newNode(kind, perm fs.FileMode) *node {
	return &node{kind: kind, perm: perm & permBits &^ Umask, mtime: time.Time{}}
}

// Create implements [afero.Fs].
func (f *FS) Create(name string) (afero.File, error) {
	return f.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// Open implements [afero.Fs].
func (f *FS) Open(name string) (afero.File, error) { return f.OpenFile(name, os.O_RDONLY, 0) }

// OpenFile implements [afero.Fs].
func (f *FS) OpenFile(name string, flag int, perm fs.FileMode) (afero.File, error) {
	f.core.mu.Lock()
	defer f.core.mu.Unlock()
	h, err := f.open(name, flag, perm)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return h, nil
}

func (f *FS) open(name string, flag int, perm fs.FileMode) (*handle, error) {
	c := f.core
	if err := c.unreadable(f.actor); err != nil {
		return nil, err
	}
	exclusive := flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0
	s, err := c.live.find(name, !exclusive && flag&syscall.O_NOFOLLOW == 0)
	if err != nil {
		return nil, err
	}
	writing := flag&(os.O_WRONLY|os.O_RDWR) != 0
	h := &handle{fs: f, name: name, flag: flag, at: s.at}
	if s.at == 0 {
		if flag&os.O_CREATE == 0 {
			return nil, syscall.ENOENT
		}
		if strings.HasSuffix(name, "/") {
			return nil, syscall.EISDIR
		}
		h.at = c.next
		c.next++
		return h, c.do(f.actor, "create "+name, change{
			entries: []entry{{s.dir, s.name, h.at}}, made: newNode(0, perm),
		})
	}
	n := c.live[s.at]
	switch {
	case exclusive:
		return nil, syscall.EEXIST
	case n.kind == fs.ModeSymlink:
		return nil, syscall.ELOOP
	case n.kind.IsDir() && (writing || flag&os.O_CREATE != 0):
		return nil, syscall.EISDIR
	case !n.kind.IsDir() && flag&syscall.O_DIRECTORY != 0:
		return nil, syscall.ENOTDIR
	case !n.kind.IsDir() && flag&os.O_TRUNC != 0 && writing && len(n.data) > 0:
		err = c.do(f.actor, "truncate "+name+" to 0", change{kind: ofLength, file: s.at})
	}
	return h, err
}

// put makes a name for something new.
func (f *FS) put(op, name, what string, n *node) error {
	f.core.mu.Lock()
	defer f.core.mu.Unlock()
	s, err := f.core.live.find(name, false)
	if err == nil && s.at != 0 {
		err = syscall.EEXIST
	}
	if err == nil && n.kind == fs.ModeSymlink && strings.HasSuffix(name, "/") {
		err = syscall.ENOENT
	}
	if err == nil {
		made := f.core.next
		f.core.next++
		err = f.core.do(f.actor, what, change{entries: []entry{{s.dir, s.name, made}}, made: n})
	}
	if err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

// Mkdir implements [afero.Fs].
func (f *FS) Mkdir(name string, perm fs.FileMode) error {
	return f.put("mkdir", name, "mkdir "+name, newNode(fs.ModeDir, perm))
}

// MkdirAll implements [afero.Fs].
func (f *FS) MkdirAll(name string, perm fs.FileMode) error {
	if info, err := f.Stat(name); err == nil {
		if info.IsDir() {
			return nil
		}
		return &fs.PathError{Op: "mkdir", Path: name, Err: syscall.ENOTDIR}
	}
	// Not filepath.Dir, which would take "d/.." away: d is made, too.
	whole := strings.TrimRight(name, "/")
	if parent := strings.TrimRight(whole[:strings.LastIndexByte(whole, '/')+1], "/"); parent != "" {
		if err := f.MkdirAll(parent, perm); err != nil {
			return err
		}
	}
	err := f.Mkdir(name, perm)
	if info, statErr := durable.Lstat(f, name); statErr == nil && info.IsDir() {
		return nil
	}
	return err
}

// SymlinkIfPossible implements [afero.Symlinker].
func (f *FS) SymlinkIfPossible(oldname, newname string) error {
	err := f.put("symlink", newname, fmt.Sprintf("symlink %s %s", oldname, newname),
		&node{kind: fs.ModeSymlink, perm: 0o777, target: oldname})
	if err == nil && oldname != "" {
		return nil
	}
	return linkError("symlink", oldname, newname, err)
}

// ReadlinkIfPossible implements [afero.Symlinker].
func (f *FS) ReadlinkIfPossible(name string) (string, error) {
	f.core.mu.Lock()
	defer f.core.mu.Unlock()
	n, err := f.look(name, false)
	if err == nil && n.kind != fs.ModeSymlink {
		err = syscall.EINVAL
	}
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
	}
	return n.target, nil
}

// look returns what is at a name.
func (f *FS) look(name string, follow bool) (*node, error) {
	if err := f.core.unreadable(f.actor); err != nil {
		return nil, err
	}
	s, err := f.core.live.find(name, follow || strings.HasSuffix(name, "/"))
	if err != nil {
		return nil, err
	}
	if s.at == 0 {
		return nil, syscall.ENOENT
	}
	return f.core.live[s.at], nil
}

func (f *FS) stat(op, name string, follow bool) (fs.FileInfo, error) {
	f.core.mu.Lock()
	defer f.core.mu.Unlock()
	_, err := f.look(name, follow)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	s, _ := f.core.live.find(name, follow || strings.HasSuffix(name, "/"))
	base := filepath.Base(name)
	return f.core.live.info(base, s.at), nil
}

// Stat implements [afero.Fs].
func (f *FS) Stat(name string) (fs.FileInfo, error) { return f.stat("stat", name, true) }

// LstatIfPossible implements [afero.Symlinker].
func (f *FS) LstatIfPossible(name string) (fs.FileInfo, bool, error) {
	info, err := f.stat("lstat", name, false)
	return info, true, err
}

// Remove implements [afero.Fs].
func (f *FS) Remove(name string) error {
	f.core.mu.Lock()
	defer f.core.mu.Unlock()
	if err := f.remove(name); err != nil {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	return nil
}

func (f *FS) remove(name string) error {
	s, err := f.core.live.find(name, false)
	if err != nil {
		return err
	}
	switch n := f.core.live[s.at]; {
	case s.at == 0:
		return syscall.ENOENT
	case s.name == "" && s.at == rootID:
		return syscall.EBUSY
	case s.name == "":
		return syscall.EINVAL
	case len(n.entries) > 0:
		return syscall.ENOTEMPTY
	}
	return f.core.do(f.actor, "remove "+name, change{entries: []entry{{s.dir, s.name, 0}}})
}

// RemoveAll implements [afero.Fs]. Each name that goes is an event.
func (f *FS) RemoveAll(name string) error {
	if name == "" {
		return nil
	}
	if strings.HasSuffix(name, "/.") || name == "." {
		return &fs.PathError{Op: "RemoveAll", Path: name, Err: syscall.EINVAL}
	}
	f.core.mu.Lock()
	defer f.core.mu.Unlock()
	if err := f.core.unreadable(f.actor); err != nil {
		return &fs.PathError{Op: "openfdat", Path: name, Err: err}
	}
	s, err := f.core.live.find(name, false)
	if err != nil && !errors.Is(err, syscall.ENOENT) {
		return &fs.PathError{Op: "unlinkat", Path: name, Err: err}
	}
	if err != nil || s.at == 0 {
		return nil
	}
	if err := f.removeAll(name, s.at); err != nil {
		return &fs.PathError{Op: "unlinkat", Path: name, Err: err}
	}
	return nil
}

func (f *FS) removeAll(name string, at id) error {
	n := f.core.live[at]
	for _, child := range slices.Sorted(maps.Keys(n.entries)) {
		if err := f.removeAll(filepath.Join(name, child), n.entries[child]); err != nil {
			return err
		}
	}
	return f.remove(name)
}

// change changes attributes.
func (f *FS) change(op, name, what string, follow bool, a attrs) error {
	f.core.mu.Lock()
	defer f.core.mu.Unlock()
	s, err := f.core.live.find(name, follow)
	if err == nil && s.at == 0 {
		err = syscall.ENOENT
	}
	if err == nil {
		err = f.core.do(f.actor, what+" "+name, change{kind: ofAttributes, file: s.at, attrs: a})
	}
	if err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

// Chmod implements [afero.Fs].
func (f *FS) Chmod(name string, mode fs.FileMode) error {
	mode &= permBits
	return f.change("chmod", name, fmt.Sprintf("chmod %v", mode), true, attrs{perm: &mode, uid: -1, gid: -1})
}

// Chown implements [afero.Fs].
func (f *FS) Chown(name string, uid, gid int) error {
	return f.change("chown", name, fmt.Sprintf("chown %d:%d", uid, gid), true, attrs{uid: uid, gid: gid})
}

// Lchown implements [durable.FS].
func (f *FS) Lchown(name string, uid, gid int) error {
	return f.change("lchown", name, fmt.Sprintf("lchown %d:%d", uid, gid), false, attrs{uid: uid, gid: gid})
}

// Chtimes implements [afero.Fs]; there are no times of access.
func (f *FS) Chtimes(name string, _, mtime time.Time) error {
	return f.change("chtimes", name, "chtimes", true, attrs{uid: -1, gid: -1, mtime: &mtime})
}
