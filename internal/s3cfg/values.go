package s3cfg

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Env tells the value of an environment variable, as os.LookupEnv does.
type Env func(name string) (value string, set bool)

// get is os.getenv: what is not set is empty.
func (e Env) get(names ...string) string {
	for _, name := range names {
		if value, _ := e(name); value != "" {
			return value
		}
	}
	return ""
}

// values gives the entries of a file their types. What is wrong is gathered,
// so that a person need not mend one line after the other.
type values struct {
	file    string
	env     Env
	entries map[string]entry
	notes   []string
	wrong   []problem
}

type problem struct {
	line int
	err  error
}

// fail notes what is wrong with an option, which stands in a line or, if line
// is 0, nowhere.
func (v *values) fail(name, format string, args ...any) {
	e, ok := v.entries[name]
	at := v.file
	if ok {
		at = fmt.Sprintf("%s:%d", v.file, e.line)
	}
	v.wrong = append(v.wrong, problem{e.line, fmt.Errorf("%s: %s", at, fmt.Sprintf(format, args...))})
}

// err returns all that was wrong, in the order of the lines.
func (v *values) err() error {
	slices.SortStableFunc(v.wrong, func(a, b problem) int { return a.line - b.line })
	errs := make([]error, len(v.wrong))
	for i, p := range v.wrong {
		errs[i] = p.err
	}
	return errors.Join(errs...)
}

// maxHops is how many variables may point to another one. s3cmd falls over
// its own feet at a circle.
const maxHops = 20

// value returns what an option is set to, with $VARIABLE replaced, and the
// default where nothing sets it. A variable that is not set leaves the
// default, as with s3cmd.
func (v *values) value(name, otherwise string) string {
	e, ok := v.entries[name]
	if !ok {
		return otherwise
	}
	value := e.text
	for range maxHops {
		variable, ok := strings.CutPrefix(value, "$")
		if !ok {
			return value
		}
		if value, ok = v.env(variable); !ok {
			v.notes = append(v.notes, fmt.Sprintf("%s:%d: %s takes its value from the environment, where %s is not set, and has s3cmd's default", v.file, e.line, name, variable))
			return otherwise
		}
	}
	v.fail(name, "%s = %s: the environment variables point to each other in a circle: write the value itself", name, e.text)
	return otherwise
}

// shown is a value as it stands in the file: not what an environment
// variable holds, which may be secret.
func (v *values) shown(name string) string { return v.entries[name].text }

func (v *values) text(name string) string {
	value := v.value(name, used[name].value)
	if used[name].kind == host {
		if rest, ok := strings.CutPrefix(value, "http://"); ok {
			return rest
		}
		return strings.TrimPrefix(value, "https://")
	}
	return value
}

func (v *values) boolean(name string) bool {
	yes, ok := parseBool(v.value(name, used[name].value))
	if !ok {
		v.fail(name, "%s = %s: must be True or False", name, v.shown(name))
	}
	return yes
}

// integer returns a number that is not less than least and not more than
// most.
func (v *values) integer(name string, least, most int64) int64 {
	n, ok := parseInt(v.value(name, used[name].value))
	switch {
	case !ok:
		v.fail(name, "%s = %s: must be a whole number", name, v.shown(name))
	case n < least || n > most:
		v.fail(name, "%s = %s: must lie between %d and %d", name, v.shown(name), least, most)
	}
	return n
}

// rate returns bytes a second, 0 for as fast as it goes.
func (v *values) rate(name string) int64 {
	n, ok := parseRate(v.value(name, used[name].value))
	if !ok {
		v.fail(name, "%s = %s: must be a whole number of bytes a second, or one with k or m behind it", name, v.shown(name))
	}
	return max(n, 0) // s3cmd limits nothing then
}

// refuse fails for each option that is set to what we cannot do.
func (v *values) refuse() {
	for _, name := range slices.Sorted(maps.Keys(refused)) {
		r, bad := refused[name], false
		switch r.kind {
		case boolean:
			yes, ok := parseBool(v.value(name, r.value))
			if !ok {
				v.fail(name, "%s = %s: must be True or False", name, v.shown(name))
			}
			bad = yes
		case perhaps: // anything but nothing and no counts as yes
			value := v.value(name, "")
			yes, ok := parseBool(value)
			bad = value != "" && (yes || !ok)
		case header:
			bad = v.shown(name) != ""
		default:
			bad = v.value(name, r.value) != r.value
		}
		if bad {
			v.fail(name, "%s = %s: %s", name, v.shown(name), r.why)
		}
	}
}

func parseBool(s string) (yes, ok bool) {
	switch strings.ToLower(s) {
	case "true", "yes", "on", "1":
		return true, true
	case "false", "no", "off", "0":
		return false, true
	}
	return false, false
}

// parseInt reads a number as Python does: decimal, with a sign, white space
// around it and single _ between its digits if need be.
func parseInt(s string) (int64, bool) {
	s = trim(s)
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || strings.Contains(digits, "__") || strings.HasPrefix(digits, "_") || strings.HasSuffix(digits, "_") {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64)
	return n, err == nil
}

// parseRate reads a number with a unit. s3cmd cannot read 0k.
func parseRate(s string) (int64, bool) {
	number := strings.TrimRight(s, "kKmM")
	shift := 0
	switch s[len(number):] {
	case "":
		return parseInt(s)
	case "k", "K":
		shift = 10
	case "m", "M":
		shift = 20
	default:
		return 0, false
	}
	n, ok := parseInt(number)
	if !ok || n == 0 || n > math.MaxInt64>>shift || n < math.MinInt64>>shift {
		return 0, false
	}
	return n << shift, true
}
