package main

import (
	"fmt"
	"time"

	"btw-backup/internal/offsite"
	"btw-backup/internal/run"
)

// Transfer implements run.Log: files, bytes, rate and, once it is known how
// much there is in all, the time that is left.
func (l *log) Transfer(what string, p offsite.Progress) {
	if !l.watched() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if what != l.current {
		l.current, l.begun = what, now
	}
	if now.Sub(l.drawn) < redraw && p.Files < p.TotalFiles {
		return
	}
	l.draw(now, what+": "+transferText(p, now.Sub(l.begun)))
}

// transferText says how far a sending has come after a time.
func transferText(p offsite.Progress, spent time.Duration) string {
	more := "+" // there may be more to come
	if p.Whole {
		more = ""
	}
	text := fmt.Sprintf("%d of %d%s files, %s of %s%s", p.Files, p.TotalFiles, more, run.Bytes(p.Bytes), run.Bytes(p.TotalBytes), more)
	if spent < time.Second || p.Bytes == 0 {
		return text
	}
	rate := float64(p.Bytes) / spent.Seconds()
	text += fmt.Sprintf(", %s/s", run.Bytes(int64(rate)))
	if p.Whole && p.Bytes < p.TotalBytes {
		left := time.Duration(float64(p.TotalBytes-p.Bytes) / rate * float64(time.Second))
		text += fmt.Sprintf(", %s left", left.Round(time.Second))
	}
	return text
}
