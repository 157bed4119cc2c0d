package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fatih/color"
	"github.com/spf13/afero"

	"btw-backup/internal/crashfs"
	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/exec"
	"btw-backup/internal/lock"
	"btw-backup/internal/offsite"
	"btw-backup/internal/rdiff"
	"btw-backup/internal/run"
	"btw-backup/internal/settings"
	"btw-backup/internal/syncstate"
	"btw-backup/internal/tbz"
	"btw-backup/internal/testkit/scripted"
	"btw-backup/starlib"
)

// site is a server in memory: its file system, its clock, its database server.
//
//	/config  the config directory      /src   a tree to back up
//	/root    ROOT_PATH                 /copy  the off-site copy, file:///copy
type site struct {
	fs      *crashfs.FS
	now     time.Time
	content string // of what is backed up, whichever way
	fail    func(program string) *scripted.Failure
	wrap    func(durable.FS) durable.FS // what the program sees instead, if it is not nil

	stderr string // of the last run
}

// newSite makes a server on which nothing has been done yet.
func newSite() *site {
	s := &site{now: time.Date(2026, 1, 31, 13, 5, 9, 0, time.UTC)}
	s.fs = crashfs.New(s.clock)
	for _, dir := range []string{"/config", "/root", "/copy", "/src"} {
		must(s.fs.Mkdir(dir, 0o700))
	}
	s.write("/config/config.py", "ROOT_PATH = \"/root\"\nS3_URI_PREFIX = \"file:///copy\"\nLOCK_TIMEOUT = \"0s\"\n")
	s.holds("one")
	return s
}

// must is for what cannot fail, in a test's own making.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (s *site) clock() time.Time { return s.now }

// Now and Sleep make the site a run.Clock.
func (s *site) Now() time.Time { return s.now }

func (s *site) Sleep(_ context.Context, d time.Duration) error {
	s.now = s.now.Add(d)
	return nil
}

func (s *site) write(name, content string) {
	must(afero.WriteFile(s.fs, name, []byte(content), 0o600))
}

func (s *site) read(name string) string {
	content, err := afero.ReadFile(s.fs, name)
	must(err)
	return string(content)
}

// holds says what there is to be backed up from now on.
func (s *site) holds(content string) {
	s.content = content
	s.write("/src/data", strings.Repeat(content+"\n", 3))
}

// on returns the same site with another file system, an hour later.
func (s *site) on(fsys *crashfs.FS) *site {
	next := *s
	next.fs, next.now = fsys, s.now.Add(time.Hour)
	fsys.SetClock(next.clock)
	return &next
}

// world is what a run stands on. Locks die with their holder, so each run has
// its own.
func (s *site) world() run.World {
	s.fs.SetClock(s.clock)
	var fsys durable.FS = s.fs
	if s.wrap != nil {
		fsys = s.wrap(fsys)
	}
	return run.World{FS: fsys, Clock: s, Locker: &lock.Memory{}, Exec: s.machine()}
}

func (s *site) machine() exec.Runner {
	return &scripted.Machine{
		FS: s.fs, Now: s.clock, Fail: s.fail,
		Databases: map[string]string{"shop": s.content}, Globals: s.content,
	}
}

// run runs a command of the program, and returns its exit status.
func (s *site) run(args ...string) int {
	var stdout, stderr bytes.Buffer
	plain := color.New()
	plain.DisableColor()
	p := &program{
		world: s.world(), stdout: &stdout,
		log: &log{out: &stderr, fd: -1, red: plain, yellow: plain, faint: plain},
	}
	status := p.main(context.Background(), append([]string{"--config-dir", "/config"}, args...))
	s.stderr = stderr.String()
	return status
}

// done runs a command that has to succeed.
func (s *site) done(args ...string) {
	if status := s.run(args...); status != 0 {
		panic(fmt.Sprintf("%q: exit %d\n%s", args, status, s.stderr))
	}
	s.now = s.now.Add(time.Hour)
}

// config returns the config directory, for those who look by themselves.
func (s *site) look() *run.Run {
	w := s.world()
	w.Log = silent{}
	w.Config = settings.Dir{FS: s.fs, Path: "/config", Eval: starlib.EvalConfig}
	return run.New(w)
}

// ringContext is the context of all that the ring runs: nobody stops it.
var ringContext = context.Background()

type silent struct{}

func (silent) Warn(string)            {}
func (silent) Info(string)            {}
func (silent) Progress(string, int64) {}

func (silent) Transfer(string, offsite.Progress) {}

// listed restores whatever list shows of a destination, in its order, and
// returns what each state held.
func (s *site) listed(dst string) ([]string, error) {
	contents, err := s.look().Look(dst)
	if errors.As(err, new(*run.Refusal)) {
		return nil, nil // it was not made yet
	}
	if err != nil {
		return nil, err
	}
	var all []string
	for _, b := range contents.Backups {
		states, err := s.restore("/root", b)
		if err != nil {
			return nil, fmt.Errorf("%s cannot be restored: %w", b.Path(), err)
		}
		all = append(all, states...)
	}
	return all, nil
}

// restore restores all states of a backup, from ROOT_PATH or the copy.
func (s *site) restore(root string, b destination.Backup) ([]string, error) {
	stored := path.Join(root, b.Path())
	if b.Kind == destination.Tar {
		compressed, err := afero.ReadFile(s.fs, stored)
		if err != nil {
			return nil, err
		}
		text, err := decompressed(compressed, func(r io.Reader) (string, error) { return untar(r) })
		return []string{text}, err
	}
	if state, err := rdiff.Read(s.fs, stored); err != nil || !state.Whole() {
		return nil, err // interrupted, and not by us: it is mended first
	}
	states, err := scripted.States(s.fs, stored, b.Artifact)
	for i := range states {
		switch path.Ext(b.Artifact) {
		case ".tar":
			if states[i], err = untar(strings.NewReader(states[i])); err != nil {
				return nil, err
			}
		case ".dump":
			states[i] = scripted.DumpContent([]byte(states[i]))
		case ".bz2":
			text, err := decompressed([]byte(states[i]), func(r io.Reader) (string, error) {
				text, err := io.ReadAll(r)
				return string(text), err
			})
			if err != nil {
				return nil, err
			}
			lines := strings.Split(text, "\n")
			states[i] = strings.Join(lines[1:len(lines)-5], "\n")
		}
	}
	return states, err
}

// decompressed returns what is in a bzip2 file, as read finds it. The same few
// files are looked at ten thousand times, and each time would cost a
// millisecond.
func decompressed(file []byte, read func(io.Reader) (string, error)) (string, error) {
	if text, ok := readBefore.Load(string(file)); ok {
		return text.(string), nil
	}
	text, err := read(tbz.NewReader(bytes.NewReader(file)))
	if err == nil {
		readBefore.Store(string(file), text)
	}
	return text, err
}

var readBefore sync.Map

// untar returns what the source held when the archive was made.
func untar(r io.Reader) (string, error) {
	archive := tar.NewReader(r)
	content := "nothing"
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			_, err := io.Copy(io.Discard, r)
			return content, err
		}
		if err != nil {
			return "", err
		}
		if header.Name == "./data" {
			text, err := io.ReadAll(archive)
			if err != nil {
				return "", err
			}
			content, _, _ = strings.Cut(string(text), "\n")
		}
	}
}

// pending returns what the sync state says is pending.
func (s *site) pending() ([]syncstate.Entry, error) {
	state, err := syncstate.Read(s.fs, "/config/sync_state")
	return state.Pending, err
}

// tree lists what is in a directory, with each file's content.
func (s *site) tree(dir string) map[string]string {
	all := map[string]string{}
	s.fs.Visit(func(name string, mode fs.FileMode, data []byte) {
		if rel, ok := strings.CutPrefix(name, dir+"/"); ok {
			all[rel] = fmt.Sprintf("%v %s", mode.Type(), data)
		}
	})
	return all
}

// hidden tells whether a path is one of those that stay on their side.
func hidden(rel string) bool {
	return slices.ContainsFunc(strings.Split(rel, "/"), func(part string) bool {
		return durable.IsTemp(part) || strings.HasPrefix(part, destination.AsidePrefix) ||
			strings.HasPrefix(part, destination.OldPrefix) || part == ".btw-offsite"
	})
}

// differing lists what is not the same on both sides.
func (s *site) differing() []string {
	here, there := s.tree("/root"), s.tree("/copy")
	var names []string
	for name, content := range here {
		if !hidden(name) && there[name] != content {
			names = append(names, name)
		}
	}
	for name := range there {
		if _, ok := here[name]; !ok && !hidden(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// litter lists what no run that ended well leaves.
func (s *site) litter() []string {
	var names []string
	s.fs.Visit(func(name string, _ fs.FileMode, _ []byte) {
		base := path.Base(name)
		if durable.IsTemp(base) || strings.HasPrefix(base, destination.OldPrefix) ||
			strings.HasPrefix(base, destination.AsidePrefix) || strings.HasPrefix(base, rdiff.TempPrefix) {
			names = append(names, name)
		}
	})
	return names
}

// settle makes all that was done durable, as the night does.
func (s *site) settle() { s.fs.Settle() }

// ringMode tells how much is tried: "full" for all of it.
func ringMode() string { return os.Getenv("RING") }
