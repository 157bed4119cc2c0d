package lock

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseLocks(t *testing.T) {
	file := fileID{major: 0xfe, minor: 0, inode: 10051624}
	for _, test := range []struct {
		name, text string
		want       []heldLock
	}{
		{"empty", "", nil},
		{"flock", "1: FLOCK  ADVISORY  WRITE 6013 fe:00:10051624 0 EOF\n", []heldLock{{"FLOCK", 6013, file}}},
		{"lockf", "2: POSIX  ADVISORY  WRITE 12 fe:00:10051624 0 EOF\n", []heldLock{{"POSIX", 12, file}}},
		{"range", "2: POSIX  ADVISORY  READ 12 fe:00:10051624 128 128\n", []heldLock{{"POSIX", 12, file}}},
		{"ofd", "3: OFDLCK ADVISORY  READ -1 fe:00:10051624 0 EOF\n", []heldLock{{"OFDLCK", -1, file}}},
		{"no newline", "1: FLOCK ADVISORY WRITE 1 08:11:7 0 EOF", []heldLock{{"FLOCK", 1, fileID{8, 17, 7}}}},
		{"waiting", "1: -> FLOCK  ADVISORY  WRITE 6014 fe:00:10051624 0 EOF\n", nil},
		{"lease without a file", "4: LEASE  ACTIVE    READ 99 <none>:0 0 EOF\n", nil},
		{"not hexadecimal", "1: FLOCK ADVISORY WRITE 1 zz:00:1 0 EOF\n", nil},
		{"no pid", "1: FLOCK ADVISORY WRITE x fe:00:1 0 EOF\n", nil},
		{"impossible pid", "1: FLOCK ADVISORY WRITE -2 fe:00:1 0 EOF\n", nil},
		{"short", "1: FLOCK ADVISORY WRITE 1\n", nil},
		{"no number", "FLOCK FLOCK ADVISORY WRITE 1 fe:00:1 0 EOF\n", nil},
	} {
		if got := parseLocks([]byte(test.text)); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

func FuzzParseLocks(f *testing.F) {
	f.Add([]byte("1: FLOCK  ADVISORY  WRITE 6013 fe:00:10051624 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 6014 fe:00:10051624 0 EOF\n"))
	f.Add([]byte("2: OFDLCK ADVISORY  READ -1 08:01:2 0 EOF"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, l := range parseLocks(text) {
			again := fmt.Sprintf("1: %s ADVISORY WRITE %d %02x:%02x:%d 0 EOF\n",
				l.kind, l.pid, l.file.major, l.file.minor, l.file.inode)
			if got, ok := parseLock(again); !ok || got != l {
				t.Errorf("%q: got %v, want %v", again, got, l)
			}
		}
	})
}

// fakeProc makes a /proc of the given files.
func fakeProc(t *testing.T, files map[string]string) proc {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		ok(t, os.MkdirAll(filepath.Dir(path), 0o700))
		ok(t, os.WriteFile(path, []byte(content), 0o600))
	}
	return proc(root)
}

func TestHolder(t *testing.T) {
	const (
		boot = 1769864400
		stat = "4711 (evil) name) S 1 4711 4711 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 5 0 12345 999 9 18446744073709551615\n"
		ofd  = "1: OFDLCK ADVISORY  READ -1 fe:00:7 0 EOF\n"
	)
	started := ", started " + time.Unix(boot+123, 0).Local().Format(time.DateTime)
	file := fileID{major: 0xfe, inode: 7}
	for _, test := range []struct {
		name  string
		kinds []string
		files map[string]string
		want  string
	}{
		{"everything", flockKinds, map[string]string{
			"locks":        "1: FLOCK ADVISORY WRITE 9 fe:00:8 0 EOF\n2: FLOCK ADVISORY WRITE 4711 fe:00:7 0 EOF\n",
			"stat":         fmt.Sprintf("cpu 1 2 3\nbtime %d\nprocesses 9\n", boot),
			"4711/cmdline": "/usr/bin/btw-backup\x00fs\x00/etc\x00etc\x00",
			"4711/stat":    stat,
		}, "process 4711 (btw-backup fs /etc etc)" + started},
		{"hidden process", flockKinds, map[string]string{
			"locks": "1: FLOCK ADVISORY WRITE 4711 fe:00:7 0 EOF\n",
		}, "process 4711"},
		{"another PID namespace", flockKinds, map[string]string{
			"locks": "1: FLOCK ADVISORY WRITE 0 fe:00:7 0 EOF\n",
		}, someone},
		{"another kind of lock", recordKinds, map[string]string{
			"locks": "1: FLOCK ADVISORY WRITE 4711 fe:00:7 0 EOF\n",
		}, someone},
		{"no /proc", flockKinds, nil, someone},
		{"found by descriptor", recordKinds, map[string]string{
			"locks":          ofd,
			"1/fdinfo/3":     "pos:\t0\nflags:\t02100002\n",
			"5/fdinfo/8":     "lock:\t" + ofd, // ourselves
			"4711/fdinfo/10": "pos:\t0\nlock:\t" + ofd,
			"4711/cmdline":   "btw-backup\x00sync\x00",
		}, "process 4711 (btw-backup sync)"},
		{"not found by descriptor", recordKinds, map[string]string{"locks": ofd}, someone},
	} {
		if got := fakeProc(t, test.files).holder(file, test.kinds, 5); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestCommandLine(t *testing.T) {
	for _, test := range []struct{ cmdline, want string }{
		{"", ""},
		{"/bin/a\x00", "a"},
		{"a\x00b c\x00\x1b[31m\n\x00", "a b c ?[31m?"},
		{strings.Repeat("é", 200), strings.Repeat("é", 120) + "…"},
	} {
		if got := commandLine([]byte(test.cmdline)); got != test.want {
			t.Errorf("%q: got %q, want %q", test.cmdline, got, test.want)
		}
	}
}

func TestStartTime(t *testing.T) {
	for _, test := range []struct{ name, process, machine string }{
		{"no process", "", "btime 5\n"},
		{"no brackets", strings.Repeat("1 ", 40), "btime 5\n"},
		{"short", "1 (a) S 1\n", "btime 5\n"},
		{"no number", "1 (a) " + strings.Repeat("x ", 30), "btime 5\n"},
		{"no boot time", "1 (a) " + strings.Repeat("1 ", 30), "cpu 1\n"},
	} {
		if got, ok := startTime([]byte(test.process), []byte(test.machine)); ok {
			t.Errorf("%s: got %v", test.name, got)
		}
	}
}
