package retention_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"btw-backup/internal/retention"
)

// items makes good items of times; a "!" before one makes it bad.
func items(t *testing.T, times string) []retention.Item {
	t.Helper()
	var all []retention.Item
	for _, text := range strings.Fields(times) {
		name, bad := strings.CutPrefix(text, "!")
		layout := "2006-01-02"
		if len(name) > len(layout) {
			layout = "2006-01-02T15:04"
		}
		at, err := time.Parse(layout, name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, retention.Item{Name: name, Group: name, Time: at, Good: !bad, Why: "damaged"})
	}
	return all
}

func kept(plan []retention.Decision) string {
	var names []string
	for _, d := range plan {
		if d.Keep {
			names = append(names, d.Name)
		}
	}
	return strings.Join(names, " ")
}

func TestPlan(t *testing.T) {
	for _, test := range []struct {
		name   string
		items  string
		policy retention.Policy
		want   string
	}{
		{"no rule keeps everything", "2020-01-01 2026-01-01", retention.Policy{}, "2020-01-01 2026-01-01"},
		{"nothing is there", "", retention.Policy{Last: 1}, ""},
		{"the last", "2026-01-01 2026-01-02 2026-01-03", retention.Policy{Last: 2}, "2026-01-02 2026-01-03"},
		{"the newest is kept by every policy", "2010-01-01 2011-01-01", retention.Policy{Within: time.Hour}, "2011-01-01"},
		{"of a day the newest counts", "2026-01-01T01:00 2026-01-01T23:59 2026-01-02T00:00", retention.Policy{Daily: 2}, "2026-01-01T23:59 2026-01-02T00:00"},
		{"leap days are days, months and years of their own", "2024-02-28 2024-02-29 2024-03-01", retention.Policy{Daily: 2, Monthly: 2}, "2024-02-29 2024-03-01"},
		{
			"a month with runs missed starves no rule",
			"2025-12-30 2025-12-31 2026-03-29 2026-03-30 2026-03-31",
			retention.Policy{Daily: 4},
			"2025-12-31 2026-03-29 2026-03-30 2026-03-31",
		},
		{
			"weeks are ISO's: the 1st of January lies in the last week of the year before",
			"2025-12-28 2025-12-29 2026-01-01 2026-01-04 2026-01-05",
			retention.Policy{Weekly: 3},
			"2025-12-28 2026-01-04 2026-01-05",
		},
		{
			"a week of 53",
			"2020-12-27 2020-12-28 2021-01-03 2021-01-04",
			retention.Policy{Weekly: 2},
			"2021-01-03 2021-01-04",
		},
		{
			"months and years, the newest of each",
			"2024-01-01 2024-12-31 2025-06-01 2025-12-01 2026-01-15 2026-01-16 2026-02-01",
			retention.Policy{Monthly: 2, Yearly: 3},
			"2024-12-31 2025-12-01 2026-01-16 2026-02-01",
		},
		{
			// The clocks of Europe went forward on 29 March 2026 at 01:00 UTC and
			// back on 26 October 2025: days are UTC's, and do not care.
			"clocks that are put forward and back",
			"2025-10-25T23:30 2025-10-26T00:30 2025-10-26T01:30 2026-03-28T23:30 2026-03-29T00:30 2026-03-29T01:30",
			retention.Policy{Daily: 4},
			"2025-10-25T23:30 2025-10-26T01:30 2026-03-28T23:30 2026-03-29T01:30",
		},
		{"ages count from the newest good one", "2026-03-24T11:59 2026-03-24T12:00 2026-03-24T12:01 2026-03-31T12:00 !2026-05-01", retention.Policy{Within: 7 * 24 * time.Hour}, "2026-03-24T12:01 2026-03-31T12:00 2026-05-01"},
		{
			"a run of bad ones evicts no good one, and stays to be looked at",
			"2026-01-01 2026-01-02 !2026-01-03 !2026-01-04 !2026-01-05",
			retention.Policy{Last: 1},
			"2026-01-02 2026-01-03 2026-01-04 2026-01-05",
		},
		{
			"of a day the newest good one counts",
			"2026-01-01T01:00 2026-01-01T02:00 !2026-01-01T03:00 2026-01-02",
			retention.Policy{Daily: 2},
			"2026-01-01T02:00 2026-01-01T03:00 2026-01-02",
		},
		{"none good", "!2026-01-01 !2026-01-02", retention.Policy{Last: 1}, "2026-01-01 2026-01-02"},
		{"rules add up", "2025-05-05 2026-01-01 2026-01-02 2026-01-03", retention.Policy{Last: 1, Yearly: 2}, "2025-05-05 2026-01-03"},
	} {
		all := items(t, test.items)
		slices.Reverse(all) // the order does not matter
		got := kept(retention.Plan(all, test.policy))
		if got != test.want {
			t.Errorf("%s: kept %s\nwant %s", test.name, got, test.want)
		}
	}
}

// What keeps one state of a chain keeps all of it.
func TestChains(t *testing.T) {
	all := items(t, "2026-01-01 2026-01-02 2026-01-03 2026-01-04 2026-01-05 2026-01-06")
	for i := range all {
		all[i].Group = fmt.Sprint(i / 2)
	}
	got := kept(retention.Plan(all, retention.Policy{Daily: 3}))
	if want := "2026-01-03 2026-01-04 2026-01-05 2026-01-06"; got != want {
		t.Errorf("kept %s, want %s", got, want)
	}
}

func TestEachDecisionHasAReason(t *testing.T) {
	plan := retention.Plan(items(t, "2026-01-01 2026-01-02 !2026-01-03 2026-01-04"), retention.Policy{Daily: 2})
	var got []string
	for _, d := range plan {
		got = append(got, fmt.Sprint(d.Keep, " ", strings.Join(d.Reasons, ", ")))
	}
	want := []string{
		"false no rule keeps it",
		"true the newest of the day 2026-01-02",
		"true not known to be good: damaged",
		"true the newest, the newest of the day 2026-01-04",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// FuzzPlan holds what must be so of every plan.
func FuzzPlan(f *testing.F) {
	f.Add([]byte{1, 2, 3, 200}, uint8(1), uint8(2), uint8(0), uint8(3), uint8(0), uint16(0))
	f.Add([]byte{0, 0, 0, 9, 255, 17}, uint8(0), uint8(0), uint8(0), uint8(0), uint8(0), uint16(48))
	f.Fuzz(func(t *testing.T, gaps []byte, last, daily, weekly, monthly, yearly uint8, within uint16) {
		if len(gaps) > 200 {
			return
		}
		at := time.Date(2023, 12, 30, 22, 0, 0, 0, time.UTC)
		var all []retention.Item
		for i, gap := range gaps {
			at = at.Add(time.Duration(gap>>1)*5*time.Hour + time.Second)
			all = append(all, retention.Item{Name: fmt.Sprint(i), Group: fmt.Sprint(i - int(gap>>1)%3), Time: at, Good: gap&1 == 0})
		}
		p := retention.Policy{
			Last: int(last), Daily: int(daily), Weekly: int(weekly), Monthly: int(monthly), Yearly: int(yearly),
			Within: time.Duration(within) * time.Hour,
		}
		plan := retention.Plan(all, p)
		if len(plan) != len(all) {
			t.Fatalf("%d decisions on %d items", len(plan), len(all))
		}
		newest := -1
		keep := map[string]bool{}
		for i, d := range plan {
			keep[d.Name] = d.Keep
			if d.Good {
				newest = i
			}
			if !d.Good && !d.Keep {
				t.Error("a bad one is removed")
			}
			if len(d.Reasons) == 0 {
				t.Error("a decision without a reason")
			}
			if p.None() && !d.Keep {
				t.Error("something is removed without a rule")
			}
		}
		groups := map[string]bool{}
		for _, d := range plan {
			if was, ok := groups[d.Group]; ok && was != d.Keep {
				t.Error("a chain is torn apart")
			}
			groups[d.Group] = d.Keep
		}
		if newest >= 0 && !plan[newest].Keep {
			t.Error("the newest good one is removed")
		}
		// A larger number keeps no less.
		more := p
		more.Last, more.Daily, more.Weekly, more.Monthly, more.Yearly = p.Last+1, p.Daily+1, p.Weekly+1, p.Monthly+1, p.Yearly+1
		if !p.None() {
			for _, d := range retention.Plan(all, more) {
				if keep[d.Name] && !d.Keep {
					t.Errorf("%+v keeps %s and %+v does not", p, d.Name, more)
				}
			}
		}
		// What was removed changes nothing: a second plan removes no more.
		var left []retention.Item
		for _, d := range plan {
			if d.Keep {
				left = append(left, d.Item)
			}
		}
		for _, d := range retention.Plan(left, p) {
			if !d.Keep {
				t.Errorf("%s is removed only the second time", d.Name)
			}
		}
		// A bad one more, newer than all, evicts nothing.
		worse := append(slices.Clone(all), retention.Item{Name: "bad", Group: "bad", Time: at.Add(time.Minute)})
		for _, d := range retention.Plan(worse, p) {
			if d.Name != "bad" && d.Keep != keep[d.Name] {
				t.Errorf("a bad backup changes what becomes of %s", d.Name)
			}
		}
	})
}
