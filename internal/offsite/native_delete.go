package offsite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/spf13/afero"

	"btw-backup/internal/durable"
)

// spool holds what is to be deleted until all has been sent: in a file, since
// it may be much.
type spool struct {
	*native
	file      afero.File
	out       *bufio.Writer
	n         int64
	err       error       // the first of writing; it comes out when it is read
	clearings []*clearing // deleted all the same, if nothing was sent that they were in the way of
}

// spoolName is the file, in the config directory. There is one sender at a
// time, so one name is enough, and what a killed run left is overwritten.
const spoolName = durable.TempPrefix + "offsite-deletions"

func (p *spool) name() string { return filepath.Join(p.ConfigDir, spoolName) }

// add writes an object down.
func (p *spool) add(o object) {
	if p.file == nil && p.err == nil {
		if p.err = durable.RemoveIfThere(p.FS, p.name()); p.err == nil {
			p.file, p.err = durable.Create(p.FS, p.name())
		}
		p.out = bufio.NewWriterSize(p.file, 64<<10)
	}
	p.n++
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, "%d %q\n", o.size, o.path)
	}
}

// unless adds what a clearing is about, unless it will have been used.
func (p *spool) unless(c *clearing) { p.clearings = append(p.clearings, c) }

// count tells how many objects are to be deleted, when nothing is sent any
// more.
func (p *spool) count() int64 {
	for _, c := range p.clearings {
		if !c.used.Load() {
			p.add(c.object)
		}
	}
	p.clearings = nil
	return p.n
}

func (p *spool) close() {
	if p.file != nil {
		_ = p.file.Close()
		_ = durable.RemoveIfThere(p.FS, p.name())
		p.file = nil
	}
}

// carryOut deletes what was written down.
func (p *spool) carryOut(s *sending) error {
	if p.err != nil {
		return p.err
	}
	if p.file == nil {
		return nil
	}
	if err := p.out.Flush(); err != nil {
		return err
	}
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	lines := bufio.NewReader(p.file)
	var batch []object
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return s.remove(batch)
		}
		if err != nil {
			return err
		}
		size, quoted, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		var o object
		if o.size, err = strconv.ParseInt(size, 10, 64); err == nil {
			o.path, err = strconv.Unquote(quoted)
		}
		if err != nil {
			return fmt.Errorf("%s: the line %q is damaged", p.name(), line)
		}
		if batch = append(batch, o); len(batch) == pageSize {
			if err := s.remove(batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
}

// remove deletes objects for good, after a last look that they are gone here.
func (s *sending) remove(objects []object) error {
	var keys []string
	for _, o := range objects {
		gone, err := s.local.gone(o.path)
		if err != nil {
			return err
		}
		if !gone {
			continue
		}
		if s.show != nil {
			s.preview(Change{Path: o.path, Size: o.size, Delete: true})
			continue
		}
		keys = append(keys, o.path)
	}
	return s.removeKeys(keys)
}

// removeKeys deletes objects by their keys. What the server does not say that
// it has deleted is not.
func (s *sending) removeKeys(keys []string) error {
	for len(keys) > 0 {
		some := keys[:min(len(keys), pageSize)]
		keys = keys[len(some):]
		left := make(map[string]bool, len(some))
		for _, key := range some {
			left[s.prefix+key] = true
		}
		err := s.request(s.ctx, "deleting", func(ctx context.Context, c *minio.Core) error { return s.removeBatch(ctx, c, left) })
		if err != nil {
			return err
		}
		for _, key := range some {
			s.say("deleted %s", key)
		}
	}
	return nil
}

// removeBatch asks for deletions in one request, and takes off left what the
// answer confirms.
func (s *sending) removeBatch(ctx context.Context, c *minio.Core, left map[string]bool) error {
	objects := make(chan minio.ObjectInfo, len(left))
	for key := range left {
		objects <- minio.ObjectInfo{Key: key}
	}
	close(objects)
	var worst error
	for result := range c.RemoveObjectsWithResult(ctx, s.bucket, objects, minio.RemoveObjectsOptions{}) {
		switch {
		case result.Err == nil:
			delete(left, result.ObjectName)
		case worst == nil || passing(worst): // what lasts counts for more
			worst = result.Err
			if result.ObjectName != "" && isDenied(worst) {
				worst = s.denied("delete", worst)
			}
		}
	}
	if worst == nil && len(left) > 0 {
		for key := range left {
			worst = &unconfirmedError{key, "to be deleted", "nothing of it"}
			break
		}
	}
	return worst
}

// below calls act for all objects below a key, some at a time.
func (s *sending) below(key string, act func([]object) error) error {
	list := s.listRemote(s.ctx, key+"/")
	defer list.stop()
	var batch []object
	for {
		_, ok, err := list.peek(s.ctx)
		if err != nil {
			return err
		}
		if ok {
			batch = append(batch, list.take())
		}
		if len(batch) == pageSize || !ok {
			if err := act(batch); err != nil || !ok {
				return err
			}
			batch = batch[:0]
		}
	}
}

// removeBelow deletes what is in the way of a file: all that has its name for
// a directory.
func (s *sending) removeBelow(key string) error {
	return s.below(key, func(objects []object) error {
		var keys []string
		for _, o := range objects {
			if s.show != nil {
				s.preview(Change{Path: o.path, Size: o.size, Delete: true})
			} else {
				keys = append(keys, o.path)
			}
		}
		return s.removeKeys(keys)
	})
}

// spoolBelow has it deleted with all others.
func (s *sending) spoolBelow(key string) error {
	return s.below(key, func(objects []object) error {
		for _, o := range objects {
			s.spool.add(o)
		}
		return nil
	})
}
