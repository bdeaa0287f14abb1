package collection

import (
	"errors"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"

	"facteur/server/fault"
	"facteur/server/safefile"
)

// Put writes an object. When it returns, the octets are durable under the href.
// The errors are ErrCondition, a *UIDConflict, that of Options.Index, and faults.
// An object that has the same octets already stays as it is.
func (c *Collection) Put(href string, data []byte, cond Condition) (e *Entry, created bool, err error) {
	e, created, err = c.put(href, data, cond)
	return e, created, diskFault(err)
}

func (c *Collection) put(href string, data []byte, cond Condition) (*Entry, bool, error) {
	if int64(len(data)) > c.store.opt.MaxSize {
		return nil, false, fault.Newf(fault.TooLarge, "The object has more than %d octets", c.store.opt.MaxSize)
	}
	file, err := fileName(href, c.kind.ext())
	if err != nil {
		return nil, false, err
	}
	if err := c.ready(); err != nil {
		return nil, false, err
	}
	old := c.find(href)
	// Before the disk is touched; what counts is asked again with the lock held.
	if !cond.holdsFor(old) {
		if old, err = c.refreshed(href); err != nil {
			return nil, false, err
		}
		if !cond.holdsFor(old) {
			return nil, false, ErrCondition
		}
	}
	facts, err := c.store.opt.Index(c.kind, data)
	if err != nil {
		return nil, false, err
	}
	grows := int64(len(data))
	if old != nil {
		grows -= old.Size
	}
	if err := c.store.room(c.home.address, grows); err != nil {
		return nil, false, err
	}
	d, err := c.newDraft(data)
	if err != nil {
		return nil, false, err
	}
	defer d.discard()
	d.rec = newRecord(href, file, c.kind.ext(), hash(data), d.stat)
	d.rec.Facts = facts
	r, created, err := c.replace(d, cond)
	if err != nil {
		return nil, false, err
	}
	return &r.Entry, created, c.sync()
}

func (c Condition) holdsFor(r *record) bool {
	if r == nil {
		return c.Holds(nil)
	}
	return c.Holds(&r.Entry)
}

// refreshed returns the object at an href as the disk has it.
func (c *Collection) refreshed(href string) (*record, error) {
	r, err := c.lockFresh(href)
	if err == nil {
		c.mu.Unlock()
	}
	return r, err
}

// draft is a synced file that is to become an object.
type draft struct {
	c    *Collection
	data []byte
	path string
	stat stat
	rec  *record
	kept bool
}

func (c *Collection) newDraft(data []byte) (*draft, error) {
	path, err := safefile.WriteTemp(c.store.opt.FS, c.store.opt.Tmp, data)
	if err != nil {
		return nil, err
	}
	d := &draft{c: c, data: data, path: path}
	if d.stat, err = lstat(path); err != nil {
		d.discard()
		return nil, err
	}
	return d, nil
}

func (d *draft) discard() {
	if !d.kept {
		d.c.store.opt.FS.Remove(d.path) // else it is swept at the next start
	}
}

// remember keeps the octets in memory, of a draft that is in its place: other devices will
// ask for them.
func (d *draft) remember() {
	if len(d.data) > maxContent {
		return
	}
	at, err := versionAt(unix.AT_FDCWD, d.c.path(d.rec.fileOf(d.c.kind.ext())))
	if err == nil && at.stat == d.rec.stat {
		d.c.store.contents.keep(d.rec, slices.Clone(d.data), at)
	}
}

// replace moves a draft into its place.
func (c *Collection) replace(d *draft, cond Condition) (r *record, created bool, err error) {
	for range maxTries {
		old, err := c.lockFresh(d.rec.Href)
		if err != nil {
			return nil, false, err
		}
		again := false
		r, again, err = c.replaceLocked(d, old, cond)
		c.mu.Unlock()
		if !again {
			return r, old == nil, err
		}
	}
	return nil, false, errBusy
}

// replaceLocked is one try; again: another program was there first. With mu held.
func (c *Collection) replaceLocked(d *draft, old *record, cond Condition) (r *record, again bool, err error) {
	if !cond.holdsFor(old) {
		return nil, false, ErrCondition
	}
	if old != nil && old.ETag == d.rec.ETag && !old.Broken {
		return old, false, nil
	}
	if err := c.conflict(d.rec.Href, d.rec.Facts.UID, old, nil); err != nil {
		return nil, false, err
	}
	stamp := c.stampNow()
	if old != nil {
		d.rec.file = old.file
		err = c.store.opt.FS.Rename(d.path, c.path(old.fileOf(c.kind.ext())))
	} else {
		path := c.path(d.rec.fileOf(c.kind.ext()))
		err = c.store.opt.FS.RenameNoReplace(d.path, path)
		if errors.Is(err, fs.ErrExist) {
			if _, serr := lstat(path); errors.Is(serr, errNoObject) {
				return nil, false, errInTheWay
			}
			return nil, true, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, errGone
	}
	if err != nil {
		return nil, false, err
	}
	d.kept = true
	d.remember()
	c.commit(d.rec)
	c.stampOwn(stamp)
	return d.rec, false, nil
}

// conflict tells whether an object may have a UID (RFC 4791 5.3.2.1, RFC 6352
// 6.3.2.1). old is the one at its href, from the one that moves there; nil: there is none. With mu held.
func (c *Collection) conflict(href, uid string, old, from *record) error {
	for _, r := range c.tab.byUID[uid] {
		if r.Href != href && r != from {
			return &UIDConflict{Href: r.Href}
		}
	}
	if old != nil && old.Facts.UID != "" && old.Facts.UID != uid {
		return &UIDConflict{Href: href}
	}
	return nil
}

// sync makes the names of objects durable.
func (c *Collection) sync() error {
	for {
		at := c.at.Load()
		err := c.store.syncer.Sync(at.dir)
		if errors.Is(err, fs.ErrNotExist) {
			if c.at.Load() != at {
				continue // renamed meanwhile
			}
			return errGone
		}
		return err
	}
}
