package offsite

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// list finds what the store holds below the directory p.
func (s *s3cmd) list(ctx context.Context, p string) ([]object, error) {
	dir := p
	if dir != "" {
		dir += "/"
	}
	return s.listPrefix(ctx, dir)
}

// listPrefix finds what has a path that begins like that.
func (s *s3cmd) listPrefix(ctx context.Context, begin string) ([]object, error) {
	l := &listing{head: "s3://" + s.bucket + "/"}
	// A star at the end is none to s3cmd ls.
	l.want = strings.TrimSuffix(s.prefix+printable(begin), "*")
	_, err := s.runTo(ctx, l, "", "ls", "--recursive", "--list-md5", "--limit=-1", s.uri(begin))
	if err != nil {
		return nil, err
	}
	for i := range l.objects {
		l.objects[i].path = strings.TrimPrefix(l.objects[i].path, s.prefix)
	}
	return l.objects, l.end()
}

// listing reads the output of s3cmd ls --list-md5, a line for each object:
//
//	2026-01-31 13:05           217  0e5d6e7e32a9837b63098f68f3502516     s3://bucket/key
//
// For an object that was sent in parts s3cmd asks for the MD5 it stored with
// it. Where there is none, and under KMS, the column holds something else.
type listing struct {
	head, want string
	objects    []object
	rest       []byte
}

// Write implements io.Writer.
func (l *listing) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		if err := l.line(string(line)); err != nil {
			return 0, err
		}
		l.rest = rest
	}
}

// end says whether the output ended in a whole line.
func (l *listing) end() error {
	if len(l.rest) > 0 {
		return fmt.Errorf("s3cmd ls: a line is cut off: %q", l.rest)
	}
	return nil
}

func (l *listing) line(line string) error {
	if line == "" {
		return nil
	}
	columns, key, ok := strings.Cut(line, " "+l.head)
	fields := strings.Fields(columns)
	if !ok || len(fields) < 3 {
		return fmt.Errorf("s3cmd ls: cannot understand %q", line)
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return fmt.Errorf("s3cmd ls: cannot understand the size in %q", line)
	}
	// a/ is not a2/, whatever the server thinks of it.
	if !strings.HasPrefix(key, l.want) {
		return fmt.Errorf("s3cmd ls: %q does not begin with %q, which was asked for", key, l.want)
	}
	// The marks by which a web console shows empty folders are nobody's files.
	if strings.HasSuffix(key, "/") {
		return nil
	}
	o := object{path: key, size: size}
	if len(fields) > 3 {
		o.md5 = strings.ToLower(fields[3])
	}
	l.objects = append(l.objects, o)
	return nil
}

// verify lists the store once more: each file of the tree must be there in
// its size, and nothing that was deleted.
func (s *s3cmdRun) verify(ctx context.Context, t *tree) error {
	there, err := s.list(ctx, t.path)
	if err != nil {
		return err
	}
	sizes := make(map[string]int64, len(there))
	for _, o := range there {
		sizes[o.path] = o.size
	}
	for _, it := range t.items {
		if it.info.IsDir() {
			continue
		}
		switch size, ok := sizes[printable(it.path)]; {
		case !ok:
			return fmt.Errorf("s3cmd said that %s was sent, but it is not at %s", it.path, s.uri(it.path))
		case size != it.info.Size():
			return fmt.Errorf("s3cmd said that %s was sent, but %s has %d bytes instead of %d", it.path, s.uri(it.path), size, it.info.Size())
		}
	}
	for _, p := range s.removed {
		// What was in the way of a file is there again, as that file.
		if _, ok := sizes[p]; ok && !slices.ContainsFunc(t.items, func(it item) bool { return printable(it.path) == p }) {
			return fmt.Errorf("s3cmd said that %s was deleted, but it is still there", s.uri(p))
		}
	}
	return nil
}

// remove implements engine.
func (s *s3cmdRun) remove(ctx context.Context, objects []object) error {
	// As much as fits on a command line without a doubt.
	const most = 64 << 10
	var uris []string
	length := 0
	flush := func() error {
		if len(uris) == 0 {
			return nil
		}
		_, err := s.run(ctx, "", "del", uris...)
		uris, length = nil, 0
		return err
	}
	for _, o := range objects {
		key := s.prefix + printable(o.path)
		s.did = true
		s.removed = append(s.removed, printable(o.path))
		s.say("deleting %s", o.path)
		if strings.ContainsAny(s.bucket+key, "*?") {
			if err := s.removePattern(ctx, key); err != nil {
				return err
			}
			continue
		}
		uri := "s3://" + s.bucket + "/" + key
		if length += len(uri); length > most {
			if err := flush(); err != nil {
				return err
			}
			length = len(uri)
		}
		uris = append(uris, uri)
	}
	return flush()
}

// removePattern deletes an object whose key s3cmd would take for a pattern,
// and delete all that matches. It is given a pattern that surely matches, and
// told by expressions that only the one is meant; these are held against the
// key from its last slash before the pattern on.
func (s *s3cmdRun) removePattern(ctx context.Context, key string) error {
	at := strings.IndexAny(key, "*?[")
	pattern := key[:at] + "*"
	if strings.Contains(key[at:], "/") {
		pattern += "/*" // without a slash it would look in one directory only
	}
	held := key[strings.LastIndex(key[:at], "/")+1:]
	_, err := s.run(ctx, "", "del", "--rexclude=.", "--rinclude=^"+quote(held)+`\Z`, "s3://"+s.bucket+"/"+pattern)
	return err
}
