package safefile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"facteur/server/fault"
)

// Prepare makes the directory of a store, and that of its files being written, where the
// temporary files go that a crash left there before now. Files are linked and renamed from
// tmp into dir, so both must be on one file system.
func Prepare(fsys FS, dir, tmp string, now time.Time) error {
	for _, d := range []string{dir, tmp} {
		if err := MkdirAll(fsys, d); err != nil {
			return err
		}
	}
	if err := sameDisk(dir, tmp); err != nil {
		return err
	}
	RemoveStale(fsys, tmp, now)
	return nil
}

func sameDisk(dir, tmp string) error {
	var a, b unix.Stat_t
	if err := unix.Stat(dir, &a); err != nil {
		return &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	if err := unix.Stat(tmp, &b); err != nil {
		return &os.PathError{Op: "stat", Path: tmp, Err: err}
	}
	if a.Dev != b.Dev {
		return fmt.Errorf("%s and %s are not on one file system, which they must be: files are moved from one into the other", tmp, dir)
	}
	return nil
}

// BootID returns what identifies the running system since it was started. Where the
// system does not tell it is random: every stop that is not clean counts as a power cut.
func BootID() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return rand.Text()
	}
	return string(data)
}

// NoRoom tells whether an error is that of a full disk, or of a quota of the system.
func NoRoom(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// Reason is an error of the file system without the path, for who has told that already.
func Reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// Exhausted tells whether an error says that something has run out for now: room, or
// open files.
func Exhausted(err error) bool {
	return NoRoom(err) || errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)
}

// Fault gives an error of the file system its reply: what has run out makes it Unavailable,
// anything else Internal, both temporary. A Fault stays as it is.
func Fault(err error) error {
	var f *fault.Fault
	switch {
	case err == nil, errors.As(err, &f):
		return err
	case Exhausted(err):
		return fault.Wrap(fault.Unavailable, "", err)
	}
	return fault.Wrap(fault.Internal, "", err)
}

// RemoveAll removes a file, or a directory with all that is in it, as far as it can. What
// is not there is no error; what a link leads to stays.
func RemoveAll(fsys FS, path string) error {
	info, err := os.Lstat(path)
	if err == nil && info.IsDir() {
		var entries []os.DirEntry
		entries, err = os.ReadDir(path)
		for _, e := range entries {
			err = errors.Join(err, RemoveAll(fsys, filepath.Join(path, e.Name())))
		}
	}
	if err == nil {
		err = fsys.Remove(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
