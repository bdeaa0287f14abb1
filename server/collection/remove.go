package collection

import (
	"errors"
	"io/fs"
	"maps"

	"facteur/server/fault"
)

// Remove takes an object away, durably; Options.Bins say whether it can be brought
// back. The errors are ErrCondition and faults, NotFound among them.
func (c *Collection) Remove(href string, cond Condition) error {
	away, err := c.home.awayDir(c)
	if err != nil {
		return diskFault(err)
	}
	old, err := c.lockFresh(href)
	if err != nil {
		return diskFault(err)
	}
	dir, err := c.removeLocked(href, old, cond, away)
	c.mu.Unlock()
	if err != nil {
		return diskFault(err)
	}
	// One sync is enough for both directories of a rename (see safefile.Recorder);
	// that of the collection holds what else was removed.
	if err := c.sync(); err != nil {
		return diskFault(err)
	}
	if dir != "" {
		c.home.bin.Grew(old.Size)
	}
	return nil
}

// removeLocked takes the object at an href to the directory away, "" for none. With
// mu held.
func (c *Collection) removeLocked(href string, old *record, cond Condition, away string) (kept string, err error) {
	if old == nil {
		return "", errNoHref
	}
	if !cond.holdsFor(old) {
		return "", ErrCondition
	}
	stamp := c.stampNow()
	file := old.fileOf(c.kind.ext())
	if away != "" {
		err = c.home.moveAway(c.path(file), away, file)
	} else {
		err = c.store.opt.FS.Remove(c.path(file))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	c.dropSide(old)
	g := gone(href)
	g.file = old.file
	c.commit(g)
	c.stampOwn(stamp)
	return away, nil
}

// MoveOptions are those of Move and Copy.
type MoveOptions struct {
	Condition // of the source
	To        *Collection
	Href      string
	Overwrite bool // an object that is there is replaced, when it has the same UID (RFC 4791 5.3.2.1, RFC 6352 6.3.2.1)
}

// Move takes an object to another href, of this or another collection of its
// kind, durably. At every moment it is in one of them. created: nothing was there; the object that
// was is replaced as by Put. The errors are ErrCondition, a *UIDConflict, and faults.
func (c *Collection) Move(href string, opt MoveOptions) (e *Entry, created bool, err error) {
	if opt.To.kind != c.kind {
		return nil, false, fault.New(fault.NotPossible, "The collections are not of one kind")
	}
	if opt.To == c && opt.Href == href {
		return nil, false, fault.New(fault.NotPossible, "The object can't be moved to itself")
	}
	if opt.To.home != c.home {
		if err := c.ready(); err != nil {
			return nil, false, diskFault(err)
		}
		if r := c.find(href); r != nil {
			if err := c.store.room(opt.To.home.address, r.Size); err != nil {
				return nil, false, err
			}
		}
	}
	for range maxTries {
		again := false
		if e, created, again, err = c.tryMove(href, opt); !again {
			return e, created, diskFault(err)
		}
	}
	return nil, false, errBusy
}

func (c *Collection) tryMove(href string, opt MoveOptions) (e *Entry, created, again bool, err error) {
	to := opt.To
	file, err := fileName(opt.Href, to.kind.ext())
	if err != nil {
		return nil, false, false, err
	}
	// Both are as the disk has them, but for what another program does from here on.
	if _, err := to.refreshed(opt.Href); err != nil {
		return nil, false, false, err
	}
	if _, err := c.refreshed(href); err != nil {
		return nil, false, false, err
	}
	unlock, err := lockBoth(c, to)
	if err != nil {
		return nil, false, false, err
	}
	old, there := c.tab.find(href), to.tab.find(opt.Href)
	m := mover{c: c, to: to, old: old, file: file}
	again, err = m.run(there, opt)
	unlock()
	if err != nil || again {
		return nil, false, again, err
	}
	// The new place first: when one of two syncs fails, it is in one at least.
	if err := to.sync(); err != nil {
		return nil, false, false, err
	}
	if err := c.sync(); err != nil {
		return nil, false, false, err
	}
	return &m.rec.Entry, there == nil, false, nil
}

// mover moves one object. Both collections are locked.
type mover struct {
	c, to *Collection
	old   *record
	file  string
	rec   *record // after it
}

func (m *mover) run(there *record, opt MoveOptions) (again bool, err error) {
	c, to, old := m.c, m.to, m.old
	switch {
	case old == nil:
		return false, errNoHref
	case !opt.holdsFor(old), there != nil && !opt.Overwrite:
		return false, ErrCondition
	}
	if err := to.conflict(opt.Href, old.Facts.UID, there, old); err != nil {
		return false, err
	}
	if !c.fresh(old) || there != nil && !to.fresh(there) {
		return true, nil
	}
	stamp, stampTo := c.stampNow(), to.stampNow()
	from := c.path(old.fileOf(c.kind.ext()))
	rename := c.store.opt.FS.RenameNoReplace
	if there != nil {
		m.file, rename = there.fileOf(to.kind.ext()), c.store.opt.FS.Rename
	}
	err = rename(from, to.path(m.file))
	if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return true, nil // another program was there
	}
	if err != nil {
		return false, err
	}
	m.rec = newRecord(opt.Href, m.file, to.kind.ext(), old.ETag, old.stat)
	m.rec.Facts, m.rec.Broken = old.Facts, old.Broken
	if there != nil {
		to.dropSide(there)
	}
	if err := c.moveSide(old, to, m.rec); err != nil {
		c.store.opt.Log.Warn("collection.properties", "path", from, "err", err, "result", "the properties are lost")
	}
	g := gone(old.Href)
	g.file = old.file
	c.commit(g)
	to.commit(m.rec)
	c.stampOwn(stamp)
	if to != c {
		to.stampOwn(stampTo)
	}
	return false, nil
}

// fresh says whether the file of an object is as the index has it. With mu held.
func (c *Collection) fresh(r *record) bool {
	st, err := lstat(c.path(r.fileOf(c.kind.ext())))
	return err == nil && st == r.stat
}

// lockBoth locks two collections, which may be one, for writing.
func lockBoth(a, b *Collection) (unlock func(), err error) {
	if a == b {
		return a.mu.Unlock, a.lockWrite()
	}
	if b.id < a.id {
		a, b = b, a
	}
	for {
		if err := a.lockWrite(); err != nil {
			return nil, err
		}
		b.mu.Lock()
		if b.fail == nil && b.journal != nil && b.journal.opened && !b.journal.loading {
			return func() { b.mu.Unlock(); a.mu.Unlock() }, nil
		}
		b.mu.Unlock()
		a.mu.Unlock()
		if err := b.lockWrite(); err != nil { // reads it into memory
			return nil, err
		}
		b.mu.Unlock()
	}
}

// Copy writes the octets of an object to another href, of this or another
// collection of its kind, as Put does.
func (c *Collection) Copy(href string, opt MoveOptions) (e *Entry, created bool, err error) {
	if opt.To.kind != c.kind {
		return nil, false, fault.New(fault.NotPossible, "The collections are not of one kind")
	}
	data, old, err := c.Read(href)
	if err != nil {
		return nil, false, err
	}
	if !opt.Holds(old) {
		return nil, false, ErrCondition
	}
	if e, created, err = opt.To.Put(opt.Href, data, Condition{Absent: !opt.Overwrite}); err != nil {
		return nil, false, err
	}
	c.CopyProps(href, opt.To, opt.Href)
	return e, created, nil
}

// CopyProps gives a copy the properties of its source (RFC 4918 9.8.2), as far as the disk lets: the
// copy is there already.
func (c *Collection) CopyProps(href string, to *Collection, copied string) {
	props, err := c.ObjectProps(href)
	if err == nil {
		err = to.setCopied(copied, props)
	}
	if err != nil {
		c.store.opt.Log.Warn("collection.properties", "path", to.path(copied), "err", err, "result", "the copy does not have those of its source")
	}
}

func (c *Collection) setCopied(href string, props map[string]string) error {
	had, err := c.ObjectProps(href)
	if err != nil || len(props) == 0 && len(had) == 0 {
		return err
	}
	return c.SetObjectProps(href, func(p map[string]string) error {
		clear(p)
		maps.Copy(p, props)
		return nil
	})
}
