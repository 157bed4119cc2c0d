package settings

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"btw-backup/internal/span"
)

// values are the names that a file assigns, and where.
type values struct {
	file string
	all  map[string]any
}

// check refuses names that are nearly one of known.
func (v values) check(known ...string) error {
	for _, name := range slices.Sorted(maps.Keys(v.all)) {
		if slices.Contains(known, name) {
			continue
		}
		for _, k := range known {
			if nearly(name, k) {
				return fmt.Errorf("%s: there is no setting %s; did you mean %s?", v.file, name, k)
			}
		}
	}
	return nil
}

// nearly tells whether name looks like a slip for the setting known: the same
// but for case and underscores, or one or two letters off.
func nearly(name, known string) bool {
	flat := func(s string) string { return strings.ToUpper(strings.ReplaceAll(s, "_", "")) }
	allowed := 2
	if len(known) < 8 {
		allowed = 1
	}
	return distance(flat(name), flat(known)) <= allowed
}

// distance counts the letters to insert, drop, replace or swap with their
// neighbour to make a into b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

// text returns a setting that is a string, or fallback if it is not given.
func (v values) text(name, fallback string) (string, error) {
	value, ok := v.all[name]
	if !ok {
		return fallback, nil
	}
	s, ok := value.(string)
	if !ok {
		return "", v.wrong(name, `a string in quotes`, value)
	}
	if strings.ContainsRune(s, 0) {
		return "", fmt.Errorf("%s: %s holds a NUL byte", v.file, name)
	}
	return s, nil
}

// count returns a setting that is a whole number and not negative.
func (v values) count(name string, fallback int) (int, error) {
	value, ok := v.all[name]
	if !ok {
		return fallback, nil
	}
	n, ok := value.(int64)
	if !ok || n < 0 || n > math.MaxInt32 {
		return 0, v.wrong(name, "a whole number, 0 or more", value)
	}
	return int(n), nil
}

// flag returns a setting that is True or False, which is what it is if it is not
// given.
func (v values) flag(name string) (bool, error) {
	value, ok := v.all[name]
	if !ok {
		return false, nil
	}
	b, ok := value.(bool)
	if !ok {
		return false, v.wrong(name, "True or False", value)
	}
	return b, nil
}

// span returns a setting that is a length of time.
func (v values) span(name string, fallback time.Duration) (time.Duration, error) {
	value, ok := v.all[name]
	if !ok {
		return fallback, nil
	}
	s, ok := value.(string)
	if !ok {
		return 0, v.wrong(name, `a length of time in quotes, such as "24h"`, value)
	}
	d, err := span.Parse(s)
	if err != nil {
		return 0, fmt.Errorf("%s: %s: %w", v.file, name, err)
	}
	return d, nil
}

func (v values) wrong(name, want string, value any) error {
	var shown string
	switch value := value.(type) {
	case nil:
		shown = "None"
	case bool:
		shown = map[bool]string{false: "False", true: "True"}[value]
	case string:
		shown = strconv.Quote(value)
	case float64: // 10.0, not 10, which would be right
		if shown = strconv.FormatFloat(value, 'g', -1, 64); !strings.ContainsAny(shown, ".eIN") {
			shown += ".0"
		}
	case []any:
		shown = "a list"
	case map[string]any:
		shown = "a dict"
	default:
		shown = fmt.Sprint(value)
	}
	return fmt.Errorf("%s: %s must be %s, not %s", v.file, name, want, shown)
}
