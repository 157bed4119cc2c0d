package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/afero"
)

// ReadID returns the id that the file name holds, by which a disk is known
// again; "" if there is no such file. An empty file is an error: it bore an
// id, and a disk of which that is forgotten must not pass for a new one.
func ReadID(fsys FS, name string) (id string, err error) {
	content, err := afero.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if id = strings.TrimSpace(string(content)); id == "" {
		return "", fmt.Errorf("%s is empty: it should hold an id", name)
	}
	return id, nil
}
