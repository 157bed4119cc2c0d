package offsite

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"btw-backup/internal/durable"
)

// TestMarker: which directory is taken for the store.
func TestMarker(t *testing.T) {
	const mine, others = "id-of-this-root\n", "id-of-another-root\n"
	root := map[string]string{".btw-root": mine, "etc/x": "1", "www/y": "2"}
	for _, test := range []struct {
		name   string
		root   map[string]string
		target map[string]string
		marker string // in the target
		known  string // in the config directory; TARGET stands for the URI
		want   string // in the error; empty is adopted, or known
	}{
		{name: "empty", root: root},
		{name: "empty, fresh disk", root: root, target: map[string]string{"lost+found/": ""}},
		{name: "a copy made by hand", root: root, target: map[string]string{"etc/old": "1"}},
		{name: "a copy, its root's marker too", root: root, target: map[string]string{"etc/old": "1", ".btw-root": mine}},
		{name: "cut off at the first adoption", root: root, marker: "abc"},
		{name: "config directory made anew", root: root, target: map[string]string{"etc/old": "1", "gone-here/x": "1", ".btw-root": mine}, marker: "abc"},
		{name: "config directory made anew, no root's marker", root: root, target: map[string]string{"etc/old": "1"}, marker: "abc"},
		{name: "known", root: root, target: map[string]string{"anything": "1"}, marker: "abc", known: "abc TARGET\n"},
		{name: "another URI before", root: root, known: "abc file:///elsewhere\n"},
		{
			name: "somebody's data", root: root, target: map[string]string{"etc/old": "1", "photos/1": "1"},
			want: "is neither empty nor a copy of ROOT, which has no photos: use an empty directory",
		},
		{
			name: "much of it", root: root, target: map[string]string{"a": "1", "b": "", "c": "", "d": "", "e": ""},
			want: "which has no a, b, c, 2 more: use",
		},
		{
			name: "another root's copy", root: root, target: map[string]string{"etc/old": "1", ".btw-root": others},
			want: "holds the copy of another ROOT_PATH (its .btw-root differs from that of ROOT)",
		},
		{
			name: "another root's store", root: root, target: map[string]string{"etc/old": "1", ".btw-root": others}, marker: "abc",
			want: "holds the copy of another ROOT_PATH",
		},
		{
			name: "somebody's store", root: root, target: map[string]string{"gone-here/x": "1"}, marker: "abc",
			want: "which has no gone-here",
		},
		{
			name: "not mounted", root: root, known: "abc TARGET\n",
			want: "does not hold the marker .btw-offsite that was put there: mount the disk, or, to begin anew on this one, remove its line from CONFIG/offsite-id",
		},
		{
			name: "another disk", root: root, marker: "def", known: "abc TARGET\n",
			want: "holds another copy than the one that was used so far",
		},
		{name: "a damaged marker", root: root, marker: " ", known: "abc TARGET\n", want: ".btw-offsite is empty: it should hold an id"},
		{name: "a damaged memory", root: root, marker: "abc", known: "abc\nTARGET\n", want: "offsite-id: the line \"abc\\n\" is damaged: remove it"},
		{name: "a damaged line of another", root: root, marker: "abc", known: "abc TARGET\ndef elsewhere\n", want: "the line \"def elsewhere\\n\" is damaged: remove it"},
		{name: "known, with others", root: root, marker: "abc", known: "xyz file:///a b\nabc TARGET\ndef file:///z\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			s.write(s.root, test.root)
			s.write(s.target, test.target)
			if test.marker != "" {
				s.write(s.target, map[string]string{Marker: test.marker + "\n"})
			}
			if test.known != "" {
				s.write(s.config, map[string]string{"offsite-id": strings.ReplaceAll(test.known, "TARGET", "file://"+s.target)})
			}
			before := s.tree(s.target)
			store := s.store("file://" + s.target + "/")
			err := store.Check(context.Background())
			if test.want == "" {
				s.ok(err)
				s.ok(store.Check(context.Background()))
				s.ok(s.store("file://" + s.target).Check(context.Background()))
				s.ok(store.Sync(context.Background(), ""))
				want := s.tree(s.root)
				if _, ok := test.target["lost+found/"]; ok {
					want["lost+found/"] = ""
				}
				s.want(s.target, want)
				s.ok(store.Check(context.Background()))
				if id, err := durable.ReadID(s.fsys, s.target+"/"+Marker); err != nil || test.marker != "" && id != test.marker {
					t.Errorf("the marker is %q (%v), want it as it was, %q", id, err, test.marker)
				}
				return
			}
			s.fails(err, strings.NewReplacer("ROOT_PATH", "ROOT_PATH", "ROOT", s.root, "CONFIG", s.config).Replace(test.want))
			if unavailable := (*UnavailableError)(nil); !errors.As(err, &unavailable) {
				t.Errorf("%v is no *UnavailableError", err)
			}
			for _, err := range []error{store.Sync(context.Background(), ""), store.Push(context.Background(), "etc/x")} {
				if unavailable := (*UnavailableError)(nil); !errors.As(err, &unavailable) {
					t.Errorf("got error %v, want an *UnavailableError", err)
				}
			}
			s.want(s.target, before)
		})
	}
}

// TestMarkerGone: the disk goes away, and comes back.
func TestMarkerGone(t *testing.T) {
	s := newSite(t)
	ctx := context.Background()
	s.write(s.root, map[string]string{"d/a": "1"})
	store := s.store("")
	s.ok(store.Sync(ctx, ""))
	s.ok(os.Rename(s.target, s.target+"-unmounted"))
	s.fails(store.Sync(ctx, ""), "there is no directory "+s.target+": make it or mount it")
	s.ok(os.Mkdir(s.target, 0o700)) // the mount point
	s.fails(store.Sync(ctx, ""), "mount the disk")
	s.want(s.target, nil)
	s.ok(os.Remove(s.target))
	s.ok(os.WriteFile(s.target, nil, 0o600))
	s.fails(store.Check(ctx), "is not a directory")
	s.ok(os.Remove(s.target))
	s.ok(os.Rename(s.target+"-unmounted", s.target))
	s.ok(store.Sync(ctx, ""))
}

// TestMarkerSecond: what was adopted once is remembered while another store
// is in use.
func TestMarkerSecond(t *testing.T) {
	s := newSite(t)
	ctx := context.Background()
	s.write(s.root, map[string]string{"d/a": "1"})
	second := s.target + " number two"
	s.ok(os.Mkdir(second, 0o700))
	s.ok(s.store("").Sync(ctx, ""))
	s.ok(s.store("file://"+second).Sync(ctx, ""))
	s.ok(s.store("").Sync(ctx, ""))
	for _, target := range []string{s.target, second} {
		s.want(target, map[string]string{"d/a": "1"})
		s.ok(os.Rename(target, target+"-unmounted"))
		s.ok(os.Mkdir(target, 0o700)) // the mount point
		s.fails(s.store("file://"+target).Sync(ctx, ""), "mount the disk")
		s.fails(s.store("file://"+target+"/").Push(ctx, "d/"), "mount the disk")
		s.want(target, nil)
	}
	// And the wrong one of the two.
	s.ok(os.Remove(second))
	s.ok(os.Rename(s.target+"-unmounted", second))
	s.fails(s.store("file://"+second).Sync(ctx, ""), "holds another copy than the one that was used so far")
	if left := s.tree(s.config); len(left) != 1 || strings.Count(left["offsite-id"], "\n") != 2 {
		t.Errorf("the config directory holds %q, want an offsite-id of two lines", left)
	}
}

// TestMarkerMounted: a disk that goes away while something is sent is noticed
// before anything is deleted.
func TestMarkerMounted(t *testing.T) {
	s := newSite(t)
	s.write(s.root, map[string]string{"d/a": "1"})
	s.ok(s.store("").Sync(context.Background(), ""))
	s.write(s.root, map[string]string{"d/b": "1"})
	s.write(s.target, map[string]string{"d/old": "1"})
	s.fsys = &spyFS{target: s.target, before: func(op, name string) {
		if op == "rename" && name == s.target+"/d/b" {
			s.ok(os.Remove(s.target + "/" + Marker))
		}
	}}
	s.fails(s.store("").Sync(context.Background(), ""), "mount the disk")
	s.want(s.target, map[string]string{"d/a": "1", "d/b": "1", "d/old": "1"})
}

func TestNew(t *testing.T) {
	for _, test := range []struct {
		uri, want string
	}{
		{"", `S3_URI_PREFIX "": must be s3://BUCKET/PREFIX, or file:///PATH`},
		{"/mnt/x", "must be s3://"},
		{"S3://x", "must be s3://"},
		{"ftp://x/y", "must be s3://"},
		{"file://host/x", "with three slashes"},
		{"file://", "with three slashes"},
		{"s3://", "names no bucket"},
		{"s3:///x", "names no bucket"},
		{"s3://b/a\nb", "control characters"},
		{"file:///a\nb", "line break"},
		{"file://ROOT", "lie inside one another"},
		{"file://ROOT/", "lie inside one another"},
		{"file://ROOT/sub/not/there", "lie inside one another"},
		{"file://ROOT/..", "lie inside one another"},
		{"file:///", "lie inside one another"},
		{"file://LINK", "lie inside one another"},
		{"file://LINK/not-there", "lie inside one another"},
		{"file://ROOT2", ""},
		{"file://ROOT/../target", ""},
		{"file://ROOT/not-there/../../target/not-there", ""},
		{"s3://b", ""},
		{"s3://b/p q/", ""},
	} {
		s := newSite(t)
		s.ok(os.Symlink("root/deep/../", s.root+"/../link"))
		s.ok(os.Mkdir(s.root+"/deep", 0o700))
		uri := strings.NewReplacer("ROOT", s.root, "LINK", strings.TrimSuffix(s.root, "root")+"link").Replace(test.uri)
		_, err := New(Config{FS: s.fsys, Exec: s.exec, Root: s.root, URI: uri, ConfigDir: s.config, S3cmdConfig: "/x", Clock: realClock{}})
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: got error %v", test.uri, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: got error %v, want one with %q", test.uri, err, test.want)
		case strings.Contains(test.want, "lie inside"):
			if overlap := (*OverlapError)(nil); !errors.As(err, &overlap) {
				t.Errorf("%s: %v is no *OverlapError", test.uri, err)
			}
		}
	}
	for config, want := range map[string]string{"": "you must specify S3CMD_CONFIG in the general configuration", "x": "must be an absolute path"} {
		s := newSite(t)
		_, err := New(Config{FS: s.fsys, Exec: s.exec, Root: s.root, URI: "s3://b", ConfigDir: s.config, S3cmdConfig: config})
		s.fails(err, want)
	}
}
