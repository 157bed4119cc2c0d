package s3cfg

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestParseLines(t *testing.T) {
	for _, test := range []struct {
		in    string
		key   string
		value string // of key
		notes int
	}{
		{"a = b", "a", "b", 0},
		{"a=b", "a", "b", 0},
		{"  a\t=\t b \t", "a", "b", 0},
		{"a = b = c", "a", "b = c", 0},
		{"a = b # no comment", "a", "b # no comment", 0},
		{"a = b\n# a = c\n  # a = d\n", "a", "b", 0},
		{"a = b\n; a = c", "a", "b", 1},
		{"a = b\na = c", "a", "c", 0},
		{"a = b\na =", "a", "", 0},
		{"a = b\nA = c", "a", "b", 0},
		{"[x]\na = b\n[y]\n", "a", "b", 0},
		{"[x] y\na = b", "a", "b", 0},
		{" [x]\na = b", "a", "b", 1},
		{"[]\na = b", "a", "b", 1},
		{"[\na = b", "a", "b", 1},
		{"a = b\nx\n= y\nx y = z\nx-y = z\n", "a", "b", 4},
		{"a = \"b\"", "a", "b", 0},
		{"a = \" b \"", "a", "b", 0},
		{"a = \"b\" ", "a", `b"`, 0}, // odd, and s3cmd's
		{"a = \"b\" c", "a", `"b" c`, 0},
		{"a = \"b\"c\"", "a", `b"c`, 0},
		{"a = \"", "a", `"`, 0},
		{"a = \"\"", "a", "", 0},
		{"a = 'b'", "a", "'b'", 0},
		{"a = b\r\nx = y\r\n", "a", "b", 0},
		{"x = y\ra = b\rx = z", "a", "b", 0},
		{"a = b\\\n", "a", "b\\", 0},
		{"a = é ", "a", "é", 0},
		{"a\x1c=\x1db\u00a0", "a", "b", 0},
		{"\ufeffa = c\na = b", "a", "b", 1},
		{"", "", "", 0},
	} {
		entries, notes, err := parseLines("f", strings.NewReader(test.in))
		if err != nil || entries[test.key].text != test.value || len(notes) != test.notes {
			t.Errorf("%q: got %q, notes %q, error %v; want %q and %d notes", test.in, entries[test.key].text, notes, err, test.value, test.notes)
		}
	}
}

func TestParseLinesErrors(t *testing.T) {
	_, _, err := parseLines("f", strings.NewReader("a = b\nc = \xff\n"))
	if err == nil || err.Error() != "f:2: is not valid UTF-8, without which s3cmd reads nothing: write the line anew" {
		t.Errorf("got %v", err)
	}
	_, _, err = parseLines("f", strings.NewReader(strings.Repeat("a", maxFile+1)))
	if err == nil || !strings.Contains(err.Error(), "is no configuration of s3cmd") {
		t.Errorf("got %v", err)
	}
	_, notes, err := parseLines("f", strings.NewReader("\nhost_base s3\n"))
	want := []string{"f:2: is not KEY = VALUE, and is passed over as by s3cmd: mend it or put a # before it"}
	if err != nil || !slices.Equal(notes, want) {
		t.Errorf("got %q, %v", notes, err)
	}
}

func TestParseNumbers(t *testing.T) {
	for in, want := range map[string]int64{
		"1": 1, "+1": 1, "-1": -1, " 12\t": 12, "007": 7, "1_000": 1000, "-0": 0,
	} {
		if got, ok := parseInt(in); !ok || got != want {
			t.Errorf("%q: got %d, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "-", "+-1", "--1", "1__0", "_1", "1_", "-_1", "0x1", "1.0", "1e3", "99999999999999999999", "a"} {
		if got, ok := parseInt(in); ok {
			t.Errorf("%q: got %d", in, got)
		}
	}
	for in, want := range map[string]int64{
		"0": 0, "10": 10, "10k": 10240, "10K": 10240, "1m": 1 << 20, "1M": 1 << 20, "-5k": -5120, "1 k": 1024,
	} {
		if got, ok := parseRate(in); !ok || got != want {
			t.Errorf("%q: got %d, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "k", "0k", "1g", "1kk", "1km", "1 k ", "9223372036854775807k", "a"} {
		if got, ok := parseRate(in); ok {
			t.Errorf("%q: got %d", in, got)
		}
	}
}

func noEnv(string) (string, bool) { return "", false }

func envOf(pairs ...string) Env {
	all := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return func(name string) (string, bool) {
		value, ok := all[name]
		return value, ok
	}
}

func FuzzParse(f *testing.F) {
	f.Add("[default]\naccess_key = a\nsecret_key = b\nhost_base = h:80\nhost_bucket = %(bucket)s.h:80\nuse_https = no\n")
	f.Add("limitrate = 10k\r\nproxy_host = p\r\nproxy_port = $PORT\n")
	f.Add("encrypt = $SELF\nadd_headers=\"x:y\"\n\"\n[")
	f.Fuzz(func(t *testing.T, data string) {
		env := envOf("SELF", "$SELF", "PORT", "80")
		c, err := Parse("f", strings.NewReader(data), env)
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, "f:") {
					t.Fatalf("an error without the file's name: %q", line)
				}
			}
			return
		}
		if c.PartSize <= 0 || c.MaxParts <= 0 || c.LimitRate < 0 || c.SocketTimeout <= 0 || c.Region == "" || c.StorageClass == "" || c.ContentType == "" {
			t.Fatalf("%+v", c)
		}
		for _, bucket := range []string{"bucket", "a.b", "B_"} {
			if e, err := c.Endpoint(bucket); err == nil && (!isHost(e.Host) || strings.ToLower(e.Host) != e.Host) {
				t.Fatalf("%+v", e)
			}
		}
		// What was read and is written down again is read the same.
		entries, _, _ := parseLines("f", strings.NewReader(data))
		var again strings.Builder
		for _, key := range slices.Sorted(maps.Keys(entries)) {
			again.WriteString(key + " = \" " + entries[key].text + " \"\n")
		}
		second, notes, err := parseLines("f", strings.NewReader(again.String()))
		if err != nil || len(notes) > 0 || len(second) != len(entries) {
			t.Fatalf("%q: %v, %v", again.String(), notes, err)
		}
		for key, e := range entries {
			if second[key].text != e.text {
				t.Fatalf("%s: %q, then %q", key, e.text, second[key].text)
			}
		}
	})
}
