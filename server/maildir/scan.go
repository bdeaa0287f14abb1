package maildir

import (
	"os"
	"path/filepath"
	"time"
)

// settle is the age at which the mtime of a directory tells that it has not
// changed since: a change within the same tick of the clock leaves it as it is.
const settle = 2 * time.Second

// Stamp is the state of new and cur by their mtimes, in nanoseconds.
type Stamp struct{ New, Cur int64 }

// ReadStamp reads the stamp of the folder in dir.
func ReadStamp(dir string) (Stamp, error) {
	n, err := Mtime(filepath.Join(dir, New))
	if err != nil {
		return Stamp{}, err
	}
	c, err := Mtime(filepath.Join(dir, Cur))
	return Stamp{New: n, Cur: c}, err
}

// Mtime returns the mtime of a file or directory in nanoseconds.
func Mtime(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.ModTime().UnixNano(), nil
}

// Scan is one reading of a folder.
//
// A directory that changes while it is read may miss a file that is renamed,
// or show it twice. So only a Settled scan tells that a file is gone, and only
// when a scan before it, ended before it began, didn't show it either.
type Scan struct {
	New, Cur []string // the names of files, in the order of the directory
	Before   Stamp    // before the reading
	// Settled: nothing changed while it was read, nor in the 2 seconds before.
	Settled bool
}

// ReadScan reads the folder in dir. now is the time by the clock of the file
// system.
func ReadScan(dir string, now time.Time) (Scan, error) {
	var s Scan
	var err error
	if s.Before, err = ReadStamp(dir); err != nil {
		return s, err
	}
	// new first: what moves from there to cur meanwhile is seen twice, not missed.
	if s.New, err = readNames(filepath.Join(dir, New)); err != nil {
		return s, err
	}
	if s.Cur, err = readNames(filepath.Join(dir, Cur)); err != nil {
		return s, err
	}
	after, err := ReadStamp(dir)
	if err != nil {
		return s, err
	}
	young := now.Add(-settle).UnixNano()
	s.Settled = s.Before == after && after.New < young && after.Cur < young
	return s, nil
}

// readNames lists a directory, without names that begin with a dot.
func readNames(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	kept := names[:0]
	for _, name := range names {
		if name[0] != '.' {
			kept = append(kept, name)
		}
	}
	return kept, nil
}
