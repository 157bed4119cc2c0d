package syncstate

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseEvent(t *testing.T) {
	at := time.Date(2016, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		line string
		want event
	}{
		{"2016-01-01T12:00:00 +push etc/x.tbz", event{at, false, Entry{Push, "etc/x.tbz"}}},
		{"2016-01-01T12:00:00 -push etc/x.tbz", event{at, true, Entry{Push, "etc/x.tbz"}}},
		{"2016-01-01T12:00:00 +sync www/T/", event{at, false, Entry{Sync, "www/T/"}}},
		{"2016-01-01T12:00:00 -sync www/T/", event{at, true, Entry{Sync, "www/T/"}}},
		{"2016-01-01T12:00:00 +sync ", event{at, false, Entry{Sync, ""}}},
		{"2016-01-01T12:00:00 +push a  b c ", event{at, false, Entry{Push, "a  b c "}}},
		{"2016-01-01T12:00:00 +push tab\there \xff", event{at, false, Entry{Push, "tab\there \xff"}}},
	} {
		got, err := parseEvent(test.line)
		if err != nil || got != test.want {
			t.Errorf("%q: got %v, %v, want %v", test.line, got, err, test.want)
		}
		if got := got.line(); got != test.line+"\n" {
			t.Errorf("%q: came back as %q", test.line, got)
		}
	}
	for _, line := range []string{
		"",
		" ",
		"2016-01-01T12:00:00",
		"2016-01-01T12:00:00 ",
		"2016-01-01T12:00:00 +sync", // without the space that an empty path leaves
		"2016-01-01T12:00:00 + etc",
		"2016-01-01T12:00:00 push etc",
		"2016-01-01T12:00:00 *push etc",
		"2016-01-01T12:00:00 +pull etc",
		"2016-01-01T12:00:00 ++push etc",
		"2016-01-01T12:00:00  +push etc",
		" 2016-01-01T12:00:00 +push etc",
		"2016-01-01 12:00:00 +push etc",
		"2016-01-01T12:00:00.5 +push etc",
		"2016-01-01T12:00:00Z +push etc",
		"2016-1-1T12:00:00 +push etc",
		"2016-13-01T12:00:00 +push etc",
		"2016-02-30T12:00:00 +push etc",
		"2016-01-01T12:00:60 +push etc",
		"2016-01-01T12:00:00 +push etc\r",
		"2016-01-01T12:00:00 +push e\x00tc",
		"2016-01-01T12:00:00 +push e\ntc",
		"# a comment",
	} {
		if got, err := parseEvent(line); err == nil {
			t.Errorf("%q: got %v, want an error", line, got)
		}
	}
}

func TestWholeLines(t *testing.T) {
	const (
		one   = "2016-01-01T12:00:00 +push a\n"
		two   = "2016-01-01T12:00:01 +push b\n"
		three = "2016-01-01T12:00:02 +push c\n"
		zeros = "\x00\x00\x00\x00"
	)
	for _, test := range []struct{ name, whole, torn string }{
		{"empty", "", ""},
		{"sound", one + two, ""},
		{"cut short", one, "2016-01-01T12:0"},
		{"all but the newline", one, "2016-01-01T12:00:01 +push b"},
		{"only a cut line", "", "2016"},
		{"zeros", one, zeros},
		{"only zeros", "", zeros},
		{"cut short, zeros", one, "2016-01" + zeros},
		{"zeros, then the end of the line", one, zeros + "+push b\n"},
		{"the beginning, zeros, then the end of the line", one, "2016" + zeros + "sh b\n"},
		{"zeros, then lines of the same write", one, zeros + two + two + two},
		{"zeros twice in one write", one, zeros + "\n" + two + zeros + "\n" + two + "2016"},
		{"zeros with lines of two writes after them", one + zeros + "\n" + two + three, ""},
		{"zeros with a strange line after them", one + zeros + "\nstrange\n", ""},
		{"strange line", "strange\n" + one, "20"},
	} {
		if got := wholeLines([]byte(test.whole + test.torn)); got != len(test.whole) {
			t.Errorf("%s: got %d, want %d", test.name, got, len(test.whole))
		}
	}
}

func TestState(t *testing.T) {
	const at = "2016-01-01T12:00:00 "
	for _, test := range []struct {
		name   string
		events string // without their times, separated by commas
		want   []Entry
		odd    []int
	}{
		{"empty", "", nil, nil},
		{"registered", "+push a", []Entry{{Push, "a"}}, nil},
		{"done", "+push a,-push a", nil, nil},
		{"order", "+push b,+sync a,+push a", []Entry{{Push, "b"}, {Sync, "a"}, {Push, "a"}}, nil},
		{"push is not sync", "+push a,-sync a", []Entry{{Push, "a"}}, []int{2}},
		{"a slash is a difference", "+push a/,-push a", []Entry{{Push, "a/"}}, []int{2}},
		{"all is not each", "+push a,+sync ,-sync ", []Entry{{Push, "a"}}, nil},
		{"twice is once", "+push a,+push a,-push a", nil, nil},
		{"twice keeps its place", "+push a,+push b,+push a", []Entry{{Push, "a"}, {Push, "b"}}, nil},
		{"again takes a new place", "+push a,+push b,-push a,+push a", []Entry{{Push, "b"}, {Push, "a"}}, nil},
		{"done without being pending", "-push a,+push a", []Entry{{Push, "a"}}, []int{1}},
		{"done twice", "+push a,-push a,-push a", nil, []int{3}},
	} {
		var text string
		if test.events != "" {
			for event := range strings.SplitSeq(test.events, ",") {
				text += at + event + "\n"
			}
		}
		state, err := parse([]byte(text), "sync_state")
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if !reflect.DeepEqual(state.Pending, test.want) || !reflect.DeepEqual(state.odd, test.odd) {
			t.Errorf("%s: got %v, odd %v, want %v, odd %v", test.name, state.Pending, state.odd, test.want, test.odd)
		}
	}
}

func TestSince(t *testing.T) {
	state, err := parse([]byte("2016-01-01T12:00:00 +push a\n2016-01-01T12:00:01 -push a\n"+
		"2016-01-01T12:00:02 +push a\n2016-01-01T12:00:03 +push a\n2016-01-01T12:00:04 +push b\n"+
		"2016-01-01T12:00:05 -push b\n"), "sync_state")
	ok(t, err)
	want := time.Date(2016, 1, 1, 12, 0, 2, 0, time.UTC)
	if got, pending := state.Since(Entry{Push, "a"}); !pending || got != want {
		t.Errorf("got %v, %v, want %v", got, pending, want)
	}
	for _, path := range []string{"b", "c"} {
		if got, pending := state.Since(Entry{Push, path}); pending {
			t.Errorf("%s: got %v", path, got)
		}
	}
}

func TestLineThatIsNoEvent(t *testing.T) {
	_, err := parse([]byte("2016-01-01T12:00:00 +push a\nwhat is this?\n2016-01-01T12:00:00 -push a\n"), "/c/sync_state")
	want := `/c/sync_state:2: not an event: "what is this?"; remove that line, then run "btw-backup sync --full"`
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	_, err = parse([]byte(strings.Repeat("x", 1000)+"\n"), "j")
	if err == nil || len(err.Error()) > 200 {
		t.Errorf("a long line is quoted whole: %v", err)
	}
}

// TestPythonInstallation reads the journal of a real installation.
func TestPythonInstallation(t *testing.T) {
	text, err := os.ReadFile("testdata/python-sync_state")
	ok(t, err)
	state, err := parse(text, "sync_state")
	ok(t, err)
	if len(state.Pending) > 0 || len(state.odd) > 0 || len(state.torn) > 0 {
		t.Errorf("pending %v, odd %v, torn %q, want nothing", state.Pending, state.odd, state.torn)
	}
	if got := state.pluses(Entry{Sync, "www/2026-11-23T06:03:19/"}); got != 2 {
		t.Errorf("got %d registrations, want 2", got)
	}
	if got := rewrite(t, text); got != string(text) {
		t.Errorf("came back as\n%s", got)
	}
}

// rewrite parses and serialises whole lines.
func rewrite(t *testing.T, text []byte) string {
	t.Helper()
	var again strings.Builder
	for line := range strings.Lines(string(text)) {
		ev, err := parseEvent(strings.TrimSuffix(line, "\n"))
		ok(t, err)
		again.WriteString(ev.line())
	}
	return again.String()
}

func FuzzParse(f *testing.F) {
	golden, err := os.ReadFile("testdata/python-sync_state")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	f.Add([]byte("2016-01-01T12:00:00 +sync \n2016-01-01T12:00:00 -push a b\n2016-01"))
	f.Add([]byte("2016-01-01T12:00:00 +push a\n\x00\x00\n2016-01-01T12:00:01 +push a\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		state, err := parse(text, "sync_state")
		if err != nil {
			return
		}
		whole := text[:state.whole]
		if got := rewrite(t, whole); got != string(whole) {
			t.Errorf("%q came back as %q", whole, got)
		}
		if string(whole)+string(state.torn) != string(text) {
			t.Errorf("%q was torn into %q and %q", text, whole, state.torn)
		}
		again, err := parse(whole, "sync_state")
		if err != nil || len(again.torn) > 0 || !reflect.DeepEqual(again.Pending, state.Pending) {
			t.Errorf("%q: repaired, it reads as %v, %v, want %v", text, again, err, state)
		}
	})
}
