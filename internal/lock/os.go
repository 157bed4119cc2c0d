package lock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// OS takes the kernel's locks.
type OS struct{}

var _ Locker = OS{}

// Dir implements [Locker].
func (OS) Dir(ctx context.Context, path string, wait Waiter) (*Lock, error) {
	return flockPath(ctx, path, os.O_RDONLY|unix.O_DIRECTORY, wait)
}

// File implements [Locker].
func (OS) File(ctx context.Context, path string, wait Waiter) (*Lock, error) {
	return flockPath(ctx, path, os.O_RDWR|os.O_CREATE, wait)
}

func flockPath(ctx context.Context, path string, flags int, wait Waiter) (*Lock, error) {
	f, err := hold(ctx, path, flags, wait, flockKinds, tryFlock)
	if err != nil {
		return nil, err
	}
	return &Lock{release: func() error { return errors.Join(unflock(f), f.Close()) }}, nil
}

// hold opens path and locks it with take. It returns when the file is locked
// that path leads to then.
func hold(ctx context.Context, path string, flags int, wait Waiter, kinds []string,
	take func(*os.File) (bool, error),
) (*os.File, error) {
	var f *os.File
	try := func() (bool, error) {
		for {
			if f == nil {
				var err error
				// os.OpenFile adds O_CLOEXEC.
				if f, err = os.OpenFile(path, flags, 0o600); err != nil {
					return false, err
				}
			}
			got, err := take(f)
			if err != nil {
				return false, err
			}
			// Asked after a refusal too: the one who holds the old
			// directory may hold it for ever.
			same, err := leadsTo(path, f)
			if err != nil || same {
				return got, err
			}
			if err := f.Close(); err != nil {
				return false, err
			}
			f = nil
		}
	}
	err := wait.until(ctx, path, func() string { return holderOf(f, kinds) }, try)
	if err != nil {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
		return nil, err
	}
	return f, nil
}

// leadsTo tells whether path is still a name of f. A path that is gone is not.
func leadsTo(path string, f *os.File) (bool, error) {
	have, err := f.Stat()
	if err != nil {
		return false, err
	}
	want, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return os.SameFile(have, want), nil
}

// tryFlock takes an exclusive flock if it is free.
func tryFlock(f *os.File) (bool, error) {
	err := control(f, func(fd uintptr) error { return unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB) })
	return verdict("flock", f, err)
}

func unflock(f *os.File) error {
	return control(f, func(fd uintptr) error { return unix.Flock(int(fd), unix.LOCK_UN) })
}

// tryRecord changes the OFD lock on the whole of f to kind (unix.F_RDLCK,
// F_WRLCK or F_UNLCK) if nobody is in the way; else what was held stays held.
func tryRecord(f *os.File, kind int16) (bool, error) {
	err := control(f, func(fd uintptr) error {
		whole := unix.Flock_t{Type: kind, Whence: io.SeekStart}
		return unix.FcntlFlock(fd, unix.F_OFD_SETLK, &whole)
	})
	return verdict("lock", f, err)
}

// verdict turns the answer to a request for a lock into: had it, did not get
// it, or will never get it.
func verdict(op string, f *os.File, err error) (bool, error) {
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES): // EWOULDBLOCK is EAGAIN
		return false, nil
	// EBADF: network file systems want a descriptor open for writing, which
	// a directory's never is. EINVAL: kernels without OFD locks, before 3.15.
	case errors.Is(err, unix.ENOLCK), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS),
		errors.Is(err, unix.EINVAL), errors.Is(err, unix.EBADF):
		err = fmt.Errorf("%w here (%w)", errors.ErrUnsupported, err)
	}
	return false, &fs.PathError{Op: op, Path: f.Name(), Err: err}
}

// control runs a system call on f's descriptor, again when a signal broke it off.
func control(f *os.File, call func(fd uintptr) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var callErr error
	err = conn.Control(func(fd uintptr) {
		for {
			if callErr = call(fd); !errors.Is(callErr, syscall.EINTR) {
				return
			}
		}
	})
	return errors.Join(err, callErr)
}
