package exec

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// StallError says that a program was ended because it did nothing any more.
type StallError struct {
	Program string
	After   time.Duration
}

func (e *StallError) Error() string {
	return fmt.Sprintf("%s was stopped, since it had done nothing for %s: does it wait for a lock, a server or a disk that is gone?", e.Program, e.After)
}

// A program that hangs is one that, with all that it started, neither
// computes nor reads nor writes. To the kernel that is: its processes are the
// same ones, and their clocks and counters stand still. Output alone would not
// tell: pg_dump into a file and rdiff-backup have none.

// looks is how often a program is looked at in the time after which it counts
// as hanging. It is ended up to one part in so many late.
const looks = 16

// watchStall calls stalled, once, when work(pid) has been the same over all
// looks of a time. It ends when over is closed.
func watchStall(tick <-chan time.Time, over <-chan struct{}, work func() string, stalled func()) {
	last, same := work(), 0
	for {
		select {
		case <-over:
			return
		case <-tick:
		}
		now := work()
		if same++; now != last {
			last, same = now, 0
		}
		if same >= looks {
			stalled()
			return
		}
	}
}

// workOf describes what the process group of pid, and whatever descends from
// pid, has done so far.
func workOf(pid int) string {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		// It cannot be told. Nothing is ended on a guess.
		return fmt.Sprint(time.Now().UnixNano())
	}
	type process struct {
		parent, group int
		times         string
	}
	all := map[int]process{}
	for _, entry := range entries {
		id, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if p, g, times, ok := readStat(id); ok {
			all[id] = process{p, g, times}
		}
	}
	var work strings.Builder
	for _, entry := range entries { // sorted by name
		id, err := strconv.Atoi(entry.Name())
		p, ok := all[id]
		if err != nil || !ok {
			continue
		}
		ours := p.group == pid
		for at, depth := id, 0; !ours && at > 1 && depth < len(all); at, depth = all[at].parent, depth+1 {
			ours = at == pid
		}
		if ours {
			io, _ := os.ReadFile(fmt.Sprintf("/proc/%d/io", id)) // not ours to read when it is another user's
			fmt.Fprintf(&work, "%d %s %s\n", id, p.times, io)
		}
	}
	return work.String()
}

// readStat reads of /proc/PID/stat the parent, the process group, and the
// times that the process and its dead children have computed; see proc(5).
func readStat(pid int) (parent, group int, times string, ok bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, "", false
	}
	// The program's name stands in parentheses, and may hold any.
	_, rest, ok := cutLast(string(text), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 15 {
		return 0, 0, "", false
	}
	parent, err1 := strconv.Atoi(fields[1])
	group, err2 := strconv.Atoi(fields[2])
	return parent, group, strings.Join(fields[11:15], " "), err1 == nil && err2 == nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// unkillable is how long to wait for a program that was killed. One that sits
// in a call to a dead network file system cannot be killed before the kernel
// gives it up, and is left to that.
const unkillable = 10 * time.Second

// kill ends the process group of pid at once.
func kill(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
