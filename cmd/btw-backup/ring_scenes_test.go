package main

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/afero"

	"btw-backup/internal/crashfs"
	"btw-backup/internal/exec"
)

// way is one of the ways of making a backup.
type way struct {
	name string
	act  []string
	dst  string
	init func(s *site)
	// rdiff tells whether it is kept by rdiff-backup.
	rdiff bool
}

func initTree(kind string) func(s *site) {
	return func(s *site) { s.done("fs-init", "--type", kind, "/src", "src") }
}

var ways = []way{
	{name: "fs tar", act: []string{"fs", "/src", "b"}, dst: "b", init: initTree("tar")},
	{name: "fs rdiff", act: []string{"fs", "/src", "b"}, dst: "b", init: initTree("rdiff"), rdiff: true},
	{name: "db", act: []string{"db", "shop", "b"}, dst: "b", init: func(*site) {}, rdiff: true},
	{name: "db -g", act: []string{"db", "-g", "b"}, dst: "b", init: func(*site) {}, rdiff: true},
	{name: "fs tar -u", act: []string{"fs", "-u", "12:34", "/src", "up/b"}, dst: "up/b", init: initTree("tar")},
	{name: "fs rdiff -u", act: []string{"fs", "-u", "12:34", "/src", "up/b"}, dst: "up/b", init: initTree("rdiff"), rdiff: true},
}

// state is a state of the destination when a backup is made.
type state struct {
	name     string
	rdiff    bool // only where rdiff-backup keeps it
	tar      bool // only where it does not
	before   func(s *site, w way)
	was, now []string
	wild     bool
	between  bool
}

var states = []state{
	{name: "nothing yet", before: func(*site, way) {}, now: []string{"one"}},
	{name: "changed", before: func(s *site, w way) {
		s.done(w.act...)
		s.holds("two")
	}, was: []string{"one"}, now: []string{"one", "two"}},
	{name: "changed again", before: func(s *site, w way) {
		s.done(w.act...)
		s.holds("two")
		s.done(w.act...)
		s.holds("three")
	}, was: []string{"one", "two"}, now: []string{"one", "two", "three"}},
	{name: "full due", rdiff: true, before: func(s *site, w way) {
		s.done(w.act...)
		s.holds("two")
		s.done(w.act...)
		s.now = s.now.Add(25 * time.Hour)
		s.holds("three")
	}, was: []string{"one", "two"}, now: []string{"one", "two", "three"}},
	{name: "unchanged", before: func(s *site, w way) { s.done(w.act...) }, was: []string{"one"}, now: []string{"one"}},
	{name: "unchanged again", before: func(s *site, w way) {
		s.done(w.act...)
		s.done(w.act...)
	}, was: []string{"one"}, now: []string{"one"}},
	{name: "work pending", before: func(s *site, w way) {
		s.done(w.act...)
		withoutCopy(s, func() {
			s.holds("two")
			s.run(w.act...)
			s.now = s.now.Add(time.Hour)
			s.run(w.act...)
			s.now = s.now.Add(time.Hour)
		})
		s.holds("three")
	}, was: []string{"one", "two"}, now: []string{"one", "two", "three"}},
	{name: "leftovers", before: func(s *site, w way) {
		s.done(w.act...)
		s.done(w.act...)
		leftovers(s, w)
		s.holds("two")
	}, was: []string{"one"}, now: []string{"one", "two"}},
	{name: "no exchange of names", rdiff: true, before: func(s *site, w way) {
		s.done(w.act...)
		s.holds("two")
		s.fs.NoExchange()
	}, was: []string{"one"}, now: []string{"one", "two"}, between: true},
	{name: "a chain between two names", rdiff: true, before: func(s *site, w way) {
		s.done(w.act...)
		s.holds("two")
		name := newest(s, w)
		must(s.fs.Rename("/root/"+w.dst+"/"+name, "/root/"+w.dst+"/.btw-old-"+name))
	}, now: []string{"one", "two"}, wild: true},
	{name: "half an archive under a backup's name", tar: true, before: func(s *site, w way) {
		s.done(w.act...)
		whole := s.read("/root/" + w.dst + "/" + newest(s, w))
		s.write("/root/"+w.dst+"/2026-01-31T14:00:00.tbz", whole[:len(whole)/2])
		s.holds("two")
	}, was: []string{"one"}, now: []string{"one", "two"}, wild: true},
	{name: "a first full that never ended", rdiff: true, before: func(s *site, w way) {
		interrupted(s, "/root/"+w.dst+"/2026-01-31T13:00:00", "one", "create /root/"+w.dst+"/2026-01-31T13:00:00/rdiff-backup-data/mirror_metadata.")
	}, now: []string{"one"}, wild: true},
}

// newest returns the name of the newest backup of a way.
func newest(s *site, w way) string {
	entries, err := afero.ReadDir(s.fs, "/root/"+w.dst)
	must(err)
	name := ""
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "20") {
			name = entry.Name()
		}
	}
	return name
}

// withoutCopy does something while the off-site copy is away.
func withoutCopy(s *site, act func()) {
	must(s.fs.Rename("/copy", "/away"))
	act()
	must(s.fs.Rename("/away", "/copy"))
}

// leftovers lays out one of each thing that runs have left that were killed.
func leftovers(s *site, w way) {
	dst := "/root/" + w.dst
	for _, name := range []string{
		dst + "/.btw-tmp-artifact/backup.tar", dst + "/.btw-tmp-chain/backup.tar", dst + "/.btw-tmp-log.txt",
		dst + "/.btw-records/.btw-tmp-x.json", "/config/.btw-tmp-1/config.py", "/copy/" + w.dst + "/.btw-tmp-4711",
	} {
		must(s.fs.MkdirAll(path.Dir(name), 0o700))
		s.write(name, "half")
	}
	s.write("/config/sync_state", s.read("/config/sync_state")+
		"2026-01-31T13:00:00 +push "+w.dst+"/2026-01-31T13:00:00.tbz\n2026-01-31T13:00:01 +pu")
	s.write(dst+"/log.txt", s.read(dst+"/log.txt")+"2026-01-31T13:0")
	must(s.fs.Remove("/copy/" + w.dst + "/log.txt")) // to be sent again, cut off
	if w.rdiff {
		must(s.fs.Mkdir(dst+"/.btw-old-"+newest(s, w), 0o700))
		s.write(dst+"/.btw-old-"+newest(s, w)+"/backup.tar", "old")
	}
	s.write("/config/sync_state", strings.Replace(s.read("/config/sync_state"),
		"2026-01-31T13:00:00 +push", "2026-01-31T13:00:00 +push "+w.dst+"/log.txt\n2026-01-31T13:00:00 +push", 1))
}

// interrupted lets rdiff-backup work on a repository as the Python program did,
// in its place, and kills it before it does what is named.
func interrupted(s *site, repository, content, before string) {
	must(s.fs.MkdirAll(path.Dir(repository), 0o700))
	must(s.fs.MkdirAll("/spool", 0o700))
	s.write("/spool/backup.tar", content)
	must(s.fs.Chtimes("/spool/backup.tar", s.now, s.now))
	work := func(s *site) error {
		_, err := s.machine().Run(ringContext, exec.Cmd{Args: []string{
			"rdiff-backup", "--current-time", fmt.Sprint(s.now.Unix()), "backup", "/spool", repository,
		}})
		return err
	}
	from := s.fs.Now().Event
	undisturbed := *s
	undisturbed.fs = s.fs.Clone()
	must(work(&undisturbed))
	at := slices.IndexFunc(undisturbed.fs.Events()[from:], func(e crashfs.Event) bool { return strings.HasPrefix(e.What, before) })
	if at < 0 {
		panic("rdiff-backup never did this: " + before)
	}
	s.fs.SetFault(crashfs.Fault{Actor: "rdiff-backup", Err: crashfs.ErrKilled, Lasting: true, At: from + at})
	if work(s) == nil {
		panic("rdiff-backup ended before it was killed")
	}
	s.fs.SetFault(crashfs.Fault{})
	must(s.fs.RemoveAll("/spool"))
	s.now = s.now.Add(time.Hour)
}

// scenes are all that the ring tries.
func scenes() []scene {
	var all []scene
	for _, w := range ways {
		for _, st := range states {
			if st.rdiff && !w.rdiff || st.tar && w.rdiff {
				continue
			}
			all = append(all, scene{
				name: w.name + ", " + st.name, act: w.act, dst: w.dst, was: st.was, now: st.now, wild: st.wild, between: st.between,
				before: func(s *site) {
					w.init(s)
					st.before(s, w)
				},
			})
		}
	}
	all = append(all, interruptedChains()...)
	return append(all, otherCommands()...)
}

// interruptedChains are what the Python program left when it was killed while
// rdiff-backup was at work.
func interruptedChains() []scene {
	var all []scene
	w := ways[1]
	for _, first := range []bool{true, false} {
		for _, what := range []string{
			"create %s/increments.", "create %[2]s/rdiff-backup.tmp.1", "create %s/increments/", "rename", "create %s/mirror_metadata.",
			"remove %s/mirror_metadata.", "remove %s/current_mirror.",
		} {
			was := []string{"one"}
			which := "first"
			if !first {
				was, which = []string{"one", "two"}, "second"
			}
			all = append(all, scene{
				name: fmt.Sprintf("fs rdiff, the %s increment killed before %s", which, strings.NewReplacer("%s/", "", "%[2]s/", "").Replace(what)), act: w.act, dst: w.dst, wild: true,
				was: was, now: append(slices.Clip(was), "last"),
				before: func(s *site) {
					w.init(s)
					s.done(w.act...)
					if !first {
						s.holds("two")
						s.done(w.act...)
					}
					interrupted(s, "/root/"+w.dst+"/"+newest(s, w), "rubbish", strings.NewReplacer("%s", "/root/b/"+newest(s, w)+"/rdiff-backup-data", "%[2]s", "/root/b/"+newest(s, w)).Replace(what))
					s.holds("last")
				},
			})
		}
	}
	all = append(all, scene{
		name: "fs rdiff, killed again after it was mended", act: w.act, dst: w.dst, wild: true,
		was: []string{"one", "two"}, now: []string{"one", "two", "three"},
		before: func(s *site) {
			w.init(s)
			s.done(w.act...)
			for _, content := range []string{"two", "three"} {
				interrupted(s, "/root/"+w.dst+"/"+newest(s, w), "rubbish", "rename")
				s.holds(content)
				if content == "two" {
					s.done(w.act...)
				}
			}
		},
	})
	return all
}

// otherCommands are the ones that make no backup.
func otherCommands() []scene {
	some := func(s *site) {
		ways[0].init(s)
		s.done("fs", "/src", "b")
		s.done("db", "shop", "db")
	}
	one := []string{"one"}
	return []scene{
		{name: "sync, nothing pending", act: []string{"sync"}, dst: "b", was: one, now: one, before: some},
		{name: "sync, before the first backup", act: []string{"sync"}, dst: "b", before: func(*site) {}},
		{name: "sync, work pending", act: []string{"sync"}, dst: "db", was: []string{"one", "two", "three"}, now: []string{"one", "two", "three"}, before: func(s *site) {
			some(s)
			withoutCopy(s, func() {
				for _, content := range []string{"two", "three", "three"} {
					s.holds(content)
					s.run("fs", "/src", "b")
					s.run("db", "shop", "db")
					s.now = s.now.Add(time.Hour)
				}
			})
		}},
		{name: "sync --full, much is missing, much is too much", act: []string{"sync", "--full"}, dst: "b", was: []string{"one", "two"}, now: []string{"one", "two"}, before: func(s *site) {
			some(s)
			s.holds("two")
			s.done("fs", "/src", "b")
			s.done("db", "shop", "db")
			must(s.fs.RemoveAll("/copy/b"))
			s.write("/copy/stray", "stray")
			must(s.fs.MkdirAll("/copy/gone/2026-01-01T00:00:00/rdiff-backup-data", 0o700))
			s.write("/copy/gone/2026-01-01T00:00:00/rdiff-backup-data/current_mirror.2026-01-01T00:00:00Z.data", "PID 1\n")
			s.write("/config/sync_state", s.read("/config/sync_state")+"2026-01-31T13:00:00 +sync \n")
		}},
		{
			name: "fs-init", act: []string{"fs-init", "--type", "tar", "/src", "src"}, after: []string{"fs", "/src", "b"}, dst: "b", now: one, before: func(*site) {},
			first: func(s *site) { s.run("fs-init", "--type", "tar", "/src", "src") },
		},
		{name: "sync-state --reset", act: []string{"sync-state", "--reset"}, dst: "b", was: one, now: one, before: some},
		{name: "a backup after the store has moved", act: []string{"fs", "/src", "b"}, dst: "b", was: one, now: one, before: func(s *site) {
			some(s)
			must(s.fs.Rename("/copy", "/elsewhere"))
			must(s.fs.Mkdir("/copy", 0o700))
			must(s.fs.Remove("/config/offsite-id"))
			s.write("/config/offsite-uri", "file:///elsewhere\n")
		}, wild: true},
		{name: "a backup when the sync state is large", act: []string{"fs", "/src", "b"}, dst: "b", was: one, now: one, before: func(s *site) {
			some(s)
			line := "2026-01-31T13:00:00 +push b/log.txt\n2026-01-31T13:00:00 -push b/log.txt\n"
			s.write("/config/sync_state", s.read("/config/sync_state")+strings.Repeat(line, 1<<20/len(line)+1))
		}},
		{name: "a backup whose record is gone", act: []string{"fs", "/src", "b"}, dst: "b", was: one, now: one, before: func(s *site) {
			some(s)
			must(s.fs.RemoveAll("/root/b/.btw-records"))
			must(s.fs.RemoveAll("/copy/b/.btw-records"))
		}},
	}
}
