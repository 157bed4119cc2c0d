package exec

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// With this variable set, the test binary is the program under test, which
// runs the shell script in it.
const scriptVariable = "BTW_TEST_RUN_SCRIPT"

func TestMain(m *testing.M) {
	if script := os.Getenv(scriptVariable); script != "" {
		_, err := OS{}.Run(context.Background(), Cmd{Args: []string{"sh", "-c", script}})
		if err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func sh(script string) Cmd { return Cmd{Args: []string{"sh", "-c", script}} }

func TestRun(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		script string
		status int
		stdout string
		stderr string
		err    string
	}{
		{name: "all is well", script: "echo out; echo err >&2", stdout: "out", stderr: "err"},
		{name: "nothing to say", script: ":"},
		{name: "no standard input", script: "cat", stdout: ""},
		{
			name: "last words", script: "echo half; echo no space left >&2; exit 3",
			status: 3, stdout: "half", stderr: "no space left", err: "sh exited with code: 3",
		},
		{
			name: "several lines", script: `printf 'a\n\nb\n\n' >&2; exit 1`,
			status: 1, stderr: "a\n\nb", err: "sh exited with code: 1",
		},
		{name: "killed", script: "kill -KILL $$", status: 137, err: "sh exited with code: 137 (killed)"},
		{name: "ended by a broken pipe", script: "kill -PIPE $$", status: 141, err: "sh exited with code: 141 (broken pipe)"},
		{name: "a high status and no signal", script: "exit 255", status: 255, err: "sh exited with code: 255"},
		{name: "a shell's word for a signal", script: "exit 137", status: 137, err: "sh exited with code: 137"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			result, err := OS{}.Run(t.Context(), sh(test.script))
			if result.Status != test.status || result.Stdout != test.stdout || result.Stderr != test.stderr {
				t.Errorf("got %+v", result)
			}
			if test.err == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var exit *ExitError
			if !errors.As(err, &exit) || err.Error() != test.err || exit.Result != result {
				t.Errorf("got the error %v, want %s", err, test.err)
			}
		})
	}
}

func TestStdoutGoesToTheWriter(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	cmd := sh("head -c 300000 /dev/zero; echo done >&2")
	cmd.Stdout = &out
	result, err := OS{}.Run(t.Context(), cmd)
	if err != nil || out.Len() != 300000 || result.Stdout != "" || result.Stderr != "done" {
		t.Errorf("got %d bytes, %+v, %v", out.Len(), result, err)
	}
}

// A program that fills both pipes, which hold 64 KiB each, must not be left
// waiting for a reader.
func TestMuchOutputOnBothStreams(t *testing.T) {
	t.Parallel()
	const line = "0123456789abcdefghijklmnopqrstuvwxyz"
	result, err := OS{}.Run(t.Context(), sh(
		`i=0; while [ $i -lt 6000 ]; do echo `+line+` $i; echo `+line+` $i >&2; i=$((i+1)); done`))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{result.Stdout, result.Stderr} {
		lines := strings.Split(text, "\n")
		if len(text) > LastWords || len(text) < LastWords-2*len(line) {
			t.Errorf("%d bytes were kept", len(text))
		}
		if last := lines[len(lines)-1]; last != line+" 5999" {
			t.Errorf("the last line is %q", last)
		}
		for _, l := range lines {
			if !strings.HasPrefix(l, line+" ") {
				t.Errorf("%q is not a whole line", l)
			}
		}
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	text := func(n int) string { // lines of 10 bytes
		var b strings.Builder
		for i := range n {
			b.WriteString(strconv.Itoa(100000000 + i))
			b.WriteByte('\n')
		}
		return b.String()
	}
	lastLines := func(n, of int) string {
		lines := strings.SplitAfter(text(of), "\n")
		return strings.TrimSuffix(strings.Join(lines[of-n:of], ""), "\n")
	}
	for _, test := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"short", "a\nb\n", "a\nb"},
		{"as much as fits", text(409), lastLines(409, 409)},
		{"a line too much", text(410), lastLines(409, 410)},
		{"a line cut short", "xxxxxxx\n" + text(409), lastLines(409, 409)},
		{"just under twice as much", text(819), lastLines(409, 819)},
		{"just over twice as much", text(820), lastLines(409, 820)},
		{"far more", text(12345), lastLines(409, 12345)},
		{"one endless line", strings.Repeat("x", 3*LastWords) + "end", strings.Repeat("x", LastWords-3) + "end"},
		{"one endless line with its end", strings.Repeat("x", 3*LastWords) + "end\n", strings.Repeat("x", LastWords-4) + "end"},
		{
			"lines begin where the tail does", "a line\n" + strings.Repeat("y", LastWords-1) + "\n",
			strings.Repeat("y", LastWords-1),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, piece := range []int{1, 7, 1000, LastWords, 2 * LastWords, 32 << 10, 1 << 20} {
				var tail tail
				for chunk := range slices.Chunk([]byte(test.in), piece) {
					if n, err := tail.Write(chunk); n != len(chunk) || err != nil {
						t.Fatal(n, err)
					}
				}
				if got := tail.String(); got != test.want {
					t.Errorf("in pieces of %d: got %d bytes, %.20q… to …%.20q, want %d, %.20q…",
						piece, len(got), got, got[max(0, len(got)-20):], len(test.want), test.want)
				}
				if cap(tail.kept) > 8*LastWords+2*piece {
					t.Errorf("in pieces of %d: %d bytes are held", piece, cap(tail.kept))
				}
			}
		})
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/notes", "no program", 0o644)
	for _, test := range []struct{ name, program, pack, want string }{
		{"with a package", "btw-no-such-program", "some-package", "btw-no-such-program is not installed: apt-get install some-package"},
		{"without", "btw-no-such-program", "", "btw-no-such-program: there is no such program in PATH"},
		{"by its path", dir + "/none", "", dir + "/none: there is no such program"},
		{"by its path, with a package", dir + "/none", "some-package", dir + "/none: there is no such program"},
		{"not executable", dir + "/notes", "", dir + "/notes: there is no such program"},
		{"a directory", dir, "", dir + ": there is no such program"},
		{"an empty name", "", "", ": there is no such program in PATH"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := OS{}.Run(t.Context(), Cmd{Args: []string{test.program}, Package: test.pack})
			var missing *MissingError
			if !errors.As(err, &missing) || err.Error() != test.want {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := (OS{}).Run(t.Context(), Cmd{}); err == nil {
		t.Error("no arguments at all are no error")
	}
}

func TestCannotStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/broken", "\x7fELF and no more", 0o755)
	if _, err := (OS{}).Run(t.Context(), Cmd{Args: []string{dir + "/broken"}}); err == nil ||
		!strings.HasPrefix(err.Error(), dir+"/broken: ") {
		t.Errorf("got %v", err)
	}
	cmd := sh(":")
	cmd.Dir = dir + "/nowhere"
	if _, err := (OS{}).Run(t.Context(), cmd); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestWhereProgramsAreLookedFor(t *testing.T) {
	t.Parallel()
	first, second := t.TempDir(), t.TempDir()
	write(t, first+"/notes", "no program", 0o644)
	if err := os.Mkdir(first+"/folder", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{first + "/both", second + "/both", second + "/notes", second + "/folder", second + "/here"} {
		write(t, name, "", 0o755)
	}
	for _, test := range []struct{ name, program, path, want string }{
		{"the first that has it", "both", first + ":" + second, first + "/both"},
		{"what cannot be run is passed over", "notes", first + ":" + second, second + "/notes"},
		{"a directory is passed over", "folder", first + ":" + second, second + "/folder"},
		{"an empty entry is not the folder of the day", "here", ":" + first + "::", ""},
		{"nor is a relative one", "here", ".:./:../" + filepath.Base(second), ""},
		{"relative entries are passed over", "both", ".::" + first, first + "/both"},
		{"a path is from where it runs", "./here", first, "./here"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := lookPath(test.program, []string{"PATH=" + test.path}, second)
			if got != test.want || (err == nil) != (test.want != "") {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	if err := os.Symlink("/bin/sh", second+"/shell"); err != nil {
		t.Fatal(err)
	}
	if _, err := (OS{}).Run(t.Context(), Cmd{Args: []string{"./shell", "-c", ":"}, Dir: second}); err != nil {
		t.Error(err)
	}
	// A program has a PATH, even if none was set.
	for _, env := range []string{"PATH", "PATH="} {
		result, err := OS{}.Run(t.Context(), Cmd{Args: []string{"env"}, Env: []string{env}})
		if err != nil || !slices.Contains(strings.Split(result.Stdout, "\n"), "PATH="+DefaultPath) {
			t.Errorf("with %q: %v, got %s", env, err, result.Stdout)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name                string
		base, changes, want []string
	}{
		{"as it is", []string{"PATH=/bin", "A=1"}, nil, []string{"PATH=/bin", "A=1"}},
		{"added", []string{"PATH=/bin"}, []string{"A=1"}, []string{"PATH=/bin", "A=1"}},
		{"replaced", []string{"A=1", "PATH=/bin", "AB=2"}, []string{"A=3"}, []string{"PATH=/bin", "AB=2", "A=3"}},
		{"the last one counts", []string{"PATH=/bin"}, []string{"A=1", "A=2"}, []string{"PATH=/bin", "A=2"}},
		{"taken away", []string{"A=1", "PATH=/bin"}, []string{"A"}, []string{"PATH=/bin"}},
		{"taken away, never there", []string{"PATH=/bin"}, []string{"A"}, []string{"PATH=/bin"}},
		{"empty", []string{"PATH=/bin", "A=1"}, []string{"A="}, []string{"PATH=/bin", "A="}},
		{"with an equal sign", []string{"PATH=/bin"}, []string{"A=b=c"}, []string{"PATH=/bin", "A=b=c"}},
		{"twice in ours", []string{"A=1", "PATH=/bin", "A=2"}, nil, []string{"PATH=/bin", "A=2"}},
		{"no PATH", nil, []string{"A=1"}, []string{"A=1", "PATH=" + DefaultPath}},
		{"empty PATH", []string{"PATH=", "A=1"}, nil, []string{"A=1", "PATH=" + DefaultPath}},
		{"PATH taken away", []string{"PATH=/bin"}, []string{"PATH"}, []string{"PATH=" + DefaultPath}},
		{"PATH replaced", []string{"PATH=/bin"}, []string{"PATH=/opt"}, []string{"PATH=/opt"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			base := slices.Clone(test.base)
			if got := environment(test.base, test.changes); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if !slices.Equal(base, test.base) {
				t.Error("the base was changed")
			}
		})
	}
}

func TestDirAndEnvReachTheProgram(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cmd := sh(`pwd -P; echo "$GREETING"`)
	cmd.Dir, cmd.Env = dir, []string{"GREETING=hello world"}
	result, err := OS{}.Run(t.Context(), cmd)
	if err != nil || result.Stdout != dir+"\nhello world" {
		t.Errorf("got %q, %v", result.Stdout, err)
	}
}

// pipe is a named pipe that a program opens, says something into, and holds
// open for as long as it lives.
type pipe struct{ name string }

func newPipe(t *testing.T) pipe {
	t.Helper()
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	return pipe{name}
}

// open waits for a program to say "up".
func (p pipe) open(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Open(p.name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	var said [3]byte
	if _, err := io.ReadFull(f, said[:]); err != nil || string(said[:]) != "up\n" {
		t.Fatalf("it said %q, %v", said, err)
	}
	return f
}

// gone waits until nobody lives who holds the pipe.
func gone(t *testing.T, f *os.File) {
	t.Helper()
	if rest, err := io.ReadAll(f); len(rest) > 0 || err != nil {
		t.Errorf("it said %q, %v", rest, err)
	}
}

// forever is a program that does nothing and never ends by itself.
const forever = "tail -f /dev/null"

func TestCancelled(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, script, stderr string
		status               int
	}{
		{"it ends when asked", `exec 3>$P; echo up >&3; exec ` + forever, "", 143},
		{
			"it cleans up when asked",
			`trap 'echo cleaned >&2; exit 0' TERM; exec 3>$P; echo up >&3; ` + forever + ` & wait`, "cleaned", 0,
		},
		{"it does not listen", `trap '' TERM; exec 3>$P; echo up >&3; exec ` + forever, "", 137},
		{"its child ends with it", `(exec 3>$P; echo up >&3; exec ` + forever + `) & wait`, "", 143},
		{"its child does not listen", `(trap '' TERM; exec 3>$P; echo up >&3; exec ` + forever + `) & wait`, "", 143},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPipe(t)
			cause := errors.New("stopped by the administrator")
			ctx, cancel := context.WithCancelCause(t.Context())
			cmd := sh(test.script)
			cmd.Env = []string{"P=" + p.name}
			type outcome struct {
				Result
				err error
			}
			ended := make(chan outcome)
			go func() {
				result, err := OS{}.Run(ctx, cmd)
				ended <- outcome{result, err}
			}()
			f := p.open(t)
			cancel(cause)
			got := <-ended
			if !errors.Is(got.err, cause) || got.Status != test.status || got.Stderr != test.stderr {
				t.Errorf("got %+v", got)
			}
			gone(t, f)
		})
	}
}

func TestCancelledBefore(t *testing.T) {
	t.Parallel()
	cause := errors.New("too late")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	file := filepath.Join(t.TempDir(), "made")
	if _, err := (OS{}).Run(ctx, sh("touch "+file)); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the program was run")
	}
}

// broken takes some bytes, and then fails.
type broken struct {
	room  int
	err   error
	short bool
}

func (b *broken) Write(p []byte) (int, error) {
	if len(p) <= b.room {
		b.room -= len(p)
		return len(p), nil
	}
	n := b.room
	b.room = 0
	if b.short {
		return n, nil
	}
	return n, b.err
}

func TestWriterFails(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left on device")
	for _, test := range []struct {
		name, script string
		writer       broken
		want         error
	}{
		{"in the middle", "while :; do echo data; done", broken{room: 100_000, err: full}, full},
		{"at once", "while :; do echo data; done", broken{err: full}, full},
		{"program has ended", "echo data", broken{err: full}, full},
		{"program has failed", "echo data; exit 4", broken{err: full}, full},
		{"program says no more", "echo data; exec " + forever, broken{err: full}, full},
		{"program ignores SIGPIPE and SIGTERM", "trap '' PIPE TERM; while :; do echo data; done", broken{err: full}, full},
		{"short, without a word", "while :; do echo data; done", broken{room: 1001, short: true}, io.ErrShortWrite},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cmd := sh(test.script)
			cmd.Stdout = &test.writer
			result, err := OS{}.Run(t.Context(), cmd)
			if !errors.Is(err, test.want) {
				t.Errorf("got %v", err)
			}
			if result.Signal == syscall.SIGPIPE {
				t.Error("it was SIGPIPE that ended it")
			}
		})
	}
}

// What a program left running, and holds its output, is no way to end: it may
// have had more to say.
func TestStrayGrandchild(t *testing.T) {
	t.Parallel()
	p := newPipe(t)
	q := newPipe(t)
	cmd := sh(`(exec 3>$P; echo up >&3; exec ` + forever + `) & read word <$Q; echo said`)
	cmd.Env = []string{"P=" + p.name, "Q=" + q.name}
	ended := make(chan error)
	go func() {
		_, err := OS{drain: time.Millisecond}.Run(t.Context(), cmd)
		ended <- err
	}()
	f := p.open(t)
	write(t, q.name, "go\n", 0o600)
	if err := <-ended; !errors.Is(err, osexec.ErrWaitDelay) || !strings.HasPrefix(err.Error(), "sh ended, but") {
		t.Errorf("got %v", err)
	}
	gone(t, f)
}

// Nor does it keep a run from being stopped.
func TestStoppedWhileAStrayGrandchildHoldsTheOutput(t *testing.T) {
	t.Parallel()
	p := newPipe(t)
	cmd := sh(`(exec 3>$P; echo up >&3; exec ` + forever + `) & echo said`)
	cmd.Env = []string{"P=" + p.name}
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error)
	go func() {
		_, err := OS{}.Run(ctx, cmd)
		ended <- err
	}()
	f := p.open(t)
	stop := errors.New("stopped")
	cancel(stop)
	if err := <-ended; !errors.Is(err, stop) {
		t.Errorf("got %v, want %v", err, stop)
	}
	gone(t, f)
}

// One that has let go of the output is not waited for, and killed.
func TestGrandchildInTheBackground(t *testing.T) {
	t.Parallel()
	p := newPipe(t)
	cmd := sh(`(exec 3>$P; echo up >&3; exec ` + forever + `) >/dev/null 2>&1 & read word <$Q`)
	q := newPipe(t)
	cmd.Env = []string{"P=" + p.name, "Q=" + q.name}
	ended := make(chan error)
	go func() {
		_, err := OS{}.Run(t.Context(), cmd)
		ended <- err
	}()
	f := p.open(t)
	write(t, q.name, "go\n", 0o600)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	gone(t, f)
}

// A program that is killed takes its child with it: this test binary, run once
// more, is the program.
func TestKilledProgramLeavesNoChild(t *testing.T) {
	t.Parallel()
	p := newPipe(t)
	program := osexec.Command(os.Args[0])
	program.Env = append(os.Environ(), "P="+p.name,
		scriptVariable+`=exec 3>$P; echo up >&3; exec `+forever)
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	f := p.open(t)
	if err := program.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = program.Wait() // "signal: killed"
	gone(t, f)
}

func write(t *testing.T, name, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func TestStdin(t *testing.T) {
	result, err := OS{}.Run(t.Context(), Cmd{Args: []string{"tr", "a-z", "A-Z"}, Stdin: strings.NewReader("words")})
	if err != nil || result.Stdout != "WORDS" {
		t.Errorf("got %q, %v", result.Stdout, err)
	}
	// A program that has had enough ends, though nobody has closed the pipe.
	out, in := io.Pipe()
	go func() { _, _ = in.Write(make([]byte, 1<<20)) }()
	if _, err := (OS{}).Run(t.Context(), Cmd{Args: []string{"head", "-c", "1"}, Stdin: out}); err != nil {
		t.Errorf("a program that does not read it all: %v", err)
	}
	_ = out.Close()
}
