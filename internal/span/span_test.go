package span_test

import (
	"testing"
	"time"

	"btw-backup/internal/span"
)

func TestParse(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"24h":                    day,
		"7d":                     7 * day,
		"1w3d2h32m":              10*day + 2*time.Hour + 32*time.Minute,
		"1 w 3 d 2 h":            10*day + 2*time.Hour,
		"1 w 3 d 2 h 32 m 10 s":  10*day + 2*time.Hour + 32*time.Minute + 10*time.Second,
		"2 days, 4:13:02":        2*day + 4*time.Hour + 13*time.Minute + 2*time.Second,
		"2 days,  4:13:02.266":   2*day + 4*time.Hour + 13*time.Minute + 2266*time.Millisecond,
		"4:13":                   4*time.Minute + 13*time.Second,
		"4:13:02":                4*time.Hour + 13*time.Minute + 2*time.Second,
		"2:04:13:02.266":         2*day + 4*time.Hour + 13*time.Minute + 2266*time.Millisecond,
		":22":                    22 * time.Second,
		":22.5":                  22500 * time.Millisecond,
		"5 hours, 34 minutes":    5*time.Hour + 34*time.Minute,
		"5 hrs, 34 mins, 56 SEC": 5*time.Hour + 34*time.Minute + 56*time.Second,
		"1.2 min":                72 * time.Second,
		"1.24 min":               74 * time.Second,
		"5.6 wk":                 time.Duration(5.6 * 7 * 86400 * float64(time.Second)),
		"1.5s":                   1500 * time.Millisecond,
		"- 1 minute":             -time.Minute,
		"+32m 1s":                32*time.Minute + time.Second,
		" 1 DY ":                 day,
		"0h":                     0,
		"3d/2h":                  3*day + 2*time.Hour,
	} {
		got, err := span.Parse(text)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", " ", "-", "10", "1y", "1 month", "h", "1h 1d", "4:1", "1..2h", ".h", "1h x", "124:13", "999999999w", "24h\x00"} {
		if got, err := span.Parse(text); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"24h", "1w3d2h32m", "2 days, 4:13:02", ":22", "-1.2 min", "2:04:13:02.266", "999999999999w"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := span.Parse(text)
		if err != nil {
			return
		}
		// What parses means the opposite with a sign before it.
		if opposite, err := span.Parse("-" + text); err == nil && opposite != -got {
			t.Errorf("Parse(%q) = %v, but with a minus sign it is %v", text, got, opposite)
		}
	})
}
