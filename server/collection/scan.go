package collection

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// settle is the age at which the mtime of a directory tells that it has not
// changed since: a change within the same tick of the clock leaves it as it is.
const settle = 2 * time.Second

// slowScan is the time after which all files are looked at again though the mtime
// of the directory is as it was: a file may have been written in place, and a
// change of another program may hide behind one of ours.
const slowScan = 30 * time.Second

// largeScan is the number of objects above which nobody waits for a slow scan.
const largeScan = 1000

// scanState is what is known of the last scan. With Collection.mu held.
type scanState struct {
	stamp int64 // mtime of the directory before it, or after a change of ours
	ended time.Time
	took  time.Duration
	pause time.Time // no scan before, so that scans take at most a tenth of the time
	young bool      // something changed just before it
	later bool      // one is about to begin
}

// poll looks for what other programs did, unless it looked just now. It waits for
// the scan of a large collection only when the directory is not as it was.
func (c *Collection) poll() error {
	c.mu.Lock()
	due, urgent := c.scanDue()
	wait := due && (urgent || c.tab.snap.count <= largeScan)
	later := due && !wait && !c.scan.later
	if later {
		c.scan.later = true
	}
	c.mu.Unlock()
	if later {
		c.store.homes.Go(func() {
			if err := c.rescan(); err != nil {
				c.store.opt.Log.Warn("collection.scan", "name", c.Name(), "err", err)
			}
		})
	}
	if wait {
		return c.rescan()
	}
	return nil
}

// rescan scans, unless somebody else did meanwhile.
func (c *Collection) rescan() error {
	c.scanMu.Lock()
	defer c.scanMu.Unlock()
	c.mu.Lock()
	due, _ := c.scanDue()
	c.scan.later = false
	c.mu.Unlock()
	if !due {
		return nil
	}
	return c.scanOnce()
}

// scanDue tells whether to look at all files; urgent: another program changed the
// directory. With mu held.
func (c *Collection) scanDue() (due, urgent bool) {
	now := c.store.now()
	if c.fail != nil || c.journal == nil || now.Before(c.scan.pause) {
		return false, false
	}
	age := now.Sub(c.scan.ended)
	urgent = mtimeOf(c.at.Load().dir) != c.scan.stamp
	return urgent || c.scan.young && age >= settle || age >= max(slowScan, 50*c.scan.took), urgent
}

// stampNow returns the mtime of the directory before a change of ours, for stampOwn.
func (c *Collection) stampNow() int64 { return mtimeOf(c.at.Load().dir) }

// stampOwn is called after a change of ours: when nothing else had changed before
// it, the new mtime is no news. With mu held.
func (c *Collection) stampOwn(before int64) {
	if before == c.scan.stamp {
		c.scan.stamp = c.stampNow()
	}
}

// scanOnce compares the index with the files. With scanMu held.
func (c *Collection) scanOnce() error {
	c.mu.Lock()
	if c.fail != nil || c.journal == nil {
		defer c.mu.Unlock()
		return c.fail
	}
	c.touched, c.touchedSides = make(map[string]bool), make(map[string]bool)
	began := c.store.now()
	known := c.scan.stamp
	c.scan.stamp = c.stampNow() // what changes from now on may not be in the scan
	young := c.scan.stamp != known && c.scan.stamp > began.Add(-settle).UnixNano()
	c.mu.Unlock()

	found, sides, err := c.compare()
	if err == nil && len(found) > 0 {
		err = c.openJournal()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	touched := c.touched
	c.touched = nil
	if c.fail != nil {
		return c.fail
	}
	now := c.store.now()
	c.scan.ended, c.scan.took = now, now.Sub(began)
	c.scan.pause = now.Add(9 * c.scan.took)
	if err != nil {
		c.scan.stamp, c.scan.pause = 0, now.Add(settle)
		return c.missing(err)
	}
	for _, r := range found {
		young = young || r.stat.mtime > began.Add(-settle).UnixNano() // it may be written still
	}
	c.scan.young = !c.merge(found, touched) || young
	c.mergeSides(sides, c.touchedSides)
	return nil
}

// merge commits what a scan found, unless it is another way by now. It tells
// whether nothing was left out. With mu held.
func (c *Collection) merge(found []*record, touched map[string]bool) (whole bool) {
	whole = true
	edits := found[:0]
	for _, r := range found {
		if touched[r.Href] {
			continue
		}
		if !c.still(r) {
			whole = false
			continue
		}
		old := c.tab.find(r.Href)
		if old != nil && r.gone {
			c.dropSide(old)
		}
		if old != nil || !r.gone {
			edits = append(edits, r)
		}
	}
	for batch := range slices.Chunk(edits, 1000) {
		c.commit(batch...)
	}
	return whole
}

// still tells whether a file is as it was when it was read, or still gone.
func (c *Collection) still(r *record) bool {
	file := r.file
	if file == "" {
		file = r.fileOf(c.kind.ext())
	}
	st, err := lstat(c.path(file))
	if r.gone && r.stat == (stat{}) {
		return errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoObject)
	}
	return err == nil && st == r.stat
}

// compare looks at all files, and reads those that are not as they were. It
// returns what changed, and the files of objects that have properties, with no lock
// held.
func (c *Collection) compare() (found []*record, sides map[string]bool, err error) {
	dir, err := os.OpenFile(c.at.Load().dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, nil, err
	}
	defer dir.Close()
	files, sides, err := c.files(dir)
	if err != nil {
		return nil, nil, err
	}
	ext := c.kind.ext()
	var read []string // files
	for href, file := range files {
		st, err := lstatAt(dir, file)
		if err != nil {
			delete(files, href) // gone since, or none
			continue
		}
		if old := c.find(href); old == nil || old.stat != st || old.fileOf(ext) != file {
			read = append(read, file)
		}
	}
	for r := range c.snapshot().All() {
		if _, ok := files[r.Href]; !ok {
			if lost := c.find(r.Href); lost != nil {
				g := gone(r.Href)
				g.file = lost.file
				found = append(found, g)
			}
		}
	}
	slices.Sort(read) // a rebuilt index has an order that can be told
	return append(found, c.readAll(read)...), sides, nil
}

// files returns the files of objects by href, and those that have properties.
func (c *Collection) files(dir *os.File) (files map[string]string, sides map[string]bool, err error) {
	ext := c.kind.ext()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, nil, err
	}
	files, sides = make(map[string]string, len(names)), make(map[string]bool)
	for _, file := range names {
		if of, ok := sideOf(file, ext); ok {
			sides[of] = true
		}
		if !isObject(file, ext) {
			continue
		}
		href := hrefOf(file, ext)
		if other, double := files[href]; double {
			// Only a name of another program; that of fileName is the object.
			c.store.opt.Log.Warn("collection.double", "path", c.path(file), "other", other)
			if usual, err := fileName(href, ext); err == nil && usual == other {
				continue
			}
		}
		files[href] = file
	}
	return files, sides, nil
}

// readAll reads files, several at once.
func (c *Collection) readAll(files []string) []*record {
	records := make([]*record, len(files))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(len(files), runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(files)); i = next.Add(1) - 1 {
				records[i] = c.readRecord(files[i])
			}
		})
	}
	wg.Wait()
	return slices.DeleteFunc(records, func(r *record) bool { return r == nil })
}

// readRecord reads an object that another program put there. One that can't be an
// object is gone; nil is one that can't be read now.
func (c *Collection) readRecord(file string) *record {
	ext := c.kind.ext()
	data, st, err := readFile(c.path(file), c.store.opt.MaxSize)
	switch {
	case err == nil:
		r := newRecord(hrefOf(file, ext), file, ext, hash(data), st)
		c.readInto(r, data)
		return r
	case errors.Is(err, errNoObject), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		r := gone(hrefOf(file, ext))
		r.file = file
		r.stat, _ = lstat(c.path(file))
		c.store.opt.Log.Debug("collection.object", "path", c.path(file), "err", err)
		return r
	}
	c.store.opt.Log.Debug("collection.object", "path", c.path(file), "err", err)
	return nil
}

// lockFresh is lockWrite with an object compared with its file, so that a change
// of another program isn't overlooked. It returns the object, nil when it is not
// there. On error mu is not locked.
func (c *Collection) lockFresh(href string) (*record, error) {
	for range maxTries {
		if err := c.lockWrite(); err != nil {
			return nil, err
		}
		old := c.tab.find(href)
		file := ""
		var err error
		if old != nil {
			file = old.fileOf(c.kind.ext())
		} else if file, err = fileName(href, c.kind.ext()); err != nil {
			return nil, nil // no file can have it
		}
		st, err := lstat(c.path(file))
		absent := errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoObject)
		if absent && old == nil || err == nil && old != nil && st == old.stat {
			return old, nil
		}
		c.mu.Unlock()
		if err != nil && !absent {
			return nil, err
		}
		if err := c.adopt(file); err != nil {
			return nil, err
		}
	}
	return nil, errBusy
}

// adopt takes over what another program did to a file.
func (c *Collection) adopt(file string) error {
	r := c.readRecord(file)
	if r == nil {
		return nil
	}
	if err := c.lockWrite(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	if r.gone && r.stat != (stat{}) && c.tab.find(r.Href) == nil {
		return errInTheWay
	}
	c.merge([]*record{r}, nil)
	return nil
}
