package starlib

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"

	"go.starlark.net/starlark"
)

// A Module is a file that has been loaded.
type Module struct {
	File string // as errors show it
	Doc  string // its docstring

	host    *Host
	src     *source
	files   sources // this file and those that it loads
	globals starlark.StringDict
	lines   map[string]int // where the globals are bound
}

// Functions returns the names of the functions that the file defines, sorted.
func (m *Module) Functions() []string {
	var names []string
	for _, name := range m.globals.Keys() {
		if _, ok := m.globals[name].(*starlark.Function); ok {
			names = append(names, name)
		}
	}
	return names
}

// Call calls a function of the module with keyword arguments. Each call has a
// thread of its own, and ends with the cause of ctx soon after ctx does. An
// argument is frozen by the call.
func (m *Module) Call(ctx context.Context, function string, args map[string]starlark.Value) (starlark.Value, error) {
	f, ok := m.globals[function].(*starlark.Function)
	if !ok {
		return nil, fmt.Errorf("%s: there is no function %s", m.File, function)
	}
	var kwargs []starlark.Tuple
	for _, name := range slices.Sorted(maps.Keys(args)) {
		args[name].Freeze()
		kwargs = append(kwargs, starlark.Tuple{starlark.String(name), args[name]})
	}
	ex := m.host.execution(ctx, m.files)
	var v starlark.Value
	err := ex.do(func() (err error) {
		v, err = starlark.Call(ex.thread, f, nil, kwargs)
		return err
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

// An execution is a thread at work, with what builtins need to know about it.
type execution struct {
	ctx       context.Context
	thread    *starlark.Thread
	files     sources
	loading   bool // executing the top level of a file
	exhausted bool // has taken all its steps
}

const executionKey = "starlib.execution"

// executionOf returns the execution that the thread belongs to.
func executionOf(t *starlark.Thread) *execution { return t.Local(executionKey).(*execution) }

// execution returns a new thread, bounded as the host says.
func (h *Host) execution(ctx context.Context, files sources) *execution {
	ex := newExecution(ctx, files, h.MaxSteps)
	if h.Print != nil {
		ex.thread.Print = func(_ *starlark.Thread, msg string) { h.Print(msg) }
	}
	return ex
}

func newExecution(ctx context.Context, files sources, steps uint64) *execution {
	if steps == 0 {
		steps = DefaultMaxSteps
	}
	ex := &execution{ctx: ctx, files: files}
	ex.thread = &starlark.Thread{
		Print: func(*starlark.Thread, string) {}, // the interpreter's own goes to standard error
		OnMaxSteps: func(t *starlark.Thread) {
			ex.exhausted = true
			t.Cancel(fmt.Sprintf("it took %d steps and did not end", steps))
		},
	}
	ex.thread.SetMaxExecutionSteps(steps)
	ex.thread.SetLocal(executionKey, ex)
	return ex
}

// cancelled is what the interpreter puts before the reason of a cancellation.
const cancelled = "Starlark computation cancelled: "

// do carries out f on the thread until the context ends. The error is an *Error
// if it has a place in a file.
func (ex *execution) do(f func() error) (err error) {
	if ex.ctx.Err() != nil {
		return context.Cause(ex.ctx)
	}
	stop := context.AfterFunc(ex.ctx, func() { ex.thread.Cancel("the context ended") })
	defer stop()
	defer func() {
		// Builtins are guarded on their own. This is for the attributes of
		// values, and for the interpreter itself.
		if r := recover(); r != nil {
			err = &PanicError{Value: r, Stack: debug.Stack()}
		}
	}()
	err = f()
	if err == nil {
		return nil
	}
	err = ex.files.callError(err)
	var e *Error
	if errors.As(err, &e) && strings.HasPrefix(e.Msg, cancelled) {
		e.Msg = strings.TrimPrefix(e.Msg, cancelled)
		e.err = nil
		if !ex.exhausted {
			e.err = context.Cause(ex.ctx)
			e.Msg = e.err.Error()
		}
	}
	return err
}
