package lock

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"golang.org/x/sys/unix"
)

// The words of /proc/locks for the locks that are in each other's way.
var (
	flockKinds  = []string{"FLOCK"}
	recordKinds = []string{"POSIX", "OFDLCK"}
)

// someone is what a holder is called about whom nothing can be found out.
const someone = "another process"

// holderOf describes who holds a lock of one of the kinds on f. It is for
// people, and never fails: in a container or under hidepid there may be
// nothing to find.
func holderOf(f *os.File, kinds []string) string {
	if f == nil {
		return someone
	}
	info, err := f.Stat()
	if err != nil {
		return someone
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return someone
	}
	dev := uint64(stat.Dev) // narrower on other architectures
	file := fileID{major: unix.Major(dev), minor: unix.Minor(dev), inode: stat.Ino}
	return proc("/proc").holder(file, kinds, os.Getpid())
}

// proc is where the kernel tells about processes: /proc, but for the tests.
type proc string

func (p proc) read(names ...string) []byte {
	content, err := os.ReadFile(filepath.Join(append([]string{string(p)}, names...)...))
	if err != nil {
		return nil // not there, or not for us to see: the description gets shorter
	}
	return content
}

// holder describes the process that holds a lock of one of the kinds on file.
func (p proc) holder(file fileID, kinds []string, self int) string {
	anonymous := false
	for _, l := range parseLocks(p.read("locks")) {
		if !l.on(file, kinds) {
			continue
		}
		if l.pid > 0 {
			return p.describe(l.pid)
		}
		anonymous = true // OFD locks, which belong to no process, say -1
	}
	if !anonymous {
		return someone
	}
	if pid := p.descriptorOwner(file, kinds, self); pid > 0 {
		return p.describe(pid)
	}
	return someone
}

// descriptorOwner finds a process, other than self, with a descriptor under
// which a lock on file is held: the way to learn whose an OFD lock is. It
// looks at every descriptor on the machine, which is why it comes last.
func (p proc) descriptorOwner(file fileID, kinds []string, self int) int {
	names, err := filepath.Glob(filepath.Join(string(p), "[0-9]*", "fdinfo", "*"))
	if err != nil {
		return 0
	}
	for _, name := range names {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(name))))
		if err != nil || pid == self {
			continue
		}
		content, err := os.ReadFile(name)
		if err != nil {
			continue // closed since, or not for us to see
		}
		for line := range bytes.Lines(content) {
			rest, found := bytes.CutPrefix(line, []byte("lock:"))
			if !found {
				continue
			}
			if l, ok := parseLock(string(rest)); ok && l.on(file, kinds) {
				return pid
			}
		}
	}
	return 0
}

// describe says what is known of a process, such as "process 4711 (btw-backup
// fs /etc etc), started 2026-01-31 13:05:09".
func (p proc) describe(pid int) string {
	id := strconv.Itoa(pid)
	text := "process " + id
	if command := commandLine(p.read(id, "cmdline")); command != "" {
		text += " (" + command + ")"
	}
	if started, ok := startTime(p.read(id, "stat"), p.read("stat")); ok {
		text += ", started " + started.Local().Format(time.DateTime)
	}
	return text
}

// commandLine makes one short line of /proc/PID/cmdline.
func commandLine(cmdline []byte) string {
	args := strings.Split(strings.TrimRight(string(cmdline), "\x00"), "\x00")
	if args[0] == "" {
		return "" // a kernel thread, or a process that has just ended
	}
	args[0] = filepath.Base(args[0])
	line := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.Join(args, " "))
	const most = 120
	if runes := []rune(line); len(runes) > most {
		line = string(runes[:most]) + "…"
	}
	return line
}

// ticksPerSecond is the unit of times in /proc/PID/stat: the same on all of
// Go's architectures, whatever the kernel's own tick is.
const ticksPerSecond = 100

// startTime computes when a process began from its /proc/PID/stat, which
// counts from when the machine did, and from /proc/stat, which knows that.
func startTime(processStat, machineStat []byte) (time.Time, bool) {
	// The second field is the program's name in brackets, and may hold
	// anything; the third one follows the last bracket.
	end := bytes.LastIndexByte(processStat, ')')
	fields := strings.Fields(string(processStat[end+1:]))
	const start = 22 - 3
	if end < 0 || len(fields) <= start {
		return time.Time{}, false
	}
	ticks, err := strconv.ParseInt(fields[start], 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	for line := range strings.Lines(string(machineStat)) {
		var boot int64
		if _, err := fmt.Sscanf(line, "btime %d", &boot); err == nil {
			return time.Unix(boot+ticks/ticksPerSecond, 0), true
		}
	}
	return time.Time{}, false
}
