package golden_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"btw-backup/internal/testkit/golden"
)

// tar, which made the archives, finds no difference.
func TestUnpack(t *testing.T) {
	t.Parallel()
	for archive, folder := range map[string]string{"python-installation": "btw-golden", "berlin": "btw-tz"} {
		dir := t.TempDir()
		golden.Unpack(t, archive, filepath.Join(dir, folder))
		file, err := filepath.Abs("../../../testdata/golden/" + archive + ".tar.gz")
		if err != nil {
			t.Fatal(err)
		}
		tar := exec.Command("tar", "--compare", "--gzip", "--file", file)
		if os.Geteuid() != 0 { // owners are root's
			tar = exec.Command("sh", "-c", `! tar --compare --gzip --file "$1" 2>&1 | grep -v ': [UG]id differs$'`, "sh", file)
		}
		tar.Dir = dir
		tar.Env = append(os.Environ(), "LC_ALL=C")
		if out, err := tar.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", archive, err, out)
		}
	}
}

// Of a link tar compares nothing but the target.
func TestUnpackTimeOfLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	golden.Unpack(t, "python-installation", dir)
	info, err := os.Lstat(filepath.Join(dir, "source/www/home"))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.ModTime().UTC().Truncate(time.Minute).Format(time.RFC3339); got != "2026-11-23T06:03:00Z" {
		t.Errorf("the link is of %s", got)
	}
}

func TestObjects(t *testing.T) {
	t.Parallel()
	objects := golden.Objects(t)
	if len(objects) == 0 {
		t.Error("there are none")
	}
	for _, o := range objects {
		if o.Key == "" || o.ETag == "" {
			t.Errorf("got %+v", o)
		}
	}
}
