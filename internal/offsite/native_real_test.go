package offsite

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"btw-backup/internal/exec"
	"btw-backup/internal/testkit/s3server"
	"btw-backup/internal/testkit/tools"
)

// nativeRealSite has a bucket on a real server. extra are lines of S3CMD_CONFIG.
func nativeRealSite(t *testing.T, prefix string, extra ...string) (s *site, server *s3server.Server, copied string) {
	t.Helper()
	t.Parallel()
	s = newSite(t)
	server = s3server.Start(t)
	server.S3cfg(t, s.config+"/s3cfg", extra...)
	s.uri, s.engine = server.URI(prefix), Native
	return s, server, filepath.Join(server.Dir, prefix)
}

// s3cmd runs the real one.
func (s *site) s3cmd(args ...string) string {
	s.Helper()
	tools.Need(s.T, "s3cmd")
	var out strings.Builder
	_, err := exec.OS{}.Run(context.Background(), exec.Cmd{
		Args: append([]string{"s3cmd", "--config=" + s.config + "/s3cfg", "--no-progress"}, args...), Stdout: &out,
		Env: []string{"LC_ALL=C.UTF-8"},
	})
	s.ok(err)
	return out.String()
}

// did has the store name what it does.
func (s *site) did() *[]string {
	var mu sync.Mutex
	var did []string
	s.change = func(c *Config) {
		c.Verbose = func(message string) {
			mu.Lock()
			defer mu.Unlock()
			did = append(did, message)
		}
	}
	return &did
}

// zoo are names and contents that have been trouble, multipart ones among them.
func zoo() map[string]string {
	files := map[string]string{
		"a\nb/c\td\r": "control", "x\x7f": "del", "é😀 %41+b:c": "", strings.Repeat("d/", 300) + strings.Repeat("é", 100): "long",
		"big": strings.Repeat("0123456789abcdef", 6<<16), // 6 MiB
	}
	for name, content := range hard {
		files[name] = content
	}
	return files
}

// TestInterchange: what s3cmd sent the native engine finds equal, and the
// other way round, also after changes of the same size.
func TestInterchange(t *testing.T) {
	s, _, copied := nativeRealSite(t, "p", "multipart_chunk_size_mb = 5")
	ctx := context.Background()
	files := zoo()
	s.write(s.root, files)
	did := s.did()
	s.s3cmd("sync", s.root+"/", s.uri+"/")
	s.ok(s.store("").Sync(ctx, ""))
	if len(*did) > 0 {
		t.Errorf("after s3cmd had sent it all: %q", *did)
	}
	s.s3cmd("del", "--recursive", "--force", s.uri+"/")
	s.ok(s.store("").Sync(ctx, ""))
	if len(*did) < len(files) {
		t.Errorf("sent %q", *did)
	}
	want := map[string]string{}
	for name, content := range files {
		want[printable(name)] = content
	}
	s.want(copied, want)
	if out := s.s3cmd("sync", "--dry-run", "--delete-removed", s.root+"/", s.uri+"/"); strings.Contains(out, "upload:") || strings.Contains(out, "delete:") {
		t.Errorf("s3cmd would do: %s", out)
	}
	if info := s.s3cmd("info", s.uri+"/big"); !strings.Contains(info, "/md5:") {
		t.Errorf("s3cmd info says: %s", info)
	}

	// Changes of the same size, found by either.
	for i, sender := range []func(){
		func() { s.s3cmd("sync", s.root+"/", s.uri+"/") },
		func() { s.ok(s.store("").Sync(ctx, "")) },
	} {
		files["plain.tbz"], files["x\x7f"] = []string{"PLAIN", "PlAiN"}[i], []string{"DEL", "DeL"}[i]
		files["big"] = []string{"X", "Y"}[i] + files["big"][1:]
		s.write(s.root, files)
		sender()
		for name, content := range files {
			want[printable(name)] = content
		}
		s.want(copied, want)
		*did = nil
		s.ok(s.store("").Sync(ctx, ""))
		if len(*did) > 0 {
			t.Errorf("%d: after all was sent: %q", i, *did)
		}
		if out := s.s3cmd("sync", "--dry-run", s.root+"/", s.uri+"/"); strings.Contains(out, "upload:") {
			t.Errorf("%d: s3cmd would do: %s", i, out)
		}
	}
}

// TestNativeKeys: a name that cannot be kept off-site is an error of its own.
func TestNativeKeys(t *testing.T) {
	s, _, copied := nativeRealSite(t, "p")
	s.write(s.root, map[string]string{"bad\xff": "1", strings.Repeat("d/", 450) + strings.Repeat("x", 200): "2", "after": "3", "old": "4"})
	err := s.store("").Sync(context.Background(), "")
	s.fails(err, "is not valid UTF-8, and S3 has no such names: rename it")
	s.fails(err, "bytes long with the prefix, and S3 has room for 1024: shorten it")
	s.want(copied, map[string]string{"after": "3", "old": "4"})
	s.remove("bad\xff", "d", "old")
	s.write(s.root, map[string]string{"x\n": "1", "x^J": "2"})
	s.fails(s.store("").Sync(context.Background(), ""), `"x\n" and "x^J" would have the same name off-site: rename one`)
	s.want(copied, map[string]string{"after": "3", "old": "4"})
}

// TestNativeKilledServer: the server goes away and comes back.
func TestNativeKilledServer(t *testing.T) {
	s, server, copied := nativeRealSite(t, "p")
	s.change = func(c *Config) { c.S3Timeout = 2 * time.Second }
	want := some(40)
	s.write(s.root, want)
	s.ok(s.store("").Push(context.Background(), "d0/"))
	store := s.store("")
	s.ok(store.Push(context.Background(), "d1/"))
	server.Stop()
	began := time.Now()
	s.fails(store.Sync(context.Background(), ""), "cannot be used: 127.0.0.1:")
	if spent := time.Since(began); spent < time.Second || spent > 10*time.Second {
		t.Errorf("it gave up after %v", spent)
	}
	server.Restart(t)
	server.S3cfg(t, s.config+"/s3cfg")
	s.ok(s.store("").Sync(context.Background(), ""))
	s.want(copied, want)
}

// TestNativeEncrypted: MinIO really encrypts.
func TestNativeEncrypted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server := s3server.Start(t, s3server.MinIO)
	server.S3cfg(t, s.config+"/s3cfg", "multipart_chunk_size_mb = 5")
	s.uri, s.engine = server.URI("p"), Native
	const known = "a text that must not be findable"
	files := map[string]string{"small": known, "d/big": strings.Repeat(known+"\n", 200_000), "empty": ""}
	s.write(s.root, files)
	did := s.did()
	var warned []string
	change := s.change
	s.change = func(c *Config) { change(c); c.Warn = func(m string) { warned = append(warned, m) } }
	s.ok(s.store("").Sync(context.Background(), ""))
	for _, key := range []string{"small", "d/big"} {
		if info := s.s3cmd("info", s.uri+"/"+key); !strings.Contains(info, "SSE:       AES256") {
			t.Errorf("%s: %s", key, info)
		}
	}
	err := filepath.WalkDir(server.Data, func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(name)
		if strings.Contains(string(content), known) {
			t.Errorf("%s holds the text", name)
		}
		return err
	})
	s.ok(err)
	*did = nil
	s.ok(s.store("").Sync(context.Background(), ""))
	if len(*did) > 0 || len(warned) > 0 {
		t.Errorf("the second time: %q, warned %q", *did, warned)
	}
	if out := s.s3cmd("sync", "--dry-run", s.root+"/", s.uri+"/"); strings.Contains(out, "upload:") {
		t.Errorf("s3cmd would do: %s", out)
	}
}
