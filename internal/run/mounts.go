package run

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/afero"
)

// mountTable is the kernel's list of what is mounted, as proc(5) describes it.
const mountTable = "/proc/self/mountinfo"

// unreal are the kinds of file system that hold no files, only what the kernel
// has to say. To read all of /proc would take for ever: one file in it is as
// long as the address space. (Not autofs: what is looked at there gets mounted.)
var unreal = []string{
	"binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "efivarfs", "fusectl",
	"hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs",
}

// unrealBelow returns where such file systems are mounted below tree, relative
// to it.
func (w *World) unrealBelow(tree string) ([]string, error) {
	table, err := afero.ReadFile(w.FS, mountTable)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // no /proc, nothing of its kind
	}
	if err != nil {
		return nil, err
	}
	var found []string
	mounts := parseMounts(table)
	for _, m := range mounts {
		rel, err := filepath.Rel(tree, m.point)
		if err == nil && rel != "." && filepath.IsLocal(rel) && slices.Contains(unreal, m.kind) && seen(mounts, m.point) == m.id {
			found = append(found, rel)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

type mount struct{ id, parent, point, kind string }

// seen returns the id of the mount that who looks at point sees: others may be
// mounted there, too, or at a directory above it, and covered by a later one.
func seen(mounts []mount, point string) string {
	at, from := "", "/" // "" is where the table begins: its first mount's parent is not in it
	for {
		for {
			next := slices.IndexFunc(mounts, func(m mount) bool { return m.parent == at && m.point == from && m.id != at })
			if next < 0 {
				break
			}
			at = mounts[next].id
		}
		if from == point {
			return at
		}
		rest := strings.TrimPrefix(strings.TrimPrefix(point, from), "/")
		name, _, _ := strings.Cut(rest, "/")
		from = filepath.Join(from, name)
	}
}

// parseMounts reads lines such as
//
//	36 35 98:0 / /mnt/a\040b rw,noatime master:1 - ext4 /dev/root rw
//
// where the first two fields are the mount's id and that of the mount that it
// lies in, the fifth is the mount point and the one after " - " the kind.
// Lines of another shape are passed over.
func parseMounts(table []byte) []mount {
	var mounts []mount
	ids := map[string]bool{}
	for line := range bytes.Lines(table) {
		before, after, ok := strings.Cut(string(line), " - ")
		fields, kinds := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(kinds) < 1 {
			continue
		}
		m := mount{id: fields[0], parent: fields[1], point: unescape(fields[4]), kind: kinds[0]}
		if filepath.IsAbs(m.point) && filepath.Clean(m.point) == m.point && !ids[m.id] {
			ids[m.id] = true
			mounts = append(mounts, m)
		}
	}
	for i, m := range mounts {
		if !ids[m.parent] {
			mounts[i].parent = ""
		}
	}
	return mounts
}

// unescape turns \040 and the like into the bytes that they stand for.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
