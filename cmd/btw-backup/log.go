package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/fatih/color"
	"golang.org/x/term"

	"btw-backup/internal/run"
)

// log writes to standard error what a person may want to know.
type log struct {
	mu       sync.Mutex
	out      io.Writer
	fd       int
	terminal bool // somebody watches
	quiet    bool

	red, yellow, faint *color.Color

	status  string    // the line of progress that is shown now
	drawn   time.Time // when it was
	begun   time.Time // when what it says began
	current string    // what that is
}

// newLog returns the log on a stream. Colour is for a terminal that wants it.
func newLog(stream *os.File) *log {
	l := &log{
		out:      stream,
		fd:       int(stream.Fd()),
		terminal: term.IsTerminal(int(stream.Fd())),
		red:      color.New(color.FgRed, color.Bold),
		yellow:   color.New(color.FgYellow),
		faint:    color.New(color.Faint),
	}
	colourful := l.terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	for _, c := range []*color.Color{l.red, l.yellow, l.faint} {
		if colourful {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
	}
	return l
}

const prefix = "btw-backup: "

// Warn implements run.Log.
func (l *log) Warn(message string) { l.line(l.yellow.Sprint(prefix+"warning: ") + message) }

// Info implements run.Log.
func (l *log) Info(message string) {
	if l.watched() {
		l.line(prefix + message)
	}
}

// fail writes an error.
func (l *log) fail(message string) { l.line(l.red.Sprint(prefix) + message) }

// detail writes a line that belongs to an error.
func (l *log) detail(message string) { l.line(l.faint.Sprint("  " + message)) }

func (l *log) watched() bool { return l.terminal && !l.quiet }

func (l *log) line(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
	_, _ = fmt.Fprintln(l.out, text)
}

// redraw is how often the line of progress changes at most.
const redraw = 100 * time.Millisecond

// Progress implements run.Log: one line, drawn over again and again.
func (l *log) Progress(what string, bytes int64) {
	if !l.watched() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if what != l.current {
		l.current, l.begun = what, now
	} else if now.Sub(l.drawn) < redraw {
		return
	}
	text := what
	if bytes >= 0 {
		text += ": " + run.Bytes(bytes)
		if s := now.Sub(l.begun).Seconds(); s > 1 {
			text += fmt.Sprintf(", %s/s", run.Bytes(int64(float64(bytes)/s)))
		}
	}
	l.draw(now, text)
}

// draw puts a line of progress in the place of the one before.
func (l *log) draw(now time.Time, text string) {
	l.erase()
	l.drawn, l.status = now, text
	_, _ = fmt.Fprint(l.out, l.faint.Sprint(l.fit(text)))
}

// fit shortens text to the width of the terminal: a line that wraps could not
// be erased.
func (l *log) fit(text string) string {
	width := 78
	if columns, _, err := term.GetSize(l.fd); err == nil && columns > 4 {
		width = columns - 2
	}
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	return string(runes[:width/2-1]) + "…" + string(runes[len(runes)-width/2:])
}

// erase takes the line of progress away.
func (l *log) erase() {
	if l.status != "" {
		_, _ = fmt.Fprint(l.out, "\r"+strings.Repeat(" ", len([]rune(l.fit(l.status))))+"\r")
		l.status = ""
	}
}

// done takes the line of progress away for good.
func (l *log) done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
}
