// Package exec runs a program and keeps its last words.
//
// # Concepts
//
// A [Cmd] is a program with its arguments, what is added to its environment,
// and where its output goes. A [Runner] runs it; [OS] is the real one, and a
// test may put a scripted one in its place.
//
// A program that fails says why on standard error, at the end. Run keeps the
// last lines of it and hands them over with the error, an [ExitError], so that
// a person reads the tool's own words; while all goes well, nobody hears the
// tool. What succeeded with a complaint can be found in [Result.Stderr].
//
// No child outlives the program: each gets a process group of its own, which
// is killed as a whole when the context ends, and the kernel kills the child
// when the program itself dies, whatever ended it.
package exec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Cmd is one run of a program.
type Cmd struct {
	// Args is the program's name, looked up in PATH, and its arguments.
	// Secrets have no place in it: everybody on the machine can read them.
	Args []string

	// Env holds NAME=VALUE pairs that are added to the program's
	// environment, which is otherwise our own; the last one of a name counts.
	// A bare NAME takes the variable away.
	Env []string

	// Dir is where the program runs; empty means here.
	Dir string

	// Stdin is what the program reads; nil means that it finds nothing there.
	// Once the program is gone, nothing more is read from it: who writes a pipe
	// has to be told when Run returns.
	Stdin io.Reader

	// Stdout receives standard output as it comes; nil means that it is kept
	// in Result.Stdout, where only the last of a long output remains.
	// An error of its Write ends the program.
	Stdout io.Writer

	// Package names the Debian package that brings the program, for the
	// error that is given when it is missing.
	Package string
}

// Result is what a program left behind, besides its output.
type Result struct {
	// Status is the exit status; 128 + the signal's number when a signal
	// ended it, as a shell counts.
	Status int

	// Signal is the signal that ended it, or 0: a program can as well exit
	// with a status above 128 by itself.
	Signal syscall.Signal

	// Stdout and Stderr are the last lines, at most [LastWords] bytes.
	Stdout, Stderr string
}

// LastWords is how many bytes of a program's output are kept: some 40 lines.
const LastWords = 4096

// Runner runs programs.
type Runner interface {
	// Run runs a program to its end. A status other than 0 is an
	// *ExitError, a program that is not there a *MissingError; a context
	// that ended is reported by its cause. The Result is filled in as far as
	// it is known, in each case.
	Run(ctx context.Context, cmd Cmd) (Result, error)
}

// ExitError says that a program ran and did not end with status 0.
type ExitError struct {
	Program string
	Result
}

// Error gives the status only; the last words go to the person on lines of
// their own.
func (e *ExitError) Error() string {
	if e.Signal != 0 {
		return fmt.Sprintf("%s exited with code: %d (%s)", e.Program, e.Status, e.Signal)
	}
	return fmt.Sprintf("%s exited with code: %d", e.Program, e.Status)
}

// MissingError says that a program is not installed.
type MissingError struct{ Program, Package string }

func (e *MissingError) Error() string {
	if strings.Contains(e.Program, "/") {
		return fmt.Sprintf("%s: there is no such program", e.Program)
	}
	if e.Package == "" {
		return fmt.Sprintf("%s: there is no such program in PATH", e.Program)
	}
	return fmt.Sprintf("%s is not installed: apt-get install %s", e.Program, e.Package)
}

// OS runs programs on this machine.
type OS struct {
	// Stall is how long a program may do nothing before it is ended with a
	// *StallError; 0 means for ever.
	Stall time.Duration

	drain time.Duration // 0 means the constant; a test has no minute
}

// DefaultPath is where programs are looked for when PATH is not set, as in
// an empty environment: where Debian's root finds them.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// grace is how long a program may take to end by itself after SIGTERM.
const grace = time.Second

// drain is how long the rest of a program's output may take to be read once
// the program is gone. Only a stray grandchild that holds the pipe open takes
// that long, and then it is an error: what was read may not be all.
const drain = time.Minute

// Run implements [Runner].
func (o OS) Run(ctx context.Context, cmd Cmd) (Result, error) {
	if len(cmd.Args) == 0 {
		return Result{Status: -1}, errors.New("there is no program to run")
	}
	if err := context.Cause(ctx); err != nil {
		return Result{Status: -1}, err
	}
	env := environment(os.Environ(), cmd.Env)
	path, err := lookPath(cmd.Args[0], env, cmd.Dir)
	if err != nil {
		return Result{Status: -1}, &MissingError{Program: cmd.Args[0], Package: cmd.Package}
	}
	var stdout, stderr tail
	c := osexec.CommandContext(ctx, path, cmd.Args[1:]...)
	c.Args[0] = cmd.Args[0]
	c.Env, c.Dir = env, cmd.Dir
	c.Stdin, c.Stdout, c.Stderr = cmd.Stdin, &stdout, &stderr
	var sink *sink
	if cmd.Stdout != nil {
		sink = newSink(cmd.Stdout)
		c.Stdout = sink
	}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	var end ending
	c.Cancel = func() error { return end.begin(c.Process.Pid) }
	c.WaitDelay = cmp.Or(o.drain, drain)

	// The kernel sends Pdeathsig when the *thread* that started the child
	// ends, so the thread must be ours until the child is gone.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := c.Start(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return Result{Status: -1}, cause
		}
		return Result{Status: -1}, fmt.Errorf("%s: %w", cmd.Args[0], err)
	}
	if sink != nil {
		sink.onError = func() { _ = end.begin(c.Process.Pid) }
		close(sink.ready)
	}
	// Cancel is called only while the program itself is there. What it started
	// may hold its output open, and must end too.
	unwatch := context.AfterFunc(ctx, func() { _ = end.begin(c.Process.Pid) })
	gone, err := o.wait(ctx, c, &end)
	unwatch()
	end.over()
	// Grandchildren that are still there hold nothing of value: the program
	// that started them is gone.
	kill(c.Process.Pid)
	if !gone {
		sink.close()
		return Result{Status: -1}, err // its last words may still be written to
	}

	result := Result{Stdout: stdout.String(), Stderr: stderr.String()}
	result.Status, result.Signal = status(c.ProcessState)
	if cause := context.Cause(ctx); cause != nil {
		return result, cause
	}
	if errors.As(err, new(*StallError)) {
		return result, err
	}
	if sink != nil && sink.err != nil {
		return result, sink.err
	}
	// Before the status: output that was cut off must not pass for what came
	// with a status that a caller takes for a warning.
	if errors.Is(err, osexec.ErrWaitDelay) {
		return result, fmt.Errorf("%s ended, but something that it started held its output open: %w", cmd.Args[0], err)
	}
	if result.Status != 0 {
		return result, &ExitError{Program: cmd.Args[0], Result: result}
	}
	return result, err
}

func status(state *os.ProcessState) (int, syscall.Signal) {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal()), ws.Signal()
	}
	return state.ExitCode(), 0
}

// environment applies changes to base. Some programs misread a name that
// stands twice, so each name stands once. PATH always stands.
func environment(base, changes []string) []string {
	var env []string
	for _, change := range slices.Concat(base, changes) {
		name, _, set := strings.Cut(change, "=")
		env = slices.DeleteFunc(env, func(pair string) bool { return strings.HasPrefix(pair, name+"=") })
		if set {
			env = append(env, change)
		}
	}
	if lookup(env, "PATH") == "" {
		env = slices.DeleteFunc(env, func(pair string) bool { return pair == "PATH=" })
		env = append(env, "PATH="+DefaultPath)
	}
	return env
}

func lookup(env []string, name string) string {
	for _, pair := range env {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

// lookPath finds a program in the PATH of env. A relative entry of PATH is
// passed over: a backup run as root has no business in the folder of the day.
// A program with a relative path is one from dir, where it will run.
func lookPath(program string, env []string, dir string) (string, error) {
	if strings.Contains(program, "/") {
		name := program
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return program, executable(name)
	}
	for _, dir := range strings.Split(lookup(env, "PATH"), ":") {
		if !strings.HasPrefix(dir, "/") {
			continue
		}
		if name := dir + "/" + program; executable(name) == nil {
			return name, nil
		}
	}
	return "", os.ErrNotExist
}

func executable(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return os.ErrPermission
	}
	return nil
}

// tail keeps the last bytes of what is written to it, and one more, which
// tells whether they begin with a line.
type tail struct{ kept []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if len(t.kept) > 2*LastWords {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-LastWords-1:]...)
	}
	return len(p), nil
}

// String gives whole lines only, unless there is but one.
func (t *tail) String() string {
	s := string(t.kept)
	if len(s) > LastWords {
		s = s[len(s)-LastWords-1:]
		if _, rest, ok := strings.Cut(s, "\n"); ok && rest != "" {
			s = rest
		} else {
			s = s[1:]
		}
	}
	return strings.TrimRight(s, "\n")
}

// sink passes output on until it cannot be written any more, and then ends
// the program, which would else go on for hours for nobody.
type sink struct {
	mu      sync.Mutex
	w       io.Writer
	err     error
	ready   chan struct{} // closed when onError is set
	onError func()
}

func newSink(w io.Writer) *sink { return &sink{w: w, ready: make(chan struct{})} }

// close has nothing more passed on.
func (s *sink) close() {
	if s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.err = os.ErrClosed
	}
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		var n int
		n, s.err = s.w.Write(p)
		if s.err == nil && n < len(p) {
			s.err = io.ErrShortWrite
		}
		if s.err == nil {
			return n, nil
		}
		<-s.ready
		s.onError()
	}
	// Swallowed while the program ends, so that it is not SIGPIPE that ends
	// it and hides the reason.
	return len(p), nil
}
