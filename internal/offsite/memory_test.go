package offsite

import (
	"context"
	"crypto/md5"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// laterClock is the machine's, put forward: what was written just now is old.
type laterClock struct {
	realClock
	by time.Duration
}

func (c laterClock) Now() time.Time { return time.Now().Add(c.by) }

// opened counts the files of ROOT_PATH that are opened.
func (s *site) opened() *int {
	n := 0
	s.fsys = &spyFS{before: func(op, name string) {
		if info, err := os.Stat(name); op == "open" && strings.HasPrefix(name, s.root) && err == nil && info.Mode().IsRegular() {
			n++
		}
	}}
	return &n
}

// TestMemory: what was read once and is old enough is not read again.
func TestMemory(t *testing.T) {
	s, server := nativeSite(t)
	ctx := context.Background()
	s.change = func(c *Config) { c.Clock = laterClock{by: time.Minute}; c.S3Workers = 1 }
	want := some(30)
	want["d-\n"], want["d0/R/rdiff-backup-data/current_mirror.1.data"], want["d0/R/m"] = "x", "1", "1"
	const ofRepository = 2 // which is opened, though not read
	s.write(s.root, want)
	s.ok(s.store("").Sync(ctx, ""))
	opened := s.opened()
	s.ok(s.store("").Sync(ctx, ""))
	if *opened != ofRepository {
		t.Errorf("%d files were opened, want none but the repository's", *opened)
	}
	*opened = 0
	// A change that leaves size and mtime as they were.
	info, err := os.Stat(s.root + "/d1/f1")
	s.ok(err)
	s.write(s.root, map[string]string{"d1/f1": "CONTENT 1"[:info.Size()]})
	s.ok(os.Chtimes(s.root+"/d1/f1", info.ModTime(), info.ModTime()))
	want["d1/f1"] = "CONTENT 1"
	s.ok(s.store("").Sync(ctx, "d1/"))
	for name := range want {
		if printable(name) != name {
			want[printable(name)] = want[name]
			delete(want, name)
		}
	}
	s.wantFiles(server.copied(t), want)
	if *opened != 1 {
		t.Errorf("%d files were opened, want 1", *opened)
	}
	// What is gone is forgotten, and what a Sync was not of is not.
	s.remove("d1/f4")
	s.ok(s.store("").Sync(ctx, "d1/"))
	*opened = 0
	s.ok(s.store("").Sync(ctx, ""))
	memory := s.tree(s.config)[memoryName]
	if *opened != ofRepository || strings.Count(memory, "\n") != len(want) || strings.Contains(memory, "d1/f4") {
		t.Errorf("%d files were opened; the memory is\n%s", *opened, memory)
	}
	if names := sortedKeys(s.tree(s.config)); !slices.Equal(names, []string{memoryName, "s3cfg"}) {
		t.Errorf("the config directory holds %q", names)
	}
}

// TestMemoryFresh: what was touched a moment ago is read again.
func TestMemoryFresh(t *testing.T) {
	s, server := nativeSite(t)
	s.write(s.root, map[string]string{"a": "1"})
	s.ok(s.store("").Sync(context.Background(), ""))
	opened := s.opened()
	s.ok(s.store("").Sync(context.Background(), ""))
	if *opened != 1 {
		t.Errorf("%d files were opened, want 1", *opened)
	}
	s.wantFiles(server.copied(t), map[string]string{"a": "1"})
}

// TestMemoryStrange: a memory that makes no sense does no harm.
func TestMemoryStrange(t *testing.T) {
	s, server := nativeSite(t)
	ctx := context.Background()
	s.change = func(c *Config) { c.Clock = laterClock{by: time.Minute} }
	want := some(20)
	s.write(s.root, want)
	s.ok(s.store("").Sync(ctx, ""))
	name := filepath.Join(s.config, memoryName)
	good, err := os.ReadFile(name)
	s.ok(err)
	lines := strings.SplitAfter(string(good), "\n")
	wrong := fmt.Sprintf("%x", md5.Sum([]byte("wrong")))
	for what, content := range map[string]string{
		"empty": "", "torn": string(good[:len(good)/2]), "strange": "\x00\xff", "another version": "2\n" + string(good),
		"out of order": lines[0] + lines[2] + lines[1] + strings.Join(lines[3:], ""), "twice": string(good) + string(good),
		"no line ends": strings.Repeat("x", 1<<20), "a rotten sum": strings.Replace(string(good), "f", "e", 1),
		"a sum of another's": strings.ReplaceAll(string(good), lines[1][len(lines[1])-50:len(lines[1])-18], wrong),
	} {
		s.ok(os.WriteFile(name, []byte(content), 0o600))
		s.ok(s.store("").Sync(ctx, ""))
		s.wantFiles(server.copied(t), want)
		if now, err := os.ReadFile(name); err != nil || string(now) != string(good) {
			t.Errorf("%s: the memory became %q, %v", what, now, err)
		}
	}
	s.ok(os.Remove(name))
	s.ok(os.Mkdir(name, 0o700))
	s.fails(s.store("").Sync(ctx, ""), memoryName)
}

// TestMemoryRuns: more is learned than is held.
func TestMemoryRuns(t *testing.T) {
	s := newSite(t)
	m := (&sending{native: &native{base: base{Config: Config{FS: s.fsys, ConfigDir: s.config, Clock: laterClock{by: time.Minute}}}}}).openMemory("")
	s.write(s.root, map[string]string{"x": "1"})
	info, err := os.Stat(s.root + "/x")
	s.ok(err)
	const n = 2*mostLearned + 10
	for i := range n {
		p := fmt.Sprintf("%07d", (i*7919)%n)
		m.learn(p, p, info, strings.Repeat("0", 32), time.Now().Add(time.Minute))
	}
	s.ok(m.save())
	m.close()
	content := s.tree(s.config)[memoryName]
	if got := strings.Count(content, "\n"); got != n+1 || len(s.tree(s.config)) != 1 {
		t.Errorf("%d lines, want %d", got, n+1)
	}
	if in := readEntries(strings.NewReader(content)); true {
		for range n {
			if _, ok := in.peek(); !ok {
				t.Fatal("the memory is not in order")
			}
			in.take()
		}
	}
}
