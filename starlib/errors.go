package starlib

import (
	"errors"
	"fmt"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// An Error is what went wrong in a Starlark file: while it was read, while it
// was loaded, or while one of its functions ran.
type Error struct {
	// Msg says what happened. It may have several lines if the error of a
	// builtin has.
	Msg string

	err    error   // what the builtin returned; nil if Starlark itself complains
	trace  []Frame // outermost first, without builtins
	col    int     // column in the last frame, or 0
	static bool    // about the text of a file, rather than about a call
	failed bool    // the recipe called fail
}

// A Frame is a line of a file that was being executed.
type Frame struct {
	Func   string // the function that the line belongs to
	File   string
	Line   int    // from 1; 0 if the frame is about the whole file
	Source string // the line's text, without the space around it
}

// Error returns the message and its place in one line. What is wrong with the
// text of a file begins with the place, as compilers have it; what went wrong
// in a call ends with it.
func (e *Error) Error() string {
	msg := oneLine(e.Msg)
	file, line, text := e.Where()
	if file == "" {
		return msg
	}
	place := file
	if line > 0 {
		place = fmt.Sprintf("%s:%d", place, line)
	}
	if e.static {
		if e.col > 0 {
			place = fmt.Sprintf("%s:%d", place, e.col)
		}
		return place + ": " + msg
	}
	if text != "" {
		place += ": " + text
	}
	return msg + " (" + place + ")"
}

// Brief returns the message without its place, in one line, for who has no use
// for that.
func (e *Error) Brief() string { return oneLine(e.Msg) }

// Unwrap returns the error that the builtin returned, if one did. For a run
// that was stopped it is the cause of the context.
func (e *Error) Unwrap() error { return e.err }

// Failed tells whether the recipe called fail: Msg is what it has to say, and
// its place tells a person nothing.
func (e *Error) Failed() bool { return e.failed }

// Static tells whether the error is about the text of a file, rather than
// about a call.
func (e *Error) Static() bool { return e.static }

// Where returns the innermost line of a file that was being executed, or the
// line that is wrong.
func (e *Error) Where() (file string, line int, source string) {
	if len(e.trace) == 0 {
		return "", 0, ""
	}
	f := e.trace[len(e.trace)-1]
	return f.File, f.Line, f.Source
}

// Trace returns the lines that led to the error, outermost first. The last one
// is the one that Where returns.
func (e *Error) Trace() []Frame { return append([]Frame(nil), e.trace...) }

// A PanicError is a panic in the function of a builtin: a bug of the program,
// not of the recipe.
type PanicError struct {
	Builtin string // "" if the panic was elsewhere, as in a value's methods
	Value   any    // what the function panicked with
	Stack   []byte // for a bug report; not part of the message
}

func (e *PanicError) Error() string {
	if e.Builtin == "" {
		return fmt.Sprintf("bug in the program: %v", e.Value)
	}
	return fmt.Sprintf("bug in the builtin %s: %v", e.Builtin, e.Value)
}

// Unwrap returns the value of the panic if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// A UsageError is a command line that does not fit the recipe.
type UsageError struct{ Msg string }

func (e *UsageError) Error() string { return e.Msg }

// A loadError carries the error of a loaded file through the interpreter, which
// puts a “cannot load” of its own before it at each level.
type loadError struct{ err error }

func (e *loadError) Error() string { return e.err.Error() }
func (e *loadError) Unwrap() error { return e.err }

// sources are the files of one load, by the name that errors show.
type sources map[string]*source

// staticError turns an error of the parser or of the resolver into an Error;
// other errors it returns as they are. Only the first of several is told.
func (ss sources) staticError(err error) error {
	var pos syntax.Position
	var msg string
	var se syntax.Error
	var re resolve.ErrorList
	switch {
	case errors.As(err, &se):
		pos, msg = se.Pos, se.Msg
	case errors.As(err, &re):
		pos, msg = re[0].Pos, re[0].Msg
	default:
		return err
	}
	line, col := int(pos.Line), int(pos.Col)
	// The parser tells where the token ends that it did not want. The end of a
	// newline is the next line, where nothing is wrong.
	if strings.HasPrefix(msg, "got newline") && col == 1 && line > 1 {
		line, col = line-1, 0
	}
	e := ss[pos.Filename()].errorf(line, "%s", msg)
	e.col = col
	return e
}

// callError turns an error of the interpreter into an Error with its place.
func (ss sources) callError(err error) error {
	var loaded *loadError
	if errors.As(err, &loaded) {
		return loaded.err
	}
	var ee *starlark.EvalError
	if !errors.As(err, &ee) {
		return ss.staticError(err)
	}
	e := &Error{Msg: ee.Msg, err: ee.Unwrap()}
	for _, f := range ee.CallStack {
		file, line := f.Pos.Filename(), int(f.Pos.Line)
		if s := ss[file]; s != nil {
			e.trace = append(e.trace, Frame{Func: f.Name, File: file, Line: line, Source: s.line(line)})
		}
	}
	// fail is how a recipe speaks for itself, and the message is all its own.
	if n := len(ee.CallStack); n > 0 && ee.CallStack[n-1].Name == "fail" {
		e.Msg, e.failed = strings.TrimPrefix(e.Msg, "fail: "), true
	}
	return e
}

// oneLine joins the lines of s.
func oneLine(s string) string {
	if !strings.Contains(s, "\n") {
		return s
	}
	var parts []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, "; ")
}
