package collection

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"
)

// ready has the collection read into memory.
func (c *Collection) ready() error {
	c.used.Store(c.store.clock.Load())
	c.viewMu.RLock()
	loaded := c.shown
	c.viewMu.RUnlock()
	if loaded {
		return nil
	}
	c.scanMu.Lock()
	defer c.scanMu.Unlock()
	return c.load()
}

// load reads the index and compares it with the files. With scanMu held.
func (c *Collection) load() error {
	c.mu.Lock()
	fail, loaded := c.fail, c.journal != nil
	c.mu.Unlock()
	if fail != nil || loaded {
		return fail
	}
	at := c.at.Load()
	identity, err := c.store.identity(at.dir)
	if err != nil {
		return c.missing(err)
	}
	l, ok, err := readIndex(at.index)
	if err != nil {
		c.store.opt.Log.Warn("collection.index", "path", at.index, "err", err)
	}
	kept := ok && l.header.identity == identity && (l.clean || l.boot == c.store.bootID)
	j := &journal{fs: c.store.opt.FS, path: at.index, loading: true}
	if !kept {
		l.table = newTable(newEpoch())
		j.opened = true // nobody was told a token of it
	} else {
		j.open(&l)
		if l.header.version != c.store.opt.IndexVersion {
			c.readFacts(l.table)
		}
	}
	c.publish(l.table, j)
	if err := c.scanOnce(); err != nil {
		c.drop()
		return err
	}
	c.mu.Lock()
	j.loading = false
	c.viewMu.Lock()
	c.shown = true
	c.viewMu.Unlock()
	again := j.file == nil || l.header.version != c.store.opt.IndexVersion
	h, s := header{}, c.snapshot()
	if again {
		h, s = c.beginRewrite()
	}
	c.home.count(c, Usage{s.octets, s.count})
	c.mu.Unlock()
	if again {
		c.rewrite(j, h, s)
	}
	c.store.loaded.Note(c, true)
	return nil
}

// missing is the error of a directory that is not there.
func (c *Collection) missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errGone
	}
	return err
}

func newEpoch() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// publish takes a table over, which is shown once it is compared with the files. With scanMu held.
func (c *Collection) publish(t *table, j *journal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.tidy()
	c.journal, c.scan = j, scanState{}
	c.viewMu.Lock()
	c.tab, c.sides = t, make(map[string]bool)
	c.viewMu.Unlock()
}

// drop forgets what is in memory. With scanMu held.
func (c *Collection) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropLocked()
}

// dropLocked is drop with mu held.
func (c *Collection) dropLocked() {
	if c.journal == nil {
		return
	}
	c.journal.close()
	c.journal, c.touched = nil, nil
	c.viewMu.Lock()
	c.tab, c.sides, c.shown = nil, nil, false
	c.viewMu.Unlock()
	c.store.loaded.Note(c, false)
}

// unload lets go of what nobody used for a while.
func (c *Collection) unload(after time.Duration) {
	if c.store.clock.Load()-c.used.Load() < int64(after) || !c.scanMu.TryLock() {
		return
	}
	defer c.scanMu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.journal != nil && c.journal.file != nil && !c.journal.writing {
		c.dropLocked()
	}
}

// end makes everything that is asked fail, and writes what a clean stop leaves.
func (c *Collection) end(why error) {
	c.scanMu.Lock()
	defer c.scanMu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endLocked(why)
}

// endLocked is end with scanMu and mu held.
func (c *Collection) endLocked(why error) {
	if c.fail == nil {
		c.fail = why
	}
	c.dropLocked()
}

// Reindex makes the indexes of the home anew, of the files: all tokens that were told are
// refused from then on.
func (h *Home) Reindex() error {
	all, err := h.Collections()
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range all {
		if err := c.reindex(); err != nil && !errors.Is(err, errGone) { // deleted meanwhile
			errs = append(errs, fmt.Errorf("%s: %w", c.Name(), err))
		}
	}
	return diskFault(errors.Join(errs...))
}

func (c *Collection) reindex() error {
	c.scanMu.Lock()
	defer c.scanMu.Unlock()
	c.drop()
	if err := c.store.opt.FS.Remove(c.at.Load().index); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return c.load()
}

// lockWrite locks mu with the collection in memory and its log in use on disk, so
// that no change is told that a power cut could take back under the same epoch. On
// error it is not locked.
func (c *Collection) lockWrite() error {
	for {
		if err := c.ready(); err != nil {
			return err
		}
		c.mu.Lock()
		if c.fail != nil {
			defer c.mu.Unlock()
			return c.fail
		}
		if c.journal != nil && c.journal.opened && !c.journal.loading {
			return nil
		}
		c.mu.Unlock()
		c.scanMu.Lock()
		err := c.openJournal()
		c.scanMu.Unlock()
		if err != nil {
			return err
		}
	}
}

// openJournal makes durable that the log is in use. With scanMu held.
func (c *Collection) openJournal() error {
	c.mu.Lock()
	j := c.journal
	if j == nil || j.opened {
		c.mu.Unlock()
		return nil
	}
	j.append(openFrame(c.store.bootID))
	f := j.file
	c.mu.Unlock()
	if f != nil {
		if err := f.Sync(); err != nil {
			c.mu.Lock()
			j.drop(err)
			c.mu.Unlock()
		}
	}
	// Also when there is no log: one that was removed must not come back.
	if err := j.fs.SyncDir(filepath.Dir(j.path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	c.mu.Lock()
	j.opened = true
	c.mu.Unlock()
	return nil
}

// readFacts reads all facts anew. Nobody has the table yet.
func (c *Collection) readFacts(t *table) {
	for _, r := range t.snap.order {
		if r.until.Load() != 0 || r.gone {
			continue
		}
		data, st, err := readFile(c.path(r.fileOf(c.kind.ext())), c.store.opt.MaxSize)
		if err != nil || st != r.stat || hash(data) != r.ETag {
			continue // the scan sees it
		}
		t.unlink(r)
		c.readInto(r, data)
		t.link(r)
	}
}

// readInto sets the facts of an object that another program may have put there.
func (c *Collection) readInto(r *record, data []byte) {
	facts, err := c.store.opt.Index(c.kind, data)
	if err != nil {
		c.store.opt.Log.Warn("collection.object", "path", c.path(r.fileOf(c.kind.ext())), "err", err)
	}
	r.Facts, r.Broken = facts, err != nil
	r.setSpan()
}
