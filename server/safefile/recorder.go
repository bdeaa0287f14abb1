package safefile

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Recorder is an FS for tests. It works on the real files below a directory,
// without syncing them, and records every operation; Replay shows what a power
// cut would have left after any number of them.
type Recorder struct {
	root string

	mu  sync.Mutex
	now *disk // the state after all operations
	log []step
}

var _ FS = (*Recorder)(nil)

// step is a recorded operation.
type step struct {
	Op
	ino     int  // of an operation on an open file
	unnamed bool // that file began without a name: Path means nothing
	data    []byte
	time    time.Time
}

// NewRecorder returns a Recorder for the files below root, an empty directory
// that counts as synced.
func NewRecorder(root string) *Recorder {
	return &Recorder{root: root, now: newDisk()}
}

// Len is the number of operations recorded.
func (r *Recorder) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.log)
}

// Ops returns the operations recorded, with paths relative to the root.
func (r *Recorder) Ops() []Op {
	r.mu.Lock()
	defer r.mu.Unlock()
	ops := make([]Op, len(r.log))
	for i, s := range r.log {
		ops[i] = s.Op
	}
	return ops
}

// Replay makes in dir, which is empty, what is on the disk when the power
// fails after the first n operations: files with the content of their last
// Sync, directories with the entries of their last SyncDir. A rename from one
// directory to another is one transaction, as in ext4, XFS, Btrfs and ZFS: the
// sync of either directory makes both halves durable.
//
// written tells which files and directories (paths as of the cut, relative to
// the root, "." the root itself) the kernel happened to have written out by
// itself. Nil is none; always true is what a killed process leaves.
func (r *Recorder) Replay(dir string, n int, written func(path string) bool) error {
	r.mu.Lock()
	log := r.log[:n]
	r.mu.Unlock()
	d := newDisk()
	for i, s := range log {
		if _, err := d.apply(s); err != nil {
			return fmt.Errorf("operation %d, %s: %w", i, s.Op, err)
		}
	}
	if written != nil {
		d.writeOut(written)
	}
	return d.materialise(dir)
}

// do carries out an operation and records it. It returns the inode number of
// the file that "create" and "append" open.
func (r *Recorder) do(s step, real func() error) (ino int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !s.unnamed {
		if s.Path, err = r.relative(s.Path); err != nil {
			return 0, err
		}
	}
	if s.To != "" {
		if s.To, err = r.relative(s.To); err != nil {
			return 0, err
		}
	}
	if err := real(); err != nil {
		return 0, err
	}
	if s.time.IsZero() {
		s.time = time.Now()
	}
	if ino, err = r.now.apply(s); err != nil {
		return 0, fmt.Errorf("recording %s: %w", s.Op, err)
	}
	r.log = append(r.log, s)
	return ino, nil
}

func (r *Recorder) relative(path string) (string, error) {
	rel, err := filepath.Rel(r.root, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return "", fmt.Errorf("%s is not below %s", path, r.root)
	}
	return rel, nil
}

// open carries out "create" or "append".
func (r *Recorder) open(kind, path string, real func(string) (File, error)) (File, error) {
	var f File
	ino, err := r.do(step{Op: Op{Kind: kind, Path: path}}, func() (err error) {
		f, err = real(path)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &recordedFile{f, r, ino, false}, nil
}

// Create is that of FS.
func (r *Recorder) Create(path string) (File, error) { return r.open("create", path, OS.Create) }

// Append is that of FS.
func (r *Recorder) Append(path string) (File, error) { return r.open("append", path, OS.Append) }

// Rename is that of FS.
func (r *Recorder) Rename(old, new string) error {
	_, err := r.do(step{Op: Op{Kind: "rename", Path: old, To: new}}, func() error { return OS.Rename(old, new) })
	return err
}

// RenameNoReplace is that of FS.
func (r *Recorder) RenameNoReplace(old, new string) error {
	_, err := r.do(step{Op: Op{Kind: "rename", Path: old, To: new}}, func() error { return OS.RenameNoReplace(old, new) })
	return err
}

// Link is that of FS.
func (r *Recorder) Link(old, new string) error {
	_, err := r.do(step{Op: Op{Kind: "link", Path: old, To: new}}, func() error { return OS.Link(old, new) })
	return err
}

// Remove is that of FS.
func (r *Recorder) Remove(path string) error {
	_, err := r.do(step{Op: Op{Kind: "remove", Path: path}}, func() error { return OS.Remove(path) })
	return err
}

// Mkdir is that of FS.
func (r *Recorder) Mkdir(path string) error {
	_, err := r.do(step{Op: Op{Kind: "mkdir", Path: path}}, func() error { return OS.Mkdir(path) })
	return err
}

// SyncDir records that the directory was synced.
func (r *Recorder) SyncDir(path string) error {
	_, err := r.do(step{Op: Op{Kind: "syncdir", Path: path}}, func() error { return nil })
	return err
}

// Chtimes is that of FS.
func (r *Recorder) Chtimes(path string, t time.Time) error {
	_, err := r.do(step{Op: Op{Kind: "chtimes", Path: path}, time: t}, func() error { return OS.Chtimes(path, t) })
	return err
}

// Temp is that of FS.
func (r *Recorder) Temp(dir string) (TempFile, error) {
	var f TempFile
	ino, err := r.do(step{Op: Op{Kind: "temp", Path: dir}}, func() (err error) {
		f, err = OS.Temp(dir)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &recordedTemp{recordedFile{f, r, ino, true}, f}, nil
}

type recordedFile struct {
	File
	r       *Recorder
	ino     int
	unnamed bool
}

func (f *recordedFile) step(kind string) step {
	return step{Op: Op{Kind: kind, Path: f.Name()}, ino: f.ino, unnamed: f.unnamed}
}

func (f *recordedFile) Write(p []byte) (n int, err error) {
	s := f.step("write")
	s.data = bytes.Clone(p)
	_, err = f.r.do(s, func() (err error) {
		n, err = f.File.Write(p)
		return err
	})
	return n, err
}

func (f *recordedFile) Sync() error {
	_, err := f.r.do(f.step("sync"), func() error { return nil })
	return err
}

type recordedTemp struct {
	recordedFile
	temp TempFile
}

func (f *recordedTemp) Link(path string) error {
	s := f.step("link")
	s.To = path
	_, err := f.r.do(s, func() error { return f.temp.Link(path) })
	return err
}

func (f *recordedTemp) SetTime(t time.Time) error {
	s := f.step("chtimes")
	s.time = t
	_, err := f.r.do(s, func() error { return f.temp.SetTime(t) })
	return err
}
