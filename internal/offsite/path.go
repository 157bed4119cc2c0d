package offsite

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
)

// Marker is the name of the file, in the top of an off-site directory, by
// which it is known again.
const Marker = destination.HiddenPrefix + "offsite"

// clean checks a path that came from the journal, which anybody may have
// edited, and takes the slash at its end away.
func clean(p string) (cleaned string, dir bool, err error) {
	cleaned = strings.TrimSuffix(p, "/")
	if p == "" {
		return "", true, nil
	}
	for part := range strings.SplitSeq(cleaned, "/") {
		if part == "" || part == "." || part == ".." {
			return "", false, fmt.Errorf("%q: not a path below ROOT_PATH", p)
		}
	}
	if strings.ContainsRune(p, 0) {
		return "", false, fmt.Errorf("%q: not a path below ROOT_PATH", p)
	}
	if ours(cleaned) {
		return "", false, fmt.Errorf("%q: names that begin %s or %s are never sent", p, destination.TempPrefix, destination.AsidePrefix)
	}
	return cleaned, cleaned != p, nil
}

// ours tells whether a path is one of those that stay on this machine.
func ours(p string) bool {
	return fixed(p) || slices.ContainsFunc(strings.Split(p, "/"), durable.IsTemp)
}

// fixed tells whether a path is none of ours to send, and none of ours to
// delete off-site either. Temporary names are not among them: wherever one
// lies, it is litter.
//
// lost+found in the top belongs to the file system, on either side; only root
// can read it.
func fixed(p string) bool {
	top, _, _ := strings.Cut(p, "/")
	if top == destination.LostFound || top == Marker {
		return true
	}
	return slices.ContainsFunc(strings.Split(p, "/"), func(part string) bool {
		return strings.HasPrefix(part, destination.AsidePrefix) || strings.HasPrefix(part, destination.OldPrefix)
	})
}

// join puts a path below another; either may be empty.
func join(dir, p string) string {
	switch {
	case dir == "":
		return p
	case p == "":
		return dir
	}
	return dir + "/" + p
}

// below tells whether p is dir or lies in it: a/ is not a2/.
func below(p, dir string) bool {
	return dir == "" || p == dir || strings.HasPrefix(p, dir+"/")
}

// parents gives the directories that p lies in, innermost first, without the
// top.
func parents(p string) []string {
	var all []string
	for at := path.Dir(p); at != "."; at = path.Dir(at) {
		all = append(all, at)
	}
	return all
}
