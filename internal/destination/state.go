package destination

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"btw-backup/internal/span"
)

// State is one state of what was backed up: a tar backup, or one of the states
// of a chain.
type State struct {
	Backup Backup

	// Nth counts the states of a chain; 0 is the full backup.
	Nth int

	// Time is the one in its name.
	Time time.Time
}

// Name is what list prints.
func (s State) Name() string {
	if s.Nth == 0 {
		return s.Backup.Name()
	}
	return Name(s.Time)
}

// Path names it with its destination, for a person.
func (s State) Path() string { return s.Backup.Dst + "/" + s.Name() }

// Newest tells whether no later state is in its backup.
func (s State) Newest() bool { return s.Nth == len(s.Backup.Increments) }

// States returns the states that a backup holds, oldest first.
func (b Backup) States() []State {
	states := []State{{Backup: b, Time: b.Time}}
	for i, t := range b.Increments {
		states = append(states, State{b, i + 1, t})
	}
	return states
}

// States returns all states in a destination, oldest first.
func (c Contents) States() []State {
	var states []State
	for _, b := range c.Backups {
		states = append(states, b.States()...)
	}
	slices.SortStableFunc(states, func(a, b State) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Backup.Name(), b.Backup.Name()))
	})
	return states
}

// At returns the state that text asks for: by its name, or else the newest one
// that is not later than the time that text means. An empty text asks for the
// newest of all.
func (c Contents) At(text string, now time.Time) (State, error) {
	states := c.States()
	if len(states) == 0 {
		return State{}, errors.New("there is no backup")
	}
	if text == "" {
		return states[len(states)-1], nil
	}
	for _, s := range slices.Backward(states) {
		if s.Name() == text {
			return s, nil
		}
	}
	// The name of a file that is not there, and not the time in it.
	if t, kind, ok := ParseName(text); ok && kind == Tar {
		return State{}, fmt.Errorf("there is no backup %s%s", Name(t), TarSuffix)
	}
	limit, err := ParseTime(text, now)
	if err != nil {
		return State{}, err
	}
	for _, s := range slices.Backward(states) {
		if !s.Time.After(limit) {
			return s, nil
		}
	}
	return State{}, fmt.Errorf("there is no backup as old as %s: the oldest is %s", Name(limit), states[0].Name())
}

// layouts are the ways to write a time. One that leaves something out means
// the last moment of what it names.
var layouts = []struct {
	layout string
	names  func(t time.Time) time.Time // the moment after
}{
	{"2006-01-02T15:04:05", func(t time.Time) time.Time { return t.Add(time.Second) }},
	{"2006-01-02T15:04", func(t time.Time) time.Time { return t.Add(time.Minute) }},
	{"2006-01-02", func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
}

// ParseTime reads the time that a person means: "2026-01-31T13:05:09", with a
// blank in place of the T if he likes, in UTC or with an offset behind it;
// "2026-01-31T13:05" and "2026-01-31", the end of that minute or day; or how
// long ago, "2d".
func ParseTime(text string, now time.Time) (time.Time, error) {
	written := strings.ToUpper(strings.TrimSpace(text))
	if day, clock, ok := strings.Cut(written, " "); ok && strings.Contains(clock, ":") && strings.Count(day, "-") == 2 {
		written = day + "T" + clock
	}
	for _, l := range layouts {
		for _, zone := range []string{"", "Z07:00", "Z0700"} {
			if t, err := time.Parse(l.layout+zone, written); err == nil {
				return l.names(t).Add(-time.Nanosecond).UTC(), nil
			}
		}
	}
	ago, err := span.Parse(text)
	if err != nil || ago < 0 {
		return time.Time{}, fmt.Errorf(`%q is neither a backup's name, nor a time such as 2026-01-31 or 2026-01-31T13:05:09+02:00, nor how long ago, such as "2d"`, text)
	}
	return now.Add(-ago).UTC(), nil
}
