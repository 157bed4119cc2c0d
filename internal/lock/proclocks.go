package lock

import (
	"slices"
	"strconv"
	"strings"
)

// fileID is a file as /proc/locks names it. The device is the file system's;
// where stat(2) says another one, as on btrfs, there is just no match.
type fileID struct {
	major, minor uint32
	inode        uint64
}

// heldLock is a line of /proc/locks.
type heldLock struct {
	kind string // "FLOCK", "POSIX", "OFDLCK", "LEASE", …
	pid  int    // -1: unknown to the kernel; 0: of another PID namespace
	file fileID
}

func (l heldLock) on(file fileID, kinds []string) bool {
	return l.file == file && slices.Contains(kinds, l.kind)
}

// parseLocks reads /proc/locks, and passes over what it does not understand
// and over those who themselves wait for a lock.
func parseLocks(text []byte) []heldLock {
	var locks []heldLock
	for line := range strings.Lines(string(text)) {
		if l, ok := parseLock(line); ok {
			locks = append(locks, l)
		}
	}
	return locks
}

// parseLock reads a line such as
//
//	1: FLOCK  ADVISORY  WRITE 6013 fe:00:10051624 0 EOF
//
// A waiting process has "->" after the number.
func parseLock(line string) (heldLock, bool) {
	fields := strings.Fields(line)
	if len(fields) < 6 || !strings.HasSuffix(fields[0], ":") || fields[1] == "->" {
		return heldLock{}, false
	}
	pid, err := strconv.Atoi(fields[4])
	if err != nil || pid < -1 {
		return heldLock{}, false
	}
	file, ok := parseFileID(fields[5])
	return heldLock{kind: fields[1], pid: pid, file: file}, ok
}

// parseFileID reads MAJOR:MINOR:INODE, of which the last one is decimal.
func parseFileID(text string) (fileID, bool) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return fileID{}, false
	}
	major, err1 := strconv.ParseUint(parts[0], 16, 32)
	minor, err2 := strconv.ParseUint(parts[1], 16, 32)
	inode, err3 := strconv.ParseUint(parts[2], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return fileID{}, false
	}
	return fileID{major: uint32(major), minor: uint32(minor), inode: inode}, true
}
