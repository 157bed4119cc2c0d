package main

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"btw-backup/internal/crashfs"
	"btw-backup/internal/testkit/scripted"
)

// Not every trouble is a crash. Here the program lives on, and has to cope: an
// operation fails, once or from then on, the disk is full, a program that it
// runs fails, is killed, or is cut off. Whatever it then does, no backup may be
// lost and no rubbish kept; if it says that all went well, it must be so; and
// the next ordinary run brings everything right.

// trouble is one kind of it.
type trouble struct {
	name  string
	fault crashfs.Fault
}

var troubles = []trouble{
	{"EIO, once", crashfs.Fault{Err: syscall.EIO, Half: true}},
	{"EIO from then on", crashfs.Fault{Err: syscall.EIO, Lasting: true}},
	{"disk full, once", crashfs.Fault{Err: syscall.ENOSPC, Half: true}},
	{"disk full from then on", crashfs.Fault{Err: syscall.ENOSPC, Lasting: true, Half: true}},
	{"read-only from then on", crashfs.Fault{Err: syscall.EROFS, Lasting: true}},
}

// brave are the scenes that troubles are tried in.
func brave() []scene {
	var chosen []scene
	for _, sc := range scenes() {
		for _, name := range []string{
			"fs tar, nothing yet", "fs tar, changed", "fs tar, unchanged again", "fs rdiff, nothing yet", "fs rdiff, changed",
			"fs rdiff, no exchange of names", "db, changed", "fs tar, leftovers", "sync, work pending", "sync --full, much is missing, much is too much",
			"fs rdiff, the second increment killed before rename",
		} {
			if sc.name == name {
				chosen = append(chosen, sc)
			}
		}
	}
	return chosen
}

func TestRingOfTroubles(t *testing.T) {
	t.Parallel()
	var tried atomic.Int64
	t.Run("scenes", func(t *testing.T) {
		for _, sc := range brave() {
			t.Run(sc.name, func(t *testing.T) {
				t.Parallel()
				x := &explorer{scene: sc, report: t.Errorf, all: &tally{}, spared: true}
				base := x.stage()
				undisturbed := base.on(base.fs.Clone())
				from := undisturbed.fs.Now().Event
				if status := undisturbed.run(x.act...); status != 0 {
					t.Fatalf("undisturbed: exit %d\n%s", status, undisturbed.stderr)
				}
				events := undisturbed.fs.Events()
				step := 31 * slowness
				if ringMode() == "full" {
					step = 1
				}
				for kind, tr := range troubles {
					for at := from + kind; at < len(events); at += step {
						fault := tr.fault
						fault.At, fault.Actor = at, "*"
						x.endure(base, fmt.Sprintf("%s before %d %s", tr.name, at, events[at].What), fault, nil)
						tried.Add(1)
					}
				}
				for at := from; at < len(events); at += step {
					if actor := events[at].Actor; actor != "" {
						x.endure(base, fmt.Sprintf("%s killed before %d %s", actor, at, events[at].What),
							crashfs.Fault{Err: crashfs.ErrKilled, Lasting: true, Half: true, At: at, Actor: actor}, nil)
						tried.Add(1)
					}
				}
				reads := undisturbed.fs.Reads()
				for at := 0; at < reads; at += 5 * step {
					x.endure(base, fmt.Sprintf("EIO at reading %d", at), crashfs.Fault{Err: syscall.EIO, Reads: true, At: at}, nil)
					tried.Add(1)
				}
				for _, away := range []string{"/root", "/copy", "/root/" + sc.dst} {
					x.without(base, away)
					tried.Add(1)
				}
				for _, program := range []string{"tar", "pg_dumpall"} {
					for _, after := range []int{0, 100, 512, 1024} {
						x.endure(base, fmt.Sprintf("%s exits with 0 after %d bytes", program, after), crashfs.Fault{},
							&scripted.Failure{Stderr: program, After: after})
						tried.Add(1)
					}
				}
				for _, program := range []string{"tar", "pg_dump", "pg_restore", "rdiff-backup"} {
					for _, after := range []int{0, 100, 1 << 20} {
						for _, status := range []int{1, 2, 137} {
							if program == "tar" && status == 1 {
								continue // which says that all is well
							}
							x.endure(base, fmt.Sprintf("%s exits with %d after %d bytes", program, status, after), crashfs.Fault{},
								&scripted.Failure{Status: status, Stderr: program, After: after})
							tried.Add(1)
						}
					}
				}
			})
		}
	})
	t.Logf("%d scenes, %d troubles", len(brave()), tried.Load())
}

// endure runs the command in trouble, and then out of it.
func (x *explorer) endure(base *site, what string, fault crashfs.Fault, failure *scripted.Failure) {
	if x.failures >= mostFailures {
		return
	}
	s := base.on(base.fs.Clone())
	if failure != nil {
		s.fail = func(program string) *scripted.Failure {
			if program == failure.Stderr {
				return failure
			}
			return nil
		}
	}
	s.fs.SetFault(fault)
	status := s.run(x.act...)
	said := s.stderr
	s.fs.SetFault(crashfs.Fault{})
	s.fail = nil
	when := func(when string) string {
		return fmt.Sprintf("%s, %s (it exited with %d:\n%s)", what, when, status, strings.TrimSpace(said))
	}
	if status == 0 && x.failed(nil, when("which it denied"), x.checkDone(s, false)) {
		return
	}
	if x.failed(nil, when("right after"), x.checkAnytime(s, true)) {
		return
	}
	s = s.on(s.fs)
	if status := s.run(x.next()...); status != 0 {
		x.failed(nil, when("then"), fmt.Errorf("exit %d:\n%s", status, s.stderr))
		return
	}
	x.failed(nil, when("after the next run"), x.checkAfter(s))
}

// without runs the command while a directory is not mounted: there is an empty
// one in its place. Nothing may be deleted off-site for that.
func (x *explorer) without(base *site, dir string) {
	s := base.on(base.fs.Clone())
	if len(x.was) == 0 {
		return // whether it is mounted, nobody can know yet
	}
	here := s.tree("/root")
	must(s.fs.Rename(dir, "/unmounted"))
	must(s.fs.Mkdir(dir, 0o700))
	there := s.tree("/copy")
	status := s.run(x.act...)
	for name := range there {
		_, isHere := here[name]
		if _, ok := s.tree("/copy")[name]; !ok && isHere && dir != "/copy" {
			x.failed(nil, dir+" is not mounted", fmt.Errorf("%s was deleted off-site (exit %d:\n%s)", name, status, s.stderr))
			return
		}
	}
	if status == 0 && x.act[0] != "sync" { // which may find nothing to do there
		x.failed(nil, dir+" is not mounted", errors.New("it exits with 0"))
		return
	}
	must(s.fs.RemoveAll(dir))
	must(s.fs.Rename("/unmounted", dir))
	s = s.on(s.fs)
	if status := s.run(x.next()...); status != 0 {
		x.failed(nil, dir+" is mounted again", fmt.Errorf("exit %d:\n%s", status, s.stderr))
		return
	}
	x.failed(nil, dir+" is mounted again", x.checkAfter(s))
}
