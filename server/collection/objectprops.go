package collection

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"facteur/server/fault"
)

// sidePrefix begins the name of the file of an object's properties, beside the
// object's: hidden from vdir. Most objects have none.
const sidePrefix = ".p~"

// maxObjectProps bounds the properties of an object in octets.
const maxObjectProps = 64 << 10

// sidePath is the path of the properties of an object in a file.
func (c *Collection) sidePath(file string) string { return c.path(sidePrefix + file) }

// ObjectProps returns the properties of an object, dead ones and others that are
// kept for it. They stay when it is put again, go with it in a Move and Copy, and
// are gone with it; what is brought back has none.
func (c *Collection) ObjectProps(href string) (map[string]string, error) {
	var r *record
	err := c.view(func(t *table) {
		if c.sides[href] {
			r = t.find(href)
		}
	})
	if err != nil || r == nil {
		return nil, err
	}
	props, err := readSide(c.sidePath(r.fileOf(c.kind.ext())))
	return props, diskFault(err)
}

func readSide(path string) (map[string]string, error) {
	b, err := readSmall(path)
	if err != nil || len(b) == 0 {
		return nil, err
	}
	var props map[string]string
	if err := json.Unmarshal(b, &props); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return props, nil
}

// SetObjectProps changes the properties of an object, durably. Nobody else does
// meanwhile, and an error of change leaves them as they are. The sync-token stays.
func (c *Collection) SetObjectProps(href string, change func(map[string]string) error) error {
	c.home.admin.Lock()
	defer c.home.admin.Unlock()
	old, err := c.ObjectProps(href)
	if err != nil {
		return err
	}
	next := maps.Clone(old)
	if next == nil {
		next = make(map[string]string)
	}
	if err := change(next); err != nil {
		return err
	}
	size := Props{Other: next}.size()
	if size > maxObjectProps {
		return fault.Newf(fault.TooLarge, "The properties have more than %d octets", maxObjectProps)
	}
	if err := c.store.room(c.home.address, size-Props{Other: old}.size()); err != nil {
		return err
	}
	b, err := json.Marshal(next)
	if err != nil {
		return err
	}
	d, err := c.newDraft(b)
	if err != nil {
		return diskFault(err)
	}
	defer d.discard()
	r, err := c.lockFresh(href)
	if err != nil {
		return diskFault(err)
	}
	if r == nil {
		c.mu.Unlock()
		return errNoHref
	}
	err = c.placeSide(d, r, len(next) > 0)
	c.mu.Unlock()
	if err == nil {
		err = c.sync()
	}
	return diskFault(err)
}

// placeSide puts the properties of an object into their place, or takes away those
// that are there. With mu held.
func (c *Collection) placeSide(d *draft, r *record, some bool) error {
	stamp := c.stampNow()
	path := c.sidePath(r.fileOf(c.kind.ext()))
	if some {
		if err := c.store.opt.FS.Rename(d.path, path); err != nil {
			return err
		}
		d.kept = true
	} else if err := c.store.opt.FS.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	c.setSide(r.Href, some)
	c.stampOwn(stamp)
	return nil
}

// setSide notes whether an object has properties. With mu held.
func (c *Collection) setSide(href string, some bool) {
	if c.touched != nil {
		c.touchedSides[href] = true
	}
	c.viewMu.Lock()
	defer c.viewMu.Unlock()
	if some {
		c.sides[href] = true
	} else {
		delete(c.sides, href)
	}
}

// dropSide removes the properties of an object that is gone. A file that stays is
// removed by the next scan. With mu held.
func (c *Collection) dropSide(r *record) {
	if !c.sides[r.Href] {
		return
	}
	if err := c.store.opt.FS.Remove(c.sidePath(r.fileOf(c.kind.ext()))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.store.opt.Log.Warn("collection.properties", "path", c.path(r.Href), "err", err)
	}
	c.setSide(r.Href, false)
}

// moveSide moves the properties of an object that moved. With mu of both held.
func (c *Collection) moveSide(old *record, to *Collection, rec *record) error {
	if !c.sides[old.Href] {
		return nil
	}
	ext := c.kind.ext()
	if err := c.store.opt.FS.Rename(c.sidePath(old.fileOf(ext)), to.sidePath(rec.fileOf(ext))); err != nil {
		return err
	}
	c.setSide(old.Href, false)
	to.setSide(rec.Href, true)
	return nil
}

// mergeSides takes over which objects have properties, and removes those of objects
// that are gone. With mu held.
func (c *Collection) mergeSides(files map[string]bool, touched map[string]bool) {
	sides := make(map[string]bool)
	for file := range files {
		href := hrefOf(file, c.kind.ext())
		if touched[href] {
			continue
		}
		if r := c.tab.find(href); r != nil && r.fileOf(c.kind.ext()) == file {
			sides[href] = true
			continue
		}
		if _, err := os.Lstat(c.path(file)); errors.Is(err, fs.ErrNotExist) {
			c.store.opt.FS.Remove(c.sidePath(file)) // else at the next scan
		}
	}
	c.viewMu.Lock()
	defer c.viewMu.Unlock()
	for href := range touched {
		if c.sides[href] {
			sides[href] = true
		}
	}
	c.sides = sides
}

// sideOf returns the file of the object whose properties a file holds.
func sideOf(name, ext string) (file string, ok bool) {
	file, ok = strings.CutPrefix(filepath.Base(name), sidePrefix)
	return file, ok && isObject(file, ext)
}
