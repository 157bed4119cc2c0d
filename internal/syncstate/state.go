package syncstate

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
)

// State is what a journal says.
type State struct {
	// Pending holds what was registered and is not done, in the order of
	// registration.
	Pending []Entry

	entries map[Entry]*record
	odd     []int // numbers of the lines that are a "-" without its "+"
	whole   int64 // length of all whole lines, which is where the next one goes
	torn    []byte
}

// record is what a journal says of one entry.
type record struct {
	pluses  int // ever
	pending bool
	line    int       // number of the line that made it pending
	since   time.Time // of that line
}

// Since returns when a pending entry was registered.
func (s State) Since(e Entry) (registered time.Time, pending bool) {
	if r := s.entries[e]; r != nil && r.pending {
		return r.since, true
	}
	return time.Time{}, false
}

// pluses returns how often e was registered.
func (s State) pluses(e Entry) int {
	if r := s.entries[e]; r != nil {
		return r.pluses
	}
	return 0
}

// Read reads the journal path as it stands. It takes no lock and changes
// nothing: a file that is missing is an empty state, and what a power cut left
// of a line is passed over.
func Read(fsys durable.FS, path string) (State, error) {
	text, err := afero.ReadFile(fsys, path)
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, nil
	}
	if err != nil {
		return State{}, err
	}
	return parse(text, path)
}

// parse reads a journal; path is for the error.
func parse(text []byte, path string) (State, error) {
	whole := wholeLines(text)
	state := State{entries: map[Entry]*record{}, whole: int64(whole), torn: text[whole:]}
	number := 0
	for line := range strings.Lines(string(text[:whole])) {
		number++
		line = strings.TrimSuffix(line, "\n")
		ev, err := parseEvent(line)
		if err != nil {
			return State{}, fmt.Errorf("%s:%d: %w: %s; remove that line, then run \"btw-backup sync --full\"",
				path, number, err, excerpt(line))
		}
		state.apply(ev, number)
	}
	for e, r := range state.entries {
		if r.pending {
			state.Pending = append(state.Pending, e)
		}
	}
	slices.SortFunc(state.Pending, func(a, b Entry) int {
		return cmp.Compare(state.entries[a].line, state.entries[b].line)
	})
	return state, nil
}

func (s *State) apply(ev event, number int) {
	r := s.entries[ev.entry]
	if r == nil {
		r = &record{}
		s.entries[ev.entry] = r
	}
	switch {
	case !ev.done:
		r.pluses++
		if !r.pending {
			r.pending, r.line, r.since = true, number, ev.time
		}
	case r.pending:
		r.pending = false
	default:
		s.odd = append(s.odd, number)
	}
}

// wholeLines returns the length of text without what a power cut left of the
// lines that were being written: an end without a newline, and, since the disk
// may have got the pages of a write in any order, an end with zeros in it.
//
// Such an end is one single write, whose lines all bear one time. Zeros that
// lines of several times follow are something else, a damaged disk perhaps,
// and what follows them may have been acted on: they are left to be found
// as a line that is no event.
func wholeLines(text []byte) int {
	end := bytes.LastIndexByte(text, '\n') + 1
	zero := bytes.IndexByte(text[:end], 0)
	if zero < 0 {
		return end
	}
	start := bytes.LastIndexByte(text[:zero], '\n') + 1
	var written time.Time
	for line := range strings.Lines(string(text[start:end])) {
		if strings.Contains(line, "\x00") {
			continue
		}
		ev, err := parseEvent(strings.TrimSuffix(line, "\n"))
		if err != nil || !written.IsZero() && !ev.time.Equal(written) {
			return end
		}
		written = ev.time
	}
	return start
}

// excerpt quotes a line, or the beginning of a long one.
func excerpt(line string) string {
	const most = 80
	if len(line) > most {
		return fmt.Sprintf("%q…", line[:most])
	}
	return fmt.Sprintf("%q", line)
}

// Paths yields the path of each event, in no order; one may come twice.
func (s State) Paths() iter.Seq[string] {
	return func(yield func(string) bool) {
		for e := range s.entries {
			if !yield(e.Path) {
				return
			}
		}
	}
}
