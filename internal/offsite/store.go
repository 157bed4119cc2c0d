package offsite

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"btw-backup/internal/durable"
	"btw-backup/internal/exec"
)

// Store is an off-site copy of ROOT_PATH.
//
// A path is relative to ROOT_PATH, with slashes; it may end in one where it
// names a directory. When there is nothing of that name on the local side,
// Push and Sync return an error that wraps [fs.ErrNotExist] and have done
// nothing off-site; no other error of theirs wraps it, so that a caller may
// take it for "withdraw this".
type Store interface {
	// Check tells whether the store can be used now: mounted, configured.
	// The error is an *[UnavailableError]. It asks no server anything.
	Check(ctx context.Context) error

	// Push copies the file or tree at path.
	Push(ctx context.Context, path string) error

	// Sync makes the copy of the directory at path equal to it, deletions
	// included. The path "" is all of ROOT_PATH.
	Sync(ctx context.Context, path string) error

	// Preview shows what a Push of the path would do, or with deletions a
	// Sync, and does nothing.
	Preview(ctx context.Context, path string, deletions bool, show func(Change)) error

	// String is the store's URI, for messages.
	String() string
}

// Engines for s3:// URIs.
const (
	Native = "native" // the default
	S3cmd  = "s3cmd"
)

// Progress is how far a Push or Sync has come. The totals grow until Whole is
// set: what is to be sent is found while it is sent.
type Progress struct {
	Files, Bytes           int64
	TotalFiles, TotalBytes int64
	Whole                  bool
}

// Config is what a store is made from.
type Config struct {
	FS   durable.FS
	Exec exec.Runner

	// Root is ROOT_PATH, absolute.
	Root string

	// URI is S3_URI_PREFIX. A file:// URI is taken byte for byte: %20 is not
	// a space.
	URI string

	// S3cmdConfig is S3CMD_CONFIG, absolute; a file:// URI needs none.
	S3cmdConfig string

	// ConfigDir is where the store remembers what it must, absolute.
	ConfigDir string

	// Verify, when it is not nil, judges the local file at a path, relative to
	// ROOT_PATH, right before it takes the place of another content that is
	// off-site: a file that rotted here must not overwrite the copy that is
	// good. It is not asked about what is not there yet. Its error keeps the
	// file from being sent and the Sync from deleting anything, and is part of
	// what Push or Sync returns.
	Verify func(ctx context.Context, path string) error

	// Engine carries out what is for an s3:// URI; empty is [Native].
	Engine string

	// AllowDeletions, when it is not nil, tells whether a Sync may delete most
	// of what is off-site. See [DeletionsError].
	AllowDeletions func() bool

	// Verbose, when it is not nil, hears of each thing that is done, from
	// several goroutines.
	Verbose func(message string)

	// The rest is for the native engine.

	// Clock is required.
	Clock Clock

	// Getenv looks up an environment variable, which the file of S3cmdConfig
	// may refer to. It may be nil: none is set.
	Getenv func(name string) (value string, set bool)

	// S3Workers is how many requests are under way at once, 0 the default.
	S3Workers int

	// S3Timeout is how long the engine goes on trying without getting
	// anywhere, 0 the default.
	S3Timeout time.Duration

	// S3NoSSE says that server-side encryption is not asked for.
	S3NoSSE bool

	// Progress, when it is not nil, hears often how far a Push or Sync has
	// come, from several goroutines.
	Progress func(Progress)

	// Warn, when it is not nil, hears of what a person should know.
	Warn func(message string)
}

// UnavailableError says that the store cannot be used now, and what to do
// about it. What is pending stays pending. From Push and Sync it says that
// sending something else now would fail in the same way, and perhaps take
// long about it: s3cmd tries for 45 seconds before it gives up.
type UnavailableError struct {
	URI, Reason string
	Err         error // what was behind it, may be nil
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("the off-site copy %s cannot be used: %s", e.URI, e.Reason)
}

// Unwrap gives what was behind it.
func (e *UnavailableError) Unwrap() error { return e.Err }

// EmptyError says that something was not deleted off-site, because the
// directory that it was in is empty here; all else was done. To try again would
// find the same: it is for a person to decide.
type EmptyError struct{ err error }

func (e *EmptyError) Error() string { return e.err.Error() }

// ChangedError says that something changed under the sender's hands, so that
// what was sent may be neither the old nor the new. It stays pending.
type ChangedError struct{ Path string }

func (e *ChangedError) Error() string {
	return e.Path + ": changed while it was being read"
}

// New makes the store for a URI. It looks at directories, to refuse a store
// that lies in ROOT_PATH or the reverse with an *[OverlapError], and runs
// nothing.
func New(c Config) (Store, error) {
	if c.Verbose == nil {
		c.Verbose = func(string) {}
	}
	if c.Getenv == nil {
		c.Getenv = func(string) (string, bool) { return "", false }
	}
	base := base{Config: c, local: local{fsys: c.FS, root: filepath.Clean(c.Root)}, judging: &sync.Mutex{}}
	switch {
	case strings.HasPrefix(c.URI, "s3://") && c.Engine == S3cmd:
		return newS3cmd(base)
	case strings.HasPrefix(c.URI, "s3://"):
		return newNative(base)
	case strings.HasPrefix(c.URI, "file://"):
		return newDirectory(base)
	}
	return nil, fmt.Errorf("S3_URI_PREFIX %q: must be s3://BUCKET/PREFIX, or file:///PATH for a directory", c.URI)
}

// base is what the engines have in common.
type base struct {
	Config
	local   local
	judging *sync.Mutex // one Verify at a time
}

// String implements [Store].
func (b *base) String() string { return b.URI }

func (b *base) say(format string, args ...any) { b.Verbose(fmt.Sprintf(format, args...)) }

// mayReplace tells whether the local file at p may take the place of what is
// off-site under that name.
func (b *base) mayReplace(ctx context.Context, p string) error {
	if b.Verify == nil {
		return nil
	}
	b.judging.Lock()
	defer b.judging.Unlock()
	if err := b.Verify(ctx, p); err != nil {
		return fmt.Errorf("%s: is not sent: %w", p, err)
	}
	return nil
}

func (b *base) unavailable(format string, args ...any) error {
	return &UnavailableError{URI: b.URI, Reason: fmt.Sprintf(format, args...)}
}
