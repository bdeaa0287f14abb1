package safefile

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Dir is a directory of an FS in which many files are renamed, linked or removed. Names
// are looked up from the open directory, which costs the kernel less than a long
// path does; where the FS has no such thing (those of tests that look at paths),
// or no file descriptor is left, it is a path. A Dir is for as long as the work
// takes: it belongs to one goroutine and must be closed.
type Dir struct {
	fsys FS
	path string
	fd   int // noFD: by path
}

const noFD = -1

// dirOpener is an FS whose operations on names in a directory are those of OS.
type dirOpener interface{ openDir(path string) (fd int) }

// OpenDir opens a directory. When it is not there the operations tell.
func OpenDir(fsys FS, path string) *Dir {
	d := &Dir{fsys: fsys, path: path, fd: noFD}
	if o, ok := fsys.(dirOpener); ok {
		d.fd = o.openDir(path)
	}
	return d
}

func (osFS) openDir(path string) int {
	fd, err := ignoringEINTR(func() (int, error) {
		return unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return noFD
	}
	return fd
}

// RenameNoReplace renames a file to a name in a Dir of the same FS. It fails
// with fs.ErrExist when that is there.
func (d *Dir) RenameNoReplace(old string, to *Dir, new string) error {
	if d.fd == noFD || to.fd == noFD {
		return d.fsys.RenameNoReplace(d.path+"/"+old, to.path+"/"+new)
	}
	_, err := ignoringEINTR(func() (int, error) {
		return 0, unix.Renameat2(d.fd, old, to.fd, new, unix.RENAME_NOREPLACE)
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS): // see osFS
		return linkAndRemove(d.path+"/"+old, to.path+"/"+new)
	}
	return &os.LinkError{Op: "rename", Old: d.path + "/" + old, New: to.path + "/" + new, Err: err}
}

// Link makes a hard link in a Dir of the same FS; an existing name is fs.ErrExist.
func (d *Dir) Link(old string, to *Dir, new string) error {
	if d.fd == noFD || to.fd == noFD {
		return d.fsys.Link(d.path+"/"+old, to.path+"/"+new)
	}
	_, err := ignoringEINTR(func() (int, error) { return 0, unix.Linkat(d.fd, old, to.fd, new, 0) })
	if err != nil {
		return &os.LinkError{Op: "link", Old: d.path + "/" + old, New: to.path + "/" + new, Err: err}
	}
	return nil
}

// Remove removes a file.
func (d *Dir) Remove(name string) error {
	if d.fd == noFD {
		return d.fsys.Remove(d.path + "/" + name)
	}
	_, err := ignoringEINTR(func() (int, error) { return 0, unix.Unlinkat(d.fd, name, 0) })
	if err != nil {
		return &fs.PathError{Op: "remove", Path: d.path + "/" + name, Err: err}
	}
	return nil
}

// Close gives the directory back.
func (d *Dir) Close() {
	if d.fd != noFD {
		unix.Close(d.fd) // nothing was written by it
	}
	d.fd = noFD
}
