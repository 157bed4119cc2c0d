package rdiff

import (
	"strings"
	"testing"
	"time"
)

func FuzzParseName(f *testing.F) {
	for _, name := range []string{
		"current_mirror.2026-11-23T08:32:56+01:00.data", "increments.2026-11-23T06:03:31Z.dir", "backup.log", "increments", "a..b",
		"mirror_metadata.2026-11-23T06:03:33Z.snapshot.gz", ".2026-11-23T06:03:33Z", "x.2026-11-23T06:03:33,5Z.", "x.0000-01-01T00:00:00+24:00",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		kind, at, ok := parseName(name)
		if !strings.HasPrefix(name, kind) || strings.Contains(kind, ".") {
			t.Errorf("%q: is of the kind %q", name, kind)
		}
		if ok && at.Location() != time.UTC {
			t.Errorf("%q: has a time in %v", name, at.Location())
		}
		if ok != OfSession(name, at) {
			t.Errorf("%q: belongs to no session, not its own either", name)
		}
	})
}

func FuzzParseMetadata(f *testing.F) {
	for _, text := range []string{
		"", "File .\n", "File a\n  Size 1\n  SHA1Digest e5fa44f2b31c1fb553b6021e7360d07d5d91ff5e\n", "File a\nFile b\n",
		"File a\n  Size x\n", "  SHA1Digest e5\nFile a\n", "File \n", "File a\n  Size -1\n  SHA1Digest 00\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseMetadata(strings.NewReader(text))
		if err != nil {
			if m != (Metadata{}) {
				t.Errorf("an error, and %+v", m)
			}
			return
		}
		if m.Name == "" || m.Name == "." || len(m.SHA1) != 40 || m.Size < 0 {
			t.Errorf("got %+v", m)
		}
	})
}
