package offsite

import (
	"fmt"
	"strings"
)

// printable gives the name that s3cmd gives an object: a control character
// becomes ^ and a letter.
func printable(name string) string {
	if strings.IndexFunc(name, isControl) < 0 {
		return name
	}
	var b strings.Builder
	for _, r := range name {
		switch {
		case r == 0x7f:
			b.WriteString("^?")
		case isControl(r):
			b.WriteByte('^')
			b.WriteRune('@' + r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// quote makes a Python regular expression that matches text alone.
func quote(text string) string {
	var b strings.Builder
	for _, r := range text {
		if strings.ContainsRune(`\.+*?()|[]{}^$`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// collisions makes sure that no two names become one.
func collisions(t *tree) error {
	seen := make(map[string]string, len(t.items))
	for _, it := range t.items {
		key := printable(it.path)
		if other, ok := seen[key]; ok {
			return fmt.Errorf("%q and %q would have the same name off-site: rename one", other, it.path)
		}
		seen[key] = it.path
	}
	return nil
}

// translate gives objects the names that they have here.
func translate(t *tree, there []object) {
	here := map[string]string{}
	for _, it := range t.items {
		if key := printable(it.path); key != it.path {
			here[key] = it.path
		}
	}
	for i, o := range there {
		if name, ok := here[o.path]; ok {
			there[i].path = name
		}
	}
	for _, k := range t.keep {
		if key := printable(k); key != k {
			t.keep = append(t.keep, key)
		}
	}
}
