package bench_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"btw-backup/internal/testkit/s3server"
	"btw-backup/internal/testkit/tools"
)

// A racer is a program that makes a place off-site equal to a directory,
// deletions included, and asks for encryption.
type racer struct {
	name   string
	engine string // S3_ENGINE, of ours
	args   func(s *offsite) []string
	env    func(s *offsite) []string
}

var (
	native      = racer{name: "native", engine: "native", args: ours}
	engineS3cmd = racer{name: "engine-s3cmd", engine: "s3cmd", args: ours}
	s3cmd       = racer{name: "s3cmd", args: func(s *offsite) []string {
		return []string{
			"s3cmd", "--config=" + s.s3cfg, "--server-side-encryption", "--no-progress", "--quiet",
			"--delete-removed", "sync", s.root + "/", s.access.URI(s.prefix + "/"),
		}
	}}
	rclone = racer{name: "rclone", args: func(s *offsite) []string {
		return []string{"rclone", "--config", "/dev/null", "--checksum", "sync", s.root, "server:" + s.access.Bucket + "/" + s.prefix}
	}, env: func(s *offsite) []string {
		return []string{
			"RCLONE_CONFIG_SERVER_TYPE=s3", "RCLONE_CONFIG_SERVER_PROVIDER=Other",
			"RCLONE_CONFIG_SERVER_ENDPOINT=http://" + s.access.Endpoint,
			"RCLONE_CONFIG_SERVER_ACCESS_KEY_ID=" + s.access.AccessKey,
			"RCLONE_CONFIG_SERVER_SECRET_ACCESS_KEY=" + s.access.SecretKey,
			"RCLONE_CONFIG_SERVER_SERVER_SIDE_ENCRYPTION=AES256",
			"RCLONE_S3_NO_CHECK_BUCKET=true",
			"RCLONE_EXPECT_CONTINUE_TIMEOUT=0", // versitygw gives no sign to go on
		}
	}}
	all = []racer{native, s3cmd, engineS3cmd, rclone} // the table's columns
)

func ours(s *offsite) []string {
	return []string{s.program, "--config-dir", s.config, "sync", "--full"}
}

// offsite is a directory and its place off-site, and who makes them equal.
type offsite struct {
	racer                  racer
	access                 s3server.Access
	root, prefix           string
	program, config, s3cfg string
}

func newOffsite(b *testing.B, r racer, access s3server.Access, root, prefix string) *offsite {
	b.Helper()
	dir := b.TempDir()
	s := &offsite{
		racer: r, access: access, root: root, prefix: prefix,
		config: filepath.Join(dir, "config"), s3cfg: filepath.Join(dir, "s3cfg"),
	}
	access.S3cfg(b, s.s3cfg)
	if r.engine == "" {
		tools.Need(b, r.name)
		return s
	}
	s.program = product(b)
	text := fmt.Sprintf("ROOT_PATH = %q\nS3_URI_PREFIX = %q\nS3CMD_CONFIG = %q\nS3_ENGINE = %q\n",
		root, access.URI(prefix), s.s3cfg, r.engine)
	err := os.Mkdir(s.config, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(s.config, "config.py"), []byte(text), 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// sync runs the program once and returns the memory that it took.
func (s *offsite) sync(b *testing.B) (memory int64) {
	b.Helper()
	args := s.racer.args(s)
	cmd := exec.Command(args[0], args[1:]...)
	// Debian's rclone 1.60 stumbles over AWS_CA_BUNDLE.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "AWS_") || strings.HasPrefix(v, "RCLONE_")
	})
	if s.racer.env != nil {
		cmd.Env = append(cmd.Env, s.racer.env(s)...)
	}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			now, err := highWater(cmd.Process.Pid)
			if err != nil {
				b.Fatal(err)
			}
			memory = max(memory, now)
		case err := <-ended:
			if err != nil {
				b.Fatalf("%s: %v\n%s", cmd, err, &output)
			}
			return memory
		}
	}
}
