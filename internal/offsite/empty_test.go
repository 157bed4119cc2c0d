package offsite

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
)

// engines calls a test with the directory engine, with the native one on a
// server in memory, and with the s3cmd engine on a scripted s3cmd. copied reads the copy back; without directories, since a
// bucket has none.
func engines(t *testing.T, test func(s *site, copied func() map[string]string)) {
	t.Run("directory", func(t *testing.T) {
		s := newSite(t)
		s.uri = "file://" + s.target
		test(s, func() map[string]string { return s.tree(s.target) })
	})
	t.Run("native", func(t *testing.T) {
		s, server := nativeSite(t)
		test(s, func() map[string]string { return server.copied(t) })
	})
	t.Run("s3cmd", func(t *testing.T) {
		b := bucket{}
		s, _, _ := fakeSite(t, b)
		s.uri = "s3://b/p"
		test(s, func() map[string]string {
			found := map[string]string{}
			for key, content := range b {
				found[strings.TrimPrefix(key, "p/")] = content
			}
			return found
		})
	})
}

// wantFiles holds the files of a copy against what they are to be.
func (s *site) wantFiles(got, want map[string]string) {
	s.Helper()
	for _, name := range sortedKeys(got) {
		if content, ok := want[name]; !strings.HasSuffix(name, "/") && (!ok || content != got[name]) {
			s.Errorf("off-site, %s holds %q, want %q, %v", name, got[name], content, ok)
		}
	}
	for _, name := range sortedKeys(want) {
		if _, ok := got[name]; !ok {
			s.Errorf("off-site, %s is missing", name)
		}
	}
}

const notMounted = " is empty here, but not off-site: is it mounted?"

// TestEmptyRoot: what "rm -rf ROOT_PATH/*" leaves is an empty ROOT_PATH.
func TestEmptyRoot(t *testing.T) {
	engines(t, func(s *site, copied func() map[string]string) {
		ctx := context.Background()
		all := map[string]string{".btw-root": "id\n", "etc/log.txt": "1", "www/2026-01-31T13:05:09.tbz": "2"}
		s.write(s.root, all)
		s.ok(s.store("").Sync(ctx, ""))
		s.remove("etc", "www")
		s.write(s.root, map[string]string{"lost+found/": "", Marker: "of a copy that became ROOT_PATH", ".btw-tmp-x/y": ""})
		for range 2 {
			s.fails(s.store("").Sync(ctx, ""), "ROOT_PATH: "+s.root+notMounted)
			s.wantFiles(copied(), all)
		}
		// Without its marker as well: the copy's tells whose it is.
		s.remove(".btw-root")
		s.fails(s.store("").Sync(ctx, ""), "ROOT_PATH: "+s.root+notMounted)
		s.wantFiles(copied(), all)
		// With something in it, it is mounted.
		s.write(s.root, map[string]string{".btw-root": "id\n", "etc/log.txt": "1"})
		s.ok(s.store("").Sync(ctx, ""))
		s.wantFiles(copied(), map[string]string{".btw-root": "id\n", "etc/log.txt": "1"})
	})
}

// TestEmptyRootAtFirst: nothing here and nothing there is no trouble.
func TestEmptyRootAtFirst(t *testing.T) {
	engines(t, func(s *site, copied func() map[string]string) {
		s.ok(s.store("").Sync(context.Background(), ""))
		s.write(s.root, map[string]string{".btw-root": "id\n", "d/": ""})
		s.ok(s.store("").Sync(context.Background(), ""))
		s.ok(s.store("").Sync(context.Background(), "d/"))
		s.wantFiles(copied(), map[string]string{".btw-root": "id\n"})
	})
}

// TestEmptyDirectory: a destination on a disk of its own, which is not
// mounted, keeps its copy; the others are made equal.
func TestEmptyDirectory(t *testing.T) {
	engines(t, func(s *site, copied func() map[string]string) {
		ctx := context.Background()
		const data = "/rdiff-backup-data/"
		s.write(s.root, map[string]string{
			".btw-root": "id\n", "etc/a": "1", "etc/b": "1", "www/x/y": "2", "www/z": "2",
			"db/T" + data + "increments/old": "3", "db/T" + data + "current_mirror.1.data": "3", "db/T/x.dump": "3",
			"sys/deep/T" + data + "increments/": "", "sys/deep/T/m": "4", "sys/log.txt": "4", "none/": "",
		})
		s.ok(s.store("").Sync(ctx, ""))
		before := copied()
		s.remove("www/x", "www/z", "sys/deep/T", "db/T"+data+"increments/old", "etc/b")
		s.write(s.root, map[string]string{"www/.btw-tmp-1": "", "www/lost+found/": "", "sys/deep/.btw-aside-U/x": "", "etc/new": "5"})
		want := map[string]string{
			".btw-root": "id\n", "etc/a": "1", "etc/new": "5", "www/x/y": "2", "www/z": "2",
			"db/T" + data + "current_mirror.1.data": "3", "db/T/x.dump": "3",
			"sys/deep/T/m": "4", "sys/log.txt": "4",
		}
		err := s.store("").Sync(ctx, "")
		s.fails(err, s.root+"/www"+notMounted+" If it is meant to be empty, remove it")
		s.fails(err, s.root+"/sys/deep"+notMounted)
		if lines := strings.Split(err.Error(), "\n"); len(lines) != 2 {
			t.Errorf("got error %q, want two lines", lines)
		}
		s.wantFiles(copied(), want)
		// An empty directory of a repository that stays is not litter.
		const increments = "sys/deep/T" + data + "increments/"
		if _, had := before[increments]; had {
			if _, has := copied()[increments]; !has {
				t.Errorf("%s is missing", increments)
			}
		}
		// By itself, and as a part.
		s.fails(s.store("").Sync(ctx, "www/"), s.root+"/www"+notMounted)
		s.fails(s.store("").Sync(ctx, "sys"), s.root+"/sys/deep"+notMounted)
		s.ok(s.store("").Sync(ctx, "db/T/"))
		s.ok(s.store("").Sync(ctx, "none/"))
		s.wantFiles(copied(), want)
		// The same for a chain.
		s.remove("db/T"+data, "db/T/x.dump")
		s.fails(s.store("").Sync(ctx, "db/T/"), s.root+"/db/T"+notMounted)
		s.wantFiles(copied(), want)
		// Who means it removes them.
		s.remove("www", "sys/deep", "db")
		s.ok(s.store("").Sync(ctx, ""))
		s.wantFiles(copied(), map[string]string{".btw-root": "id\n", "etc/a": "1", "etc/new": "5", "sys/log.txt": "4"})
	})
}

// TestEmptyAside: what was set aside keeps its copy in any case, so that there
// is nothing to ask.
func TestEmptyAside(t *testing.T) {
	engines(t, func(s *site, copied func() map[string]string) {
		s.write(s.root, map[string]string{"d/T/x": "good", "e": "1"})
		s.ok(s.store("").Sync(context.Background(), ""))
		s.ok(os.Rename(s.root+"/d/T", s.root+"/d/.btw-aside-T"))
		s.ok(s.store("").Sync(context.Background(), ""))
		s.wantFiles(copied(), map[string]string{"d/T/x": "good", "e": "1"})
	})
}

// TestEmptyAndFailed: both are told, and nothing is deleted.
func TestEmptyAndFailed(t *testing.T) {
	engines(t, func(s *site, copied func() map[string]string) {
		all := map[string]string{"a/x": "1", "b/y": "1", "c": "1"}
		s.write(s.root, all)
		s.ok(s.store("").Sync(context.Background(), ""))
		s.remove("a/x", "b/y")
		s.write(s.root, map[string]string{"c": "2"})
		rotten := errors.New("is rotten")
		s.verify = func(context.Context, string) error { return rotten }
		err := s.store("").Sync(context.Background(), "")
		for _, want := range []string{s.root + "/a" + notMounted, s.root + "/b" + notMounted, "c: is not sent", "is rotten"} {
			s.fails(err, want)
		}
		s.wantFiles(copied(), all)
	})
}
