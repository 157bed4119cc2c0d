package offsite

import (
	"bufio"
	"bytes"
	"cmp"
	"container/heap"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
)

// The memory of MD5s spares a Sync the reading of files that it has read
// before. It is a file in the config directory, a line for each:
//
//	CRC DEVICE INODE SIZE MTIME CTIME MD5 "PATH"
//
// with times in nanoseconds, in the order of keys, so that it can be read and
// written beside the walk and is never held. A line counts only for a file
// that has not changed by any of these marks. It is a memory and nothing more:
// what is torn or strange in it is passed over, and made anew.
//
// A file that was touched within two seconds of being read is not entered:
// within the grain of a file system's clock it may have been written to again
// and look the same.

// memoryName is the file in the config directory.
const memoryName = "md5-memory"

const (
	memoryHead  = "btw-backup md5 memory 1\n"
	memoryGrain = 2 * time.Second
)

// memory is the memory as one Sync uses it.
type memory struct {
	fsys  durable.FS
	dir   string
	now   func() time.Time
	begin string // what the Sync is of: keys that begin like that, and a slash

	old   *entries // what was remembered, as far as it is not yet read
	input afero.File
	kept  *entryWriter // what is still true, or not ours to judge

	mu      sync.Mutex
	learned []entry // not yet sorted
	runs    []*entryWriter

	stale bool // something of the old one is no longer true
}

// entry is what is remembered of one file.
type entry struct {
	key, path string
	identity  identity
	md5       string
}

// identity is what tells that a file was not written to.
type identity struct {
	dev, ino           uint64
	size, mtime, ctime int64
}

func identityOf(info fs.FileInfo) (identity, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return identity{}, false
	}
	return identity{
		dev: uint64(stat.Dev), ino: stat.Ino, size: info.Size(), //nolint:unconvert // Dev is narrower on other architectures
		mtime: stat.Mtim.Nano(), ctime: stat.Ctim.Nano(),
	}, true
}

// openMemory opens the memory for a Sync of what lies at a key. What is wrong
// with it makes it an empty one.
func (s *sending) openMemory(key string) *memory {
	m := &memory{fsys: s.FS, dir: s.ConfigDir, now: s.Clock.Now, begin: key}
	m.kept = m.writer(0)
	if f, err := s.FS.Open(filepath.Join(s.ConfigDir, memoryName)); err == nil {
		m.input = f
		m.old = readEntries(f)
	} else {
		m.old = &entries{ended: true}
	}
	return m
}

// covers tells whether a key lies in what the Sync is of.
func (m *memory) covers(key string) bool {
	return m.begin == "" || strings.HasPrefix(key, m.begin+"/")
}

// recall returns the MD5 of a file, if it is remembered and the file has not
// changed. It must be asked in the order of keys.
func (m *memory) recall(key, p string, info fs.FileInfo) string {
	for {
		e, ok := m.old.peek()
		if !ok || e.key > key {
			return ""
		}
		m.old.take()
		if e.key < key {
			m.passOver(e)
			continue
		}
		if id, ok := identityOf(info); ok && id == e.identity && e.path == p {
			m.kept.add(e)
			return e.md5
		}
		m.stale = true
		return ""
	}
}

// passOver keeps what the Sync is not of, and drops what is gone.
func (m *memory) passOver(e entry) {
	if m.covers(e.key) {
		m.stale = true
		return
	}
	m.kept.add(e)
}

// mostLearned is how many new entries are held before they are written down.
const mostLearned = 20000

// learn remembers the MD5 of a file, which was begun to be read at a time.
func (m *memory) learn(key, p string, info fs.FileInfo, md5 string, began time.Time) {
	id, ok := identityOf(info)
	limit := began.Add(-memoryGrain).UnixNano()
	if !ok || id.mtime > limit || id.ctime > limit {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.learned = append(m.learned, entry{key, p, id, md5})
	if len(m.learned) >= mostLearned {
		m.flush()
	}
}

// flush writes what was learned to a file of its own, sorted.
func (m *memory) flush() {
	slices.SortFunc(m.learned, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	run := m.writer(len(m.runs) + 1)
	for _, e := range m.learned {
		run.add(e)
	}
	m.runs = append(m.runs, run)
	m.learned = m.learned[:0]
}

// save writes the memory anew, if it has changed.
func (m *memory) save() error {
	for {
		if _, ok := m.old.peek(); !ok {
			break
		}
		m.passOver(m.old.take())
	}
	if !m.stale && !m.old.damaged && len(m.learned) == 0 && len(m.runs) == 0 {
		return nil
	}
	if len(m.learned) > 0 {
		m.flush()
	}
	var sources entryHeap
	for _, w := range append([]*entryWriter{m.kept}, m.runs...) {
		from, err := w.rewind()
		if err != nil {
			return err
		}
		if _, ok := from.peek(); ok {
			sources = append(sources, from)
		}
	}
	heap.Init(&sources)
	return durable.WriteFile(m.fsys, filepath.Join(m.dir, memoryName), nil, func(w io.Writer) error {
		out := bufio.NewWriterSize(w, 64<<10)
		if _, err := out.WriteString(memoryHead); err != nil {
			return err
		}
		var line []byte
		last := ""
		for len(sources) > 0 {
			e := sources[0].take()
			if _, ok := sources[0].peek(); ok {
				heap.Fix(&sources, 0)
			} else {
				heap.Pop(&sources)
			}
			if e.key == last {
				continue
			}
			last = e.key
			line = e.append(line[:0])
			if _, err := out.Write(line); err != nil {
				return err
			}
		}
		return out.Flush()
	})
}

// close lets go of the files.
func (m *memory) close() {
	if m.input != nil {
		_ = m.input.Close()
	}
	for _, w := range append([]*entryWriter{m.kept}, m.runs...) {
		w.close()
	}
}

// append writes an entry as a line.
func (e *entry) append(line []byte) []byte {
	line = append(line, "00000000 "...)
	line = strconv.AppendUint(line, e.identity.dev, 10)
	line = strconv.AppendUint(append(line, ' '), e.identity.ino, 10)
	for _, n := range []int64{e.identity.size, e.identity.mtime, e.identity.ctime} {
		line = strconv.AppendInt(append(line, ' '), n, 10)
	}
	line = append(append(append(line, ' '), e.md5...), ' ')
	line = strconv.AppendQuote(line, e.path)
	copy(line, fmt.Appendf(nil, "%08x", crc32.ChecksumIEEE(line[9:])))
	return append(line, '\n')
}

var errStrange = errors.New("not a line of the memory")

// parseEntry reads a line, without its end.
func parseEntry(line []byte) (entry, error) {
	if len(line) < 9 || !bytes.Equal(line[:8], fmt.Appendf(nil, "%08x", crc32.ChecksumIEEE(line[9:]))) {
		return entry{}, errStrange
	}
	fields := strings.SplitN(string(line), " ", 8)
	if len(fields) != 8 {
		return entry{}, errStrange
	}
	var e entry
	var errs [6]error
	e.identity.dev, errs[0] = strconv.ParseUint(fields[1], 10, 64)
	e.identity.ino, errs[1] = strconv.ParseUint(fields[2], 10, 64)
	e.identity.size, errs[2] = strconv.ParseInt(fields[3], 10, 64)
	e.identity.mtime, errs[3] = strconv.ParseInt(fields[4], 10, 64)
	e.identity.ctime, errs[4] = strconv.ParseInt(fields[5], 10, 64)
	e.md5 = fields[6]
	e.path, errs[5] = strconv.Unquote(fields[7])
	if _, err := hex.DecodeString(e.md5); err != nil || len(e.md5) != 32 || errors.Join(errs[:]...) != nil {
		return entry{}, errStrange
	}
	e.key = printable(e.path)
	return e, nil
}
