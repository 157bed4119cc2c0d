package run

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
	"btw-backup/internal/exec"
)

// untar has GNU tar extract an archive, or some of it.
type untar struct {
	run  *Run
	file *StateFile
	dir  string // where to

	lists   string   // a directory for the lists of what is chosen; empty means all of it
	parents []string // names of directories whose contents are not
	names   []string
	also    []string
	verdict Verdict
}

// extract reads the archive, gives it to tar, and finds out whether it is what
// was backed up.
func (u *untar) extract(ctx context.Context) error {
	args := []string{
		"tar", "--extract", "--file=-", "--directory=" + u.dir,
		// By number: the names belong to whichever users this machine has now,
		// which may be a rescue system.
		"--preserve-permissions", "--numeric-owner", "--delay-directory-restore",
		"--acls", "--xattrs", "--xattrs-include=*",
	}
	if u.lists != "" {
		args = append(args, "--no-wildcards", "--null")
		for _, list := range []struct {
			name, flag string
			names      []string
		}{{"parents", "--no-recursion", u.parents}, {"names", "--recursion", u.names}} {
			if len(list.names) == 0 {
				continue
			}
			name := filepath.Join(u.lists, list.name)
			if err := afero.WriteFile(u.run.FS, name, []byte(strings.Join(list.names, "\x00")+"\x00"), durable.FileMode); err != nil {
				return err
			}
			args = append(args, list.flag, "--verbatim-files-from", "--files-from="+name)
		}
	}
	out, in := io.Pipe()
	var verdict Verdict
	read := make(chan error, 1)
	go func() {
		var err error
		verdict, err = u.file.Read(ctx, in, true)
		in.CloseWithError(err) // nil is io.EOF
		read <- err
	}()
	_, err := u.run.Exec.Run(ctx, exec.Cmd{
		Args: args, Stdin: out, Package: "tar",
		Env: []string{"LC_ALL=C", "TAR_OPTIONS"},
	})
	out.CloseWithError(errTarEnded)
	readErr := <-read
	if u.lists == "" || readErr != nil {
		u.verdict.Verified, u.verdict.Words = verdict.Verified, verdict.Words
		u.verdict.Entries = verdict.Entries
	}
	// What tar says of half an archive is not the trouble.
	if readErr != nil && !errors.Is(readErr, errTarEnded) {
		return readErr
	}
	return join(err, ignore(readErr, errTarEnded, err != nil))
}

var errTarEnded = errors.New("tar ended before its archive")

// ignore returns nil for err if it is what, and may be passed over.
func ignore(err, what error, pass bool) error {
	if pass && errors.Is(err, what) {
		return nil
	}
	return err
}

// choose reads the archive and finds what is wanted of it: what the globs
// match, the directories above, and what hard links lead to.
func (u *untar) choose(ctx context.Context, globs []string) error {
	for i, glob := range globs {
		globs[i] = strings.TrimPrefix(strings.TrimRight(glob, "/"), "./")
		if _, err := path.Match(globs[i], ""); err != nil || globs[i] == "" {
			return Refuse("--path %q is no pattern: write a name in the archive, in which * and ? may stand for what is no slash", glob)
		}
	}
	matched := map[string]bool{} // by glob
	chosen := map[string]bool{}  // what matches, by name
	parents, dirs, links := map[string]bool{}, map[string]bool{}, map[string]string{}
	out, in := io.Pipe()
	scanned := make(chan error, 1)
	go func() {
		archive := tar.NewReader(out)
		entries := 0
		for {
			h, err := archive.Next()
			if err != nil {
				u.verdict.Entries = entries
				_, _ = io.Copy(io.Discard, out)
				scanned <- ignore(err, io.EOF, true)
				return
			}
			name := strings.TrimPrefix(strings.TrimSuffix(h.Name, "/"), "./")
			dirs[name] = h.Typeflag == tar.TypeDir
			below := false
			for at := name; at != "." && !below; at = path.Dir(at) {
				below = chosen[at]
			}
			for _, glob := range globs {
				if ok, _ := path.Match(glob, name); ok {
					matched[glob] = true
					if !below {
						chosen[name] = true
						below = true
					}
				}
			}
			if !below {
				continue
			}
			entries++
			if h.Typeflag == tar.TypeLink {
				links[name] = strings.TrimPrefix(h.Linkname, "./")
			}
			for at := path.Dir(name); at != "." && !chosen[at]; at = path.Dir(at) {
				parents[at] = true
			}
		}
	}()
	verdict, err := u.file.Read(ctx, in, true)
	in.CloseWithError(err)
	scanErr := <-scanned
	if err = join(err, ignore(scanErr, scanErr, err != nil)); err != nil {
		return err
	}
	for _, glob := range globs {
		if !matched[glob] {
			return Refuse("--path %s matches nothing in %s", glob, u.file.State.Path())
		}
	}
	u.verdict.Verified, u.verdict.Words = verdict.Verified, verdict.Words
	for _, link := range slices.Sorted(maps.Keys(links)) {
		if to := links[link]; !within(chosen, to) {
			chosen[to] = true
			u.also = append(u.also, fmt.Sprintf("%s, to which %s is a hard link", to, link))
			u.verdict.Entries++
			for at := path.Dir(to); at != "."; at = path.Dir(at) {
				parents[at] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(parents)) {
		if dirs[name] && !within(chosen, name) {
			u.parents = append(u.parents, "./"+name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(chosen)) {
		u.names = append(u.names, "./"+name)
	}
	return nil
}

// within tells whether name, or a directory that it is in, is chosen.
func within(chosen map[string]bool, name string) bool {
	for at := name; at != "."; at = path.Dir(at) {
		if chosen[at] {
			return true
		}
	}
	return false
}
