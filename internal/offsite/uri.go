package offsite

import (
	"path/filepath"
	"strings"
)

// DirectoryOf returns the directory that a URI names, and whether it names
// one.
func DirectoryOf(uri string) (dir string, ok bool) {
	dir, ok = strings.CutPrefix(uri, "file://")
	if !ok || !strings.HasPrefix(dir, "/") {
		return "", false
	}
	return filepath.Clean(dir), true
}
