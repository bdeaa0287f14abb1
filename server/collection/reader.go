package collection

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Reader reads objects of a collection, one after the other, as a report does: the directory
// is looked up once. It is not for several goroutines. Close must be called.
type Reader struct {
	c   *Collection
	dir int    // the open directory, or notOpen
	buf []byte // for objects that are not kept in memory
}

const notOpen = -1

// errAltered: a file has other octets though it looks as it did, for its mtime was set back.
var errAltered = errors.New("the file looks as it did and has other octets")

// Reader returns a Reader.
func (c *Collection) Reader() *Reader { return &Reader{c: c, dir: notOpen} }

// Close ends it.
func (d *Reader) Close() {
	if d.dir != notOpen {
		unix.Close(d.dir)
		d.dir = notOpen
	}
}

// Read reads an object. The entry is of these octets, which must not be changed, and are good
// until the next one is read.
func (d *Reader) Read(href string) (data []byte, e *Entry, err error) { return d.reach(href, true) }

// Look is Read for a search, which goes through all objects: that is no reason to keep them in
// memory.
func (d *Reader) Look(href string) (data []byte, e *Entry, err error) { return d.reach(href, false) }

func (d *Reader) reach(href string, keep bool) (data []byte, e *Entry, err error) {
	e, err = d.c.reach(href, func(r *record) (err error) {
		data, err = d.read(r, keep)
		return err
	})
	return data, e, err
}

// read returns the octets of a record.
func (d *Reader) read(r *record, keep bool) (data []byte, err error) {
	if err = d.open(); err == nil {
		data, err = d.octets(r, keep && r.Size <= maxContent)
	}
	if err != nil {
		d.Close() // another directory may be there by now
	}
	return data, err
}

// octets returns those in memory when the file is as it was, else those of the file.
func (d *Reader) octets(r *record, keep bool) ([]byte, error) {
	file := r.fileOf(d.c.kind.ext())
	if k := r.content.Load(); k != nil {
		if now, err := versionAt(d.dir, file); err == nil && now == k.at {
			k.read.Store(true)
			return k.data, nil
		}
	}
	var buf []byte
	if !keep {
		buf = d.buf
	}
	data, at, err := readAt(d.dir, file, r.Size, buf)
	switch {
	case err != nil:
		return nil, err
	case at.stat != r.stat:
		return nil, errBusy
	case hash(data) != r.ETag:
		return nil, errAltered
	case keep:
		d.c.store.contents.keep(r, data, at)
	default:
		d.buf = data
	}
	return data, nil
}

// open opens the directory.
func (d *Reader) open() (err error) {
	for d.dir == notOpen {
		at := d.c.at.Load()
		fd, err := retried(func() (int, error) {
			return unix.Open(at.dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		})
		switch {
		case err == nil:
			d.dir = fd
		case d.c.at.Load() == at: // else renamed meanwhile
			return d.c.missing(err)
		}
	}
	return nil
}
