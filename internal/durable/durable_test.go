package durable_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
	"btw-backup/internal/testkit/faultfs"
)

// recorder is the real file system, below a directory. It notes what is done
// to it, as "OPERATION NAME", and can be told to fail.
type recorder struct {
	durable.OS
	base string

	mu  sync.Mutex
	ops []string

	// failAt is the operation that fails, without being done; noExchange
	// says that the file system cannot exchange two names.
	failAt     string
	noExchange bool
}

var errInjected = errors.New("input/output error")

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &recorder{base: base}
}

func (r *recorder) shown(name string) string {
	rel, err := filepath.Rel(r.base, name)
	if err != nil {
		return name
	}
	return rel
}

func (r *recorder) note(op string, names ...string) error {
	for _, name := range names {
		op += " " + r.shown(name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops = append(r.ops, op)
	if op == r.failAt {
		return errInjected
	}
	return nil
}

// done returns what was done, one line for each.
func (r *recorder) done() string { return strings.Join(r.ops, "\n") }

func (r *recorder) Open(name string) (afero.File, error) {
	f, err := r.OS.Open(name)
	return &recordedFile{f, r, name}, err
}

func (r *recorder) OpenFile(name string, flag int, mode fs.FileMode) (afero.File, error) {
	if flag&os.O_CREATE != 0 {
		if err := r.note("create", name); err != nil {
			return nil, err
		}
	}
	f, err := r.OS.OpenFile(name, flag, mode)
	return &recordedFile{f, r, name}, err
}

func (r *recorder) Rename(a, b string) error {
	if err := r.note("rename", a, b); err != nil {
		return err
	}
	return r.OS.Rename(a, b)
}

func (r *recorder) Remove(name string) error {
	if there, err := durable.Exists(r.OS, name); err != nil || there {
		if err := errors.Join(err, r.note("remove", name)); err != nil {
			return err
		}
	}
	return r.OS.Remove(name)
}

func (r *recorder) Mkdir(name string, mode fs.FileMode) error {
	if err := r.note("mkdir", name); err != nil {
		return err
	}
	return r.OS.Mkdir(name, mode)
}

func (r *recorder) Exchange(a, b string) error {
	if err := r.note("exchange", a, b); err != nil {
		return err
	}
	if r.noExchange {
		return &os.LinkError{Op: "exchange", Old: a, New: b, Err: errors.ErrUnsupported}
	}
	return r.OS.Exchange(a, b)
}

type recordedFile struct {
	afero.File
	fs   *recorder
	name string
}

func (f *recordedFile) Write(p []byte) (int, error) {
	if err := f.fs.note("write", f.name); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

func (f *recordedFile) Sync() error {
	if err := f.fs.note("sync", f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *recordedFile) Close() error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.IsDir() {
		if err := f.fs.note("close", f.name); err != nil {
			_ = f.File.Close()
			return err
		}
	}
	return f.File.Close()
}

// tree makes files and directories (names that end in a slash).
func tree(t *testing.T, base string, names ...string) {
	t.Helper()
	for _, name := range names {
		full := filepath.Join(base, name)
		dir := filepath.Dir(full)
		if strings.HasSuffix(name, "/") {
			dir = full
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if dir != full {
			put(t, full, name)
		}
	}
}

func put(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return strings.Join(all, " ")
}

// The five steps, in this order.
const writing = `create .btw-tmp-file
write .btw-tmp-file
sync .btw-tmp-file
close .btw-tmp-file
rename .btw-tmp-file file
sync .`

func TestWriteFile(t *testing.T) {
	t.Parallel()
	for _, old := range []string{"", "the old content"} {
		r := newRecorder(t)
		name := filepath.Join(r.base, "file")
		if old != "" {
			put(t, name, old)
		}
		owned := false
		err := durable.WriteBytes(r, name, []byte("content"), func(temp string) error {
			owned = true
			if !durable.IsTemp(filepath.Base(temp)) || get(t, temp) != "" {
				t.Errorf("given away: %s", temp)
			}
			if old != "" && get(t, name) != old {
				t.Error("the new content is seen before it is given away")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.done(); got != writing {
			t.Errorf("got\n%s\nwant\n%s", got, writing)
		}
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if get(t, name) != "content" || info.Mode() != durable.FileMode || !owned || names(t, r.base) != "file" {
			t.Errorf("%q %v, beside it: %s", get(t, name), info.Mode(), names(t, r.base))
		}
	}
}

// What a crash left is in nobody's way, and gone afterwards.
func TestWriteFileAfterACrash(t *testing.T) {
	t.Parallel()
	r := newRecorder(t)
	put(t, r.base+"/.btw-tmp-file", "half of a longer content")
	if err := os.Chmod(r.base+"/.btw-tmp-file", 0o444); err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteBytes(r, r.base+"/file", []byte("content"), nil); err != nil {
		t.Fatal(err)
	}
	if got, want := r.done(), "remove .btw-tmp-file\n"+writing; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if get(t, r.base+"/file") != "content" || names(t, r.base) != "file" {
		t.Errorf("%q, beside it: %s", get(t, r.base+"/file"), names(t, r.base))
	}
	if info, err := os.Stat(r.base + "/file"); err != nil || info.Mode() != durable.FileMode {
		t.Errorf("got %v, %v", info, err)
	}
}

func TestWriteFileFails(t *testing.T) {
	t.Parallel()
	for step := range strings.SplitSeq(writing, "\n") {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			r := newRecorder(t)
			r.failAt = step
			name := filepath.Join(r.base, "file")
			put(t, name, "old")
			if err := durable.WriteBytes(r, name, []byte("new"), nil); !errors.Is(err, errInjected) {
				t.Errorf("got %v", err)
			}
			want := "old"
			if step == "sync ." { // too late: see the manual
				want = "new"
			}
			if got := get(t, name); got != want {
				t.Errorf("it holds %q, want %q", got, want)
			}
			if all := names(t, r.base); all != "file" {
				t.Errorf("left behind: %s", all)
			}
		})
	}
	t.Run("the content", func(t *testing.T) {
		t.Parallel()
		r := newRecorder(t)
		name := filepath.Join(r.base, "file")
		put(t, name, "old")
		err := durable.WriteFile(r, name, nil, func(w io.Writer) error {
			_, err := io.WriteString(w, "half")
			return errors.Join(err, errInjected)
		})
		if !errors.Is(err, errInjected) || get(t, name) != "old" || names(t, r.base) != "file" {
			t.Errorf("got %v; %s holds %q", err, names(t, r.base), get(t, name))
		}
	})
	t.Run("giving away", func(t *testing.T) {
		t.Parallel()
		r := newRecorder(t)
		name := filepath.Join(r.base, "file")
		err := durable.WriteBytes(r, name, nil, func(string) error { return errInjected })
		if !errors.Is(err, errInjected) || names(t, r.base) != "" {
			t.Errorf("got %v; left behind: %s", err, names(t, r.base))
		}
	})
	t.Run("removing as well", func(t *testing.T) {
		t.Parallel()
		r := newRecorder(t)
		r.failAt = "remove .btw-tmp-file"
		own := errors.New("not yours")
		err := durable.WriteBytes(r, filepath.Join(r.base, "file"), nil, func(string) error { return own })
		if !errors.Is(err, own) || !errors.Is(err, errInjected) {
			t.Errorf("got %v", err)
		}
	})
}

func TestCreate(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "file")
	f, err := durable.Create(durable.OS{}, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode() != 0o600 {
		t.Errorf("got %v, %v", info, err)
	}
	if _, err := durable.Create(durable.OS{}, name); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second time: %v", err)
	}
}

// A directory "chain" with the state old takes the place of one with new.
func TestReplace(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, fail string
		noExchange bool
		want       string // the operations, without those after the failure
		after      string // NAME=STATE, in the end
	}{
		{
			name: "exchange", want: "exchange temp chain\nsync .",
			after: "chain=new temp=old",
		},
		{
			name: "exchange fails", fail: "exchange temp chain", want: "exchange temp chain",
			after: "chain=old temp=new",
		},
		{
			name: "exchange is not durable", fail: "sync .", want: "exchange temp chain\nsync .",
			after: "chain=new temp=old",
		},
		{
			name: "no exchange", noExchange: true,
			want:  "exchange temp chain\nrename chain aside\nsync .\nrename temp chain\nsync .\nrename aside temp",
			after: "chain=new temp=old",
		},
		{
			name: "no exchange, first rename fails", noExchange: true, fail: "rename chain aside",
			want:  "exchange temp chain\nrename chain aside",
			after: "chain=old temp=new",
		},
		{
			name: "no exchange, second rename fails", noExchange: true, fail: "rename temp chain",
			want:  "exchange temp chain\nrename chain aside\nsync .\nrename temp chain\nrename aside chain\nsync .",
			after: "chain=old temp=new",
		},
		{
			name: "no exchange, last rename fails", noExchange: true, fail: "rename aside temp",
			want:  "exchange temp chain\nrename chain aside\nsync .\nrename temp chain\nsync .\nrename aside temp",
			after: "aside=old chain=new",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRecorder(t)
			r.failAt, r.noExchange = test.fail, test.noExchange
			tree(t, r.base, "chain/", "temp/")
			put(t, r.base+"/chain/state", "old")
			put(t, r.base+"/temp/state", "new")
			err := durable.Replace(r, r.base+"/temp", r.base+"/chain", r.base+"/aside")
			if errors.Is(err, errInjected) != (test.fail != "") || err != nil && test.fail == "" {
				t.Errorf("got the error %v", err)
			}
			if got := r.done(); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
			var after []string
			for name := range strings.FieldsSeq(names(t, r.base)) {
				after = append(after, name+"="+get(t, filepath.Join(r.base, name, "state")))
			}
			if got := strings.Join(after, " "); got != test.after {
				t.Errorf("left %s, want %s", got, test.after)
			}
		})
	}
}

func TestExchange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "a/1", "b/2")
	if err := (durable.OS{}).Exchange(dir+"/a", dir+"/b"); err != nil {
		t.Fatal(err)
	}
	if names(t, dir+"/a") != "2" || names(t, dir+"/b") != "1" {
		t.Error("nothing was exchanged")
	}
	err := durable.OS{}.Exchange(dir+"/a", dir+"/none")
	if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a name that is not there: %v", err)
	}
}

func TestSyncTree(t *testing.T) {
	t.Parallel()
	r := newRecorder(t)
	tree(t, r.base, "t/a/deep/file", "t/b", "t/c/", "t/zz/last")
	if err := os.Symlink("nowhere", r.base+"/t/link"); err != nil {
		t.Fatal(err)
	}
	if err := durable.SyncTree(r, r.base+"/t"); err != nil {
		t.Fatal(err)
	}
	var synced []string
	for _, op := range r.ops {
		if name, ok := strings.CutPrefix(op, "sync "); ok {
			synced = append(synced, name)
		}
	}
	all := []string{"t", "t/a", "t/a/deep", "t/a/deep/file", "t/b", "t/c", "t/zz", "t/zz/last"}
	if got := slices.Sorted(slices.Values(synced)); !slices.Equal(got, all) {
		t.Errorf("synced %q, want %q", got, all)
	}
	for i, name := range synced {
		for _, later := range synced[i:] {
			if strings.HasPrefix(later, name+"/") {
				t.Errorf("%s was made durable before %s, which lies in it", name, later)
			}
		}
	}
	for _, name := range all {
		failing := &recorder{base: r.base, failAt: "sync " + name}
		if err := durable.SyncTree(failing, r.base+"/t"); !errors.Is(err, errInjected) {
			t.Errorf("%s cannot be made durable: %v", name, err)
		}
	}
}

func TestMkdirAll(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		there []string
		dir   string
		fail  string
		made  string
		ops   string
		err   string
	}{
		{name: "base itself", dir: "."},
		{name: "one", dir: "a", made: "a", ops: "mkdir a\nsync ."},
		{
			name: "three", dir: "a/b/c", made: "a a/b a/b/c",
			ops: "mkdir a\nsync .\nmkdir a/b\nsync a\nmkdir a/b/c\nsync a/b",
		},
		{
			// Another run may have made it, or died before it was durable.
			name: "some are there", there: []string{"a/b/"}, dir: "a/b/c", made: "a/b/c",
			ops: "mkdir a\nsync .\nmkdir a/b\nsync a\nmkdir a/b/c\nsync a/b",
		},
		{name: "all are there", there: []string{"a/"}, dir: "a", ops: "mkdir a\nsync ."},
		{name: "a file in the way", there: []string{"a"}, dir: "a", ops: "mkdir a", err: "/a: is not a directory"},
		{
			name: "a file above", there: []string{"a/f"}, dir: "a/f/b", ops: "mkdir a\nsync .\nmkdir a/f",
			err: "/a/f: is not a directory",
		},
		{
			name: "failing half-way", dir: "a/b/c", fail: "mkdir a/b/c", made: "a a/b",
			ops: "mkdir a\nsync .\nmkdir a/b\nsync a\nmkdir a/b/c", err: errInjected.Error(),
		},
		{
			name: "made, but not durable", dir: "a/b", fail: "sync .", made: "a",
			ops: "mkdir a\nsync .", err: errInjected.Error(),
		},
		{
			name: "there, but not durable", there: []string{"a/"}, dir: "a/b", fail: "sync .",
			ops: "mkdir a\nsync .", err: errInjected.Error(),
		},
		{name: "out of base", dir: "../x", err: "does not lie in"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRecorder(t)
			r.failAt = test.fail
			tree(t, r.base, test.there...)
			made, err := durable.MkdirAll(r, r.base, filepath.Join(r.base, test.dir))
			for i, dir := range made {
				made[i] = r.shown(dir)
				if info, err := os.Stat(dir); err != nil || info.Mode() != fs.ModeDir|durable.DirMode {
					t.Errorf("%s: %v, %v", dir, info, err)
				}
			}
			if got := strings.Join(made, " "); got != test.made {
				t.Errorf("made %s, want %s", got, test.made)
			}
			if got := r.done(); got != test.ops {
				t.Errorf("got\n%s\nwant\n%s", got, test.ops)
			}
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("got the error %v, want %q", err, test.err)
			}
		})
	}
}

func TestMkdirAllThroughALink(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	tree(t, base, "real/")
	if err := errors.Join(os.Symlink("real", base+"/link"), os.Symlink("nowhere", base+"/dangling")); err != nil {
		t.Fatal(err)
	}
	if made, err := durable.MkdirAll(durable.OS{}, base, base+"/link/a"); err != nil || len(made) != 1 {
		t.Errorf("got %q, %v", made, err)
	}
	if made, err := durable.MkdirAll(durable.OS{}, base, base+"/dangling/a"); err == nil || len(made) != 0 {
		t.Errorf("got %q, %v", made, err)
	}
}

// Runs on two destinations make the same parents side by side.
func TestMkdirAllConcurrently(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	var wg sync.WaitGroup
	var mu sync.Mutex
	count := map[string]int{}
	for i := range 16 {
		wg.Go(func() {
			made, err := durable.MkdirAll(durable.OS{}, base, fmt.Sprintf("%s/a/b/c/%d", base, i%4))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, dir := range made {
				count[dir]++
			}
		})
	}
	wg.Wait()
	if len(count) != 7 { // a, b, c and the four
		t.Errorf("made %v", count)
	}
	for dir, n := range count {
		if n != 1 {
			t.Errorf("%s was made %d times", dir, n)
		}
	}
}

func TestClone(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	dir, clone := base+"/chain", base+"/clone"
	tree(t, dir, "backup.tar", "data/increments/diff.gz", "data/backup.log", "data/marker", "empty/")
	when := func(i int) time.Time { return time.Date(2001, 2, 3, 4, 5, i, 0, time.UTC) }
	modes := map[string]fs.FileMode{
		"backup.tar": 0o640, "data/increments/diff.gz": 0o400, "data/backup.log": 0o644, "data/marker": 0o600,
		"empty": 0o755, "data/increments": 0o700 | fs.ModeSetgid, "data": 0o750, ".": 0o711,
	}
	inOrder := []string{"backup.tar", "data/increments/diff.gz", "data/backup.log", "data/marker", "empty", "data/increments", "data", "."}
	for i, name := range inOrder {
		full := filepath.Join(dir, name)
		if err := errors.Join(os.Chmod(full, modes[name]), os.Chtimes(full, when(i), when(i))); err != nil {
			t.Fatal(err)
		}
	}
	isLog := func(name string) bool { return filepath.Base(name) == "backup.log" }
	logs := func(name string, _ fs.FileInfo) bool { return isLog(name) }
	if err := durable.Clone(durable.OS{}, dir+"/", clone, logs); err != nil {
		t.Fatal(err)
	}
	for i, name := range inOrder {
		original, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		copied, err := os.Stat(filepath.Join(clone, name))
		if err != nil {
			t.Fatal(err)
		}
		linked := !original.IsDir() && !isLog(name)
		if os.SameFile(original, copied) != linked {
			t.Errorf("%s: is one file with the original: %v", name, !linked)
		}
		if copied.Mode().Perm() != modes[name].Perm() || copied.Mode()&fs.ModeSetgid != modes[name]&fs.ModeSetgid {
			t.Errorf("%s: has the mode %v, want %v", name, copied.Mode(), modes[name])
		}
		if !copied.ModTime().Equal(when(i)) {
			t.Errorf("%s: has the time %v", name, copied.ModTime())
		}
	}
	if get(t, clone+"/data/backup.log") != get(t, dir+"/data/backup.log") {
		t.Error("the copied file differs")
	}

	// What a program does on the clone leaves the original as it is.
	put(t, clone+"/data/backup.log", "more")
	if err := os.Remove(clone + "/backup.tar"); err != nil {
		t.Fatal(err)
	}
	if get(t, dir+"/data/backup.log") != "data/backup.log" || get(t, dir+"/backup.tar") != "backup.tar" {
		t.Error("the original was changed")
	}

	if err := durable.Clone(durable.OS{}, dir, clone, logs); !errors.Is(err, fs.ErrExist) {
		t.Errorf("onto one that is there: %v", err)
	}
}

func TestCloneRefuses(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	none := func(string, fs.FileInfo) bool { return false }
	tree(t, base, "links/file", "pipes/")
	if err := errors.Join(os.Symlink("file", base+"/links/link"), syscall.Mkfifo(base+"/pipes/pipe", 0o600)); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		"links": "/links/link: is neither a file nor a directory",
		"pipes": "/pipes/pipe: is neither a file nor a directory",
		"none":  "no such file or directory",
	} {
		if err := durable.Clone(durable.OS{}, filepath.Join(base, dir), base+"/clone-"+dir, none); err == nil ||
			!strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v", dir, err)
		}
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	base := newRecorder(t).base
	tree(t, base, "real/deep/file", "other/")
	for link, target := range map[string]string{
		"absolute": base + "/real", "relative": "real/deep", "up": "other/../real", "chained": "relative",
		"dangling": "nowhere/at/all", "loop": "pool", "pool": "loop", "self": "self/x", "root": "/",
		"real/back": "..", "slashes": "real///deep/.//", "file": "real/deep/file",
	} {
		if err := os.Symlink(target, filepath.Join(base, link)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"real/deep":               "real/deep",
		"real//./deep/":           "real/deep",
		"real/../other":           "other",
		"absolute/deep":           "real/deep",
		"relative":                "real/deep",
		"relative/file":           "real/deep/file",
		"up/deep":                 "real/deep",
		"chained/file":            "real/deep/file",
		"slashes/file":            "real/deep/file",
		"real/back/real/back":     ".",
		"file":                    "real/deep/file",
		"file/below":              "real/deep/file/below",
		"relative/../back/other":  "other", // up from where the link points to
		"nowhere":                 "nowhere",
		"nowhere/at/all":          "nowhere/at/all",
		"nowhere/../other":        "other",
		"absolute/nowhere/at/all": "real/nowhere/at/all",
		"dangling":                "nowhere/at/all",
		"dangling/x":              "nowhere/at/all/x",
	} {
		if got, err := durable.Resolve(durable.OS{}, base+"/"+name); err != nil || got != filepath.Join(base, want) {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, want)
		}
	}
	for _, name := range []string{"loop", "loop/x", "self"} {
		if got, err := durable.Resolve(durable.OS{}, base+"/"+name); err == nil || !strings.Contains(err.Error(), "too many symbolic links") {
			t.Errorf("%s: got %s, %v", name, got, err)
		}
	}
	for name, want := range map[string]string{"/": "/", "/..": "/", base + "/root": "/", base + "/root/..": "/"} {
		if got, err := durable.Resolve(durable.OS{}, name); err != nil || got != want {
			t.Errorf("%s: got %s, %v", name, got, err)
		}
	}
}

func TestWithin(t *testing.T) {
	t.Parallel()
	base := newRecorder(t).base
	tree(t, base, "root/a/b", "rooted/")
	for _, test := range []struct {
		p, dir string
		want   bool
	}{
		{"root", "root", true},
		{"root/a", "root", true},
		{"root/a/b", "root", true},
		{"root/none/at/all", "root", true},
		{"root/a/b/below-a-file", "root", true},
		{"rooted", "root", false},
		{"root", "root/a", false},
		{".", "root", false},
		{"none/a", "none", true}, // not there, but by its name
		{"none", "none/a", false},
		{"rooted/none", "none", false},
	} {
		got, err := durable.Within(durable.OS{}, filepath.Join(base, test.p), filepath.Join(base, test.dir))
		if err != nil || got != test.want {
			t.Errorf("%s in %s: got %v, %v", test.p, test.dir, got, err)
		}
	}
	// By another name, as through a bind mount. A link does for the test.
	if err := os.Symlink("root", base+"/mount"); err != nil {
		t.Fatal(err)
	}
	if got, err := durable.Within(durable.OS{}, base+"/mount/a", base+"/root"); err != nil || !got {
		t.Errorf("by another name: got %v, %v", got, err)
	}
	if got, err := durable.Within(durable.OS{}, "/etc", "/"); err != nil || !got {
		t.Errorf("everything lies in /: got %v, %v", got, err)
	}
}

// blind cannot tell anything about one name.
type blind struct {
	durable.OS
	name string
}

func (b blind) Stat(name string) (fs.FileInfo, error) {
	if name == b.name {
		return nil, fs.ErrPermission
	}
	return b.OS.Stat(name)
}

func (b blind) LstatIfPossible(name string) (fs.FileInfo, bool, error) {
	if name == b.name {
		return nil, true, fs.ErrPermission
	}
	return b.OS.LstatIfPossible(name)
}

func TestWhatCannotBeTold(t *testing.T) {
	t.Parallel()
	base := newRecorder(t).base
	tree(t, base, "a/b/c")
	fsys := blind{name: base + "/a/b"}
	if _, err := durable.Resolve(fsys, base+"/a/b/c"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Resolve: got %v", err)
	}
	if _, err := durable.Within(fsys, base+"/a/b/c", base); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Within: got %v", err)
	}
	if _, err := durable.Within(fsys, base, base+"/a/b"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Within: got %v", err)
	}
	if err := durable.Walk(fsys, base+"/a/b", nil); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Walk: got %v", err)
	}
}

func TestExists(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	tree(t, base, "file", "dir/", "hidden")
	if err := os.Symlink("nowhere", base+"/dangling"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"file": true, "dir": true, "dangling": true, "none": false, "none/x": false} {
		if got, err := durable.Exists(durable.OS{}, base+"/"+name); err != nil || got != want {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	if _, err := durable.Exists(blind{name: base + "/hidden"}, base+"/hidden"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("an error is taken for an answer: %v", err)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	tree(t, base, "a", "b")
	if err := (durable.OS{}).Link(base+"/a", base+"/link"); err != nil {
		t.Fatal(err)
	}
	of := func(name string) durable.Identity {
		info, err := durable.Lstat(durable.OS{}, base+"/"+name)
		if err != nil {
			t.Fatal(err)
		}
		id, ok := durable.IdentityOf(info)
		if !ok {
			t.Fatalf("%s has no identity", name)
		}
		return id
	}
	if of("a") != of("link") || of("a") == of("b") {
		t.Error("two names of one file, or two files, are not told apart")
	}
	mem := afero.NewMemMapFs()
	if err := afero.WriteFile(mem, "x", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := mem.Stat("x")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := durable.IdentityOf(info); ok {
		t.Error("a file in memory has an identity")
	}
}

func TestWalk(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	tree(t, base, "t/b/2", "t/b/10", "t/a/z", "t/a-b", "t/c/", "t/skipped/x", "outside/file")
	if err := os.Symlink("../outside", base+"/t/link"); err != nil {
		t.Fatal(err)
	}
	all := []string{"", "/a", "/a/z", "/a-b", "/b", "/b/10", "/b/2", "/c", "/link", "/skipped", "/skipped/x"}
	walk := func(fsys durable.FS, stopAt string, stop error) (seen []string, err error) {
		err = durable.Walk(fsys, base+"/t", func(name string, info fs.FileInfo) error {
			rel := strings.TrimPrefix(name, base+"/t")
			seen = append(seen, rel)
			if info.Name() != filepath.Base(name) {
				t.Errorf("%s: is described as %s", name, info.Name())
			}
			if rel == stopAt {
				return stop
			}
			return nil
		})
		return seen, err
	}
	if seen, err := walk(durable.OS{}, "", nil); err != nil || !slices.Equal(seen, all) {
		t.Errorf("saw %q, %v", seen, err)
	}
	for i, name := range all {
		seen, err := walk(durable.OS{}, name, errInjected)
		if !errors.Is(err, errInjected) || !slices.Equal(seen, all[:i+1]) {
			t.Errorf("stopped at %q: saw %q, %v", name, seen, err)
		}
	}
	without := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == "/skipped/x" })
	if seen, err := walk(durable.OS{}, "/skipped", fs.SkipDir); err != nil || !slices.Equal(seen, without) {
		t.Errorf("saw %q, %v", seen, err)
	}
	// A directory that cannot be read is not an empty one.
	if seen, err := walk(faultfs.Unreadable{Denied: base + "/t/b"}, "", nil); !errors.Is(err, fs.ErrPermission) ||
		seen[len(seen)-1] != "/b" {
		t.Errorf("saw %q, %v", seen, err)
	}
}

// A parent that we may enter and not read is nobody's fault.
func TestMkdirAllBelowAnUnreadableParent(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	tree(t, base, "a/b/")
	if made, err := durable.MkdirAll(faultfs.Unreadable{Denied: base + "/a"}, base, base+"/a/b/c"); err != nil || len(made) != 1 {
		t.Errorf("got %q, %v", made, err)
	}
	if _, err := durable.MkdirAll(faultfs.Unreadable{Denied: base + "/a"}, base, base+"/a/new"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("what was made and cannot be made durable: %v", err)
	}
}
