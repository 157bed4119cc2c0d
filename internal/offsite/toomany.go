package offsite

import "fmt"

// A Sync that would delete most of what is off-site is more often a mistake
// than a wish: the wrong disk, a program that ran wild. So it deletes nothing,
// unless it was told to.

// A prefix of fewCopies or less is too small for shares to mean something.
const fewCopies = 100

// DeletionsError says that nothing was deleted off-site, because it would have
// been most of what is there; all else was done. What is left to do stays
// pending: [Config].AllowDeletions does it.
type DeletionsError struct {
	URI       string
	Path      string // relative to ROOT_PATH; empty is all of it
	Deletions int64
	Of        int64
}

func (e *DeletionsError) Error() string {
	what := e.Path
	if what == "" {
		what = "ROOT_PATH"
	}
	return fmt.Sprintf("%s: %d of the %d files that %s holds of it are no longer here: they were not deleted there, since that is more than half; "+
		"if it is meant, allow it once: btw-backup sync --allow-deletions", what, e.Deletions, e.Of, e.URI)
}

// tooMany tells whether deleting so many of what is off-site is refused.
func (b *base) tooMany(p string, deletions, of int64) error {
	if b.AllowDeletions != nil && b.AllowDeletions() || of <= fewCopies || deletions <= of/2 {
		return nil
	}
	return &DeletionsError{b.URI, p, deletions, of}
}
