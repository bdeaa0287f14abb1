package mailbox

import (
	"errors"
	"io/fs"

	"facteur/server/fault"
	"facteur/server/maildir"
	"facteur/server/message"
	"facteur/server/msgindex"
	"facteur/server/safefile"
)

// maxPending is the number of summaries that Entries makes before it notes them
// in the index.
const maxPending = 64

// Entries reads what is cached of messages. It keeps the index in memory,
// belongs to one goroutine and must be closed.
type Entries struct {
	m       *Mailbox
	err     error // of all that is asked
	index   *msgindex.Index
	entries *msgindex.Entries
	pending map[UID]msgindex.Ref // made here, not in the index yet
	summary message.Summary
	buf     []byte // of a summary that was made here
}

// Entries returns a reader of what is cached.
func (m *Mailbox) Entries() *Entries {
	m.store.busy()
	return m.newEntries()
}

func (m *Mailbox) newEntries() *Entries {
	e := &Entries{m: m}
	if e.err = m.lockIndex(); e.err != nil {
		return e
	}
	defer m.mu.Unlock()
	m.readers.Add(1)
	e.index = m.index
	e.entries = e.index.Entries()
	return e
}

// Close ends the reading. It may be called more than once.
func (e *Entries) Close() {
	if e.index == nil {
		return
	}
	e.flush()
	e.entries.Close()
	e.index = nil
	e.err = errGone
	e.m.readers.Add(-1)
}

// Summary returns that of a message: from the cache, else it reads the message
// and caches it. It is valid until the next call. A message that is gone is a
// fault NotFound.
func (e *Entries) Summary(rec *Record) (*message.Summary, error) {
	if e.err != nil {
		return nil, e.err
	}
	e.renew()
	if _, data, ok := e.entries.Entry(rec); ok && len(data) > 0 {
		if err := e.parse(data); err == nil {
			return &e.summary, nil
		}
	}
	// The record may be of an older snapshot than the entry.
	if snap := e.index.Snapshot(); e.pending[rec.UID] == 0 {
		if i, ok := snap.Find(rec.UID); ok && snap.At(i).Entry != rec.Entry {
			if _, data, ok := e.entries.Entry(snap.At(i)); ok && len(data) > 0 && e.parse(data) == nil {
				return &e.summary, nil
			}
		}
	} else {
		made := *rec
		made.Entry = e.pending[rec.UID]
		if _, data, ok := e.entries.Entry(&made); ok && e.parse(data) == nil {
			return &e.summary, nil
		}
	}
	return e.make(rec.UID)
}

func (e *Entries) parse(data []byte) (err error) {
	e.summary, err = message.ParseSummary(data)
	return err
}

// make reads a message and caches what it finds.
func (e *Entries) make(uid UID) (*message.Summary, error) {
	var made message.Summary
	var file string
	err := e.onFile(uid, func(r *Record, name, path string) error {
		f, err := maildir.OpenFile(path)
		if err != nil {
			return err
		}
		c, err := newContent(f, name, r.Size())
		if err != nil {
			f.Close()
			return err
		}
		defer c.Close()
		file = name
		made, err = message.Summarize(c, c.Size())
		return err
	})
	if err != nil {
		return nil, err
	}
	if e.buf, err = made.AppendBinary(e.buf[:0]); err != nil {
		return nil, fault.Wrap(fault.Internal, "", err)
	}
	if ref := e.m.putEntry(e.index, uid, file, e.buf); ref != 0 {
		if e.pending == nil {
			e.pending = make(map[UID]msgindex.Ref)
		}
		e.pending[uid] = ref
		if len(e.pending) >= maxPending {
			e.flush()
		}
	}
	e.summary = made
	return &e.summary, nil
}

// flush notes in the index what was cached. Clients need not know.
func (e *Entries) flush() {
	if len(e.pending) == 0 {
		return
	}
	defer clear(e.pending)
	m := e.m
	if err := m.lockWrite(0); err != nil {
		return
	}
	defer m.mu.Unlock()
	if m.index != e.index {
		return
	}
	c := m.begin()
	defer c.commit()
	for uid, ref := range e.pending {
		i, ok := c.snap.Find(uid)
		if !ok {
			continue
		}
		r := *c.snap.At(i)
		name, _ := c.fileName(&r)
		r.Entry = ref
		if made, ok := c.fileName(&r); ok && made != name {
			r.SetMarks(r.Marks() &^ msgindex.Exact) // its flags changed meanwhile
		}
		if made, ok := c.fileName(&r); ok && made == name {
			c.keep(i, r)
		} // else another program renamed it
	}
}

// Open opens a message for reading. The Content must be closed.
func (e *Entries) Open(rec *Record) (*Content, error) { return e.open(rec.UID) }

func (e *Entries) open(uid UID) (*Content, error) {
	var c *Content
	err := e.onFile(uid, func(r *Record, name, path string) error {
		f, err := maildir.OpenFile(path)
		if err != nil {
			return err
		}
		if c, err = newContent(f, name, r.Size()); err != nil {
			f.Close()
		}
		return err
	})
	return c, err
}

// onFile calls f with a message of the newest snapshot, its file name and path,
// without a lock. When the file is not there any more it looks for its new name
// and tries again.
func (e *Entries) onFile(uid UID, f func(r *Record, name, path string) error) error {
	if e.err != nil {
		return e.err
	}
	last := ""
	for range 5 {
		e.renew()
		snap := e.index.Snapshot()
		i, ok := snap.Find(uid)
		if !ok {
			return e.m.goneError()
		}
		r := snap.At(i)
		name, known := fileName(e.entries, r)
		path := e.m.at.Load().path(r.Has(msgindex.InNew), name)
		if known && path != last {
			err := f(r, name, path)
			if !errors.Is(err, fs.ErrNotExist) {
				return safefile.Fault(err)
			}
			last = path
			continue
		}
		// Nobody here renamed it.
		if r.Has(msgindex.Missing) {
			return errNoUID
		}
		suspects := []UID{uid}
		if !known {
			suspects = e.unreadable()
		}
		if err := e.m.find(suspects); err != nil {
			return safefile.Fault(err)
		}
		last = ""
	}
	return errNoUID
}

// renew takes the index that is there now: Reindex makes another.
func (e *Entries) renew() {
	if x := e.m.live.Load(); x == e.index || x == nil {
		return
	}
	e.m.mu.Lock()
	defer e.m.mu.Unlock()
	if e.m.index != nil {
		e.entries.Close()
		clear(e.pending)
		e.index = e.m.index
		e.entries = e.index.Entries()
	}
}

// unreadable returns the messages that have no entry in the cache: where one is
// missing, more may be.
func (e *Entries) unreadable() []UID {
	var uids []UID
	snap := e.index.Snapshot()
	for _, r := range snap.Range(0, snap.Len()) {
		if _, _, ok := e.entries.Entry(r); !ok {
			uids = append(uids, r.UID)
		}
	}
	return uids
}

// find has a scan look for the files of messages.
func (m *Mailbox) find(uids []UID) error {
	if err := m.lockIndex(); err != nil {
		return err
	}
	for _, uid := range uids {
		m.suspectName(uid)
	}
	m.mu.Unlock()
	return m.rescan()
}

// goneError tells why a message is not there.
func (m *Mailbox) goneError() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	return errNoUID
}
