package offsite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"btw-backup/internal/testkit/faultproxy"
)

// faultySite is a nativeSite with a proxy before the server that makes trouble.
func faultySite(t *testing.T, extra ...string) (*site, fake, *faultproxy.Proxy) {
	t.Helper()
	s, server := nativeSite(t)
	proxy := faultproxy.Start(t, server.Endpoint)
	server.At(proxy.Endpoint).S3cfg(t, s.config+"/s3cfg", extra...)
	s.change = func(c *Config) { c.S3Timeout = 2 * time.Second }
	return s, server, proxy
}

func some(n int) map[string]string {
	files := map[string]string{}
	for i := range n {
		files[fmt.Sprintf("d%d/f%d", i%3, i)] = fmt.Sprint("content ", i)
	}
	return files
}

// TestNativePassing: what goes over is tried again, and all arrives.
func TestNativePassing(t *testing.T) {
	for name, rule := range map[string]struct {
		match faultproxy.Match
		fault faultproxy.Fault
	}{
		"503 to every third":       {faultproxy.Every(3), faultproxy.Unavailable},
		"slow down":                {faultproxy.Every(3), faultproxy.SlowDown},
		"too many":                 {faultproxy.Every(4), faultproxy.TooMany},
		"cut":                      {faultproxy.Every(3), faultproxy.Cut},
		"answer lost":              {faultproxy.Every(5), faultproxy.LoseAnswer},
		"wrong ETag now and then":  {faultproxy.Every(7), faultproxy.WrongETag},
		"body cut":                 {faultproxy.Every(3), faultproxy.CutBody(4)},
		"slow":                     {faultproxy.Every(2), faultproxy.Delay(50 * time.Millisecond)},
		"internal error, each 2nd": {faultproxy.Every(2), faultproxy.InternalError},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, server, proxy := faultySite(t)
			proxy.On(rule.match, rule.fault)
			want := some(30)
			s.write(s.root, want)
			server.Put(t, "p/old", "1", nil)
			s.ok(s.store("").Sync(context.Background(), ""))
			s.wantFiles(server.copied(t), want)
		})
	}
}

// TestNativeFaults: each says what to mend, in one line, and nothing is deleted.
func TestNativeFaults(t *testing.T) {
	for name, test := range map[string]struct {
		fault faultproxy.Fault
		want  string
	}{
		"full":      {faultproxy.Full, "the server is full: make room"},
		"skewed":    {faultproxy.Skewed, "set the clock (timedatectl"},
		"denied":    {faultproxy.Denied, "the key may not write there: see access_key in CONFIG/s3cfg"},
		"no KMS":    {faultproxy.NoEncryption, "it refuses to encrypt what it is sent (501 NotImplemented: Server side encryption specified but KMS is not configured): set up server-side encryption there, or, to do without, write S3_SSE = None"},
		"down":      {faultproxy.Unavailable, "nothing came through for 2s (S3_TIMEOUT); the last thing said was: 503 ServiceUnavailable: Service is unable to handle request."},
		"no answer": {faultproxy.Hang, "nothing came through for 2s (S3_TIMEOUT); the last thing said was: read tcp"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, server, proxy := faultySite(t)
			proxy.On(faultproxy.Op("PutObject"), test.fault)
			s.write(s.root, some(30))
			server.Put(t, "p/old", "1", nil)
			began := time.Now()
			err := s.store("").Sync(context.Background(), "")
			if unavailable := (*UnavailableError)(nil); !errors.As(err, &unavailable) {
				t.Errorf("got error %v, want an *UnavailableError", err)
			}
			s.fails(err, strings.ReplaceAll(test.want, "CONFIG", s.config))
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q is more than one line", err)
			}
			if spent := time.Since(began); spent > 8*time.Second {
				t.Errorf("it took %v to give up", spent)
			}
			s.wantFiles(server.copied(t), map[string]string{"old": "1"})
		})
	}
}

// TestNativeAccess: what is wrong with the settings says so.
func TestNativeAccess(t *testing.T) {
	for line, want := range map[string]string{
		"secret_key = wrong":                       "the secret key is wrong: see secret_key in CONFIG/s3cfg",
		"access_key = wrong":                       "access_key in CONFIG/s3cfg",
		"host_base = 127.0.0.1:1\nhost_bucket = x": "refuses the connection: see host_base in CONFIG/s3cfg",
		"host_base = no-such-host.invalid":         "the host no-such-host.invalid is not known",
		"use_https = True":                         "speaks plain http: see use_https",
		"encrypt = True":                           "encrypt = True: encryption with GnuPG is not supported",
		"signature_v2 = True":                      "signature_v2",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			s, _ := nativeSite(t, strings.Split(line, "\n")...)
			s.change = func(c *Config) { c.S3Timeout = 2 * time.Second }
			s.write(s.root, map[string]string{"a": "1"})
			want := strings.ReplaceAll(want, "CONFIG", s.config)
			s.fails(s.store("").Sync(context.Background(), ""), want)
			s.fails(s.store("").Push(context.Background(), "a"), want)
		})
	}
}

// TestNativeOneFails: one file that fails does not stop the others; nothing is
// deleted.
func TestNativeOneFails(t *testing.T) {
	s, server, proxy := faultySite(t)
	proxy.On(faultproxy.Key("p/d1/f7"), faultproxy.WrongETag)
	want := some(30)
	s.write(s.root, want)
	server.Put(t, "p/old", "1", nil)
	err := s.store("").Sync(context.Background(), "")
	s.fails(err, "d1/f7: the server does not confirm what it was sent")
	if errors.As(err, new(*UnavailableError)) {
		t.Errorf("%v is an *UnavailableError", err)
	}
	want["old"] = "1"
	s.wantFiles(server.copied(t), want)
	proxy.Heal()
	s.ok(s.store("").Sync(context.Background(), ""))
	delete(want, "old")
	s.wantFiles(server.copied(t), want)
}

// TestNativeUnreadable: what cannot be read here keeps everything there.
func TestNativeUnreadable(t *testing.T) {
	for _, what := range []string{"d0", "d0/f0"} {
		s, server := nativeSite(t)
		want := some(6)
		s.write(s.root, want)
		s.ok(s.store("").Sync(context.Background(), ""))
		s.remove("d1/f1")
		s.write(s.root, map[string]string{"new": "1"})
		s.fsys = &spyFS{deny: map[string]error{s.root + "/" + what: syscall.EACCES}}
		if err := s.store("").Sync(context.Background(), ""); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: got error %v, want permission denied", what, err)
		}
		want["new"] = "1"
		s.wantFiles(server.copied(t), want)
	}
}

// TestNativeUndeletable: replies to a batch are read key by key.
func TestNativeUndeletable(t *testing.T) {
	s, server := nativeSite(t)
	all := some(10)
	s.write(s.root, all)
	s.ok(s.store("").Sync(context.Background(), ""))
	server.Undeletable("p/d0/f3")
	s.remove("d0/f0", "d0/f3", "d1/f1")
	s.fails(s.store("").Sync(context.Background(), ""), "the key may not delete there")
	for _, key := range []string{"d0/f0", "d1/f1"} {
		delete(all, key)
	}
	s.wantFiles(server.copied(t), all)
}

// TestNativeTooMany: most of what is there is not deleted without being told to.
func TestNativeTooMany(t *testing.T) {
	s, server := nativeSite(t)
	for i := range 101 {
		server.Put(t, fmt.Sprintf("p/d/%03d", i), "1", nil)
		server.Put(t, fmt.Sprintf("p/d2/%03d", i), "1", nil)
	}
	s.write(s.root, map[string]string{"d/new": "1"})
	var many *DeletionsError
	err := s.store("").Sync(context.Background(), "d/")
	if !errors.As(err, &many) || many.Deletions != 101 || many.Of != 101 {
		t.Fatalf("got error %v, want a *DeletionsError", err)
	}
	s.fails(err, "d: 101 of the 101 files that "+s.uri+" holds of it are no longer here: they were not deleted there, since that is more than half; if it is meant, allow it once: btw-backup sync --allow-deletions")
	if n := len(server.Keys(t)); n != 203 {
		t.Errorf("%d objects are left, want 203", n)
	}
	s.change = func(c *Config) { c.AllowDeletions = func() bool { return true } }
	s.ok(s.store("").Sync(context.Background(), "d/"))
	if n := len(server.Keys(t)); n != 102 {
		t.Errorf("%d objects are left, want 102", n)
	}
}

// TestNativePreview shows the same changes with all engines, and makes none.
func TestNativePreview(t *testing.T) {
	engines(t, func(s *site, copied func() map[string]string) {
		ctx := context.Background()
		all := map[string]string{"a": "1", "b/x": "1", "b/y": "1", "c": "1", "d": "1", "r/rdiff-backup-data/current_mirror.1.data": "1", "r/m": "1"}
		s.write(s.root, all)
		s.ok(s.store("").Sync(ctx, ""))
		before := copied()
		s.remove("a", "b", "c", "r/rdiff-backup-data/current_mirror.1.data")
		s.write(s.root, map[string]string{"a/x": "22", "b": "333", "new": "4444", "d": "2", "r/rdiff-backup-data/current_mirror.2.data": "2"})
		var mu sync.Mutex
		got := map[string]string{}
		s.ok(s.store("").Preview(ctx, "", true, func(c Change) {
			mu.Lock()
			defer mu.Unlock()
			got[fmt.Sprint(c.Path, c.Delete)] = fmt.Sprint(c.Size)
		}))
		want := map[string]string{
			"atrue": "1", "a/xfalse": "2", "b/xtrue": "1", "b/ytrue": "1", "bfalse": "3", "ctrue": "1", "newfalse": "4", "dfalse": "1",
			"r/rdiff-backup-data/current_mirror.1.datatrue": "1", "r/rdiff-backup-data/current_mirror.2.datafalse": "1",
		}
		if !maps.Equal(got, want) {
			t.Errorf("shows %q, want %q", got, want)
		}
		s.wantFiles(copied(), before)
	})
}
