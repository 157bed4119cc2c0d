package crashfs

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"
)

// id is the number of an inode. 0 is none.
type id uint64

const rootID id = 1

// The limits of Linux.
const (
	maxName  = 255
	maxPath  = 4096
	maxLinks = 40
)

// node is an inode. Its bytes are never changed in place, so that copies of a
// node may share them.
type node struct {
	kind         fs.FileMode // fs.ModeDir, fs.ModeSymlink or 0
	perm         fs.FileMode // all other bits
	uid, gid     int
	mtime, ctime time.Time

	data    []byte        // of a file
	links   int           // how many names lead to it
	target  string        // of a symbolic link
	entries map[string]id // of a directory
}

// tree is all inodes, those with no name left included: somebody may have them
// open.
type tree map[id]*node

func (t tree) clone() tree {
	c := make(tree, len(t))
	for i, n := range t {
		m := *n
		m.entries = maps.Clone(n.entries)
		c[i] = &m
	}
	return c
}

// set makes a name lead somewhere else; 0 is nowhere.
func (t tree) set(dir *node, name string, to id) {
	if was := t[dir.entries[name]]; was != nil {
		was.links--
	}
	delete(dir.entries, name)
	if n := t[to]; n != nil {
		n.links++
		dir.entries[name] = to
	}
}

// check makes a tree of what a crash left, as fsck does: a name of an inode
// that is not there goes, a directory has one name, and what has no name is
// gone.
func (t tree) check() {
	seen := map[id]bool{rootID: true}
	var visit func(at id)
	visit = func(at id) {
		entries := t[at].entries
		for _, name := range slices.Sorted(maps.Keys(entries)) {
			child := entries[name]
			n := t[child]
			if n == nil || n.kind.IsDir() && seen[child] {
				t.set(t[at], name, 0)
				continue
			}
			if !seen[child] {
				seen[child] = true
				visit(child)
			}
		}
	}
	visit(rootID)
	maps.DeleteFunc(t, func(i id, _ *node) bool { return !seen[i] })
}

// spot is where a name leads.
type spot struct {
	dir  id     // the directory that holds the name
	name string // its last part; "" for the root, "." and ".."
	at   id     // what is there; 0 is nothing
}

// find follows a name. Where only the last part is missing, the spot says where
// it would be. follow says whether a symbolic link at the end is followed.
func (t tree) find(name string, follow bool) (spot, error) {
	if name == "" {
		return spot{}, syscall.ENOENT
	}
	if len(name) >= maxPath {
		return spot{}, syscall.ENAMETOOLONG
	}
	way := []id{rootID} // the directories above, the innermost last
	rest := strings.Split(name, "/")
	links := 0
	last := spot{at: rootID}
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		here := way[len(way)-1]
		switch part {
		case "", ".":
			// A slash behind a name asks for a directory.
			if last.at == 0 {
				if slices.ContainsFunc(rest, func(s string) bool { return s != "" }) {
					return spot{}, syscall.ENOENT
				}
				continue
			}
			if t[last.at].kind.IsDir() {
				continue
			}
			return spot{}, syscall.ENOTDIR
		case "..":
			if last.at == 0 {
				return spot{}, syscall.ENOENT
			}
			if !t[last.at].kind.IsDir() {
				return spot{}, syscall.ENOTDIR
			}
			if len(way) > 1 {
				way = way[:len(way)-1]
			}
			last = spot{at: way[len(way)-1]}
			continue
		}
		if last.at == 0 {
			return spot{}, syscall.ENOENT
		}
		if !t[last.at].kind.IsDir() {
			return spot{}, syscall.ENOTDIR
		}
		if len(part) > maxName {
			return spot{}, syscall.ENAMETOOLONG
		}
		last = spot{dir: here, name: part, at: t[here].entries[part]}
		if last.at == 0 {
			continue
		}
		n := t[last.at]
		switch {
		case n.kind.IsDir():
			way = append(way, last.at)
		case n.kind == fs.ModeSymlink && (follow || len(rest) > 0):
			if links++; links > maxLinks {
				return spot{}, syscall.ELOOP
			}
			if strings.HasPrefix(n.target, "/") {
				way = way[:1]
			}
			last = spot{at: way[len(way)-1]}
			rest = append(strings.Split(n.target, "/"), rest...)
		}
	}
	return last, nil
}

// above tells whether the directory up is dir or one that it lies in.
func (t tree) above(up, dir id) bool {
	if up == dir {
		return true
	}
	for _, child := range t[up].entries {
		if t[child].kind.IsDir() && t.above(child, dir) {
			return true
		}
	}
	return false
}

// info is what Stat returns.
type info struct {
	name string
	node node // a snapshot; entries are not to be looked at
	stat syscall.Stat_t
}

func (t tree) info(name string, i id) *info {
	n := t[i]
	mode := uint32(n.perm.Perm())
	for bit, unix := range map[fs.FileMode]uint32{
		fs.ModeSetuid: syscall.S_ISUID, fs.ModeSetgid: syscall.S_ISGID, fs.ModeSticky: syscall.S_ISVTX,
	} {
		if n.perm&bit != 0 {
			mode |= unix
		}
	}
	switch n.kind {
	case fs.ModeDir:
		mode |= syscall.S_IFDIR
	case fs.ModeSymlink:
		mode |= syscall.S_IFLNK
	default:
		mode |= syscall.S_IFREG
	}
	return &info{
		name: name, node: *n,
		stat: syscall.Stat_t{
			Dev: 1, Ino: uint64(i), Nlink: uint64(max(0, n.links)), Mode: mode,
			Uid: uint32(n.uid), Gid: uint32(n.gid), Size: n.size(),
			Mtim: syscall.NsecToTimespec(n.mtime.UnixNano()), Ctim: syscall.NsecToTimespec(n.ctime.UnixNano()),
			Atim: syscall.NsecToTimespec(n.mtime.UnixNano()),
		},
	}
}

func (n *node) size() int64 {
	if n.kind == fs.ModeSymlink {
		return int64(len(n.target))
	}
	return int64(len(n.data))
}

func (i *info) Name() string       { return i.name }
func (i *info) Size() int64        { return i.node.size() }
func (i *info) Mode() fs.FileMode  { return i.node.kind | i.node.perm }
func (i *info) ModTime() time.Time { return i.node.mtime }
func (i *info) IsDir() bool        { return i.node.kind.IsDir() }
func (i *info) Sys() any           { return &i.stat }
