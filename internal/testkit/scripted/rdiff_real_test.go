package scripted_test

import (
	"fmt"
	"io/fs"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"btw-backup/internal/testkit/tools"
)

// The scripted rdiff-backup is held to the real one: killed before every system
// call that changes something, in a first full backup, a first increment and a
// later one, both must leave the same sets of names; and regress must make the
// same of each.
//
// To kill the real one a few hundred times takes minutes. So what it leaves
// stands in testdata; by default a few kills only are repeated, to see that the
// page is not stale. RDIFF=real kills it everywhere, and writes the page anew.

const page = "testdata/rdiff-backup-2.2.2.txt"

// session is one run of rdiff-backup, after so many others.
type session struct {
	name   string
	before int
}

var sessions = []session{{"first full", 0}, {"first increment", 1}, {"later increment", 2}}

var begin = time.Date(2026, 1, 31, 13, 5, 9, 0, time.UTC)

// at is the time of the nth state, content what it holds.
func at(n int) time.Time    { return begin.Add(time.Duration(n) * time.Hour) }
func content(n int) string  { return strings.Repeat("line\n", 20) + fmt.Sprintf("state %d\n", n) }
func seconds(n int) string  { return fmt.Sprint(at(n).Unix()) }
func contents(n int) []byte { return []byte(content(n)) }

// left is what a kill leaves, and what regress makes of it.
type left struct {
	names   []string
	regress string // "" where there are no two markers
}

// text is how it stands on the page: what differs from the one before.
func text(all []left) string {
	var b strings.Builder
	var was []string
	for _, l := range all {
		b.WriteString(changes(was, l.names) + "\n")
		if l.regress != "" {
			b.WriteString("    regress: " + l.regress + "\n")
		}
		was = l.names
	}
	return b.String()
}

// changes tells how one set of names becomes another.
func changes(was, is []string) string {
	var words []string
	for _, name := range is {
		if !slices.Contains(was, name) {
			words = append(words, "+"+name)
		}
	}
	for _, name := range was {
		if !slices.Contains(is, name) {
			words = append(words, "-"+name)
		}
	}
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, "  ")
}

// add adds a set, unless it is there.
func add(all []left, names []string) (_ []left, isNew bool) {
	if slices.ContainsFunc(all, func(l left) bool { return slices.Equal(l.names, names) }) {
		return all, false
	}
	return append(all, left{names: names}), true
}

// markers counts the current_mirror files.
func markers(names []string) int {
	n := 0
	for _, name := range names {
		if strings.Contains(name, "current_mirror.") {
			n++
		}
	}
	return n
}

func TestScriptedRdiffBackupLeavesWhatTheRealOneLeaves(t *testing.T) {
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, s := range sessions {
		_, _ = fmt.Fprintf(&got, "== %s\n%s", s.name, text(scriptedLeaves(t, s)))
	}
	if got.String() != string(want) {
		have := strings.Split(got.String(), "\n")
		for i, line := range strings.Split(string(want), "\n") {
			if i >= len(have) || have[i] != line {
				t.Fatalf("%s, line %d: the real one leaves\n%q\nthe scripted one\n%q", page, i+1, line, have[min(i, len(have)-1)])
			}
		}
		t.Fatal("the scripted one leaves more than the real one")
	}
}

func TestRealRdiffBackupIsStillThatOfThePage(t *testing.T) {
	tools.Need(t, "rdiff-backup", "strace")
	t.Parallel()
	all := os.Getenv("RDIFF") == "real"
	var fresh strings.Builder
	for _, s := range sessions {
		r := newReal(t, s)
		calls := r.calls(t)
		if len(calls) < 60 {
			t.Fatalf("%s: only %d system calls change something", s.name, len(calls))
		}
		if !all {
			// Three kills of each are a sign of life.
			known := parsePage(t, s)
			for _, i := range []int{len(calls) / 3, len(calls) / 2, len(calls) * 5 / 6} {
				r.kill(t, calls[i])
				if names := r.names(t); !slices.ContainsFunc(known, func(k []string) bool { return slices.Equal(k, names) }) {
					t.Errorf("%s, killed before %s: %s does not know what is left:\n%q", s.name, calls[i].text, page, names)
				}
			}
			continue
		}
		var found []left
		for _, c := range calls {
			r.kill(t, c)
			names, isNew := r.names(t), false
			if found, isNew = add(found, names); isNew && markers(names) > 1 {
				found[len(found)-1].regress = r.regress(t)
			}
		}
		r.restart(t)
		if out, err := r.command().CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		found, _ = add(found, r.names(t))
		_, _ = fmt.Fprintf(&fresh, "== %s\n%s", s.name, text(found))
		t.Logf("%s: killed before %d system calls, which left %d sets of names", s.name, len(calls), len(found))
	}
	if all {
		if err := os.WriteFile(page, []byte(fresh.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// parsePage returns the sets of a session on the page.
func parsePage(t *testing.T, s session) [][]string {
	t.Helper()
	file, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(file), "== "+s.name+"\n")
	part, _, _ = strings.Cut(part, "== ")
	var all [][]string
	var names []string
	for line := range strings.Lines(part) {
		if strings.HasPrefix(line, " ") {
			continue
		}
		for _, word := range strings.Split(strings.TrimSuffix(line, "\n"), "  ") {
			if added, ok := strings.CutPrefix(word, "+"); ok {
				names = append(names, added)
			} else if removed, ok := strings.CutPrefix(word, "-"); ok {
				names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == removed })
			}
		}
		slices.Sort(names)
		all = append(all, slices.Clone(names))
	}
	return all
}

// machine runs the real rdiff-backup with a repository to work on.
type machine struct {
	session
	dir string
}

// call is a system call.
type call struct {
	kind string
	path string
	nth  int // of those of its kind and path
	text string
}

func newReal(t *testing.T, s session) *machine {
	t.Helper()
	r := &machine{s, t.TempDir()}
	if err := os.Mkdir(filepath.Join(r.dir, "spool"), 0o700); err != nil {
		t.Fatal(err)
	}
	for n := range s.before {
		r.spool(t, n)
		if out, err := r.at(n).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	r.spool(t, s.before)
	if s.before > 0 {
		if err := os.Rename(r.repo(), r.repo()+".base"); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *machine) repo() string { return filepath.Join(r.dir, "repo") }

func (r *machine) spool(t *testing.T, n int) {
	t.Helper()
	name := filepath.Join(r.dir, "spool", "backup.tar")
	if err := os.WriteFile(name, contents(n), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, at(n), at(n)); err != nil {
		t.Fatal(err)
	}
}

func (r *machine) at(n int) *osexec.Cmd {
	return r.python("rdiff-backup", "--current-time", seconds(n), "backup", filepath.Join(r.dir, "spool"), r.repo())
}

func (r *machine) command() *osexec.Cmd { return r.at(r.before) }

func (r *machine) python(args ...string) *osexec.Cmd {
	cmd := osexec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C.UTF-8", "PYTHONHASHSEED=0")
	return cmd
}

// restart brings the repository back to what it was before the session.
func (r *machine) restart(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(r.repo()); err != nil {
		t.Fatal(err)
	}
	if r.before > 0 {
		if out, err := osexec.Command("cp", "-a", r.repo()+".base", r.repo()).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
}

// changing are the system calls that change a file system.
const changing = "openat,mkdir,rmdir,unlink,unlinkat,rename,link,symlink,write,chmod,chown,utimensat,fsync,ftruncate,setxattr,removexattr"

var callLine = regexp.MustCompile(`^(?:\d+ +)?(\w+)\((.*)$`)

// calls lists the system calls of an undisturbed session that change the
// repository.
func (r *machine) calls(t *testing.T) []call {
	t.Helper()
	r.restart(t)
	trace := filepath.Join(r.dir, "trace")
	cmd := r.command()
	cmd = r.python(append([]string{"strace", "-f", "-y", "-o", trace, "-e", "trace=" + changing}, cmd.Args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	var calls []call
	var kinds, seen []string // of all calls
	for line := range strings.Lines(string(lines)) {
		m := callLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		args := m[2]
		if i := strings.LastIndex(args, ") "); i > 0 {
			args = args[:i]
		}
		kinds, seen = append(kinds, m[1]), append(seen, args)
		path := r.pathIn(args)
		if path == "" || strings.Contains(args, "O_RDONLY") {
			continue
		}
		// Of the calls that strace finds with that path, the how-manieth?
		c := call{kind: m[1], path: path, text: m[1] + "(" + args}
		for i := range kinds {
			if kinds[i] == c.kind && slices.Contains(paths(seen[i]), path) {
				c.nth++
			}
		}
		calls = append(calls, c)
	}
	return calls
}

var pathPattern = regexp.MustCompile(`"(?:\\.|[^"\\])*"|<[^<>]*>`)

// paths returns the paths in the arguments of a call, in quotes or after a
// descriptor.
func paths(args string) []string {
	var all []string
	for _, text := range pathPattern.FindAllString(args, -1) {
		if text[0] == '<' {
			text = `"` + text[1:len(text)-1] + `"`
		}
		if path, err := strconv.Unquote(text); err == nil {
			all = append(all, path)
		}
	}
	return all
}

// pathIn returns the first path in the repository.
func (r *machine) pathIn(args string) string {
	for _, path := range paths(args) {
		if path == r.repo() || strings.HasPrefix(path, r.repo()+"/") {
			return path
		}
	}
	return ""
}

// kill kills a session before a system call.
func (r *machine) kill(t *testing.T, c call) {
	t.Helper()
	r.restart(t)
	cmd := r.command()
	cmd = r.python(append([]string{
		"strace", "-f", "-o", "/dev/null", "-P", c.path, "-e", "trace=" + c.kind,
		"-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", c.kind, c.nth),
	}, cmd.Args...)...)
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Fatalf("it was not killed before %s\n%s", c.text, out)
	}
}

// names lists what is in the repository.
func (r *machine) names(t *testing.T) []string {
	t.Helper()
	names := []string{}
	err := filepath.WalkDir(r.repo(), func(name string, _ fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if rel := strings.TrimPrefix(name, r.repo()); err == nil {
			names = append(names, "/"+strings.TrimPrefix(rel, "/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// regress lets the real regress work, and tells what it did.
func (r *machine) regress(t *testing.T) string {
	t.Helper()
	before := r.names(t)
	cmd := r.python("rdiff-backup", "--force", "regress", r.repo())
	_ = cmd.Run() // whose status is part of what is looked at
	return fmt.Sprintf("exit %d, %s", cmd.ProcessState.ExitCode(), changes(before, r.names(t)))
}
