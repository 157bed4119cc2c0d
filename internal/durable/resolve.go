package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
)

// Within tells whether the name p is dir or lies in it. Both must have been
// resolved. A directory is also known by its inode, which sees through a bind
// mount.
func Within(fsys FS, p, dir string) (bool, error) {
	id, known, err := identity(fsys, dir)
	if err != nil {
		return false, err
	}
	for {
		if p == dir {
			return true, nil
		}
		if known {
			other, ok, err := identity(fsys, p)
			if err != nil {
				return false, err
			}
			if ok && other == id {
				return true, nil
			}
		}
		parent := filepath.Dir(p)
		if parent == p {
			return false, nil
		}
		p = parent
	}
}

func identity(fsys FS, name string) (id Identity, known bool, err error) {
	info, err := fsys.Stat(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return id, false, nil
	}
	if err != nil {
		return id, false, err
	}
	id, known = IdentityOf(info)
	return id, known, nil
}

// Resolve follows every symbolic link in an absolute name, as far as it
// exists. A ".." behind a link leads up from where the link points to, as it
// does for the kernel.
func Resolve(fsys FS, name string) (string, error) {
	const mostLinks = 40 // as the kernel
	done := "/"
	rest := strings.Split(name, "/")
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			done = filepath.Dir(done)
			continue
		}
		at := filepath.Join(done, part)
		info, err := Lstat(fsys, at)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return filepath.Join(append([]string{at}, rest...)...), nil
		}
		if err != nil {
			return "", err
		}
		if info.Mode().Type() != fs.ModeSymlink {
			done = at
			continue
		}
		if links++; links > mostLinks {
			return "", fmt.Errorf("%s: too many symbolic links", name)
		}
		target, err := fsys.ReadlinkIfPossible(at)
		if err != nil {
			return "", err
		}
		if filepath.IsAbs(target) {
			done = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return done, nil
}
