package settings_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"btw-backup/internal/durable"
	"btw-backup/internal/retention"
	"btw-backup/internal/settings"
)

// opaque is what an evaluator gives for a function and the like.
type opaque struct{}

func (opaque) String() string { return "<function>" }

// evaluate stands in for the language: a line is NAME = VALUE, and VALUE is
// JSON, or "a function".
func evaluate(filename string, source []byte) (map[string]any, error) {
	all := map[string]any{}
	for n, line := range strings.Split(string(source), "\n") {
		name, text, ok := strings.Cut(line, "=")
		if strings.TrimSpace(line) == "" {
			continue
		}
		if text = strings.TrimSpace(text); text == "a function" {
			all[strings.TrimSpace(name)] = opaque{}
			continue
		}
		var value any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&value); !ok || err != nil {
			return nil, fmt.Errorf("%s:%d: not an assignment", filename, n+1)
		}
		if number, ok := value.(json.Number); ok {
			if i, err := number.Int64(); err == nil {
				value = i
			} else if value, err = number.Float64(); err != nil {
				return nil, err
			}
		}
		all[strings.TrimSpace(name)] = value
	}
	return all, nil
}

// site returns a config directory that holds files, given as NAME, CONTENT.
// It is nobody's in particular: the guard is off.
func site(t *testing.T, files ...string) settings.Dir {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		name := filepath.Join(dir, files[i])
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(files[i+1]), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return settings.Dir{FS: durable.OS{}, Path: dir, Eval: evaluate, UID: 1000}
}

// says fails unless err reads as want, in which DIR is the config directory.
func says(t *testing.T, d settings.Dir, err error, want string) {
	t.Helper()
	want = strings.ReplaceAll(want, "DIR", d.Path)
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestGeneral(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text string
		want       settings.General
	}{
		{
			"all of it", "ROOT_PATH = \"/srv/backup\"\nS3CMD_CONFIG = \"/etc/s3cfg\"\nS3_URI_PREFIX = \"s3://bucket/x\"\nLOCK_TIMEOUT = \"1h\"\nSTALL_TIMEOUT = \"20m\"",
			settings.General{RootPath: "/srv/backup", S3cmdConfig: "/etc/s3cfg", S3Prefix: "s3://bucket/x", LockTimeout: time.Hour, StallTimeout: 20 * time.Minute, S3Engine: "s3cmd"},
		},
		{
			"the native engine", "ROOT_PATH=\"/b\"\nS3_ENGINE=\"native\"\nS3_SSE=null\nS3_WORKERS=8\nS3_TIMEOUT=\"2m\"",
			settings.General{
				RootPath: "/b", LockTimeout: settings.DefaultLockTimeout, StallTimeout: settings.DefaultStallTimeout,
				S3Engine: "native", S3NoSSE: true, S3Workers: 8, S3Timeout: 2 * time.Minute,
			},
		},
		{"no off-site", `ROOT_PATH="/b"`, settings.General{RootPath: "/b", LockTimeout: settings.DefaultLockTimeout, StallTimeout: settings.DefaultStallTimeout, S3Engine: "s3cmd"}},
		{"not clean", `ROOT_PATH="/srv//x/../backup/"`, settings.General{RootPath: "/srv/backup", LockTimeout: settings.DefaultLockTimeout, StallTimeout: settings.DefaultStallTimeout, S3Engine: "s3cmd"}},
		{"the last one counts", "ROOT_PATH=\"/a\"\nROOT_PATH=\"/b\"", settings.General{RootPath: "/b", LockTimeout: settings.DefaultLockTimeout, StallTimeout: settings.DefaultStallTimeout, S3Engine: "s3cmd"}},
		{
			"other names are let be", "ROOT_PATH=\"/b\"\nAWSCLI_PROFILE=\"x\"\nMY_HELPER=a function\nDEBUG=true\nPATH=[]\nTYPE=\"tar\"",
			settings.General{RootPath: "/b", LockTimeout: settings.DefaultLockTimeout, StallTimeout: settings.DefaultStallTimeout, S3Engine: "s3cmd"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got, err := site(t, "config.py", test.text).General(); err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestGeneralRefuses(t *testing.T) {
	t.Parallel()
	const root = "ROOT_PATH=\"/b\"\n"
	for _, test := range []struct{ name, text, want string }{
		{"no ROOT_PATH", `S3CMD_CONFIG="/x"`, "you must specify ROOT_PATH in the general configuration, DIR/config.py"},
		{"an empty one", `ROOT_PATH=""`, "you must specify ROOT_PATH in the general configuration, DIR/config.py"},
		{"another engine", root + `S3_ENGINE="aws"`, `DIR/config.py: S3_ENGINE must be "native" or "s3cmd", not "aws"`},
		{"another encryption", root + `S3_SSE="aws:kms"`, `DIR/config.py: S3_SSE must be "AES256", or None to do without encryption on the server, not "aws:kms"`},
		{"no workers", root + `S3_WORKERS=0`, "DIR/config.py: S3_WORKERS must be a whole number from 1 to 256, not 0"},
		{"a crowd of workers", root + `S3_WORKERS=1000`, "DIR/config.py: S3_WORKERS must be a whole number from 1 to 256, not 1000"},
		{"no patience", root + `S3_TIMEOUT="0s"`, `DIR/config.py: S3_TIMEOUT must be one second or more, such as "60s", not "0s"`},
		{"relative", `ROOT_PATH="backups"`, `DIR/config.py: ROOT_PATH must be an absolute path, not "backups"`},
		{"a number", `ROOT_PATH=7`, "DIR/config.py: ROOT_PATH must be a string in quotes, not 7"},
		{"a fraction", `ROOT_PATH=7.5`, "DIR/config.py: ROOT_PATH must be a string in quotes, not 7.5"},
		{"a truth", `ROOT_PATH=true`, "DIR/config.py: ROOT_PATH must be a string in quotes, not True"},
		{"nothing", `ROOT_PATH=null`, "DIR/config.py: ROOT_PATH must be a string in quotes, not None"},
		{"a list", `ROOT_PATH=["/b"]`, "DIR/config.py: ROOT_PATH must be a string in quotes, not a list"},
		{"a dict", `ROOT_PATH={"a":"/b"}`, "DIR/config.py: ROOT_PATH must be a string in quotes, not a dict"},
		{"a function", `ROOT_PATH=a function`, "DIR/config.py: ROOT_PATH must be a string in quotes, not <function>"},
		{"a NUL", `ROOT_PATH="/b\u0000"`, "DIR/config.py: ROOT_PATH holds a NUL byte"},
		{"prefix of a wrong type", root + `S3_URI_PREFIX=1`, "DIR/config.py: S3_URI_PREFIX must be a string in quotes, not 1"},
		{"config of a wrong type", root + `S3CMD_CONFIG=false`, "DIR/config.py: S3CMD_CONFIG must be a string in quotes, not False"},
		{"the first of two", root + "S3CMD_CONFIG=1\nS3_URI_PREFIX=2", "DIR/config.py: S3_URI_PREFIX must be a string in quotes, not 2"},
		{"timeout of a wrong type", root + `LOCK_TIMEOUT=60`, `DIR/config.py: LOCK_TIMEOUT must be a length of time in quotes, such as "24h", not 60`},
		{"no length of time", root + `LOCK_TIMEOUT="1y"`, `DIR/config.py: LOCK_TIMEOUT: "1y" is not a length of time: write "24h", "7d" or "1w 3d 2h", say`},
		{"not even the language", "import os", "DIR/config.py:1: not an assignment"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := site(t, "config.py", test.text)
			_, err := d.General()
			says(t, d, err, test.want)
		})
	}
	d := site(t)
	_, err := d.General()
	says(t, d, err, "you must specify ROOT_PATH in the general configuration: there is no DIR/config.py")
	var missing *settings.MissingError
	if !errors.As(err, &missing) || !missing.None {
		t.Errorf("got %#v", err)
	}
}

func TestNeedOffsite(t *testing.T) {
	t.Parallel()
	d := site(t)
	for _, test := range []struct{ prefix, config, want string }{
		{"", "", "you must specify S3_URI_PREFIX in the general configuration, DIR/config.py"},
		{"", "/etc/s3cfg", "you must specify S3_URI_PREFIX in the general configuration, DIR/config.py"},
		{"s3://b", "", "you must specify S3CMD_CONFIG in the general configuration, DIR/config.py"},
		{"s3://b", "/etc/s3cfg", ""},
		{"file:///mnt", "", ""},
	} {
		err := d.NeedOffsite(settings.General{S3Prefix: test.prefix, S3cmdConfig: test.config})
		if test.want == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		says(t, d, err, test.want)
	}
}

// A slip in a setting's name must not silently mean the default.
func TestNearMiss(t *testing.T) {
	t.Parallel()
	general := func(d settings.Dir) error { _, err := d.General(); return err }
	database := func(d settings.Dir) error { _, err := d.Database("x"); return err }
	for _, test := range []struct {
		file  string
		read  func(settings.Dir) error
		known string
		slips []string
	}{
		{"config.py", general, "ROOT_PATH", []string{"ROOTPATH", "root_path", "ROOT_PAHT", "ROOT_PTH", "ROOT_PATHS", "ROOT__PATH", "Root_Path"}},
		{"config.py", general, "S3_URI_PREFIX", []string{"S3_URL_PREFIX", "S3URIPREFIX", "S3_URI_PERFIX", "s3_uri_prefix", "S3_URI_PRE_FIX"}},
		{"config.py", general, "S3CMD_CONFIG", []string{"S3_CMD_CONFIG", "S3CMD_CONF1G", "S3CMD_CONFG", "S3CMD_COFNIG", "S3CMDCONFIG"}},
		{"config.py", general, "LOCK_TIMEOUT", []string{"LOCK_TIME_OUT", "LOCKTIMEOUT", "LOCK_TIMEOUTS", "LOCK_TIMOUT"}},
		{"x.py", database, "MAX_INCREMENTAL_COUNT", []string{"MAX_INCREMENT_COUNT", "MAX_INCREMENTAL_COUNTS", "max_incremental_count", "MAX_INCREMENTEL_COUNT", "MAX_INCRMENTAL_COUNT"}},
		{"x.py", database, "MAX_INCREMENTAL_SPAN", []string{"MAX_INCREMENTAL_SPAM", "MAX_INCREMENTALSPAN", "MAX_INCREMENTAL_SAPN"}},
		{"x.py", database, "TYPE", []string{"Type", "TYP", "TPYE"}},
	} {
		for _, slip := range test.slips {
			d := site(t, "config.py", "ROOT_PATH=\"/b\"\n")
			text := "ROOT_PATH=\"/b\"\n" + slip + "=\"24h\"\n"
			if test.file != "config.py" {
				text = slip + "=\"24h\"\n"
			}
			if err := os.WriteFile(filepath.Join(d.Path, test.file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			says(t, d, test.read(d), fmt.Sprintf("DIR/%s: there is no setting %s; did you mean %s?", test.file, slip, test.known))
		}
	}
	// Other names are let be in every file.
	const others = "AWSCLI_PROFILE=\"x\"\nMY_HELPER=1\nCOUNT=3\nROOT=\"/\"\nPREFIX=\"\"\nMAX=1\nTAPES=2\nS3=\"\"\n"
	d := site(t, "config.py", "ROOT_PATH=\"/b\"\n"+others, "x.py", others)
	if err := errors.Join(general(d), database(d)); err != nil {
		t.Error(err)
	}
}

func TestDatabase(t *testing.T) {
	t.Parallel()
	const text = "MAX_INCREMENTAL_COUNT=3\nMAX_INCREMENTAL_SPAN=\"7d\"\n"
	standard := settings.Backup{Type: "rdiff", MaxIncrementalCount: 10, MaxIncrementalSpan: 24 * time.Hour}
	given := settings.Backup{Type: "rdiff", MaxIncrementalCount: 3, MaxIncrementalSpan: 7 * 24 * time.Hour}
	for _, test := range []struct {
		name, db string
		files    []string
		want     settings.Backup
		err      string
	}{
		{name: "none", db: "shop", want: standard},
		{name: "documented", db: "shop", files: []string{"shop.py", text}, want: given},
		{name: "as it was", db: "shop", files: []string{"db/shop.py", text}, want: given},
		{name: "the globals", db: settings.GlobalsName, files: []string{"global.py", text}, want: given},
		{name: "the globals, as it was", db: settings.GlobalsName, files: []string{"db/global.py", text}, want: given},
		{
			name: "both", db: "shop", files: []string{"shop.py", text, "db/shop.py", text},
			err: "there is DIR/shop.py and DIR/db/shop.py: keep one of them",
		},
		{name: "another one's", db: "shop", files: []string{"shop2.py", text, "db/Shop.py", text}, want: standard},
		{name: "called config", db: "config", files: []string{"config.py", text}, want: standard},
		{name: "called config, its own", db: "config", files: []string{"config.py", `ROOT_PATH="/b"`, "db/config.py", text}, want: given},
		{name: "a name with spaces", db: "my shop @home", files: []string{"my shop @home.py", text}, want: given},
		{name: "empty", db: "shop", files: []string{"shop.py", ""}, want: standard},
		{
			name: "half", db: "shop", files: []string{"shop.py", "MAX_INCREMENTAL_COUNT=0"},
			want: settings.Backup{Type: "rdiff", MaxIncrementalSpan: 24 * time.Hour},
		},
		{
			name: "TYPE", db: "shop", files: []string{"shop.py", `TYPE="tar"`},
			err: "DIR/shop.py: TYPE is for backups of file systems only; a database is backed up with rdiff-backup",
		},
		{
			name: "count below nothing", db: "shop", files: []string{"shop.py", "MAX_INCREMENTAL_COUNT=-1"},
			err: "DIR/shop.py: MAX_INCREMENTAL_COUNT must be a whole number, 0 or more, not -1",
		},
		{
			name: "count in quotes", db: "shop", files: []string{"shop.py", `MAX_INCREMENTAL_COUNT="10"`},
			err: `DIR/shop.py: MAX_INCREMENTAL_COUNT must be a whole number, 0 or more, not "10"`,
		},
		{
			name: "count and a point", db: "shop", files: []string{"shop.py", "MAX_INCREMENTAL_COUNT=10.0"},
			err: "DIR/shop.py: MAX_INCREMENTAL_COUNT must be a whole number, 0 or more, not 10.0",
		},
		{
			name: "a truth is no count", db: "shop", files: []string{"shop.py", "MAX_INCREMENTAL_COUNT=true"},
			err: "DIR/shop.py: MAX_INCREMENTAL_COUNT must be a whole number, 0 or more, not True",
		},
		{
			name: "count beyond measure", db: "shop", files: []string{"shop.py", "MAX_INCREMENTAL_COUNT=2147483648"},
			err: "DIR/shop.py: MAX_INCREMENTAL_COUNT must be a whole number, 0 or more, not 2147483648",
		},
		{
			name: "span without quotes", db: "shop", files: []string{"db/shop.py", "MAX_INCREMENTAL_SPAN=24"},
			err: `DIR/db/shop.py: MAX_INCREMENTAL_SPAN must be a length of time in quotes, such as "24h", not 24`,
		},
		{
			name: "no span", db: "shop", files: []string{"db/shop.py", `MAX_INCREMENTAL_SPAN="10"`},
			err: `DIR/db/shop.py: MAX_INCREMENTAL_SPAN: "10" is not a length of time: write "24h", "7d" or "1w 3d 2h", say`,
		},
		{name: "no assignment", db: "shop", files: []string{"shop.py", "import os"}, err: "DIR/shop.py:1: not an assignment"},
		{name: "no assignment, as it was", db: "shop", files: []string{"db/shop.py", "import os"}, err: "DIR/db/shop.py:1: not an assignment"},
		{name: "no name", db: "", err: "the database name is empty"},
		{name: "a slash", db: "../x", err: `the database name "../x" holds a slash or a control character, which no file name may`},
		{name: "a newline", db: "a\nb", err: `the database name "a\nb" holds a slash or a control character, which no file name may`},
		{name: "a NUL", db: "a\x00", err: `the database name "a\x00" holds a slash or a control character, which no file name may`},
		{name: "Latin-1", db: "caf\xe9", err: `the database name "caf\xe9" is not valid UTF-8`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := site(t, test.files...)
			got, err := d.Database(test.db)
			if test.err != "" {
				says(t, d, err, test.err)
			} else if got.Source = ""; err != nil || got != test.want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// guarded is a file system in which root owns everything, but for what it is
// told.
type guarded struct {
	durable.OS
	name     string
	mode     fs.FileMode
	uid, gid uint32
}

func (g guarded) Stat(name string) (fs.FileInfo, error) {
	info, err := g.OS.Stat(name)
	if err != nil {
		return nil, err
	}
	stat := *info.Sys().(*syscall.Stat_t)
	stat.Uid, stat.Gid = 0, 0
	mode := info.Mode() &^ 0o022
	if name == g.name {
		mode, stat.Uid, stat.Gid = g.mode, g.uid, g.gid
	}
	return statInfo{info, mode, &stat}, nil
}

type statInfo struct {
	fs.FileInfo
	mode fs.FileMode
	stat *syscall.Stat_t
}

func (i statInfo) Mode() fs.FileMode { return i.mode }
func (i statInfo) Sys() any          { return i.stat }

func TestGuard(t *testing.T) {
	t.Parallel()
	const (
		written = " may be written by others, who could make root run anything: chmod go-w it"
		owned   = " belongs to user 1000, who could make root run anything: chown root it"
	)
	for _, test := range []struct {
		name string
		odd  string // below the config directory
		mode fs.FileMode
		uid  uint32
		gid  uint32
		want string
	}{
		{"root's", "db/x.py", 0o644, 0, 0, ""},
		{"readable by all", "db/x.py", 0o755, 0, 7, ""},
		{"writable by root's group", "db/x.py", 0o664, 0, 0, ""},
		{"writable by another group", "db/x.py", 0o664, 0, 7, written},
		{"writable by all", "db/x.py", 0o606, 0, 0, written},
		{"somebody else's", "db/x.py", 0o600, 1000, 0, owned},
		{"in a directory that all may write", "db", 0o777, 0, 0, written},
		{"sticky or not", "db", 0o1777, 0, 0, written},
		{"in somebody else's directory", "db", 0o700, 1000, 1000, owned},
		{"the config directory that all may write", ".", 0o777, 0, 0, written},
		{"somebody else's config directory", ".", 0o700, 1000, 0, owned},
		{"what is above is not ours to judge", "..", 0o777, 1000, 1000, ""},
		{"nor what lies beside", "config.py", 0o666, 1000, 1000, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := site(t, "db/x.py", "MAX_INCREMENTAL_COUNT=3", "config.py", "")
			odd := filepath.Join(d.Path, test.odd)
			d.FS = guarded{name: odd, mode: test.mode, uid: test.uid, gid: test.gid}

			// Only root is guarded: others read their own files.
			if b, err := d.Database("x"); err != nil || b.MaxIncrementalCount != 3 {
				t.Errorf("not as root: %+v, %v", b, err)
			}
			d.UID = 0
			b, err := d.Database("x")
			if test.want != "" {
				says(t, d, err, odd+test.want)
			} else if err != nil || b.MaxIncrementalCount != 3 {
				t.Errorf("got %+v, %v", b, err)
			}
		})
	}
	d := site(t)
	d.UID = 0
	if err := d.Guard(d.Path + "/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestNoFile(t *testing.T) {
	t.Parallel()
	// A directory where a file should be; a pipe is refused likewise.
	d := site(t, "config.py/x", "", "shop.py/x", "", "db/news.py/x", "")
	if _, err := d.General(); err == nil || err.Error() != d.Path+"/config.py is not a file" {
		t.Errorf("got %v", err)
	}
	for _, db := range []string{"shop", "news"} {
		if _, err := d.Database(db); err == nil || !strings.HasSuffix(err.Error(), db+".py is not a file") {
			t.Errorf("%s: got %v", db, err)
		}
	}
}

func TestKeep(t *testing.T) {
	text := `KEEP_LAST = 3
KEEP_DAILY = 7
KEEP_WEEKLY = 4
KEEP_MONTHLY = 12
KEEP_YEARLY = 10
KEEP_WITHIN = "2w"
PRUNE_AFTER_BACKUP = true
`
	got, err := site(t, "shop.py", text).Database("shop")
	want := retention.Policy{Last: 3, Daily: 7, Weekly: 4, Monthly: 12, Yearly: 10, Within: 14 * 24 * time.Hour}
	if err != nil || got.Keep != want || !got.PruneAfterBackup || got.Source != "db:shop" {
		t.Errorf("got %+v, %v", got, err)
	}
	d := site(t, "shop.py", "KEEP_LAST = 1\n")
	if got, err := d.Of("db:shop"); err != nil || got.Keep.Last != 1 || got.PruneAfterBackup {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, source := range []string{"", "x:shop", "fs:relative"} {
		if got, err := d.Of(source); err == nil {
			t.Errorf("%q: got %+v, want an error", source, got)
		}
	}
	for _, wrong := range []string{
		"KEEP_LAST = -1", `KEEP_DAILY = "7"`, "KEEP_DAYLY = 7", "KEEP_WITHIN = 7", `KEEP_WITHIN = "-1d"`,
		"PRUNE_AFTER_BACKUP = 1\nKEEP_LAST = 1", "PRUNE_AFTER_BACKUP = true",
	} {
		if got, err := site(t, "shop.py", wrong).Database("shop"); err == nil {
			t.Errorf("%s: got %+v, want an error", wrong, got)
		}
	}
}

func TestHooks(t *testing.T) {
	const root = "ROOT_PATH = \"/r\"\n"
	got, err := site(t, "config.py", root+`ON_FAILURE = ["mail", "-s", "x y", "root"]
PING_URL = "https://monitor.example/ping/ID"
`).General()
	want := settings.Hooks{
		Failure: settings.Hook{Command: []string{"mail", "-s", "x y", "root"}},
		Success: settings.Hook{URL: "https://monitor.example/ping/ID"},
	}
	if err != nil || !reflect.DeepEqual(got.Hooks, want) {
		t.Errorf("got %+v, %v", got.Hooks, err)
	}
	for _, wrong := range []string{
		`ON_FAILURE = "mail root"`, `ON_FAILURE = [1]`, `ON_FAILURES = ["x"]`, `PING_URL = "monitor.example"`,
		`PING_URL = "ftp://monitor.example/x"`, `PING_URL = 1`, `ON_BEGIN = ["a\u0000"]`,
	} {
		if got, err := site(t, "config.py", root+wrong).General(); err == nil {
			t.Errorf("%s: got %+v, want an error", wrong, got.Hooks)
		}
	}
}
