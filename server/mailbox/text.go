package mailbox

import (
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"facteur/server/fts"
	"facteur/server/message"
)

// The pace at which texts are indexed: a mailbox must have been left alone for
// textQuiet, the store for storeQuiet, and after each message comes a pause of
// textPause times what it took.
const (
	textQuiet  = time.Second
	storeQuiet = 100 * time.Millisecond
	textPause  = 2
)

// textVersion is that of the rules by which texts are extracted and folded.
const textVersion = 1

// textMemory bounds what the text index of a mailbox gathers in memory.
const textMemory = 4 << 20

// textDrop is the number of removed messages after which the text index is told.
const textDrop = 500

// textState is the index of the text of a mailbox.
type textState struct {
	changed atomic.Int64 // when messages came or went last, in nanoseconds of the real clock
	reached atomic.Uint32

	mu    sync.Mutex
	index *fts.Index // nil: not open
	off   bool       // the mailbox was let go
}

// quiet notes that the mailbox changed: its text waits until it has not for a
// while.
func (m *Mailbox) quiet() { m.text.changed.Store(time.Now().UnixNano()) }

// busy notes that the store is at work.
func (s *Store) busy() { s.active.Store(time.Now().UnixNano()) }

// openText returns the index of the text, nil when there is none.
func (m *Mailbox) openText() *fts.Index {
	if m.store.opt.NoText {
		return nil
	}
	t := &m.text
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.index == nil && !t.off {
		t.index = fts.Open(fts.Options{
			Dir: filepath.Join(m.indexDir(), "text"), Tag: uint64(m.validity)<<8 | textVersion,
			Memory: textMemory, FS: m.home.cacheFS(), Log: m.store.opt.Log,
		})
		t.reached.Store(t.index.Through())
	}
	return t.index
}

// closeText lets the index of the text go. No other lock is held: it may write.
func (m *Mailbox) closeText(off bool) {
	m.text.mu.Lock()
	x := m.text.index
	m.text.index, m.text.off = nil, m.text.off || off
	m.text.mu.Unlock()
	if x == nil {
		return
	}
	if err := x.Close(); err != nil {
		m.store.opt.Log.Debug("mailbox.text", "folder", m.Name(), "err", err)
	}
	m.home.removeStrayCaches()
}

// Candidates looks up a text, as message.Fold returns it, in the index of the
// text. Of the messages with UIDs up to through only those in uids, which
// ascend, may hold it in header or body; those above through must be read. ok is
// false when it can't tell.
func (m *Mailbox) Candidates(folded []byte) (uids []UID, through UID, ok bool) {
	if _, err := m.Snapshot(); err != nil {
		return nil, 0, false
	}
	x := m.openText()
	if x == nil {
		return nil, 0, false
	}
	found, to, ok := x.Candidates(folded)
	if !ok {
		return nil, 0, false
	}
	uids = make([]UID, len(found))
	for i, uid := range found {
		uids[i] = UID(uid)
	}
	return uids, UID(to), true
}

// indexTexts keeps the texts of the mailboxes in memory indexed, until the store
// is closed.
func (s *Store) indexTexts() {
	for s.pause(time.Second) {
		for _, m := range s.loaded.All() {
			if !s.indexText(m) {
				return
			}
		}
	}
}

// pause waits. It is false when the store is closed.
func (s *Store) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-s.homes.Closing():
		return false
	case <-timer.C:
		return true
	}
}

// indexText indexes what a mailbox has that is not, as long as that mailbox is
// left alone. It is false when the store is closed.
func (s *Store) indexText(m *Mailbox) bool {
	if !m.textDue() {
		return true
	}
	m.readers.Add(1)
	defer m.readers.Add(-1)
	x := m.openText()
	live := m.live.Load()
	if x == nil || live == nil {
		return true
	}
	snap := live.Snapshot()
	m.dropTexts(x, snap)
	t := texting{m: m, index: x}
	for i, _ := snap.Find(UID(x.Resume()) + 1); i < snap.Len() && m.alone(); i++ {
		began := time.Now()
		err := t.message(snap.At(i))
		took := time.Since(began)
		if errors.Is(err, fts.ErrLost) {
			break // again in a second, from where it stands then
		}
		if err != nil {
			s.opt.Log.Debug("mailbox.text", "folder", m.Name(), "uid", uint32(snap.At(i).UID), "err", err)
			break
		}
		if !s.rest(textPause * took) {
			return false
		}
	}
	m.text.mu.Lock()
	defer m.text.mu.Unlock()
	if m.text.index == x {
		m.text.reached.Store(x.Through())
	}
	return true
}

// rest waits, and as long as the store is busy. It is false when it is closed.
func (s *Store) rest(d time.Duration) bool {
	for {
		// Pauses of less than this are not worth a timer: it goes on a little faster.
		if d >= time.Millisecond && !s.pause(d) || s.homes.Closed() {
			return false
		}
		if time.Since(time.Unix(0, s.active.Load())) >= storeQuiet {
			return true
		}
		d = storeQuiet
	}
}

// textDue tells whether messages are not indexed, and the mailbox is left alone.
func (m *Mailbox) textDue() bool {
	x := m.live.Load()
	if x == nil || m.store.opt.NoText {
		return false
	}
	snap := x.Snapshot()
	n := snap.Len()
	return n > 0 && uint32(snap.At(n-1).UID) > m.text.reached.Load() && m.alone()
}

// alone tells whether the mailbox has not changed for a while.
func (m *Mailbox) alone() bool {
	return time.Since(time.Unix(0, m.text.changed.Load())) >= textQuiet
}

// dropTexts tells the index which messages are gone, when there are many.
func (m *Mailbox) dropTexts(x *fts.Index, snap *Snapshot) {
	m.mu.Lock()
	due := m.removed >= textDrop
	if due {
		m.removed = 0
	}
	m.mu.Unlock()
	if !due {
		return
	}
	x.Drop(func(uid uint32) bool {
		_, there := snap.Find(UID(uid))
		return there || UID(uid) >= snap.UIDNext()
	})
}

// texting puts messages into the index of the text.
type texting struct {
	m      *Mailbox
	index  *fts.Index
	folded []byte
}

func (t *texting) message(r *Record) error {
	e := t.m.newEntries()
	defer e.Close()
	c, err := e.Open(r)
	if err != nil { // gone, or so it looks
		return t.index.Skip(uint32(r.UID))
	}
	defer c.Close()
	err = message.Words(c, c.Size(), func(_ message.TextKind, text []byte) error {
		t.folded = message.Fold(t.folded[:0], text)
		return t.index.Add(uint32(r.UID), t.folded)
	})
	if err != nil {
		if t.index.Resume(); errors.Is(err, fts.ErrLost) || errors.Is(err, fts.ErrClosed) {
			return err
		}
		return t.index.Skip(uint32(r.UID))
	}
	return t.index.Done(uint32(r.UID))
}
