package offsite

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"btw-backup/internal/durable"
	"btw-backup/internal/exec"
)

// s3cmd is a store in S3, reached through the program of that name.
//
// Of the program it uses three small verbs only, ls, put and del, and decides
// itself what is to be done: "s3cmd sync" takes an unreadable directory for an
// empty one and deletes its copies, copies between objects of equal content
// when one of them has just been overwritten, refuses to delete with exit 0,
// and knows no order within a repository.
//
// "Exit 0 means off-site", so what it says is not all: after a tree was sent
// or anything deleted, the store is listed once more, and each file must be
// there in its size. The content need not be compared again: put checks the
// MD5 that the server answers with against the file's. The put of a single
// file is taken at its word for the same reason, and because credentials that
// may do nothing but put are worth having.
type s3cmd struct {
	base
	bucket string
	prefix string // of every key; empty, or with a slash at its end
}

// s3cmdPackage is the Debian package that brings the program.
const s3cmdPackage = "s3cmd"

// listName is the file, in the config directory, that names to s3cmd what it
// is to put. There is one sender at a time, so one name is enough, and what a
// killed run left is overwritten by the next.
const listName = durable.TempPrefix + "offsite-files"

func newS3cmd(b base) (Store, error) {
	bucket, prefix, err := b.bucketAndPrefix()
	if err != nil {
		return nil, err
	}
	return &s3cmd{base: b, bucket: bucket, prefix: prefix}, nil
}

// Check implements [Store].
func (s *s3cmd) Check(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return s.checkConfig()
}

// Push implements [Store].
func (s *s3cmd) Push(ctx context.Context, p string) error {
	t, err := s.local.read(ctx, p)
	if err != nil {
		return err
	}
	return onlyOwn(s.push(ctx, t))
}

func (s *s3cmd) push(ctx context.Context, t *tree) error {
	if err := s.Check(ctx); err != nil {
		return err
	}
	if err := collisions(t); err != nil {
		return err
	}
	plan := newPlan(t, nil, false, false)
	if err := s.lookUp(ctx, t, plan); err != nil {
		return err
	}
	run := &s3cmdRun{s3cmd: s}
	if err := s.carryOut(ctx, run, plan); err != nil || !t.isDir {
		return err
	}
	return run.verify(ctx, t)
}

// lookUp finds out what of a Push is off-site already, if somebody has a say
// in what may be overwritten; otherwise a Push need not know, and does not ask.
//
// Credentials that may not list get no answer. Then each file counts as one
// that would overwrite another: judged for nothing is better than not judged.
func (s *s3cmd) lookUp(ctx context.Context, t *tree, p *plan) error {
	if s.Verify == nil {
		return nil
	}
	list := s.list
	if !t.isDir {
		list = s.listPrefix
	}
	there, err := list(ctx, t.path)
	exit := (*exec.ExitError)(nil)
	mayNotList := errors.As(err, &exit) && exit.Status == accessDenied
	if err != nil && !mayNotList {
		return err
	}
	translate(t, there)
	byPath := make(map[string]*object, len(there))
	for i := range there {
		byPath[there[i].path] = &there[i]
	}
	for _, puts := range p.puts {
		for i := range puts {
			puts[i].there = byPath[puts[i].path]
			if mayNotList {
				puts[i].there = &object{path: puts[i].path, size: unknownSize}
			}
		}
	}
	return nil
}

// unknownSize is the size of an object of which nothing is known: no file's.
const unknownSize = -1

// Sync implements [Store].
func (s *s3cmd) Sync(ctx context.Context, p string) error {
	t, err := s.local.read(ctx, p)
	if err != nil {
		return err
	}
	if !t.isDir { // a file has nothing below it to delete
		return onlyOwn(s.push(ctx, t))
	}
	return onlyOwn(s.sync(ctx, t))
}

func (s *s3cmd) sync(ctx context.Context, t *tree) error {
	if err := s.Check(ctx); err != nil {
		return err
	}
	if err := collisions(t); err != nil {
		return err
	}
	there, err := s.list(ctx, t.path)
	if err != nil {
		return err
	}
	translate(t, there)
	run := &s3cmdRun{s3cmd: s}
	if err := s.carryOut(ctx, run, newPlan(t, there, false, true)); err != nil || !run.did {
		return err
	}
	return run.verify(ctx, t)
}

// Preview implements [Store].
func (s *s3cmd) Preview(ctx context.Context, p string, deletions bool, show func(Change)) error {
	t, err := s.local.read(ctx, p)
	if err == nil {
		err = collisions(t)
	}
	if err == nil {
		err = s.Check(ctx)
	}
	if err != nil {
		return err
	}
	list := s.list
	if !t.isDir {
		list = s.listPrefix
	}
	there, err := list(ctx, t.path)
	if err != nil {
		return onlyOwn(err)
	}
	translate(t, there)
	return onlyOwn(s.preview(ctx, &s3cmdRun{s3cmd: s}, newPlan(t, there, false, deletions && t.isDir), show))
}

// s3cmdRun is the engine of one Push or Sync.
type s3cmdRun struct {
	*s3cmd
	did     bool // something was sent or deleted
	removed []string
}

// put implements engine: what can go in one run of the program goes in one.
func (s *s3cmdRun) put(ctx context.Context, batch []put) ([]failure, error) {
	var failures []failure
	var names []string
	var inWay []object
	var send []put
	for _, one := range batch {
		differs, err := s.differs(ctx, &one)
		if differs && one.there != nil {
			err = s.mayReplace(ctx, one.path)
		}
		switch {
		case context.Cause(ctx) != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			failures = append(failures, failure{one, err})
		case differs:
			inWay = append(inWay, one.inWay...)
			send = append(send, one)
			names = append(names, one.path)
		}
	}
	if len(send) == 0 {
		return failures, nil
	}
	if err := s.remove(ctx, inWay); err != nil {
		return nil, err
	}
	s.did = true
	err := s.putNames(ctx, names)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && (exit.Status == partial || exit.Status == badFile) {
		// Which ones, it says in words only.
		for i, one := range send {
			if i > 0 {
				err = fmt.Errorf("%s: perhaps not sent", one.path)
			}
			failures = append(failures, failure{one, err})
		}
		return failures, nil
	}
	if err != nil {
		return nil, err
	}
	for _, one := range send {
		s.say("sent %s", one.path)
		info, err := durable.Lstat(s.FS, s.local.abs(one.path))
		if err != nil || !same(info, one.info) {
			failures = append(failures, failure{one, &ChangedError{Path: s.local.abs(one.path)}})
		}
	}
	return failures, nil
}

// differs tells whether one must be sent, and brings what is known of the
// local file up to date.
func (s *s3cmdRun) differs(ctx context.Context, one *put) (bool, error) {
	if !utf8.ValidString(one.path) {
		return false, fmt.Errorf("%q: is not valid UTF-8, and s3cmd cannot send such a name: rename it", one.path)
	}
	name := s.local.abs(one.path)
	f, err := s.FS.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close() //nolint:errcheck // only read
	if one.info, err = f.Stat(); err != nil {
		return false, err
	}
	if !one.info.Mode().IsRegular() {
		return false, &ChangedError{Path: name}
	}
	// Under KMS an object's ETag is no MD5: nothing to compare with, and
	// s3cmd sync sends such a file again as well.
	if one.there == nil || one.there.size != one.info.Size() || len(one.there.md5) != 2*md5.Size {
		return true, nil
	}
	sum := md5.New()
	if _, err := io.Copy(sum, reader{ctx, f}); err != nil {
		return false, err
	}
	if after, err := f.Stat(); err != nil || !same(one.info, after) {
		return false, &ChangedError{Path: name}
	}
	return hex.EncodeToString(sum.Sum(nil)) != one.there.md5, nil
}

// putNames puts files, by their paths.
func (s *s3cmdRun) putNames(ctx context.Context, names []string) error {
	var list strings.Builder
	listed := 0
	for _, name := range names {
		if printable(name) != name {
			if err := s.putUnprintable(ctx, name); err != nil {
				return err
			}
			continue
		}
		// s3cmd strips white space off a line and normalises what is left, so
		// that ./NAME/. is NAME with its white space.
		fmt.Fprintf(&list, "./%s/.\n", name)
		listed++
	}
	switch {
	case listed == 0:
		return nil
	case len(names) == 1:
		_, err := s.run(ctx, "", "put", s.local.abs(names[0]), s.uri(names[0]))
		return err
	}
	listFile := filepath.Join(s.ConfigDir, listName)
	if err := durable.WriteBytes(s.FS, listFile, []byte(list.String()), nil); err != nil {
		return err
	}
	// Run in ROOT_PATH and given "." it makes the keys of the listed names
	// themselves; given a directory's name it would mix that in.
	_, err := s.run(ctx, s.local.root, "put", "--recursive", "--files-from="+listFile, ".", s.uri(""))
	return errors.Join(err, durable.RemoveIfThere(s.FS, listFile))
}

// putUnprintable puts a file whose name holds control characters, which
// s3cmd accepts neither as an argument nor in a list: it finds the file
// itself, in its directory, under the name that it will give the object.
func (s *s3cmdRun) putUnprintable(ctx context.Context, name string) error {
	dir, base := path.Split(name)
	_, err := s.run(ctx, s.local.abs(dir), "put", "--recursive", "--rexclude=.", "--rinclude=^"+quote(printable(base))+`\Z`, ".", s.uri(dir))
	return err
}

// uri gives a path's URI. The path of a directory ends in a slash.
func (s *s3cmd) uri(p string) string { return "s3://" + s.bucket + "/" + s.prefix + printable(p) }

// run runs s3cmd. Its file and its environment hold what is secret, its
// arguments nothing.
func (s *s3cmd) run(ctx context.Context, dir, verb string, args ...string) (exec.Result, error) {
	return s.runTo(ctx, nil, dir, verb, args...)
}

func (s *s3cmd) runTo(ctx context.Context, stdout io.Writer, dir, verb string, args ...string) (exec.Result, error) {
	all := []string{"s3cmd", "--config=" + s.S3cmdConfig, "--encoding=UTF-8", "--no-progress", "--max-delete=-1"}
	if verb == "put" {
		if !s.S3NoSSE {
			all = append(all, "--server-side-encryption")
		}
		// With the server gone it would try every single file for 45 seconds.
		all = append(all, "--stop-on-error")
	}
	result, err := s.Exec.Run(ctx, exec.Cmd{
		Args:    append(append(all, verb), args...),
		Dir:     dir,
		Env:     []string{"LC_ALL=C.UTF-8", "PYTHONUTF8=1"}, // cron's C would garble names
		Stdout:  stdout,
		Package: s3cmdPackage,
	})
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = s.s3cmdError(verb, exit)
	}
	return result, err
}
