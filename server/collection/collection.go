package collection

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"

	"facteur/server/feed"
)

// Collection is a calendar or an address book. All users of the process share it.
type Collection struct {
	home  *Home
	store *Store
	kind  Kind
	id    uint64 // orders the locks of two
	at    atomic.Pointer[place]
	used  atomic.Int64 // when it was last, in nanoseconds

	changed feed.Feed

	scanMu sync.Mutex

	mu      sync.Mutex
	fail    error // of all that is asked: closed, gone
	journal *journal
	scan    scanState
	touched map[string]bool // hrefs that we changed while a scan runs; nil: none does
	// touchedSides are those whose properties we changed meanwhile.
	touchedSides map[string]bool

	viewMu sync.RWMutex
	tab    *table          // nil: it is not in memory
	shown  bool            // tab was compared with the files
	sides  map[string]bool // hrefs of objects with properties; it goes with tab

	usage   Usage // with Home.mu held
	counted bool
}

// place is where a collection lies.
type place struct {
	name  string
	dir   string
	index string
}

// Name returns the last segment of the collection's href, not percent-encoded.
func (c *Collection) Name() string { return c.at.Load().name }

// Kind returns what it holds.
func (c *Collection) Kind() Kind { return c.kind }

// Changed tells of every change of the objects while the collection is in use.
func (c *Collection) Changed() *feed.Feed { return &c.changed }

func (c *Collection) path(file string) string { return filepath.Join(c.at.Load().dir, file) }

// Snapshot returns the objects as they are now, and looks for what other programs
// did before.
func (c *Collection) Snapshot() (s *Snapshot, err error) {
	if err := c.poll(); err != nil {
		return nil, diskFault(err)
	}
	err = c.view(func(t *table) { s = t.snapshot() })
	return s, err
}

// view calls a function with the table, with viewMu held for reading.
func (c *Collection) view(read func(*table)) error {
	for {
		if err := c.ready(); err != nil {
			return diskFault(err)
		}
		c.viewMu.RLock()
		shown := c.shown
		if shown {
			read(c.tab)
		}
		c.viewMu.RUnlock()
		if shown {
			return nil
		}
	}
}

// snapshot is nil when the collection is not in memory.
func (c *Collection) snapshot() *Snapshot {
	c.viewMu.RLock()
	defer c.viewMu.RUnlock()
	if c.tab == nil {
		return nil
	}
	return c.tab.snapshot()
}

// find returns the object at an href, nil when there is none.
func (c *Collection) find(href string) *record {
	c.viewMu.RLock()
	defer c.viewMu.RUnlock()
	if c.tab == nil {
		return nil
	}
	return c.tab.find(href)
}

// Entry returns what the index has of an object, and looks for what other programs did before.
func (c *Collection) Entry(href string) (*Entry, error) {
	if err := c.poll(); err != nil {
		return nil, diskFault(err)
	}
	return c.Known(href)
}

// Known is Entry without that look, for all but the first of many.
func (c *Collection) Known(href string) (*Entry, error) {
	var r *record
	if err := c.view(func(t *table) { r = t.find(href) }); err != nil {
		return nil, err
	}
	if r == nil {
		return nil, errNoHref
	}
	return &r.Entry, nil
}

// ByUID returns the objects with a UID. There is more than one only when another
// program put them there.
func (c *Collection) ByUID(uid string) (all []*Entry, err error) {
	if err := c.poll(); err != nil {
		return nil, diskFault(err)
	}
	err = c.view(func(t *table) {
		for _, r := range t.byUID[uid] {
			all = append(all, &r.Entry)
		}
	})
	return all, err
}

// Get opens an object. The entry is of the octets that are read.
func (c *Collection) Get(href string) (content io.ReadCloser, e *Entry, err error) {
	d := c.Reader()
	defer d.Close()
	e, err = c.reach(href, func(r *record) error {
		if r.Size <= maxContent {
			data, err := d.read(r, true)
			content = inMemory{bytes.NewReader(data)}
			return err
		}
		f, st, err := openFile(c.path(r.fileOf(c.kind.ext())))
		if err == nil && st != r.stat {
			f.Close()
			err = errBusy
		}
		if err == nil {
			content = f
		}
		return err
	})
	return content, e, err
}

// inMemory is the octets of a small object.
type inMemory struct{ *bytes.Reader }

// Close does nothing.
func (inMemory) Close() error { return nil }

// Read reads an object. The entry is of these octets, which must not be changed.
func (c *Collection) Read(href string) ([]byte, *Entry, error) {
	d := c.Reader()
	defer d.Close()
	return d.Read(href)
}

// reach calls open with the record of an object, until its file is as the record says;
// open returns errBusy when it is another, errAltered when only its octets are others.
func (c *Collection) reach(href string, open func(*record) error) (*Entry, error) {
	if err := c.ready(); err != nil {
		return nil, diskFault(err)
	}
	if r := c.find(href); r != nil && open(r) == nil {
		return &r.Entry, nil
	}
	for range maxTries {
		// It is not as it was: of another program, or changed just now.
		r, err := c.lockFresh(href)
		if err != nil {
			return nil, diskFault(err)
		}
		if r == nil {
			c.mu.Unlock()
			return nil, errNoHref
		}
		err = open(r)
		c.mu.Unlock()
		if err == nil {
			return &r.Entry, nil
		}
		if err == errAltered {
			err = c.adopt(r.fileOf(c.kind.ext()))
		}
		if err != nil && !errors.Is(err, errBusy) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errNoObject) {
			return nil, diskFault(err)
		}
	}
	return nil, errBusy
}

// maxTries bounds how often an object is read again that other programs change.
const maxTries = 10

// commit numbers records, writes them to the log and publishes them. With mu held.
func (c *Collection) commit(records ...*record) {
	if len(records) == 0 {
		return
	}
	seq := c.tab.snap.seq // changes with mu held only
	frames := make([][]byte, len(records))
	for i, r := range records {
		seq++
		r.seq = seq
		r.setSpan()
		frames[i] = appendRecord(nil, r)
		if c.touched != nil {
			c.touched[r.Href] = true
		}
	}
	c.journal.append(frames...)
	c.viewMu.Lock()
	for _, r := range records {
		c.tab.apply(r)
	}
	c.tab.tidy()
	usage := Usage{c.tab.snap.octets, c.tab.snap.count}
	c.viewMu.Unlock()
	if !c.journal.loading {
		c.home.count(c, usage)
	}
	c.changed.Publish()
	if c.journal.due(c.store.now()) {
		j := c.journal
		h, s := c.beginRewrite()
		c.store.homes.Go(func() {
			c.scanMu.Lock()
			defer c.scanMu.Unlock()
			c.rewrite(j, h, s)
		})
	}
}

// beginRewrite begins to write the log anew. With mu held.
func (c *Collection) beginRewrite() (header, *Snapshot) {
	c.journal.writing, c.journal.side = true, nil
	s := c.snapshot()
	return header{epoch: s.epoch, version: c.store.opt.IndexVersion, floor: s.floor, seq: s.seq}, s
}

// rewrite writes the log anew. With scanMu held.
func (c *Collection) rewrite(j *journal, h header, s *Snapshot) {
	var next journal
	var err error
	if h.identity, err = c.store.identity(c.at.Load().dir); err == nil {
		next, err = j.rewrite(h, s, c.store.bootID)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.journal != j { // closed meanwhile
		if err == nil {
			next.drop(nil)
		}
		return
	}
	j.replace(next, err, c.store.now())
	if err != nil {
		c.store.opt.Log.Warn("collection.index", "path", j.path, "err", err)
	}
}

// gone returns the record that says that an object is gone.
func gone(href string) *record {
	r := &record{gone: true}
	r.Href = href
	return r
}
