package collection

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
)

// Undelete brings back what was deleted at since or later, of one collection or of
// all (""), and returns how many objects. A collection that is gone is made again;
// what was deleted as a whole comes back with its properties. Of several objects of
// one href the newest comes back, and none where an object of its href or UID is.
func (s *Store) Undelete(a address.Address, since time.Time, name string) (int, error) {
	h, err := s.Home(a)
	if err != nil {
		return 0, err
	}
	n := 0
	err = h.bin.Use(func(all []Deleted) (err error) {
		n, err = h.undelete(all, since, name)
		return err
	})
	return n, diskFault(err)
}

// undelete brings back what was deleted at since or later, while the bin is in use.
func (h *Home) undelete(all []Deleted, since time.Time, name string) (n int, err error) {
	dirs := make(map[string]bool)
	touched := make(map[*Collection]bool)
	for _, d := range slices.Backward(all) {
		if d.At.Before(since) || name != "" && d.Collection != name {
			continue
		}
		some, c, rerr := h.bringBack(d)
		n += some
		if err = errors.Join(err, rerr); some > 0 {
			touched[c] = true
			dirs[filepath.Dir(d.Place)] = true
		}
	}
	// First there: an object must not be in neither.
	for c := range touched {
		err = errors.Join(err, c.sync())
	}
	for dir := range dirs {
		err = errors.Join(err, h.store.syncer.Sync(dir))
	}
	return n, err
}

// bringBack brings back an object or a whole collection.
func (h *Home) bringBack(d Deleted) (n int, c *Collection, err error) {
	if d.Href == "" {
		if n, c, err = h.bringBackWhole(d); c != nil || err != nil {
			return n, c, err
		}
	}
	c, err = h.Open(d.Collection)
	if fault.Is(err, fault.NotFound) {
		c, err = h.Create(d.Collection, d.Kind, Props{})
	}
	if err != nil || c.kind != d.Kind {
		return 0, nil, err
	}
	if d.Href != "" {
		n, err = c.restore(d.Place, d.Href)
		return n, c, err
	}
	names, err := readDir(d.Place)
	for _, file := range names {
		if isObject(file, c.kind.ext()) {
			some, rerr := c.restore(filepath.Join(d.Place, file), hrefOf(file, c.kind.ext()))
			n += some
			err = errors.Join(err, rerr)
		}
	}
	return n, c, errors.Join(err, h.store.syncer.Sync(d.Place))
}

// bringBackWhole moves the directory of a collection back; c is nil when there is
// another one of its name.
func (h *Home) bringBackWhole(d Deleted) (n int, c *Collection, err error) {
	dir, err := dirName(d.Collection)
	if err != nil {
		return 0, nil, err
	}
	h.admin.Lock()
	err = h.list()
	if err == nil && h.lookup(d.Collection) == nil {
		err = h.store.opt.FS.RenameNoReplace(d.Place, filepath.Join(h.kindDir(d.Kind), dir))
		if err == nil {
			err = errors.Join(h.store.syncer.Sync(h.kindDir(d.Kind)), h.list())
		}
		c = h.lookup(d.Collection)
	}
	h.admin.Unlock()
	if err != nil || c == nil {
		return 0, c, err
	}
	s, err := c.Snapshot()
	if err != nil {
		return 0, c, err
	}
	return s.Len(), c, nil
}

// restore moves a file back to an href.
func (c *Collection) restore(path, href string) (int, error) {
	data, st, err := readFile(path, c.store.opt.MaxSize)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoObject) {
			err = nil
		}
		return 0, err
	}
	ext := c.kind.ext()
	file, err := fileName(href, ext)
	if err != nil {
		return 0, err
	}
	r := newRecord(href, file, ext, hash(data), st)
	c.readInto(r, data)
	if err := c.store.room(c.home.address, r.Size); err != nil {
		return 0, err
	}
	old, err := c.lockFresh(href)
	if err != nil {
		return 0, err
	}
	defer c.mu.Unlock()
	if old != nil || c.conflict(href, r.Facts.UID, nil, nil) != nil {
		return 0, nil
	}
	stamp := c.stampNow()
	err = c.store.opt.FS.RenameNoReplace(path, c.path(file))
	if errors.Is(err, fs.ErrExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	c.commit(r)
	c.stampOwn(stamp)
	return 1, nil
}
