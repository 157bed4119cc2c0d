package destination

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"btw-backup/internal/durable"
)

// TimeLayout is a backup's name, and the time in log.txt; always in UTC.
const TimeLayout = "2006-01-02T15:04:05"

// Names in a destination. All but the log begin with HiddenPrefix.
const (
	HiddenPrefix = ".btw-"
	TarSuffix    = ".tbz"
	LogName      = "log.txt"
	RecordDir    = HiddenPrefix + "records"
	RecordSuffix = ".json"
	DigestsName  = HiddenPrefix + "sha256"
	AsidePrefix  = HiddenPrefix + "aside-" // what had a backup's name and was none
	OldPrefix    = HiddenPrefix + "old-"   // a chain, for the moment in which a newer state takes its place
	TempPrefix   = durable.TempPrefix
)

// RootMarker is the name of the file, in the top of ROOT_PATH, by which it is
// known again. It is sent off-site like a backup.
const RootMarker = HiddenPrefix + "root"

// LostFound is what mkfs puts in the top of a file system.
const LostFound = "lost+found"

// Name returns the name of a backup of the time t.
func Name(t time.Time) string { return t.UTC().Format(TimeLayout) }

// ParseName returns the time and the kind of the backup that name could be.
func ParseName(name string) (t time.Time, kind Kind, ok bool) {
	kind = Rdiff
	stem, isTar := strings.CutSuffix(name, TarSuffix)
	if isTar {
		kind = Tar
	}
	t, err := time.Parse(TimeLayout, stem)
	// Parse is lenient where we are not: "2026-1-31T…", fractions of seconds.
	return t, kind, err == nil && Name(t) == stem
}

// Clean checks the dst argument of a command and returns it in the form in
// which it stands in the sync state: relative to ROOT_PATH, with single
// slashes and none at the end.
func Clean(dst string) (string, error) {
	switch {
	case dst == "":
		return "", errors.New("the dst argument is empty: name a directory below ROOT_PATH")
	case path.IsAbs(dst):
		return "", errors.New("the dst argument cannot be an absolute path")
	case !utf8.ValidString(dst):
		return "", fmt.Errorf("the dst argument %q is not valid UTF-8", dst)
	case strings.ContainsFunc(dst, unicode.IsControl):
		return "", fmt.Errorf("the dst argument %q holds a control character", dst)
	}
	clean := path.Clean(dst)
	if clean == "." {
		return "", fmt.Errorf("the dst argument %q is ROOT_PATH itself: name a directory below it", dst)
	}
	if top, _, _ := strings.Cut(clean, "/"); top == LostFound {
		return "", fmt.Errorf("the dst argument %q: %s belongs to the file system", dst, LostFound)
	}
	for part := range strings.SplitSeq(clean, "/") {
		if part == LogName {
			return "", fmt.Errorf("the dst argument %q: %s is the name of a log", dst, LogName)
		}
		if part == ".." {
			return "", fmt.Errorf("the dst argument %q leads out of ROOT_PATH", dst)
		}
		if strings.HasPrefix(part, HiddenPrefix) {
			return "", fmt.Errorf("the dst argument %q: names that begin with %s are this program's own", dst, HiddenPrefix)
		}
		if _, _, ok := ParseName(part); ok {
			return "", fmt.Errorf("the dst argument %q: %s is the name of a backup", dst, part)
		}
	}
	return clean, nil
}

// Of returns the destination that a path in the sync state belongs to, "" for
// ROOT_PATH itself: "etc" for "etc/2026-01-31T13:05:09.tbz", for "etc/log.txt"
// and for the name of a record in it.
func Of(statePath string) string {
	dst := path.Dir(strings.TrimSuffix(statePath, "/"))
	if path.Base(dst) == RecordDir {
		dst = path.Dir(dst)
	}
	if dst == "." {
		return ""
	}
	return dst
}

// IsPart tells whether a path in the sync state is of something in a
// destination, rather than of a directory of destinations.
func IsPart(statePath string) bool {
	base := path.Base(statePath)
	_, _, isBackup := ParseName(base)
	return isBackup || base == LogName || base == DigestsName || path.Base(path.Dir(statePath)) == RecordDir
}

// MayBe tells whether a directory of that name may be, or hold, a destination.
func MayBe(name string) bool {
	_, _, isBackup := ParseName(name)
	return !isBackup && !strings.HasPrefix(name, HiddenPrefix)
}
