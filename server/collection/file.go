package collection

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"facteur/server/safefile"
)

// errNoObject: a file can't be an object: it is too large or none that is read.
var errNoObject = errors.New("it is no object")

// openFile opens an object for reading. What is no regular file is refused without
// waiting for it.
func openFile(path string) (*os.File, stat, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) {
			err = errNoObject
		}
		return nil, stat{}, err
	}
	st, err := fileStat(int(f.Fd()), path)
	if err != nil {
		f.Close()
		return nil, stat{}, err
	}
	return f, st, nil
}

func fileStat(fd int, path string) (stat, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return stat{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return newStat(&st)
}

// lstat looks at a file by its path.
func lstat(path string) (stat, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return stat{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return newStat(&st)
}

// lstatAt looks at a file in an open directory.
func lstatAt(dir *os.File, file string) (stat, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(int(dir.Fd()), file, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return stat{}, &os.PathError{Op: "stat", Path: file, Err: err}
	}
	return newStat(&st)
}

func newStat(st *unix.Stat_t) (stat, error) {
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return stat{}, errNoObject
	}
	return stat{size: st.Size, mtime: st.Mtim.Nano(), inode: st.Ino}, nil
}

// readFile reads a file of at most limit octets, as it was at one moment, into buf, which grows
// as needed. A report reads thousands: without an os.File each takes half of the system calls.
func readFile(path string, limit int64, buf []byte) ([]byte, stat, error) {
	fd, err := retried(func() (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	})
	if err == unix.ELOOP || err == unix.ENXIO {
		return buf, stat{}, errNoObject
	}
	if err != nil {
		return buf, stat{}, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	before, err := fileStat(fd, path)
	if err != nil {
		return buf, stat{}, err
	}
	if before.size > limit {
		return buf, stat{}, fmt.Errorf("%w: it has %d octets, more than %d", errNoObject, before.size, limit)
	}
	buf = slices.Grow(buf[:0], int(before.size))[:before.size]
	for rest := buf; len(rest) > 0; {
		n, err := retried(func() (int, error) { return unix.Read(fd, rest) })
		if err != nil {
			return buf, stat{}, &os.PathError{Op: "read", Path: path, Err: err}
		}
		if n == 0 {
			return buf, stat{}, errBusy // it was cut meanwhile
		}
		rest = rest[n:]
	}
	after, err := fileStat(fd, path)
	if err == nil && after != before {
		err = errBusy
	}
	return buf, before, err
}

// retried makes a system call that a signal may interrupt.
func retried(call func() (int, error)) (n int, err error) {
	for {
		if n, err = call(); err != unix.EINTR {
			return n, err
		}
	}
}

// hash returns the tag of the octets of an object.
func hash(data []byte) ETag {
	sum := sha256.Sum256(data)
	return newETag(sum[:16])
}

// newRecord describes an object, without its facts.
func newRecord(href, file, ext string, tag ETag, st stat) *record {
	r := &record{stat: st}
	r.Href, r.ETag, r.Size, r.Modified = href, tag, st.size, time.Unix(0, st.mtime)
	if usual, err := fileName(href, ext); err != nil || usual != file {
		r.file = file
	}
	return r
}

// fileOf returns the name of the file of a record.
func (r *record) fileOf(ext string) string {
	if r.file != "" {
		return r.file
	}
	file, _ := fileName(r.Href, ext) // it had one when the record was made
	return file
}

// mtimeOf returns the mtime of a directory in nanoseconds, 0 when it can't be read.
func mtimeOf(dir string) int64 {
	var st unix.Stat_t
	if unix.Stat(dir, &st) != nil {
		return 0
	}
	return st.Mtim.Nano()
}

// identityOf tells a directory from one that was put in its place, from a backup
// for example, whose history is another one.
func identityOf(dir string) (string, error) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, dir, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_INO|unix.STATX_BTIME|unix.STATX_TYPE, &st); err != nil {
		return "", &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	if uint32(st.Mode)&unix.S_IFMT != unix.S_IFDIR {
		return "", &os.PathError{Op: "stat", Path: dir, Err: unix.ENOTDIR}
	}
	return fmt.Sprintf("%d %d.%d", st.Ino, st.Btime.Sec, st.Btime.Nsec), nil
}

// diskFault gives an error of the file system its reply: a full disk is
// Unavailable, anything else Internal, both temporary.
func diskFault(err error) error {
	var conflict *UIDConflict
	if errors.As(err, &conflict) || errors.Is(err, ErrCondition) || errors.Is(err, ErrToken) {
		return err
	}
	return safefile.Fault(err)
}
