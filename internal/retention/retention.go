// Package retention decides which backups are kept.
//
// # Concepts
//
// What is decided on is an [Item]: one state, which is a tar backup or one of a
// chain of rdiff-backup. It has a time, and it is good, or known not to be. The
// states of a chain need one another: they are one group, and what keeps one of
// them keeps all.
//
// A [Policy] names rules: the last N, one for each of the last N days, weeks,
// months and years in which there is one, and all that is not older than the
// newest by some span. An item is kept if any rule wants it; [Plan] says for each one which
// does, or that none does. Days are those of UTC, as in the backups' names: they
// all have 24 hours, whatever clocks are put forward or back. Weeks are ISO's
// and begin on Monday.
//
// The last N days are those that have a backup, not the last N on the calendar.
// Ages are counted from the newest good item, not from now. So a server that
// stood still for a month loses nothing by it, nor does one whose clock has run
// away: rules do not starve, and the time of day decides nothing. And of a day it is the newest item that counts.
//
// Only good items count. One that is damaged is neither taken for the newest of
// its day nor for one of the last N: a run of failures evicts nothing. It is kept
// as well, for a person to look at. The newest good item is always kept, and a
// policy without rules keeps everything.
package retention

import (
	"fmt"
	"slices"
	"time"
)

// Item is a state.
type Item struct {
	Name  string
	Group string // what is kept or removed as a whole
	Time  time.Time
	Good  bool
	Why   string // it is not good
}

// Policy says how much is kept. The zero Policy keeps everything.
type Policy struct {
	Last, Daily, Weekly, Monthly, Yearly int
	Within                               time.Duration
}

// None tells whether there is no rule: then nothing is ever removed.
func (p Policy) None() bool { return p == Policy{} }

// Decision is what is decided on an item. One that no rule wants is kept if
// another of its group is.
type Decision struct {
	Item
	Keep    bool
	Reasons []string
}

// A rule keeps the newest item of each of the last count periods.
type rule struct {
	count  int
	word   string
	period func(t time.Time) string // the name of the period that t lies in
}

func (p Policy) rules() []rule {
	return []rule{
		{p.Daily, "day", func(t time.Time) string { return t.Format(time.DateOnly) }},
		{p.Weekly, "week", func(t time.Time) string {
			year, week := t.ISOWeek()
			return fmt.Sprintf("%d-W%02d", year, week)
		}},
		{p.Monthly, "month", func(t time.Time) string { return t.Format("2006-01") }},
		{p.Yearly, "year", func(t time.Time) string { return t.Format("2006") }},
	}
}

// Plan decides on all items. The decisions are in the order of time, oldest
// first.
func Plan(items []Item, p Policy) []Decision {
	plan := make([]Decision, len(items))
	for i, item := range items {
		plan[i] = Decision{Item: item}
	}
	slices.SortStableFunc(plan, func(a, b Decision) int { return a.Time.Compare(b.Time) })
	keep := func(d *Decision, reason string) {
		d.Keep = true
		d.Reasons = append(d.Reasons, reason)
	}
	var good []*Decision // newest first
	for i := range slices.Backward(plan) {
		d := &plan[i]
		switch {
		case p.None():
			keep(d, "no rule is set")
		case !d.Good:
			keep(d, "not known to be good: "+d.Why)
		}
		if d.Good {
			good = append(good, d)
		}
	}
	if p.None() {
		return plan
	}
	for i, d := range good {
		if i == 0 {
			keep(d, "the newest")
		}
		if i < p.Last {
			keep(d, fmt.Sprintf("one of the last %d", p.Last))
		}
		if p.Within > 0 && good[0].Time.Sub(d.Time) < p.Within {
			keep(d, "not much older than the newest")
		}
	}
	for _, r := range p.rules() {
		seen := map[string]bool{}
		for _, d := range good {
			period := r.period(d.Time.UTC())
			if len(seen) < r.count && !seen[period] {
				keep(d, fmt.Sprintf("the newest of the %s %s", r.word, period))
			}
			seen[period] = true
		}
	}
	groups := map[string]bool{}
	for _, d := range plan {
		groups[d.Group] = groups[d.Group] || d.Keep
	}
	for i := range plan {
		d := &plan[i]
		switch {
		case d.Keep:
		case groups[d.Group]:
			keep(d, "another state of its chain is kept")
		default:
			d.Reasons = []string{"no rule keeps it"}
		}
	}
	return plan
}
