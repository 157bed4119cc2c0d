package scripted

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/spf13/afero"
)

// headLength is what comes before the content of a dump in custom format.
const headLength = 128

// pgDump writes a dump in custom format into a file: a header with the time,
// and the content. The header is written twice, as by the real one, which goes
// back to fill in the offsets.
func (p *process) pgDump() (err error) {
	db := strings.Trim(strings.TrimPrefix(p.option("dbname"), "dbname="), "'")
	content, ok := p.Databases[db]
	if !ok {
		_, _ = fmt.Fprintf(&p.err, "pg_dump: error: database %q does not exist", db)
		return exit(1)
	}
	head := make([]byte, headLength)
	copy(head, "PGDMP\x01\x0f\x00\x04\x08\x01")
	now := p.Now()
	for i, n := range []int{now.Second(), now.Minute(), now.Hour(), now.Day(), int(now.Month()) - 1, now.Year() - 1900, 0} {
		binary.LittleEndian.PutUint32(head[12+5*i+1:], uint32(n)) //nolint:gosec // small numbers
	}
	f, err := p.fs.Create(p.option("file"))
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // as little as the real one syncs, this one minds
	for _, part := range []string{string(head), content[:len(content)/2], content[len(content)/2:]} {
		if _, err := f.WriteString(part); err != nil {
			return err
		}
	}
	_, err = f.WriteAt(head, 0)
	return err
}

// key returns the line that brackets a plain dump.
func (p *process) key() string {
	p.keys++
	return fmt.Sprintf("restrict %063d\n", p.keys)
}

// pgRestore prints the content of a dump between two lines that differ each
// time.
func (p *process) pgRestore() error {
	content, err := afero.ReadFile(p.fs, p.args[len(p.args)-1])
	if err != nil {
		return err
	}
	if len(content) < headLength || string(content[:5]) != "PGDMP" {
		_, _ = fmt.Fprint(&p.err, "pg_restore: error: input file does not appear to be a valid archive")
		return exit(1)
	}
	_, err = fmt.Fprintf(p.out, "\\restrict %063d\n%s\n\\unrestrict %063d\n", len(p.args), content[headLength:], len(content))
	return err
}

func (p *process) pgDumpall() error {
	key := p.key()
	_, err := fmt.Fprintf(p.out, "\\%s%s\n\\un%s--\n-- PostgreSQL database cluster dump complete\n--\n", key, p.Globals, key)
	return err
}

// DumpContent returns the content of a dump in custom format.
func DumpContent(dump []byte) string {
	if len(dump) < headLength {
		return fmt.Sprintf("no dump: %q", dump)
	}
	return string(dump[headLength:])
}
