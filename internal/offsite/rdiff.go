package offsite

import (
	"path"
	"strings"

	"btw-backup/internal/rdiff"
)

// An rdiff-backup repository is many files that mean something only together,
// and a copy may be cut off between any two of them. rdiff-backup itself
// knows how to mend a repository in which it was cut off, so a copy is sent
// in the order in which it would have come about here:
//
//  1. increments, which nobody looks at yet
//  2. the new current_mirror marker: from now on there are two, which says
//     that a run is going on, and "regress" returns to the older state
//  3. the metadata
//  4. the mirror, whose older state can now be had from the increments
//  5. statistics and the log
//
// and, after all uploads, the deletions, the old marker last of all: with it
// the repository is whole. A marker sent before the increments would leave
// what regress cannot mend (two markers and no increment); metadata sent
// before the marker what nothing is restored from (two snapshots of it and one
// marker).
const (
	phaseIncrements = iota
	phaseMarker
	phaseMetadata
	phaseMirror
	phaseStatistics
	phases
)

// repoOf gives the repository that p lies in, if it lies in one: the
// outermost, for what is in a mirror is but data.
func repoOf(repos map[string]bool, p string) (repo string, ok bool) {
	for _, dir := range append([]string{p}, parents(p)...) {
		if repos[dir] {
			repo, ok = dir, true
		}
	}
	if repos[""] { // ROOT_PATH itself
		return "", true
	}
	return repo, ok
}

// phaseOf tells when p is sent. What lies in no repository has no order.
func phaseOf(repos map[string]bool, p string) int {
	repo, ok := repoOf(repos, p)
	if !ok || p == repo {
		return phaseIncrements
	}
	data, ok := strings.CutPrefix(p, join(repo, rdiff.DataDir))
	switch {
	case !ok || data != "" && data[0] != '/':
		return phaseMirror
	case isMarker(p):
		return phaseMarker
	case data == "", data == "/increments", strings.HasPrefix(data, "/increments/"), strings.HasPrefix(data, "/increments."):
		return phaseIncrements
	case strings.HasPrefix(data, "/session_statistics."),
		strings.HasPrefix(data, "/file_statistics."),
		data == "/"+rdiff.Log:
		return phaseStatistics
	}
	return phaseMetadata
}

// isMarker tells whether p is a repository's current_mirror marker.
func isMarker(p string) bool {
	dir, base := path.Split(p)
	return rdiff.IsMarker(base) && path.Base(dir) == rdiff.DataDir
}
