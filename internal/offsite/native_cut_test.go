package offsite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"btw-backup/internal/durable"
	"btw-backup/internal/exec"
	"btw-backup/internal/rdiff"
	"btw-backup/internal/testkit/faultproxy"
	"btw-backup/internal/testkit/tools"
)

// TestNativeCutRepository cuts the sync of a repository after every request in
// turn, downloads what is there, mends it, and restores each state that the
// copy had before.
func TestNativeCutRepository(t *testing.T) {
	t.Parallel()
	tools.Need(t, "rdiff-backup")
	for _, states := range []int{1, 3} { // that the copy has before: the first increment is a case of its own
		t.Run(fmt.Sprint(states, " before"), func(t *testing.T) {
			t.Parallel()
			s, server, proxy := faultySite(t)
			s.change = func(c *Config) { c.S3Timeout = 300 * time.Millisecond }
			chain := &chain{site: s, dir: s.root + "/db/T"}
			for range states {
				chain.add()
			}
			s.ok(s.store("").Sync(context.Background(), "db/T/"))
			before := server.Objects(t)
			chain.add()
			for n := 0; ; n++ {
				server.Remove(t, server.Keys(t)...)
				for key, content := range before {
					server.Put(t, key, content, nil)
				}
				proxy.Heal()
				proxy.Forget()
				made := 0
				proxy.On(func(faultproxy.Request) bool { made++; return made > n }, faultproxy.Cut)
				err := s.store("").Sync(context.Background(), "db/T/")
				copied := t.TempDir()
				s.write(copied, server.copied(t))
				chain.restoresAll(filepath.Join(copied, "db/T"), states)
				if t.Failed() {
					t.Fatalf("cut after %d requests: %v; %q", n, err, sortedKeys(server.copied(t)))
				}
				if err == nil {
					if n < 8 {
						t.Errorf("the sync took %d requests only", n)
					}
					break
				}
			}
		})
	}
}

// chain is a real rdiff-backup repository.
type chain struct {
	*site
	dir    string
	states []string // the contents, oldest first
}

func (c *chain) at(i int) time.Time {
	return time.Date(2026, 1, 31, 13, 5, 9, 0, time.UTC).Add(time.Duration(i) * time.Hour)
}

// add adds a state.
func (c *chain) add() {
	c.Helper()
	content := strings.Repeat("always the same\n", 2000) + strings.Repeat(fmt.Sprintf("state %d\n", len(c.states)), 500)
	spool := c.TempDir()
	c.write(spool, map[string]string{"x.dump": content})
	when := c.at(len(c.states))
	c.ok(os.Chtimes(spool+"/x.dump", when, when))
	c.ok(os.MkdirAll(filepath.Dir(c.dir), 0o700))
	p := &rdiff.Program{Exec: exec.OS{}}
	c.ok(p.Backup(context.Background(), spool, c.dir, when))
	c.states = append(c.states, content)
}

// restoresAll mends a copy, by its state, and restores the first n states.
func (c *chain) restoresAll(copied string, n int) {
	c.Helper()
	c.ok(os.MkdirAll(filepath.Join(copied, rdiff.DataDir, "increments"), 0o700)) // S3 has no empty directories
	state, err := rdiff.Read(durable.OS{}, copied)
	c.ok(err)
	if len(state.Markers) > 1 {
		// Its exit status says nothing.
		_ = (&rdiff.Program{Exec: exec.OS{}}).Regress(context.Background(), copied)
		state, err = rdiff.Read(durable.OS{}, copied)
		c.ok(err)
	}
	if !state.Whole() {
		c.Errorf("the copy has %d markers, want 1", len(state.Markers))
		return
	}
	for i := range n {
		target := filepath.Join(c.TempDir(), "restored")
		_, err := exec.OS{}.Run(context.Background(), exec.Cmd{
			Args: []string{"rdiff-backup", "restore", "--at", fmt.Sprint(c.at(i).Unix()), copied, target},
			Env:  []string{"TZ=UTC"},
		})
		got, readErr := os.ReadFile(target + "/x.dump")
		if err != nil || readErr != nil || string(got) != c.states[i] {
			c.Errorf("state %d was not restored: %v, %v, %d bytes", i, err, readErr, len(got))
		}
	}
}
