package run

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/afero"

	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/lock"
	"btw-backup/internal/syncstate"
)

// What became of the last backup, verification and drill of a destination is
// remembered in a file of the config directory: there it can be written when
// the disk of the backups is not mounted, which is a failure to remember. A
// backup is remembered when it begins, as one that did not end, so that one
// that was killed is known as well.

// historyDir lies in the config directory and holds a file for each destination.
const historyDir = "status"

// History is what is remembered of a destination.
type History struct {
	Format  int       `json:"format"`
	Good    time.Time `json:"good,omitzero"` // when a backup was last made, or nothing had changed
	Attempt *Result   `json:"attempt,omitempty"`
	Verify  *Result   `json:"verify,omitempty"`
	Drill   *Result   `json:"drill,omitempty"`
	Source  string    `json:"source,omitempty"` // whose settings say how it is backed up, see settings.Dir.Of
	Sizes   []int64   `json:"sizes,omitempty"`  // in bytes, after each of the last good runs
}

// Result is what became of something that was tried.
type Result struct {
	Time  time.Time `json:"time"`
	OK    bool      `json:"ok"`
	Words string    `json:"words"`
}

// notEnded is what is remembered of a backup while it is made.
const notEnded = "it did not end: it was killed, or the machine stopped"

const (
	historyFormat = 1
	keptSizes     = 24  // so many fit into a line
	longestName   = 200 // what is put around it must find room
)

func (w *World) historyName(dst string) string {
	name := strings.ReplaceAll(dst, "/", "\\")
	if len(name) > longestName {
		digest := sha256.Sum256([]byte(name))
		name = strings.ToValidUTF8(name[:longestName/2], "") + "-" + hex.EncodeToString(digest[:12])
	}
	return filepath.Join(w.Config.Path, historyDir, name+".json")
}

// Remembered returns what is remembered of a destination. A file that cannot be
// understood is as good as none: it is written again.
func (w *World) Remembered(dst string) (h History, err error) {
	text, err := afero.ReadFile(w.FS, w.historyName(dst))
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err == nil && (json.Unmarshal(text, &h) != nil || h.Format != historyFormat) {
		h = History{}
	}
	return h, err
}

// remember changes what is remembered of a destination; results get the time.
// That this fails is no reason to fail, but is said.
func (r *Run) remember(ctx context.Context, dst string, change func(h *History)) {
	clean, err := destination.Clean(dst)
	if err != nil {
		return // there is no such destination, and will not be
	}
	general, err := r.General()
	if err != nil {
		return // the run says so
	}
	err = r.WithConfig(context.WithoutCancel(ctx), min(general.LockTimeout, time.Minute), func() error {
		h, err := r.Remembered(clean)
		if err != nil {
			return err
		}
		before := []*Result{h.Attempt, h.Verify, h.Drill}
		change(&h)
		for i, result := range []*Result{h.Attempt, h.Verify, h.Drill} {
			if result != before[i] {
				result.Time = r.Clock.Now().UTC()
			}
		}
		h.Format = historyFormat
		text, err := json.MarshalIndent(h, "", " ")
		if err != nil {
			return err
		}
		name := r.historyName(clean)
		if _, err := durable.MkdirAll(r.FS, r.Config.Path, filepath.Dir(name)); err != nil {
			return err
		}
		return durable.WriteBytes(r.FS, name, append(text, '\n'), nil)
	})
	if err != nil {
		r.Log.Warn("what became of " + dst + " could not be remembered for status: " + err.Error())
	}
}

// Begin says that this run is to make a backup to a destination: how it ends
// is remembered, and told to whom the settings name. What they want to run
// before can refuse the backup.
func (r *Run) Begin(ctx context.Context, dst string) error {
	clean, err := r.realName(dst)
	if err != nil { // ROOT_PATH is not mounted, perhaps
		clean, err = destination.Clean(dst)
	}
	if err != nil || slices.Contains(r.begun, clean) {
		return nil //nolint:nilerr // whoever opens it refuses the name
	}
	r.begun = append(r.begun, clean)
	r.remember(ctx, clean, func(h *History) { h.Attempt = &Result{Words: notEnded} })
	return r.runHooks(ctx, clean, hookBegin, "")
}

// From says whose settings say how a destination is backed up, so that they are
// found when it is pruned.
func (p *Place) From(source string) { p.run.sources[p.Dst] = source }

// ended remembers how the run ended, and tells it.
func (r *Run) ended(ctx context.Context, runErr error) {
	ctx = context.WithoutCancel(ctx)
	result, words := hookOK, "made, or nothing had changed"
	var pending *PendingError
	var brief interface{ Brief() string } // without the place in the recipe
	switch {
	case errors.As(runErr, &pending):
		result, words = hookPending, firstLine(pending.Error())
	case errors.As(runErr, &brief):
		result, words = hookFailed, firstLine(brief.Brief())
	case runErr != nil:
		result, words = hookFailed, firstLine(runErr.Error())
	}
	for _, dst := range r.begun {
		r.remember(ctx, dst, func(h *History) {
			h.Attempt = &Result{OK: result != hookFailed, Words: words}
			if source := r.sources[dst]; source != "" {
				h.Source = source
			}
			if result == hookFailed {
				return
			}
			h.Good = r.Clock.Now().UTC()
			if size, err := r.sizeOf(dst); err == nil {
				h.Sizes = append(h.Sizes, size)
				h.Sizes = h.Sizes[max(0, len(h.Sizes)-keptSizes):]
			}
		})
		if err := r.runHooks(ctx, dst, result, words); err != nil {
			r.Log.Warn(err.Error())
		}
	}
}

// sizeOf counts the bytes of the files in a destination.
func (r *Run) sizeOf(dst string) (size int64, err error) {
	p, err := r.placeOf(dst)
	if err != nil {
		return 0, err
	}
	err = durable.Walk(r.FS, p.Dir, func(name string, info fs.FileInfo) error {
		if info.Mode().IsRegular() {
			size += info.Size()
		}
		if info.IsDir() && durable.IsTemp(filepath.Base(name)) {
			return fs.SkipDir
		}
		return nil
	})
	return size, err
}

// Status is all that there is to say of a destination.
type Status struct {
	History
	Problem         string // why it cannot be looked into
	Backups, States int
	Newest          time.Time
	Size            int64
	Pending         int // paths of it that are registered to be sent
	Age             time.Duration
}

// busy tells whether a run is at work in a destination.
func (r *Run) busy(ctx context.Context, dst string) bool {
	p, err := r.placeOf(dst)
	if err != nil {
		return false
	}
	held, err := r.Locker.Dir(ctx, p.Dir, r.waiter(0))
	if err == nil {
		err = held.Release()
	}
	return errors.As(err, new(*lock.BusyError))
}

// Status looks at a destination. Nothing is mended or changed, or locked for
// longer than a moment.
func (r *Run) Status(ctx context.Context, dst string) (s Status, err error) {
	if s.History, err = r.Remembered(dst); err != nil {
		return s, err
	}
	contents, err := r.Look(dst)
	if err == nil {
		s.Size, err = r.sizeOf(dst)
	}
	if err != nil {
		s.Problem = err.Error()
	}
	if s.Attempt != nil && s.Attempt.Words == notEnded && r.busy(ctx, dst) {
		s.Attempt.OK, s.Attempt.Words = true, "it is going on"
	}
	s.Backups = len(contents.Backups)
	if states := contents.States(); len(states) > 0 {
		s.States, s.Newest = len(states), states[len(states)-1].Time
	}
	if s.Newest.After(s.Good) {
		s.Good = s.Newest // of before this was remembered
	}
	s.Age = r.Clock.Now().Sub(s.Good)
	if err := r.CheckState(); err != nil {
		return s, err
	}
	state, err := syncstate.Read(r.FS, StatePath(r.Config.Path))
	if err != nil {
		return s, err
	}
	for _, entry := range state.Pending {
		at := strings.TrimSuffix(entry.Path, "/")
		if at == dst || strings.HasPrefix(at, dst+"/") || at == "" || strings.HasPrefix(dst, at+"/") {
			s.Pending++
		}
	}
	return s, nil
}

// Sparkline draws numbers as a line of blocks, the smallest the lowest.
func Sparkline(numbers []int64) string {
	if len(numbers) == 0 {
		return ""
	}
	blocks := []rune("▁▂▃▄▅▆▇█")
	low, high := slices.Min(numbers), slices.Max(numbers)
	var b strings.Builder
	for _, n := range numbers {
		i := 0
		if high > low {
			i = int(float64(n-low) / float64(high-low) * float64(len(blocks)-1))
		}
		b.WriteRune(blocks[i])
	}
	return b.String()
}
