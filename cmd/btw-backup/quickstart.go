package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/afero"
	"github.com/spf13/cobra"
	"go.starlark.net/starlark"

	"btw-backup/internal/destination"
	"btw-backup/internal/durable"
	"btw-backup/internal/offsite"
	"btw-backup/internal/run"
	"btw-backup/internal/settings"
)

func (p *program) quickstart() *cobra.Command {
	q := quickstart{program: p}
	cmd := &cobra.Command{
		Use:   "quickstart [--root-path DIR] [--off-site DIR] DIR",
		Short: "Sets up a first backup of a directory, and makes it",
		Long: `Makes a config directory, if there is none, with the backups and their
off-site copy in two directories in your home; sets DIR up as a tar backup;
backs it up; lists it; and reads the archive back. Called again, it backs up
again, and says so if nothing has changed.`,
		Example: `  btw-backup quickstart /etc
  btw-backup quickstart --root-path /srv/backups --off-site /mnt/usb/backups /srv/www`,
		Args:                  exactly("DIR"),
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			src, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			return q.run(cmd.Context(), src)
		},
	}
	cmd.Flags().StringVar(&q.root, "root-path", "", "where the backups are to go, `DIR` (default ~/btw-backups)")
	cmd.Flags().StringVar(&q.offsite, "off-site", "", "where their copy is to go, `DIR` (default ~/btw-backups-offsite)")
	return cmd
}

type quickstart struct {
	*program
	root, offsite string // as the flags say
}

func (q *quickstart) run(ctx context.Context, src string) error {
	if info, err := q.world.FS.Stat(src); err != nil {
		return err
	} else if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", src)
	}
	var general settings.General
	var name string
	err := q.world.WithConfig(ctx, settings.DefaultLockTimeout, func() (err error) {
		if err := q.configure(); err != nil {
			return err
		}
		if general, err = q.world.General(); err != nil {
			return err
		}
		name, err = q.initialize(src)
		return err
	})
	if err != nil {
		return err
	}
	kept, err := q.perform(ctx, "fs", map[string]starlark.Value{
		"src": starlark.String(src), "dst": starlark.String(name),
	})
	if err != nil {
		return err
	}
	return q.tell(ctx, src, name, general, len(kept) == 0)
}

// configure makes config.py, and the directories that it names, if there is
// none.
func (q *quickstart) configure() error {
	config := q.world.Config
	file := filepath.Join(config.Path, "config.py")
	if there, err := durable.Exists(q.world.FS, file); err != nil {
		return err
	} else if there {
		return q.agrees(file)
	}
	root, copies, err := q.directories()
	if err != nil {
		return err
	}
	for _, dir := range []string{root, copies} {
		if err := q.world.FS.MkdirAll(dir, durable.DirMode); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("ROOT_PATH = %s\nS3_URI_PREFIX = %s\n",
		starlark.String(root), starlark.String("file://"+copies))
	if err := durable.WriteBytes(q.world.FS, file, []byte(text), nil); err != nil {
		return err
	}
	return q.say("made       %s", file)
}

// agrees refuses flags that say something else than the config.py that is
// there.
func (q *quickstart) agrees(file string) error {
	general, err := q.world.General()
	if err != nil {
		return err
	}
	root, copies, err := q.directories()
	if err != nil {
		return err
	}
	if q.root != "" && root != general.RootPath || q.offsite != "" && "file://"+copies != general.S3Prefix {
		return fmt.Errorf("%s is there already, and says something else: set ROOT_PATH and S3_URI_PREFIX in it instead of using flags", file)
	}
	return nil
}

// directories returns where the backups and their copy are to go: where the
// flags say, or in the home.
func (q *quickstart) directories() (root, copies string, err error) {
	home, err := homeDir()
	if err != nil {
		return "", "", err
	}
	places := []string{filepath.Join(home, "btw-backups"), filepath.Join(home, "btw-backups-offsite")}
	for i, flag := range []string{q.root, q.offsite} {
		flag = strings.TrimPrefix(flag, "file://")
		if strings.Contains(flag, "://") {
			return "", "", fmt.Errorf("--off-site %s: quickstart takes a directory; for S3, set S3_URI_PREFIX and S3CMD_CONFIG in config.py afterwards", flag)
		}
		if flag == "" {
			continue
		}
		if places[i], err = filepath.Abs(flag); err != nil {
			return "", "", err
		}
	}
	// Looked at before anything is made: a refusal leaves nothing behind.
	if _, err := offsite.New(offsite.Config{FS: q.world.FS, Root: places[0], URI: "file://" + places[1]}); err != nil {
		return "", "", err
	}
	return places[0], places[1], nil
}

// initialize returns the name under which src is backed up. It is the one in
// its working directory, which is made if there is none.
func (q *quickstart) initialize(src string) (name string, err error) {
	config := q.world.Config
	hash := "." + settings.Hash(src)
	taken := map[string]bool{}
	entries, err := afero.ReadDir(q.world.FS, config.Path)
	if err != nil {
		return "", err
	}
	for _, entry := range entries {
		if name, ok := strings.CutSuffix(entry.Name(), hash); ok && name != "" {
			return name, nil
		}
		name, _, _ := strings.Cut(entry.Name(), ".")
		taken[name] = true
	}
	base := mnemonic(filepath.Base(src))
	name = base
	for n := 2; taken[name]; n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	dir, err := config.Init(src, name, "tar")
	if err != nil {
		return "", err
	}
	return name, q.say("made       %s", dir)
}

// mnemonic makes a name that is easy to type.
func mnemonic(base string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, base)
	if clean = strings.Trim(clean, "-_"); clean == "" {
		return "root"
	}
	return clean
}

// tell says what is there now, after looking that it is.
func (q *quickstart) tell(ctx context.Context, src, dst string, general settings.General, unchanged bool) error {
	r := run.New(q.world)
	newest, entries, err := r.ReadBack(ctx, dst)
	if err != nil {
		return err
	}
	contents, err := r.Look(dst)
	if err != nil {
		return err
	}
	done := "backed up  "
	if unchanged {
		done = "unchanged  nothing has changed since the last backup of "
	}
	lines := []string{
		done + src,
		"backups    " + filepath.Join(general.RootPath, dst),
	}
	for _, b := range contents.Backups {
		lines = append(lines, "             "+b.Name())
		for _, t := range b.Increments {
			lines = append(lines, "              "+destination.Name(t))
		}
	}
	lines = append(lines,
		fmt.Sprintf("read back  %s: %d files and directories, as recorded", newest, entries),
		"off-site   "+general.S3Prefix,
	)
	if copies, ok := offsite.DirectoryOf(general.S3Prefix); ok && q.sameDisk(general.RootPath, copies) {
		lines = append(lines,
			"           Both copies lie on one disk: when it breaks, both are gone.",
			"           Set S3_URI_PREFIX to another disk (file://) or to S3 (s3://) in",
			"           "+filepath.Join(q.world.Config.Path, "config.py"))
	}
	lines = append(append(lines, ""), q.crontab(src, dst)...)
	for _, line := range lines {
		if err := q.say("%s", line); err != nil {
			return err
		}
	}
	return nil
}

// crontab returns what to do for a nightly backup.
func (q *quickstart) crontab(src, dst string) []string {
	var lines []string
	program, err := os.Executable()
	if err != nil || strings.Contains(program, "go-build") { // go run deletes what it ran
		program = "/usr/local/bin/btw-backup"
		lines = append(lines, "To install the program, here:", "", "  CGO_ENABLED=0 go build -o "+program+" ./cmd/btw-backup", "")
	}
	words := []string{program}
	if home, err := homeDir(); err != nil || q.world.Config.Path != filepath.Join(home, ".btw-backup") {
		words = append(words, "--config-dir", q.world.Config.Path)
	}
	words = append(words, "fs", src, dst)
	for i, word := range words {
		words[i] = shellQuote(word)
	}
	// To cron, a bare % is the end of the line.
	line := "15 3 * * *  " + strings.ReplaceAll(strings.Join(words, " "), "%", `\%`)
	return append(lines, "To do this every night, add this line with crontab -e:", "", "  "+line)
}

func shellQuote(word string) string {
	plain := strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") == ""
	if plain && word != "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// sameDisk tells whether two directories lie on one device, so far as this
// machine can tell.
func (q *quickstart) sameDisk(a, b string) bool {
	device := func(name string) (uint64, bool) {
		info, err := q.world.FS.Stat(name)
		if err != nil {
			return 0, false
		}
		id, ok := durable.IdentityOf(info)
		return id.Device, ok
	}
	x, okX := device(a)
	y, okY := device(b)
	return okX && okY && x == y
}
