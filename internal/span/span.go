// Package span reads lengths of time as people write them in settings.
//
// The forms are those of Python's pytimeparse, which existing configuration
// files were written for: units ("1w3d2h32m", "2 days, 4:13:02", "1.2 min",
// "5 hours, 34 minutes"), clocks (":22", "4:13", "4:13:02", "2:04:13:02.266";
// a clock of two numbers is minutes and seconds), and a sign before either.
// Case and white space do not matter. A bare number, a year and a month have
// no meaning: "10" of what, and a year of how many days?
package span

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	number  = `([0-9.]+)\s*`
	seconds = `([0-9]{2}(?:\.[0-9]+)?)`
	between = `\s*(?:[,/]\s*)?` // after each unit but the last
	weeks   = `(?:` + number + `(?:w|wks?|weeks?)` + between + `)?\s*`
	days    = `(?:` + number + `(?:d|dys?|days?)` + between + `)?\s*`
)

// A form is one way to write a length of time; units says what each of its
// groups counts.
type form struct {
	pattern *regexp.Regexp
	units   []time.Duration
}

const (
	day  = 24 * time.Hour
	week = 7 * day
)

var forms = []form{
	{
		whole(weeks + days +
			`(?:` + number + `(?:h|hrs?|hours?)` + between + `)?\s*` +
			`(?:` + number + `(?:m|mins?|minutes?)` + between + `)?\s*` +
			`(?:` + number + `(?:s|secs?|seconds?)` + between + `)?`),
		[]time.Duration{week, day, time.Hour, time.Minute, time.Second},
	},
	{
		whole(`([0-9]{1,2}):` + seconds),
		[]time.Duration{time.Minute, time.Second},
	},
	{
		whole(weeks + days + `([0-9]+):([0-9]{2}):` + seconds),
		[]time.Duration{week, day, time.Hour, time.Minute, time.Second},
	},
	{
		whole(`([0-9]+):([0-9]{2}):([0-9]{2}):` + seconds),
		[]time.Duration{day, time.Hour, time.Minute, time.Second},
	},
	{
		whole(`:` + seconds),
		[]time.Duration{time.Second},
	},
}

func whole(pattern string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)^\s*` + pattern + `\s*$`)
}

// Parse returns the length of time that text stands for. It may be negative,
// if text bears a sign.
func Parse(text string) (time.Duration, error) {
	rest := strings.TrimSpace(text)
	sign := 1.0
	switch {
	case strings.HasPrefix(rest, "-"):
		sign, rest = -1, rest[1:]
	case strings.HasPrefix(rest, "+"):
		rest = rest[1:]
	}
	if strings.TrimSpace(rest) == "" {
		return 0, malformed(text)
	}
	for _, f := range forms {
		if groups := f.pattern.FindStringSubmatch(rest); groups != nil {
			return f.sum(text, sign, groups[1:])
		}
	}
	return 0, malformed(text)
}

func (f form) sum(text string, sign float64, groups []string) (time.Duration, error) {
	var total float64
	for i, group := range groups {
		if group == "" {
			continue
		}
		n, err := strconv.ParseFloat(group, 64)
		if err != nil {
			return 0, malformed(text)
		}
		total += n * float64(f.units[i])
	}
	// pytimeparse counts whole seconds unless the seconds bear a fraction.
	if !strings.Contains(groups[len(groups)-1], ".") {
		total = math.Trunc(total/float64(time.Second)) * float64(time.Second)
	}
	if total >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is too long a time", text)
	}
	return time.Duration(sign * total), nil
}

func malformed(text string) error {
	return fmt.Errorf(`%q is not a length of time: write "24h", "7d" or "1w 3d 2h", say`, text)
}
