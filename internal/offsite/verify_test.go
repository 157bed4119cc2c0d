package offsite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"btw-backup/internal/exec"
)

// asked makes a Verify that writes down what it is asked about, and finds
// what begins with "rotten".
func (s *site) asked(rotten error) *[]string {
	var asked []string
	s.verify = func(_ context.Context, path string) error { // never two at a time
		asked = append(asked, path)
		content, err := os.ReadFile(filepath.Join(s.root, path))
		if err == nil && strings.HasPrefix(string(content), "rotten") {
			err = rotten
		}
		return err
	}
	return &asked
}

// TestVerify: a file that rotted here does not overwrite the copy that is
// good, and nothing else comes to harm.
func TestVerify(t *testing.T) {
	engines(t, func(s *site, copied func() map[string]string) {
		ctx := context.Background()
		rotten := errors.New("differs from its record")
		asked := s.asked(rotten)
		wantAsked := func(want ...string) {
			t.Helper()
			slices.Sort(*asked)
			if !slices.Equal(*asked, want) {
				t.Errorf("asked about %q, want %q", *asked, want)
			}
			*asked = nil
		}
		const data = "d/T/rdiff-backup-data/"
		want := map[string]string{
			"d/a.tbz": "good a", "d/b.tbz": "good b", "d/log.txt": "1", "d/gone": "1", "d/same": "1",
			data + "current_mirror.1.data": "1", data + "increments/x.gz": "good x", "d/T/m": "good m",
		}
		s.write(s.root, want)
		s.ok(s.store("").Push(ctx, "d/"))
		s.ok(s.store("").Push(ctx, "d/same"))
		s.ok(s.store("").Sync(ctx, ""))
		wantAsked() // what is not there, or equal, is nobody's question

		s.remove("d/gone")
		s.write(s.root, map[string]string{
			"d/a.tbz": "rotten", "d/b.tbz": "other b", "d/new.tbz": "rotten, and new", "d/log.txt": "12",
			data + "current_mirror.2.data": "2", data + "increments/x.gz": "rotten", "d/T/m": "other m",
		})
		err := s.store("").Sync(ctx, "d/")
		for _, want := range []string{"d/a.tbz: is not sent", "increments/x.gz: is not sent: differs from its record"} {
			s.fails(err, want)
		}
		if !errors.Is(err, rotten) {
			t.Errorf("%v does not wrap what Verify returned", err)
		}
		// The later phases of the repository wait: its mirror is not asked about.
		wantAsked(data+"increments/x.gz", "d/a.tbz", "d/b.tbz", "d/log.txt")
		for name, content := range map[string]string{"d/b.tbz": "other b", "d/new.tbz": "rotten, and new", "d/log.txt": "12"} {
			want[name] = content
		}
		s.wantFiles(copied(), want)

		// A Push, of a file and of a tree.
		s.write(s.root, map[string]string{"d/b.tbz": "rotten"})
		s.fails(s.store("").Push(ctx, "d/b.tbz"), "d/b.tbz: is not sent")
		wantAsked("d/b.tbz")
		s.fails(s.store("").Push(ctx, "d/T/"), "increments/x.gz: is not sent")
		wantAsked(data + "increments/x.gz")
		s.ok(s.store("").Push(ctx, "d/new.tbz"))
		wantAsked()
		s.wantFiles(copied(), want)

		// With nothing rotten any more it is all made good.
		s.write(s.root, map[string]string{"d/a.tbz": "good a", "d/b.tbz": "better b", data + "increments/x.gz": "good x"})
		s.ok(s.store("").Push(ctx, "d/b.tbz"))
		s.ok(s.store("").Sync(ctx, ""))
		wantAsked("d/T/m", "d/b.tbz")
		s.wantFiles(copied(), s.tree(s.root))
	})
}

// TestVerifyCanceled: a judgement that was broken off is none.
func TestVerifyCanceled(t *testing.T) {
	engines(t, func(s *site, copied func() map[string]string) {
		s.write(s.root, map[string]string{"a": "1"})
		s.ok(s.store("").Sync(context.Background(), ""))
		s.write(s.root, map[string]string{"a": "2"})
		ctx, cancel := context.WithCancelCause(context.Background())
		stop := errors.New("stopped by a signal")
		s.verify = func(context.Context, string) error { cancel(stop); return nil }
		if err := s.store("").Sync(ctx, ""); !errors.Is(err, stop) {
			t.Errorf("got error %v, want %v", err, stop)
		}
		s.wantFiles(copied(), map[string]string{"a": "1"})
	})
}

// TestVerifyUnreadableCopy: a copy that cannot be read is written anew, but
// not by what rotted here.
func TestVerifyUnreadableCopy(t *testing.T) {
	s := newSite(t)
	s.write(s.root, map[string]string{"a": "rotten"})
	s.write(s.target, map[string]string{"a": "unreadable"})
	s.fsys = &spyFS{deny: map[string]error{s.target + "/a": os.ErrPermission}}
	s.asked(errors.New("differs from its record"))
	s.fails(s.store("").Push(context.Background(), "a"), "a: is not sent")
	s.want(s.target, map[string]string{"a": "unreadable"})
}

// TestVerifyPutOnly: credentials that may do nothing but put get no answer to
// what is there; then everything is judged, and what is good is sent.
func TestVerifyPutOnly(t *testing.T) {
	b := bucket{}
	s, spy, _ := fakeSite(t, b)
	spy.run = func(ctx context.Context, cmd exec.Cmd) (exec.Result, error) {
		if slices.Contains(cmd.Args, "ls") {
			result := exec.Result{Status: 77, Stderr: "ERROR: S3 error: 403 (AccessDenied)"}
			return result, &exec.ExitError{Program: "s3cmd", Result: result}
		}
		return b.run(ctx, cmd)
	}
	asked := s.asked(errors.New("differs from its record"))
	s.write(s.root, map[string]string{"d/a": "good", "d/b": "rotten"})
	s.ok(s.store("s3://b/p").Push(context.Background(), "d/a"))
	s.fails(s.store("s3://b/p").Push(context.Background(), "d/b"), "d/b: is not sent")
	if !slices.Equal(*asked, []string{"d/a", "d/b"}) || len(b) != 1 || b["p/d/a"] != "good" {
		t.Errorf("asked about %q, the bucket holds %q", *asked, b)
	}
}

// TestVerifyNames: what is off-site is found under every name; a name that
// another one begins with is another's.
func TestVerifyNames(t *testing.T) {
	for _, name := range []string{"x", "d/x", "x*", "d*/x?*", "x\n", " x "} {
		b := bucket{}
		s, _, _ := fakeSite(t, b)
		s.uri = "s3://b/p"
		asked := s.asked(errors.New("differs from its record"))
		s.write(s.root, map[string]string{name + "y": "other", name: "good"})
		b["p/"+printable(name)+"y"] = "other"
		b["p/"+printable(name)+"/z"] = "below"
		b["p/"+printable(name)] = "there"
		s.ok(s.store("").Push(context.Background(), name+"y"))
		s.write(s.root, map[string]string{name: "rotten"})
		s.fails(s.store("").Push(context.Background(), name), "is not sent")
		if !slices.Equal(*asked, []string{name}) {
			t.Errorf("asked about %q, want %q", *asked, name)
		}
		if b["p/"+printable(name)] != "there" {
			t.Errorf("%q was overwritten", name)
		}
	}
}
