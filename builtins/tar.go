package builtins

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"btw-backup/internal/artifact"
	"btw-backup/internal/exec"
	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func tar(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "tar",
		Doc: `Promises a tar archive of a directory tree, backup.tar.

Nothing is read before the archive is compared or kept. Names in it begin with
"./" and are sorted, so that an unchanged tree gives the same archive; owners,
modes, links and times are in it. Of a directory that holds a file
NOBACKUP-TAG only the directory and that file are taken. ROOT_PATH, and an
off-site directory, are left out if they lie in the tree, and so is what is in
/proc, /sys and the like.

A file that changes while it is read is a warning, anything that cannot be
read an error.`,
		Params: []starlib.Param{
			{Name: "src", Type: "string", Doc: "The path of the tree; absolute."},
			{Name: "exclude", Type: "list", Default: starlark.NewList(nil), Doc: `Paths in the tree to leave out, such as "var/cache"; no wildcards.`},
			compressParam,
			{Name: "xattrs", Type: "bool", Default: starlark.False, Doc: "Keep ACLs and extended attributes as well, and times to the fraction of a second, in the format posix."},
		},
		Returns: artifactType,
		Func: func(c *starlib.Call) (starlark.Value, error) {
			src := c.String("src")
			form, err := formOf(c)
			if err != nil {
				return nil, err
			}
			out, err := r.CheckSource(src)
			if err != nil {
				return nil, err
			}
			if all := slices.Concat(out.Backups, out.Unreal); len(all) > 0 {
				r.Log.Info("left out of the archive of " + src + ": " + strings.Join(all, ", "))
			}
			exclude := c.Strings("exclude")
			for i, name := range exclude {
				if exclude[i] = filepath.Clean(strings.Trim(name, "/")); !filepath.IsLocal(exclude[i]) || exclude[i] == "." {
					return nil, fmt.Errorf("exclude: %q is no path in the tree", name)
				}
			}
			args := tarArgs(src, append(out.Backups, exclude...), out.Unreal, c.Bool("xattrs"))
			return artifactValue(&artifact.Artifact{
				Name: "backup.tar", Form: form, Complete: completeTar,
				Produce: func(ctx context.Context, w io.Writer) error {
					return runTar(ctx, r, args, counted(r, "reading "+src, w))
				},
			}), nil
		},
	}
}

var compressParam = starlib.Param{
	Name: "compress", Type: "string", Default: starlark.String(""),
	Doc: `"bzip2" to compress it, "" not to.`,
}

func formOf(c *starlib.Call) (artifact.Form, error) {
	switch how := c.String("compress"); how {
	case "":
		return artifact.Plain, nil
	case "bzip2":
		return artifact.Bzip2, nil
	default:
		return 0, fmt.Errorf(`compress must be "bzip2" or "", not %q`, how)
	}
}

// tarArgs leaves out exclude, and what is in the directories empty.
func tarArgs(src string, exclude, empty []string, xattrs bool) []string {
	args := []string{"tar", "--create", "--file=-", "--directory=" + src}
	if xattrs {
		// Left to itself, posix brings the times of access and change, and the
		// number of the process: no two archives of a tree would be equal.
		args = append(args, "--format=posix", "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
			"--acls", "--xattrs", "--xattrs-include=*")
	} else {
		args = append(args, "--format=gnu")
	}
	args = append(args, "--sort=name", "--exclude-tag=NOBACKUP-TAG", "--anchored", "--no-wildcards")
	for _, name := range exclude {
		args = append(args, "--exclude=./"+name)
	}
	args = append(args, "--wildcards")
	for _, name := range empty {
		args = append(args, "--exclude=./"+wild.Replace(name)+"/*")
	}
	return append(args, ".")
}

// wild takes their meaning from characters that are wildcards to tar.
var wild = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

func runTar(ctx context.Context, r *run.Run, args []string, w io.Writer) error {
	_, err := r.Exec.Run(ctx, exec.Cmd{
		Args: args, Stdout: w, Package: "tar",
		// TAR_OPTIONS could change anything, the language tar's messages.
		Env: []string{"LC_ALL=C", "TAR_OPTIONS"},
	})
	// 1 means that a file changed while it was read: the archive is good, and
	// holds one state or the other of that file. 2 means failure.
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Status != 1 {
		return err
	}
	for line := range strings.Lines(exit.Stderr) {
		r.Log.Warn(strings.TrimSpace(line))
	}
	return nil
}

// completeTar knows an archive's end: two blocks of 512 zero bytes.
func completeTar(size int64, tail []byte) error {
	if size%512 != 0 || strings.Trim(string(tail), "\x00") != "" {
		return errors.New("tar ended well, but its archive has no end")
	}
	return nil
}

// counted returns a writer to w that tells a person how far it has come.
func counted(r *run.Run, what string, w io.Writer) io.Writer {
	var n int64
	return writerFunc(func(p []byte) (int, error) {
		n += int64(len(p))
		r.Log.Progress(what, n)
		return w.Write(p)
	})
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
