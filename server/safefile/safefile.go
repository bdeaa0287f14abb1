// Package safefile writes files that must survive a crash. Every durable write
// of the server goes through an FS, so that tests can make each step fail or
// replay what a power cut would leave.
//
// Two ways lead to a durable file. WriteFile replaces a small file as a whole.
// A Draft is written and synced once, and then linked or moved to where it
// belongs; the caller syncs the directory afterwards, through a Syncer when
// many do so at once.
//
// FS values, Syncers and Draft links may be used by several goroutines at once;
// the writing of one Draft belongs to one goroutine.
//
// Reading is not covered: whoever reads uses package os.
package safefile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// FS is the set of operations that change a file system durably.
type FS interface {
	// Create makes a new file for reading and writing, mode 0600. An existing
	// path is fs.ErrExist.
	Create(path string) (File, error)
	// Append opens a file for appending and makes it when it is not there.
	Append(path string) (File, error)
	// Temp makes a new file on the file system of dir that has no name yet,
	// mode 0600. It is gone when it is closed without a Link, or in a crash.
	Temp(dir string) (TempFile, error)
	// Rename may replace a file at new.
	Rename(old, new string) error
	// RenameNoReplace is Rename that fails with fs.ErrExist when new is there.
	RenameNoReplace(old, new string) error
	// Link makes a hard link; an existing path is fs.ErrExist.
	Link(old, new string) error
	// Remove removes a file or an empty directory.
	Remove(path string) error
	// Mkdir makes a directory, mode 0700.
	Mkdir(path string) error
	// SyncDir makes the entries of a directory durable.
	SyncDir(path string) error
	// Chtimes sets the mtime of a file.
	Chtimes(path string, t time.Time) error
}

// File is an open file of an FS.
type File interface {
	io.Writer
	io.ReaderAt
	io.Closer
	// Sync makes the content, size and mtime durable, not the name.
	Sync() error
	Name() string
}

// TempFile is a file that begins without a name.
type TempFile interface {
	File
	// Link gives it a name; an existing path is fs.ErrExist.
	Link(path string) error
	// SetTime sets the mtime.
	SetTime(t time.Time) error
}

// OS is the real file system.
var OS FS = osFS{}

type osFS struct{}

func (osFS) Create(path string) (File, error) {
	return file(os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600))
}

func (osFS) Append(path string) (File, error) {
	return file(os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600))
}

// file keeps a nil *os.File from becoming a File that is not nil.
func file(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (osFS) Rename(old, new string) error { return os.Rename(old, new) }

func (osFS) RenameNoReplace(old, new string) error {
	for {
		err := unix.Renameat2(unix.AT_FDCWD, old, unix.AT_FDCWD, new, unix.RENAME_NOREPLACE)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
			// A file system without RENAME_NOREPLACE (NFS, some FUSE).
			return linkAndRemove(old, new)
		}
		return &os.LinkError{Op: "rename", Old: old, New: new, Err: err}
	}
}

func linkAndRemove(old, new string) error {
	if err := os.Link(old, new); err != nil {
		return err
	}
	return os.Remove(old)
}

func (osFS) Link(old, new string) error { return os.Link(old, new) }

func (osFS) Remove(path string) error { return os.Remove(path) }

func (osFS) Mkdir(path string) error { return os.Mkdir(path, 0o700) }

func (osFS) SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (osFS) Chtimes(path string, t time.Time) error { return os.Chtimes(path, t, t) }

// MkdirAll makes a directory and those above it that are missing, and syncs
// the parent of each that it made.
func MkdirAll(fsys FS, path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return &fs.PathError{Op: "mkdir", Path: path, Err: unix.ENOTDIR}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := MkdirAll(fsys, parent); err != nil {
			return err
		}
	}
	if err := fsys.Mkdir(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return fsys.SyncDir(parent)
}
