package deliver

import (
	"sync"

	"facteur/server/safefile"
)

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
