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
// long as the address space.
var unreal = []string{
	"autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "efivarfs", "fusectl",
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
	for _, m := range parseMounts(table) {
		rel, err := filepath.Rel(tree, m.point)
		if err == nil && rel != "." && filepath.IsLocal(rel) && slices.Contains(unreal, m.kind) {
			found = append(found, rel)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

type mount struct{ point, kind string }

// parseMounts reads lines such as
//
//	36 35 98:0 / /mnt/a\040b rw,noatime master:1 - ext4 /dev/root rw
//
// where the fifth field is the mount point and the one after " - " the kind.
// Lines of another shape are passed over.
func parseMounts(table []byte) []mount {
	var mounts []mount
	for line := range bytes.Lines(table) {
		before, after, ok := strings.Cut(string(line), " - ")
		fields, kinds := strings.Fields(before), strings.Fields(after)
		if ok && len(fields) >= 5 && len(kinds) >= 1 {
			mounts = append(mounts, mount{point: unescape(fields[4]), kind: kinds[0]})
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
