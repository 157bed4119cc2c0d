package run

import (
	"slices"
	"testing"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
)

const table = `22 28 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw
23 28 0:21 / /proc rw,nosuid shared:14 - proc proc rw
28 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 28 0:25 / /run rw,nosuid shared:5 - tmpfs tmpfs rw
40 28 0:30 / /srv/a\040b/proc rw - proc proc rw
41 22 0:31 / /sys/fs/cgroup rw shared:8 - cgroup2 cgroup2 rw
50 28 0:40 / /home/auto rw - autofs systemd-1 rw
60 28 0:50 / /over/proc rw - proc proc rw
61 60 8:1 / /over/proc rw - ext4 /dev/sdb1 rw
70 28 0:60 / /under/data/sys rw - sysfs sysfs rw
71 28 8:2 / /under rw - ext4 /dev/sdc1 rw
72 71 0:61 / /under/proc rw - proc proc rw
half a line
`

// tableFS has a mount table of its own.
type tableFS struct{ durable.OS }

func (tableFS) Open(name string) (afero.File, error) {
	mem := afero.NewMemMapFs()
	if err := afero.WriteFile(mem, mountTable, []byte(table), 0o600); err != nil {
		return nil, err
	}
	return mem.Open(name)
}

func TestUnrealBelow(t *testing.T) {
	w := &World{FS: tableFS{}}
	for tree, want := range map[string][]string{
		"/":        {"proc", "srv/a b/proc", "sys", "sys/fs/cgroup", "under/proc"},
		"/srv":     {"a b/proc"},
		"/srv/a b": {"proc"},
		"/srv/a":   nil,
		"/proc":    nil, // who asks for it, gets it
		"/home":    nil, // what is mounted by itself, when it is looked at, has files
		"/over":    nil, // what is seen is a disk
		"/under":   {"proc"},
	} {
		got, err := w.unrealBelow(tree)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", tree, got, err, want)
		}
	}
}

func FuzzParseMounts(f *testing.F) {
	f.Add([]byte(table))
	f.Add([]byte(`1 1 0:1 / \04 - x`))
	f.Add([]byte("1 2 0:1 / / - x\n2 1 0:1 / / - x"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, m := range parseMounts(text) {
			if m.id == "" || m.point == "" || m.kind == "" {
				t.Errorf("%q: an empty field: %q", text, m)
			}
			seen(parseMounts(text), m.point)
		}
	})
}
