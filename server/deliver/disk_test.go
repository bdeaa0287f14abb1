package deliver

import (
	"sync"

	"facteur/server/safefile"
)

// unsynced is a file system for what need not be durable.
type unsynced struct{ safefile.FS }

func (unsynced) SyncDir(string) error { return nil }

func (u unsynced) Temp(dir string) (safefile.TempFile, error) {
	f, err := u.FS.Temp(dir)
	if err != nil {
		return nil, err
	}
	return unsyncedTemp{f}, nil
}

func (u unsynced) Create(path string) (safefile.File, error) {
	f, err := u.FS.Create(path)
	if err != nil {
		return nil, err
	}
	return unsyncedFile{f}, nil
}

type unsyncedFile struct{ safefile.File }

func (unsyncedFile) Sync() error { return nil }

type unsyncedTemp struct{ safefile.TempFile }

func (unsyncedTemp) Sync() error { return nil }

// disk fails as it is told. It may be told so at any time.
type disk struct {
	safefile.Faulty
	mu   sync.Mutex
	fail func(safefile.Op) error
}

func newDisk(fsys safefile.FS) *disk {
	d := new(disk)
	d.FS = fsys
	d.Fail = func(op safefile.Op) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.fail == nil {
			return nil
		}
		return d.fail(op)
	}
	return d
}

// set says what fails from now on; nil: nothing.
func (d *disk) set(fail func(safefile.Op) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = fail
}
