package offsite

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
)

// entries reads remembered entries one by one, as far as they make sense and
// are in order.
type entries struct {
	lines   *bufio.Reader
	next    entry
	have    bool
	ended   bool
	damaged bool
}

func readEntries(r io.Reader) *entries {
	s := &entries{lines: bufio.NewReaderSize(r, 64<<10)}
	if head, err := s.lines.ReadString('\n'); err != nil || head != memoryHead {
		s.ended, s.damaged = true, true
	}
	return s
}

// peek gives the next entry without taking it.
func (s *entries) peek() (entry, bool) {
	if s.have || s.ended {
		return s.next, s.have
	}
	line, err := s.lines.ReadSlice('\n') // one that is longer than any path makes is strange
	if err != nil {
		s.ended, s.damaged = true, len(line) > 0
		return entry{}, false
	}
	e, err := parseEntry(bytes.TrimSuffix(line, []byte("\n")))
	if err != nil || e.key <= s.next.key && s.next.key != "" {
		s.ended, s.damaged = true, true
		return entry{}, false
	}
	s.next, s.have = e, true
	return e, true
}

// take takes what peek gave.
func (s *entries) take() entry {
	s.have = false
	return s.next
}

// entryWriter writes sorted entries to a file of its own, which is read back
// and then gone.
type entryWriter struct {
	fsys durable.FS
	name string
	file afero.File
	out  *bufio.Writer
	line []byte
	err  error
}

func (m *memory) writer(number int) *entryWriter {
	return &entryWriter{fsys: m.fsys, name: filepath.Join(m.dir, fmt.Sprintf("%soffsite-md5-%d", durable.TempPrefix, number))}
}

// add writes an entry. An error comes out when it is read back.
func (w *entryWriter) add(e entry) {
	if w.file == nil && w.err == nil {
		if w.err = durable.RemoveIfThere(w.fsys, w.name); w.err == nil {
			w.file, w.err = durable.Create(w.fsys, w.name)
		}
		if w.err == nil {
			w.out = bufio.NewWriterSize(w.file, 64<<10)
			_, w.err = w.out.WriteString(memoryHead)
		}
	}
	if w.err == nil {
		w.line = e.append(w.line[:0])
		_, w.err = w.out.Write(w.line)
	}
}

// rewind begins to read what was written.
func (w *entryWriter) rewind() (*entries, error) {
	if w.err != nil || w.file == nil {
		return &entries{ended: true}, w.err
	}
	if err := w.out.Flush(); err != nil {
		return nil, err
	}
	if _, err := w.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return readEntries(w.file), nil
}

func (w *entryWriter) close() {
	if w.file != nil {
		_ = w.file.Close()
		_ = durable.RemoveIfThere(w.fsys, w.name)
		w.file = nil
	}
}

// entryHeap merges several files of entries.
type entryHeap []*entries

func (h entryHeap) Len() int { return len(h) }
func (h entryHeap) Less(i, j int) bool {
	a, _ := h[i].peek()
	b, _ := h[j].peek()
	return a.key < b.key
}
func (h entryHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *entryHeap) Push(x any) { *h = append(*h, x.(*entries)) }

// Pop implements heap.Interface.
func (h *entryHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
