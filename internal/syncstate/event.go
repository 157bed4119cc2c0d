package syncstate

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Op is what is to be done with a path.
type Op string

const (
	// Push copies a file or a tree to the off-site store without asking.
	Push Op = "push"

	// Sync makes the off-site copy equal to the local directory, deletions
	// included.
	Sync Op = "sync"
)

// Entry is something that the off-site copy lacks.
type Entry struct {
	Op   Op
	Path string // relative to ROOT_PATH; "" is all of it
}

// String returns the entry as it stands in the journal, such as "push etc/log.txt".
func (e Entry) String() string { return string(e.Op) + " " + e.Path }

// check tells whether e may be registered. Reading is more generous: a path
// that another program wrote must be workable, however odd.
func (e Entry) check() error {
	if e.Op != Push && e.Op != Sync {
		return fmt.Errorf("%q: the operation is neither push nor sync", e.String())
	}
	if !utf8.ValidString(e.Path) || strings.ContainsFunc(e.Path, unicode.IsControl) {
		return fmt.Errorf("%q: the path holds a control character or is not UTF-8", e.String())
	}
	if strings.HasPrefix(e.Path, "/") {
		return fmt.Errorf("%q: the path is not relative to ROOT_PATH", e.String())
	}
	return nil
}

// timeLayout is the form of TIME, which is in UTC.
const timeLayout = "2006-01-02T15:04:05"

// event is a line of the journal.
type event struct {
	time  time.Time
	done  bool // "-" rather than "+"
	entry Entry
}

// errNoEvent is returned by parseEvent; whoever knows the line says more.
var errNoEvent = errors.New("not an event")

// line returns the event as it stands in the journal, newline included.
func (ev event) line() string {
	sign := "+"
	if ev.done {
		sign = "-"
	}
	return ev.time.UTC().Format(timeLayout) + " " + sign + ev.entry.String() + "\n"
}

// parseEvent reads a line without its newline. What it accepts is what line
// returns: no other form of the same event.
func parseEvent(line string) (event, error) {
	stamp, rest, found1 := strings.Cut(line, " ")
	op, path, found2 := strings.Cut(rest, " ")
	if !found1 || !found2 || len(op) < 2 || strings.ContainsAny(path, "\x00\r\n") {
		return event{}, errNoEvent
	}
	t, err := time.Parse(timeLayout, stamp)
	// Parse would let a fraction of a second pass.
	if err != nil || t.Format(timeLayout) != stamp {
		return event{}, errNoEvent
	}
	ev := event{time: t, done: op[0] == '-', entry: Entry{Op(op[1:]), path}}
	if op[0] != '+' && op[0] != '-' || ev.entry.Op != Push && ev.entry.Op != Sync {
		return event{}, errNoEvent
	}
	return ev, nil
}
