package safefile

import (
	"errors"
	"io"
	"sync/atomic"
	"time"
)

// Draft is a file that is written and synced once, and then linked to where it
// belongs. It has no name until then, so that a crash leaves nothing of it.
// Write, ReadFrom, SetTime and Sync belong to one goroutine; after Sync, Link
// may be called by several.
type Draft struct {
	file   TempFile
	size   int64
	synced bool
	linked atomic.Bool
	closed atomic.Bool
}

// NewDraft makes an empty draft on the file system of dir.
func NewDraft(fsys FS, dir string) (*Draft, error) {
	f, err := fsys.Temp(dir)
	if err != nil {
		return nil, err
	}
	return &Draft{file: f}, nil
}

// Write appends p.
func (d *Draft) Write(p []byte) (int, error) {
	n, err := d.file.Write(p)
	d.size += int64(n)
	d.synced = false
	return n, err
}

// ReadFrom appends all of r.
func (d *Draft) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{d}, r)
}

// Size is the number of octets written so far.
func (d *Draft) Size() int64 { return d.size }

// ReadAt reads what was written.
func (d *Draft) ReadAt(p []byte, off int64) (int, error) { return d.file.ReadAt(p, off) }

// ErrLinked is returned when the mtime of a draft that is linked already was
// to be changed: it belongs to all its names.
var ErrLinked = errors.New("the file is linked elsewhere, its time can't be changed")

// SetTime sets the mtime, which Sync makes durable. Call it after the last Write.
func (d *Draft) SetTime(t time.Time) error {
	if d.linked.Load() {
		return ErrLinked
	}
	d.synced = false
	return d.file.SetTime(t)
}

// Sync makes content and mtime durable. It does nothing when they are already.
func (d *Draft) Sync() error {
	if d.synced {
		return nil
	}
	if err := d.file.Sync(); err != nil {
		return err
	}
	d.synced = true
	return nil
}

// Link gives the draft a name. An existing path is fs.ErrExist.
func (d *Draft) Link(path string) error {
	d.linked.Store(true)
	return d.file.Link(path)
}

// Move is Link for the last user: the draft is closed when it succeeds.
func (d *Draft) Move(path string) error {
	if err := d.Link(path); err != nil {
		return err
	}
	d.Discard()
	return nil
}

// Discard closes the draft; its links stay. It may be called more than once,
// and after Move.
func (d *Draft) Discard() {
	if !d.closed.Swap(true) {
		d.file.Close() // what was to be kept is synced and linked
	}
}
