// Package faultfs gives tests a file system in which something is wrong that
// root, whom no mode keeps out, could not bring about.
package faultfs

import (
	"io/fs"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
)

// Unreadable is the real file system, in which one name cannot be opened.
type Unreadable struct {
	durable.OS
	Denied string
}

// Open opens any other name than Denied.
func (u Unreadable) Open(name string) (afero.File, error) {
	if name == u.Denied {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return u.OS.Open(name)
}
