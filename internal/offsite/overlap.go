package offsite

import (
	"fmt"

	"btw-backup/internal/durable"
)

// OverlapError says that the store and ROOT_PATH lie inside one another, so
// that a copy would be copied again, and a deletion delete the original.
type OverlapError struct{ URI, Root string }

func (e *OverlapError) Error() string {
	return fmt.Sprintf("S3_URI_PREFIX %s and ROOT_PATH %s lie inside one another: the off-site copy needs a place of its own", e.URI, e.Root)
}

// overlap tells whether one of two directories lies in the other or is it,
// once symbolic links are followed.
func overlap(fsys durable.FS, a, b string) (bool, error) {
	a, err := durable.Resolve(fsys, a)
	if err != nil {
		return false, err
	}
	if b, err = durable.Resolve(fsys, b); err != nil {
		return false, err
	}
	inside, err := durable.Within(fsys, a, b)
	if inside || err != nil {
		return inside, err
	}
	return durable.Within(fsys, b, a)
}
