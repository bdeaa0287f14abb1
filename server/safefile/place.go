package safefile

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// SameDisk checks that a file of one directory can be linked or renamed into another.
// The error ends with why that must be so.
func SameDisk(a, b, why string) error {
	var sa, sb unix.Stat_t
	if err := unix.Stat(a, &sa); err != nil {
		return &os.PathError{Op: "stat", Path: a, Err: err}
	}
	if err := unix.Stat(b, &sb); err != nil {
		return &os.PathError{Op: "stat", Path: b, Err: err}
	}
	if sa.Dev != sb.Dev {
		return fmt.Errorf("%s and %s are not on one file system, which they must be: %s", b, a, why)
	}
	return nil
}

// BootID returns what identifies the running system since it was started; ok is false
// where the system does not tell.
func BootID() (id string, ok bool) {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return string(data), err == nil
}

// NoRoom tells whether an error is that of a full disk, or of a quota of the system.
func NoRoom(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// Exhausted tells whether an error says that something has run out for now: room, or
// open files.
func Exhausted(err error) bool {
	return NoRoom(err) || errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)
}
