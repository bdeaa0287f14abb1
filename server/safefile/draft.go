package safefile

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// draftPrefix begins the names of drafts and of WriteFile's temporary files.
const draftPrefix = "facteur-draft-"

func tempName(dir string) string {
	return filepath.Join(dir, draftPrefix+strconv.FormatUint(rand.Uint64(), 36))
}

// createTemp makes a file under a name that nobody else uses.
func createTemp(fsys FS, dir string) (File, error) {
	for range 100 {
		f, err := fsys.Create(tempName(dir))
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
	return nil, &fs.PathError{Op: "create", Path: dir, Err: fs.ErrExist}
}

// Draft is a file that is written and synced once, and then linked to where it
// belongs. Write, ReadFrom, SetTime and Sync belong to one goroutine; after
// Sync, Link may be called by several.
type Draft struct {
	fs   FS
	file File
	size int64

	mu     sync.Mutex
	synced bool
	linked bool // it has a name besides its own
	done   bool // moved or discarded
}

// NewDraft makes an empty draft in dir, which must be on the file system that
// the draft is linked to later.
func NewDraft(fsys FS, dir string) (*Draft, error) {
	f, err := createTemp(fsys, dir)
	if err != nil {
		return nil, err
	}
	return &Draft{fs: fsys, file: f}, nil
}

// Write appends p.
func (d *Draft) Write(p []byte) (int, error) {
	n, err := d.file.Write(p)
	d.size += int64(n)
	d.changed()
	return n, err
}

// ReadFrom appends all of r.
func (d *Draft) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{d}, r)
}

func (d *Draft) changed() {
	d.mu.Lock()
	d.synced = false
	d.mu.Unlock()
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
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.linked {
		return ErrLinked
	}
	d.synced = false
	return d.fs.Chtimes(d.file.Name(), t)
}

// Sync makes content and mtime durable. It does nothing when they are already.
func (d *Draft) Sync() error {
	d.mu.Lock()
	synced := d.synced
	d.mu.Unlock()
	if synced {
		return nil
	}
	if err := d.file.Sync(); err != nil {
		return err
	}
	d.mu.Lock()
	d.synced = true
	d.mu.Unlock()
	return nil
}

// Link gives the draft a further name. An existing path is fs.ErrExist.
func (d *Draft) Link(path string) error {
	d.mu.Lock()
	d.linked = true
	d.mu.Unlock()
	return d.fs.Link(d.file.Name(), path)
}

// Move renames the draft to path, in place of a Link and a Discard. An
// existing path is fs.ErrExist.
func (d *Draft) Move(path string) error {
	if err := d.fs.RenameNoReplace(d.file.Name(), path); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.linked = true
	if !d.done {
		d.done = true
		d.file.Close() // synced before: nothing is lost when this fails
	}
	return nil
}

// Discard removes what is left of the draft, not its links. It may be called
// more than once, and after Move.
func (d *Draft) Discard() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done {
		return
	}
	d.done = true
	d.file.Close()
	d.fs.Remove(d.file.Name())
}
