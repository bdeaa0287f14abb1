package safefile

import (
	"fmt"
	"sync"
	"time"
)

// Op is one operation that changes a file system.
type Op struct {
	// Kind is "create", "append", "temp", "write", "sync", "rename", "link",
	// "remove", "mkdir", "syncdir" or "chtimes".
	Kind string
	Path string
	To   string // new name of "rename" and "link"
}

// String is for test logs.
func (o Op) String() string {
	if o.To != "" {
		return fmt.Sprintf("%s %s -> %s", o.Kind, o.Path, o.To)
	}
	return o.Kind + " " + o.Path
}

// Faulty is an FS for tests whose operations fail when Fail says so: an
// operation that fails has not happened.
type Faulty struct {
	FS   FS
	Fail func(Op) error // nil result: go on

	mu sync.Mutex
	n  int
}

var _ FS = (*Faulty)(nil)

// Ops is the number of operations so far, with those that failed.
func (f *Faulty) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

func (f *Faulty) try(op Op) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	if f.Fail == nil {
		return nil
	}
	return f.Fail(op)
}

// Create is that of FS.
func (f *Faulty) Create(path string) (File, error) {
	if err := f.try(Op{Kind: "create", Path: path}); err != nil {
		return nil, err
	}
	return f.wrap(f.FS.Create(path))
}

// Append is that of FS.
func (f *Faulty) Append(path string) (File, error) {
	if err := f.try(Op{Kind: "append", Path: path}); err != nil {
		return nil, err
	}
	return f.wrap(f.FS.Append(path))
}

func (f *Faulty) wrap(file File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return &faultyFile{file, f}, nil
}

// Temp is that of FS.
func (f *Faulty) Temp(dir string) (TempFile, error) {
	if err := f.try(Op{Kind: "temp", Path: dir}); err != nil {
		return nil, err
	}
	file, err := f.FS.Temp(dir)
	if err != nil {
		return nil, err
	}
	return &faultyTemp{faultyFile{file, f}, file}, nil
}

// Rename is that of FS.
func (f *Faulty) Rename(old, new string) error {
	if err := f.try(Op{Kind: "rename", Path: old, To: new}); err != nil {
		return err
	}
	return f.FS.Rename(old, new)
}

// RenameNoReplace is that of FS.
func (f *Faulty) RenameNoReplace(old, new string) error {
	if err := f.try(Op{Kind: "rename", Path: old, To: new}); err != nil {
		return err
	}
	return f.FS.RenameNoReplace(old, new)
}

// Link is that of FS.
func (f *Faulty) Link(old, new string) error {
	if err := f.try(Op{Kind: "link", Path: old, To: new}); err != nil {
		return err
	}
	return f.FS.Link(old, new)
}

// Remove is that of FS.
func (f *Faulty) Remove(path string) error {
	if err := f.try(Op{Kind: "remove", Path: path}); err != nil {
		return err
	}
	return f.FS.Remove(path)
}

// Mkdir is that of FS.
func (f *Faulty) Mkdir(path string) error {
	if err := f.try(Op{Kind: "mkdir", Path: path}); err != nil {
		return err
	}
	return f.FS.Mkdir(path)
}

// SyncDir is that of FS.
func (f *Faulty) SyncDir(path string) error {
	if err := f.try(Op{Kind: "syncdir", Path: path}); err != nil {
		return err
	}
	return f.FS.SyncDir(path)
}

// Chtimes is that of FS.
func (f *Faulty) Chtimes(path string, t time.Time) error {
	if err := f.try(Op{Kind: "chtimes", Path: path}); err != nil {
		return err
	}
	return f.FS.Chtimes(path, t)
}

type faultyFile struct {
	File
	fs *Faulty
}

func (f *faultyFile) Write(p []byte) (int, error) {
	if err := f.fs.try(Op{Kind: "write", Path: f.Name()}); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

func (f *faultyFile) Sync() error {
	if err := f.fs.try(Op{Kind: "sync", Path: f.Name()}); err != nil {
		return err
	}
	return f.File.Sync()
}

type faultyTemp struct {
	faultyFile
	temp TempFile
}

func (f *faultyTemp) Link(path string) error {
	if err := f.fs.try(Op{Kind: "link", Path: f.Name(), To: path}); err != nil {
		return err
	}
	return f.temp.Link(path)
}

func (f *faultyTemp) SetTime(t time.Time) error {
	if err := f.fs.try(Op{Kind: "chtimes", Path: f.Name()}); err != nil {
		return err
	}
	return f.temp.SetTime(t)
}
