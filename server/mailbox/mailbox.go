package mailbox

import (
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"facteur/server/fault"
	"facteur/server/feed"
	"facteur/server/maildir"
	"facteur/server/msgindex"
	"facteur/server/safefile"
)

// Mailbox is one folder. Its index is read when first needed and let go when
// nobody used it for a while.
type Mailbox struct {
	home     *Home
	store    *Store
	id       uint64
	use      string // special use; not changed once the Mailbox is in a table
	validity uint32 // likewise
	objectID string // likewise: MAILBOXID

	furtherMu sync.Mutex // held by who appends to facteur-keywords
	scanMu    sync.Mutex // held by a scan, and by load and unload
	fileMu    sync.Mutex // held over writes of the small files, and renames of dir

	at    atomic.Pointer[place]
	live  atomic.Pointer[msgindex.Index] // index, while it is complete
	words atomic.Pointer[words]
	used  atomic.Int64 // when the index was needed last, by the store's clock
	// readers counts the Entries, and watches the Watches, that keep the index.
	readers, watches atomic.Int32
	compacting       atomic.Bool
	news             feed.Feed

	mu            sync.Mutex
	fail          error           // of all that is asked: deleted, closed, or a broken state
	index         *msgindex.Index // nil: not read
	given         given
	reserving     *reservation
	keywordsMtime int64 // of dovecot-keywords when it was read; 0: it was not
	further       further
	unique        map[string]UID // of messages added with AddOptions.Unique; nil: not read
	touched       map[UID]bool   // changed since a scan began; nil: none runs
	suspect       map[UID]bool   // their cached file name is wrong or missing
	stamp         maildir.Stamp  // of the directories, as far as their changes are known
	scan          scanState
	dirty         [2]dirt // of new and cur
	removed       int     // messages since the text index was told
	text          textState
	metadata      annotations // with fileMu held

	usage   Usage // with Home.usageMu held
	counted bool  // usage is known
}

// place is where a folder is.
type place struct {
	name           string
	base           string // directory below the home
	dir            string
	newDir, curDir string
}

// dirt tells what of a directory is durable yet, in changes counted.
type dirt struct{ changes, synced uint64 }

// The indexes of Mailbox.dirty.
const (
	dirtyNew = iota
	dirtyCur
)

func (h *Home) newMailbox(name, base string) *Mailbox {
	m := &Mailbox{home: h, store: h.store, id: h.store.serial.Add(1)}
	m.place(name, base)
	m.words.Store(&words{})
	// What a killed process did is not known to be durable.
	m.dirty[dirtyNew].changes, m.dirty[dirtyCur].changes = 1, 1
	return m
}

// place sets the name and directory.
func (m *Mailbox) place(name, base string) {
	dir := filepath.Join(m.home.dir, base)
	m.at.Store(&place{
		name: name, base: base, dir: dir,
		newDir: filepath.Join(dir, maildir.New), curDir: filepath.Join(dir, maildir.Cur),
	})
}

// path returns that of a message file.
func (p *place) path(inNew bool, name string) string {
	if inNew {
		return p.newDir + "/" + name
	}
	return p.curDir + "/" + name
}

// Name is the folder's name, UTF-8 with "/".
func (m *Mailbox) Name() string { return m.at.Load().name }

// Home is the home that the mailbox belongs to.
func (m *Mailbox) Home() *Home { return m.home }

// UIDValidity goes with the UIDs of the mailbox. Its index is not read for it.
func (m *Mailbox) UIDValidity() UIDValidity { return UIDValidity(m.validity) }

// ID is the MAILBOXID (RFC 8474 4.1): it stays when the mailbox is renamed.
func (m *Mailbox) ID() string { return m.objectID }

// Use is the special use (RFC 6154), or "".
func (m *Mailbox) Use() string { return m.use }

// Snapshot returns the messages as they are now. When the mailbox is in memory
// it takes no lock.
func (m *Mailbox) Snapshot() (*Snapshot, error) {
	for {
		if x := m.live.Load(); x != nil {
			m.touchUsed()
			return x.Snapshot(), nil
		}
		if err := m.load(); err != nil {
			return nil, safefile.Fault(err)
		}
	}
}

// touchUsed keeps the index in memory for a while.
func (m *Mailbox) touchUsed() {
	if now := m.store.clock.Load(); m.used.Load() != now {
		m.used.Store(now)
	}
}

// lastUse is when touchUsed was called last, to the second.
func (m *Mailbox) lastUse() time.Time { return time.Unix(0, m.used.Load()) }

// tidyCache has the cache written anew when most of it is garbage.
func (m *Mailbox) tidyCache() {
	x := m.live.Load()
	if x == nil || !x.CompactDue() || !m.compacting.CompareAndSwap(false, true) {
		return
	}
	m.readers.Add(1)
	m.store.homes.Go(func() {
		defer m.compacting.Store(false)
		defer m.readers.Add(-1)
		if err := x.Compact(&m.mu); err != nil {
			m.store.opt.Log.Debug("mailbox.cache", "folder", m.Name(), "err", err)
		}
	})
}

// Status tells what the mailbox holds. Call Poll before it to see what other
// programs did just now.
func (m *Mailbox) Status() (Status, error) {
	if err := m.lockIndex(); err != nil {
		return Status{}, err
	}
	defer m.mu.Unlock()
	s := m.index.Snapshot()
	recent, _ := s.Find(m.given.recent)
	return Status{
		Messages:      s.Len(),
		Unseen:        s.Unseen(),
		Recent:        s.Len() - recent,
		Deleted:       s.Deleted(),
		UIDNext:       m.given.next,
		UIDValidity:   UIDValidity(m.validity),
		HighestModSeq: s.HighestModSeq(),
		Size:          s.Octets(),
		ID:            m.objectID,
	}, nil
}

// lockIndex locks mu with the index read. On error it is not locked.
func (m *Mailbox) lockIndex() error {
	for {
		m.mu.Lock()
		if m.fail != nil {
			defer m.mu.Unlock()
			return m.fail
		}
		if m.live.Load() != nil {
			m.touchUsed()
			return nil
		}
		m.mu.Unlock()
		if err := m.load(); err != nil {
			return safefile.Fault(err)
		}
	}
}

// Sync returns when all that the mailbox's directories and keywords held at the
// call is durable.
func (m *Mailbox) Sync() error {
	for {
		m.mu.Lock()
		fail, dirty, at := m.fail, m.dirty, m.at.Load()
		m.mu.Unlock()
		if fail != nil {
			return fail
		}
		err := m.syncDirs(dirty, [...]string{at.newDir, at.curDir})
		if err == nil {
			err = m.syncFurther()
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return safefile.Fault(err)
		}
		m.mu.Lock()
		renamed := m.fail != nil || m.at.Load() != at
		m.mu.Unlock()
		if !renamed {
			return safefile.Fault(err)
		}
	}
}

// syncDirs syncs those that are dirty.
func (m *Mailbox) syncDirs(dirty [2]dirt, dirs [2]string) error {
	// cur first: what moved there from new must not be lost on a file system
	// where a rename is two writes.
	for _, i := range []int{dirtyCur, dirtyNew} {
		if dirty[i].changes == dirty[i].synced {
			continue
		}
		if err := m.store.syncer.Sync(dirs[i]); err != nil {
			return err
		}
		m.mu.Lock()
		m.dirty[i].synced = max(m.dirty[i].synced, dirty[i].changes)
		m.mu.Unlock()
	}
	return nil
}

// end makes all that is asked from now on fail, and wakes the watches.
func (m *Mailbox) end(why error) {
	m.mu.Lock()
	m.setFail(why) // ends what holds scanMu soon
	m.mu.Unlock()
	m.scanMu.Lock()
	defer m.scanMu.Unlock()
	m.endLocked(why)
}

// endLocked is end with scanMu held.
func (m *Mailbox) endLocked(why error) {
	m.mu.Lock()
	m.setFail(why)
	x, stamp := m.dropIndex()
	m.news.Publish()
	m.mu.Unlock()
	closeIndex(x, stamp)
	m.closeText(true)
}

// setFail sets fail, unless it is set for good. With mu held.
func (m *Mailbox) setFail(why error) {
	if m.fail == nil || fault.Is(m.fail, fault.Internal) {
		m.fail = why
	}
}

// close ends the mailbox and writes its state, which frees what is reserved.
func (m *Mailbox) close(why error) error {
	m.mu.Lock()
	broken := m.fail != nil
	m.mu.Unlock()
	m.end(why)
	if broken {
		return nil
	}
	return m.writeFinalState()
}

// now returns the time by the store's clock.
func (m *Mailbox) now() time.Time { return m.store.opt.Now() }
