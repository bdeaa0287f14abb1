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
	v, err := versionOf(fd, path)
	return v.stat, err
}

// version is how a file looks: what it has changed with it, if only a clock does not go back.
type version struct {
	stat
	ctime int64
}

// versionOf looks at an open file.
func versionOf(fd int, path string) (version, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return version{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return newVersion(&st)
}

// versionAt looks at a file in an open directory.
func versionAt(dir int, file string) (version, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, file, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return version{}, &os.PathError{Op: "stat", Path: file, Err: err}
	}
	return newVersion(&st)
}

// lstat looks at a file by its path.
func lstat(path string) (stat, error) {
	v, err := versionAt(unix.AT_FDCWD, path)
	return v.stat, err
}

// lstatAt looks at a file in an open directory.
func lstatAt(dir *os.File, file string) (stat, error) {
	v, err := versionAt(int(dir.Fd()), file)
	return v.stat, err
}

func newVersion(st *unix.Stat_t) (version, error) {
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return version{}, errNoObject
	}
	return version{stat{size: st.Size, mtime: st.Mtim.Nano(), inode: st.Ino}, st.Ctim.Nano()}, nil
}

// readFile reads a file of at most limit octets, as it was at one moment.
func readFile(path string, limit int64) ([]byte, stat, error) {
	st, err := lstat(path)
	if err != nil {
		return nil, stat{}, err
	}
	if st.size > limit {
		return nil, stat{}, fmt.Errorf("%w: it has %d octets, more than %d", errNoObject, st.size, limit)
	}
	data, after, err := readAt(unix.AT_FDCWD, path, st.size, nil)
	if err == nil && after.stat != st {
		err = errBusy
	}
	return data, st, err
}

// readAt reads a file in an open directory, which has a size as somebody saw before, into buf,
// which grows as needed. The version is that after it: when it is what was seen, the
// octets are those of that version. A report reads thousands: without an os.File each takes
// half of the system calls.
func readAt(dir int, file string, size int64, buf []byte) ([]byte, version, error) {
	fd, err := retried(func() (int, error) {
		return unix.Openat(dir, file, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	})
	if err == unix.ELOOP || err == unix.ENXIO {
		return buf, version{}, errNoObject
	}
	if err != nil {
		return buf, version{}, &os.PathError{Op: "open", Path: file, Err: err}
	}
	defer unix.Close(fd)
	buf = slices.Grow(buf[:0], int(size))[:size]
	for rest := buf; len(rest) > 0; {
		n, err := retried(func() (int, error) { return unix.Read(fd, rest) })
		if err != nil {
			return buf, version{}, &os.PathError{Op: "read", Path: file, Err: err}
		}
		if n == 0 {
			return buf, version{}, errBusy // it is shorter by now
		}
		rest = rest[n:]
	}
	v, err := versionOf(fd, file)
	return buf, v, err
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
