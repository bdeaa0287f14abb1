package maildir

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// settle is the age at which the mtime of a directory tells that it has not
// changed since: a change within the same tick of the clock leaves it as it is.
const settle = 2 * time.Second

// Stamp is the state of new and cur by their mtimes, in nanoseconds.
type Stamp struct{ New, Cur int64 }

// ReadStamp reads the stamp of a folder by the paths of its new and cur.
func ReadStamp(newDir, curDir string) (Stamp, error) {
	n, err := Mtime(newDir)
	if err != nil {
		return Stamp{}, err
	}
	c, err := Mtime(curDir)
	return Stamp{New: n, Cur: c}, err
}

// Mtime returns the mtime of a file or directory in nanoseconds.
func Mtime(path string) (int64, error) {
	var st unix.Stat_t
	for {
		err := unix.Stat(path, &st)
		if err == nil {
			return st.Mtim.Nano(), nil
		}
		if err != unix.EINTR {
			return 0, &os.PathError{Op: "stat", Path: path, Err: err}
		}
	}
}

// Scan is one reading of a folder.
//
// A directory that changes while it is read may miss a file that is renamed,
// or show it twice. So only a Settled scan tells that a file is gone, and only
// when a scan before it, ended before it began, didn't show it either.
type Scan struct {
	New, Cur []string // the names of files, in the order of the directory
	Before   Stamp    // before the reading
	Whole    bool     // nothing changed while it was read
	// Settled: it is Whole, and nothing changed in the 2 seconds before.
	Settled bool
}

// ReadScan reads the folder in dir. now is the time by the clock of the file
// system.
func ReadScan(dir string, now time.Time) (Scan, error) {
	var s Scan
	var err error
	newDir, curDir := filepath.Join(dir, New), filepath.Join(dir, Cur)
	if s.Before, err = ReadStamp(newDir, curDir); err != nil {
		return s, err
	}
	// new first: what moves from there to cur meanwhile is seen twice, not missed.
	if s.New, err = readNames(newDir); err != nil {
		return s, err
	}
	if s.Cur, err = readNames(curDir); err != nil {
		return s, err
	}
	after, err := ReadStamp(newDir, curDir)
	if err != nil {
		return s, err
	}
	young := now.Add(-settle).UnixNano()
	s.Whole = s.Before == after
	s.Settled = s.Whole && after.New < young && after.Cur < young
	return s, nil
}

// readNames lists the regular files of a directory, without those whose names
// begin with a dot. A FIFO would never end; a symbolic link, of a file or of the
// directory itself, could lead to files that are nobody's mail.
func readNames(dir string) ([]string, error) {
	d, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := d.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if e.Type().IsRegular() && e.Name()[0] != '.' {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// OpenFile opens a message file for reading. What is no regular file is refused
// without waiting for it.
func OpenFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &os.PathError{Op: "open", Path: path, Err: errors.New("it is no regular file")}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
