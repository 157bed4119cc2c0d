package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/afero"

	"btw-backup/internal/durable"
	"btw-backup/internal/retention"
)

// Dir is a config directory.
type Dir struct {
	FS   durable.FS
	Path string // absolute

	// Eval returns what the text of a settings file assigns: strings, int64,
	// bool, and other values that no setting takes.
	Eval func(filename string, source []byte) (map[string]any, error)

	// UID is the user that we run as; for root, 0, the files are guarded.
	UID int
}

// General is the general configuration.
type General struct {
	// RootPath is the absolute path below which all destinations lie.
	RootPath string

	// S3Prefix tells where the off-site copy lies, as S3_URI_PREFIX says,
	// and S3cmdConfig which file holds the access to it. Either may be
	// empty; NeedOffsite says whether they suffice.
	S3Prefix    string
	S3cmdConfig string

	// S3Engine is what speaks to an s3:// prefix: "s3cmd", the program, or
	// "native". S3NoSSE says that the server is not asked
	// to encrypt, S3Workers how many requests are under way at once, 0 the
	// engine's own number, and S3Timeout how long it goes on trying without
	// getting anywhere, 0 the engine's own time.
	S3Engine  string
	S3NoSSE   bool
	S3Workers int
	S3Timeout time.Duration

	// LockTimeout is how long a run waits for another one.
	LockTimeout time.Duration

	// StallTimeout is how long a tool may do nothing before it is stopped.
	StallTimeout time.Duration

	Hooks Hooks
}

// DefaultStallTimeout is how long a tool may do nothing: longer than a server
// that wakes up, or a lock in a database that is held for a moment, takes.
const DefaultStallTimeout = time.Hour

// DefaultS3Engine is the program that existing installations use, until the
// native engine has had its time beside it.
const DefaultS3Engine = "s3cmd"

// DefaultLockTimeout is how long a run waits for another one that holds what
// it needs: longer than a large backup takes, and shorter than a day, so that
// a daily cron job does not pile up.
const DefaultLockTimeout = 3 * time.Hour

// Backup says how a source or a database is backed up.
type Backup struct {
	Type                string // "tar" or "rdiff"
	MaxIncrementalCount int
	MaxIncrementalSpan  time.Duration

	// XAttrs says whether ACLs and extended attributes are kept.
	XAttrs bool

	// Keep says which backups prune keeps, and PruneAfterBackup whether the run
	// that made one prunes.
	Keep             retention.Policy
	PruneAfterBackup bool

	// Source says what the settings are of, so that they can be found again:
	// see Dir.Of.
	Source string
}

// The defaults of Backup, as documented.
const (
	DefaultMaxIncrementalCount = 10
	DefaultMaxIncrementalSpan  = 24 * time.Hour
)

// MissingError says that a setting is required and not there.
type MissingError struct {
	Name string
	File string // that should hold it
	None bool   // there is no such file
}

func (e *MissingError) Error() string {
	text := fmt.Sprintf("you must specify %s in the general configuration", e.Name)
	if e.None {
		return text + ": there is no " + e.File
	}
	return text + ", " + e.File
}

// read evaluates a settings file. One that is not there assigns nothing.
func (d Dir) read(name string) (v values, exists bool, err error) {
	v.file = filepath.Join(d.Path, name)
	if info, err := d.FS.Stat(v.file); err == nil && !info.Mode().IsRegular() {
		return v, true, fmt.Errorf("%s is not a file", v.file) // to read a pipe would take for ever
	}
	source, err := afero.ReadFile(d.FS, v.file)
	if errors.Is(err, fs.ErrNotExist) {
		return v, false, nil
	}
	if err != nil {
		return v, false, err
	}
	if err := d.Guard(v.file); err != nil {
		return v, true, err
	}
	v.all, err = d.Eval(v.file, source)
	return v, true, err
}

// Guard refuses a file of the config directory that somebody else than root
// may write, or replace, if we are root.
func (d Dir) Guard(name string) error {
	if d.UID != 0 {
		return nil
	}
	for at := name; ; at = filepath.Dir(at) {
		info, err := d.FS.Stat(at)
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		switch {
		case ok && stat.Uid != 0:
			return fmt.Errorf("%s belongs to user %d, who could make root run anything: chown root it", at, stat.Uid)
		case info.Mode().Perm()&0o002 != 0, info.Mode().Perm()&0o020 != 0 && (!ok || stat.Gid != 0):
			return fmt.Errorf("%s may be written by others, who could make root run anything: chmod go-w it", at)
		}
		if at == d.Path || !strings.HasPrefix(at, d.Path) {
			return nil
		}
	}
}

const generalFile = "config.py"

// General reads the general configuration. ROOT_PATH must be there.
func (d Dir) General() (General, error) {
	g := General{}
	v, exists, err := d.read(generalFile)
	if err != nil {
		return g, err
	}
	if err := v.check(slices.Concat(hookSettings, []string{
		"ROOT_PATH", "S3_URI_PREFIX", "S3CMD_CONFIG", "LOCK_TIMEOUT", "STALL_TIMEOUT",
		"S3_ENGINE", "S3_SSE", "S3_WORKERS", "S3_TIMEOUT",
	})...); err != nil {
		return g, err
	}
	if g.Hooks, err = v.hooks(); err != nil {
		return g, err
	}
	if g.RootPath, err = v.text("ROOT_PATH", ""); err != nil {
		return g, err
	}
	if g.S3Prefix, err = v.text("S3_URI_PREFIX", ""); err != nil {
		return g, err
	}
	if g.S3cmdConfig, err = v.text("S3CMD_CONFIG", ""); err != nil {
		return g, err
	}
	if g.LockTimeout, err = v.span("LOCK_TIMEOUT", DefaultLockTimeout); err != nil {
		return g, err
	}
	if g.StallTimeout, err = v.span("STALL_TIMEOUT", DefaultStallTimeout); err != nil {
		return g, err
	}
	if err := v.s3(&g); err != nil {
		return g, err
	}
	if g.RootPath == "" {
		return g, &MissingError{Name: "ROOT_PATH", File: v.file, None: !exists}
	}
	if !filepath.IsAbs(g.RootPath) {
		return g, fmt.Errorf("%s: ROOT_PATH must be an absolute path, not %q", v.file, g.RootPath)
	}
	g.RootPath = filepath.Clean(g.RootPath)
	return g, nil
}

// s3 reads how the off-site copy is spoken to.
func (v values) s3(g *General) (err error) {
	if g.S3Engine, err = v.text("S3_ENGINE", DefaultS3Engine); err != nil {
		return err
	}
	if g.S3Engine != "native" && g.S3Engine != "s3cmd" {
		return v.wrong("S3_ENGINE", `"native" or "s3cmd"`, g.S3Engine)
	}
	switch sse, given := v.all["S3_SSE"]; {
	case given && sse == nil:
		g.S3NoSSE = true
	case given && sse != "AES256": // a key of one's own is kms_key in S3CMD_CONFIG
		return v.wrong("S3_SSE", `"AES256", or None to do without encryption on the server`, sse)
	}
	if g.S3Workers, err = v.count("S3_WORKERS", 0); err != nil {
		return err
	}
	if most := 256; g.S3Workers > most || v.all["S3_WORKERS"] == int64(0) {
		return v.wrong("S3_WORKERS", "a whole number from 1 to 256", v.all["S3_WORKERS"])
	}
	if g.S3Timeout, err = v.span("S3_TIMEOUT", 0); err != nil {
		return err
	}
	if _, given := v.all["S3_TIMEOUT"]; given && g.S3Timeout < time.Second {
		return v.wrong("S3_TIMEOUT", `one second or more, such as "60s"`, v.all["S3_TIMEOUT"])
	}
	return nil
}

// NeedOffsite says in an error which setting is missing for the off-site
// copy.
func (d Dir) NeedOffsite(g General) error {
	file := filepath.Join(d.Path, generalFile)
	if g.S3Prefix == "" {
		return &MissingError{Name: "S3_URI_PREFIX", File: file}
	}
	if g.S3cmdConfig == "" && strings.HasPrefix(g.S3Prefix, "s3://") {
		return &MissingError{Name: "S3CMD_CONFIG", File: file}
	}
	return nil
}

const (
	typeSetting  = "TYPE"
	countSetting = "MAX_INCREMENTAL_COUNT"
	spanSetting  = "MAX_INCREMENTAL_SPAN"
	pruneSetting = "PRUNE_AFTER_BACKUP"
	xattrSetting = "ACLS_AND_XATTRS"
)

func (v values) backup() (b Backup, err error) {
	known := []string{
		typeSetting, countSetting, spanSetting, pruneSetting, xattrSetting,
		"KEEP_LAST", "KEEP_DAILY", "KEEP_WEEKLY", "KEEP_MONTHLY", "KEEP_YEARLY", "KEEP_WITHIN",
	}
	if err := v.check(known...); err != nil {
		return b, err
	}
	if b.MaxIncrementalCount, err = v.count(countSetting, DefaultMaxIncrementalCount); err != nil {
		return b, err
	}
	if b.MaxIncrementalSpan, err = v.span(spanSetting, DefaultMaxIncrementalSpan); err != nil {
		return b, err
	}
	if b.XAttrs, err = v.flag(xattrSetting); err != nil {
		return b, err
	}
	if err := v.keep(&b); err != nil {
		return b, err
	}
	return b, nil
}

// Of returns the settings that Backup.Source names.
func (d Dir) Of(source string) (Backup, error) {
	kind, name, _ := strings.Cut(source, ":")
	switch kind {
	case "fs":
		return d.Filesystem(name)
	case "db":
		return d.Database(name)
	}
	return Backup{}, fmt.Errorf("%q names no settings", source)
}

// GlobalsName is the name that stands for the globals among the databases.
const GlobalsName = "global"

// Database reads the settings of a database, GlobalsName for the globals:
// NAME.py as documented, or db/NAME.py, which the Python program read.
func (d Dir) Database(name string) (Backup, error) {
	if err := CheckDatabaseName(name); err != nil {
		return Backup{}, err
	}
	documented, inDB := name+".py", filepath.Join("db", name+".py")
	v, isInDB, err := d.read(inDB)
	if err != nil {
		return Backup{}, err
	}
	// A database called "config" has its settings in db/config.py only.
	if documented != generalFile {
		w, isDocumented, err := d.read(documented)
		switch {
		case err != nil:
			return Backup{}, err
		case isDocumented && isInDB:
			return Backup{}, fmt.Errorf("there is %s and %s: keep one of them", w.file, v.file)
		case isDocumented:
			v = w
		}
	}
	b, err := v.backup()
	if err != nil {
		return b, err
	}
	if b.XAttrs {
		return b, fmt.Errorf("%s: %s is for backups of file systems only", v.file, xattrSetting)
	}
	if _, ok := v.all[typeSetting]; ok {
		return b, fmt.Errorf("%s: TYPE is for backups of file systems only; a database is backed up with rdiff-backup", v.file)
	}
	b.Type, b.Source = "rdiff", "db:"+name
	return b, nil
}

// CheckDatabaseName refuses what cannot be part of a file's name.
func CheckDatabaseName(name string) error {
	switch {
	case name == "":
		return errors.New("the database name is empty")
	case !utf8.ValidString(name):
		return fmt.Errorf("the database name %q is not valid UTF-8", name)
	case strings.ContainsRune(name, '/') || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("the database name %q holds a slash or a control character, which no file name may", name)
	}
	return nil
}
