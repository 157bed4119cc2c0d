package crashfs

import (
	"fmt"
	"math/rand/v2"
)

// Survival says what of the changes that were not durable survives a power cut.
type Survival struct {
	Name  string
	fates func(events []Event, loose []int) []fate
}

func (s Survival) String() string { return s.Name }

// fate is what becomes of one change.
type fate int

const (
	kept   fate = iota
	lost        // it never happened
	zeroed      // a write: the file has its length, and zeros for the bytes
	torn        // a write: its first half is there, and the file has its length
	cut         // a write: its first half is there, and the file ends with it
)

// suffer returns what is left of the change; ok is false for nothing.
func (e *Event) suffer(f fate) (c change, ok bool) {
	c = e.change
	if f == lost {
		return c, false
	}
	if c.kind != ofBytes || f == kept {
		return c, true
	}
	half := len(c.data) / 2
	switch f {
	case zeroed:
		c.data = make([]byte, len(c.data))
	case torn:
		c.data = append(c.data[:half:half], make([]byte, len(c.data)-half)...)
	case cut:
		c.data = c.data[:half]
	}
	return c, true
}

// each makes a survival that looks at one change at a time.
func each(name string, judge func(e *Event) fate) Survival {
	return Survival{name, func(events []Event, loose []int) []fate {
		fates := make([]fate, len(loose))
		for i, n := range loose {
			fates[i] = judge(&events[n])
		}
		return fates
	}}
}

// The survivals that have a name.
var (
	// Everything survives, be it durable or not.
	Everything = each("everything", func(*Event) fate { return kept })

	// OnlySynced is the strictest: what was not synced never happened.
	OnlySynced = each("only what was synced", func(*Event) fate { return lost })

	// NamesWithoutBytes leaves files of no length, or of the length that was
	// synced.
	NamesWithoutBytes = each("names without bytes", func(e *Event) fate {
		if e.kind == ofNames {
			return kept
		}
		return lost
	})

	// BytesWithoutNames loses every change of a directory.
	BytesWithoutNames = each("bytes without names", func(e *Event) fate {
		if e.kind == ofNames {
			return lost
		}
		return kept
	})

	// LengthsWithZeros leaves files of their full length, full of zeros.
	LengthsWithZeros = each("lengths with zeros", func(*Event) fate { return zeroed })

	// TornTails leaves half of the last write to each file, and zeros.
	TornTails = tail("torn tails", torn)

	// CutTails leaves half of the last write to each file, and no more.
	CutTails = tail("tails that are cut off", cut)

	// RemovalsFirst keeps what was removed away, and loses what was made.
	RemovalsFirst = each("removals alone", func(e *Event) fate {
		if e.removal() || e.kind == ofLength {
			return kept
		}
		return lost
	})

	// RemovalsLost brings back what was removed.
	RemovalsLost = each("all but removals", func(e *Event) fate {
		if e.removal() {
			return lost
		}
		return kept
	})

	// RenamesFirst keeps what was renamed, and loses what else was done.
	RenamesFirst = each("renames alone", func(e *Event) fate {
		if e.renaming() {
			return kept
		}
		return lost
	})

	// RenamesLost gives everything its old name back.
	RenamesLost = each("all but renames", func(e *Event) fate {
		if e.renaming() {
			return lost
		}
		return kept
	})
)

// Named are all survivals that have a name.
func Named() []Survival {
	return []Survival{
		Everything, OnlySynced, NamesWithoutBytes, BytesWithoutNames, LengthsWithZeros, TornTails, CutTails,
		RemovalsFirst, RemovalsLost, RenamesFirst, RenamesLost,
	}
}

// tail gives the last write to each file a fate.
func tail(name string, last fate) Survival {
	return Survival{name, func(events []Event, loose []int) []fate {
		fates := make([]fate, len(loose))
		seen := map[id]bool{}
		for i := len(loose) - 1; i >= 0; i-- {
			if e := &events[loose[i]]; e.kind == ofBytes && !seen[e.file] {
				seen[e.file] = true
				fates[i] = last
			}
		}
		return fates
	}}
}

// Prefix keeps the first n of the changes that were not durable: what a file
// system leaves that writes its journal in order.
func Prefix(n int) Survival {
	return Survival{fmt.Sprintf("the first %d changes", n), func(_ []Event, loose []int) []fate {
		fates := make([]fate, len(loose))
		for i := range fates {
			if i >= n {
				fates[i] = lost
			}
		}
		return fates
	}}
}

// Random rolls dice for each change.
func Random(seed uint64) Survival {
	return Survival{fmt.Sprintf("seed %d", seed), func(_ []Event, loose []int) []fate {
		dice := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // it has to be the same each time
		fates := make([]fate, len(loose))
		for i := range fates {
			if fates[i] = kept; dice.IntN(2) == 0 {
				fates[i] = fate(dice.IntN(int(cut) + 1))
			}
		}
		return fates
	}}
}

// ParseSurvival returns the survival of a name.
func ParseSurvival(name string) (Survival, error) {
	for _, s := range Named() {
		if s.Name == name {
			return s, nil
		}
	}
	var n int
	if _, err := fmt.Sscanf(name, "the first %d changes", &n); err == nil {
		return Prefix(n), nil
	}
	var seed uint64
	if _, err := fmt.Sscanf(name, "seed %d", &seed); err == nil {
		return Random(seed), nil
	}
	return Survival{}, fmt.Errorf("there is no survival %q", name)
}
