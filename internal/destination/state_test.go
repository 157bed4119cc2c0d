package destination_test

import (
	"testing"
	"time"

	"btw-backup/internal/destination"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestParseTime(t *testing.T) {
	for text, want := range map[string]string{
		"2026-01-31T13:05:09":       "2026-01-31T13:05:09.999999999Z",
		"2026-01-31 13:05:09":       "2026-01-31T13:05:09.999999999Z",
		"2026-01-31t13:05:09z":      "2026-01-31T13:05:09.999999999Z",
		"2026-01-31T13:05:09+05:45": "2026-01-31T07:20:09.999999999Z",
		"2026-01-31T13:05-0200":     "2026-01-31T15:05:59.999999999Z",
		"2026-01-31T13:05":          "2026-01-31T13:05:59.999999999Z",
		"2024-02-29":                "2024-02-29T23:59:59.999999999Z",
		"2026-01-31Z":               "2026-01-31T23:59:59.999999999Z",
		"2d":                        "2026-02-27T12:00:00Z",
		" 1w 1d 1h ":                "2026-02-21T11:00:00Z",
		"0s":                        "2026-03-01T12:00:00Z",
	} {
		got, err := destination.ParseTime(text, noon)
		if err != nil || got.Format(time.RFC3339Nano) != want {
			t.Errorf("ParseTime(%q) = %v, %v; want %s", text, got.Format(time.RFC3339Nano), err, want)
		}
	}
	for _, text := range []string{"", "yesterday", "-2d", "2026-02-30", "2026-13-01", "2026-01-31T25:00", "31.1.2026", "5", "1y"} {
		if got, err := destination.ParseTime(text, noon); err == nil {
			t.Errorf("ParseTime(%q) = %v, want an error", text, got)
		}
	}
}

func TestAt(t *testing.T) {
	at := func(text string) time.Time {
		got, err := time.Parse(destination.TimeLayout, text)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	contents := destination.Contents{Backups: []destination.Backup{
		{Dst: "d", Kind: destination.Rdiff, Time: at("2026-01-01T00:00:00"), Increments: []time.Time{at("2026-01-02T00:00:00"), at("2026-01-04T00:00:00")}},
		{Dst: "d", Kind: destination.Tar, Time: at("2026-01-03T00:00:00")},
	}}
	for text, want := range map[string]string{
		"":                          "2026-01-04T00:00:00",
		"2026-01-03T00:00:00.tbz":   "2026-01-03T00:00:00.tbz",
		"2026-01-03T00:00:00":       "2026-01-03T00:00:00.tbz",
		"2026-01-03":                "2026-01-03T00:00:00.tbz",
		"2026-01-02T23:59":          "2026-01-02T00:00:00",
		"2026-01-02T00:00:00":       "2026-01-02T00:00:00",
		"2026-01-02T00:00:00+00:01": "2026-01-01T00:00:00",
		"57d":                       "2026-01-03T00:00:00.tbz",
	} {
		state, err := contents.At(text, noon)
		if err != nil || state.Name() != want {
			t.Errorf("At(%q) = %s, %v; want %s", text, state.Name(), err, want)
		}
	}
	newest, _ := contents.At("", noon)
	if older, _ := contents.At("2026-01-02", noon); !newest.Newest() || older.Newest() || older.Nth != 1 {
		t.Errorf("%v and %v: which one is the mirror of the chain?", newest, older)
	}
	for _, text := range []string{"2025-12-31", "2026-01-05T00:00:00.tbz", "x", "200d"} {
		if state, err := contents.At(text, noon); err == nil {
			t.Errorf("At(%q) = %s, want an error", text, state.Name())
		}
	}
	if _, err := (destination.Contents{}).At("", noon); err == nil {
		t.Error("there is a state where there is none")
	}
}
