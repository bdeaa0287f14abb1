package safefile

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Temp makes an unnamed file (O_TMPFILE), or a named one that is removed when
// it is closed where the file system has none (NFS, some FUSE).
func (osFS) Temp(dir string) (TempFile, error) {
	fd, err := ignoringEINTR(func() (int, error) {
		return unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	})
	switch {
	case err == nil:
		return unnamed{os.NewFile(uintptr(fd), "/proc/self/fd/"+strconv.Itoa(fd))}, nil
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EISDIR), errors.Is(err, unix.EINVAL):
		return namedTemp(dir)
	}
	return nil, &os.PathError{Op: "open", Path: dir, Err: err}
}

func namedTemp(dir string) (TempFile, error) {
	f, err := createTemp(OS, dir)
	if err != nil {
		return nil, err
	}
	return named{f.(*os.File)}, nil
}

func ignoringEINTR(f func() (int, error)) (int, error) {
	for {
		n, err := f()
		if err != unix.EINTR {
			return n, err
		}
	}
}

// unnamed is a file made with O_TMPFILE. Its Name is its path in /proc.
type unnamed struct{ *os.File }

func (f unnamed) Link(path string) error {
	_, err := ignoringEINTR(func() (int, error) {
		return 0, unix.Linkat(unix.AT_FDCWD, f.Name(), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
	})
	runtime.KeepAlive(f.File)
	if err != nil {
		return &os.LinkError{Op: "link", Old: f.Name(), New: path, Err: err}
	}
	return nil
}

func (f unnamed) SetTime(t time.Time) error { return os.Chtimes(f.Name(), t, t) }

// named is a file with a temporary name that goes when it is closed.
type named struct{ *os.File }

func (f named) Link(path string) error { return os.Link(f.Name(), path) }

func (f named) SetTime(t time.Time) error { return os.Chtimes(f.Name(), t, t) }

func (f named) Close() error {
	return errors.Join(f.File.Close(), os.Remove(f.Name()))
}
