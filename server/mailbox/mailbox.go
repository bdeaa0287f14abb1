package mailbox

import (
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"facteur/server/fault"
	"facteur/server/feed"
	"facteur/server/maildir"
)

// Mailbox is one folder. Its list of messages is read when first needed and
// let go when nobody used it for a while.
type Mailbox struct {
	home  *Home
	store *Store
	id    uint64

	scanMu sync.Mutex // held by a scan, and by load and unload
	fileMu sync.Mutex // held over writes of facteur-state and dovecot-keywords, and renames of dir

	mu             sync.Mutex
	fail           error // of all that is asked: deleted, closed, or a broken state
	name           string
	base           string // directory below the home
	dir            string
	newDir, curDir string
	use            string // special use; not changed once the Mailbox is in a table
	validity       uint32 // likewise
	next           UID    // UIDNEXT
	ceiling        UID    // UIDNEXT on disk: below it UIDs may be given
	reserving      *reservation
	keywords       maildir.Keywords
	keywordsMtime  int64 // of the file when it was read; 0: it was not
	list           *list // nil: not read
	complete       bool  // list holds all messages: false while it is read
	touched        map[UID]bool
	used           time.Time     // when the list was needed last
	stamp          maildir.Stamp // of the directories, as far as their changes are known
	scan           scanState
	dirty          [2]dirt // of new and cur
	views          map[*View]struct{}
	tail           *node // of the events, when there are views
	told           *node // tail when the views were woken last
	news           feed.Feed

	usage     Usage // with Home.usageMu held
	counted   bool  // usage is known
	recounted int   // number of changes, for a count that runs meanwhile
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
	// What a killed process did is not known to be durable.
	m.dirty[dirtyNew].changes, m.dirty[dirtyCur].changes = 1, 1
	return m
}

// place sets the name and directory.
func (m *Mailbox) place(name, base string) {
	m.name, m.base = name, base
	m.dir = filepath.Join(m.home.dir, base)
	m.newDir, m.curDir = filepath.Join(m.dir, maildir.New), filepath.Join(m.dir, maildir.Cur)
}

func (m *Mailbox) setState(s maildir.State) {
	m.use, m.validity = s.Use, s.UIDValidity
	m.next, m.ceiling = UID(s.UIDNext), UID(s.UIDNext)
}

// Name is the folder's name, UTF-8 with "/".
func (m *Mailbox) Name() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.name
}

// Home is the home that the mailbox belongs to.
func (m *Mailbox) Home() *Home { return m.home }

// UIDValidity goes with the UIDs of the mailbox. Its list is not read for it.
func (m *Mailbox) UIDValidity() UIDValidity { return UIDValidity(m.validity) }

// Status tells what the mailbox holds. Call Poll before it to see what other
// programs did just now.
func (m *Mailbox) Status() (Status, error) {
	if err := m.lockList(); err != nil {
		return Status{}, err
	}
	defer m.mu.Unlock()
	l := m.list
	return Status{
		Messages:    len(l.recs),
		Unseen:      l.unseen,
		Recent:      l.recent,
		UIDNext:     m.next,
		UIDValidity: UIDValidity(m.validity),
		Size:        l.size,
	}, nil
}

// lockList locks mu with the list read. On error it is not locked.
func (m *Mailbox) lockList() error {
	for {
		m.mu.Lock()
		if m.fail != nil {
			err := m.fail
			m.mu.Unlock()
			return err
		}
		if m.complete {
			m.used = m.store.opt.Now()
			return nil
		}
		m.mu.Unlock()
		if err := m.load(); err != nil {
			return diskFault(err)
		}
	}
}

// path returns that of a file. With mu held.
func (m *Mailbox) path(inNew bool, name string) string {
	if inNew {
		return m.newDir + "/" + name
	}
	return m.curDir + "/" + name
}

// soil notes a change of new or cur. With mu held.
func (m *Mailbox) soil(inNew bool) {
	i := dirtyCur
	if inNew {
		i = dirtyNew
	}
	m.dirty[i].changes++
}

// Sync returns when all that the mailbox's directories held at the call is
// durable.
func (m *Mailbox) Sync() error {
	for {
		m.mu.Lock()
		fail, dirty, dirs := m.fail, m.dirty, [...]string{m.newDir, m.curDir}
		m.mu.Unlock()
		if fail != nil {
			return fail
		}
		err := m.syncDirs(dirty, dirs)
		if !errors.Is(err, fs.ErrNotExist) {
			return diskFault(err)
		}
		m.mu.Lock()
		renamed := m.fail != nil || m.newDir != dirs[dirtyNew]
		m.mu.Unlock()
		if !renamed {
			return diskFault(err)
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

// end makes all that is asked from now on fail, and wakes the views.
func (m *Mailbox) end(why error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail == nil || fault.Is(m.fail, fault.Internal) {
		m.fail = why
	}
	m.dropList()
	m.news.Publish()
}

// close ends the mailbox and writes its UIDNEXT, which frees what is reserved.
func (m *Mailbox) close(why error) error {
	m.mu.Lock()
	was := m.fail
	m.mu.Unlock()
	m.end(why)
	m.fileMu.Lock()
	defer m.fileMu.Unlock()
	m.mu.Lock()
	next, dir, reserved := m.next, m.dir, m.ceiling > m.next
	m.mu.Unlock()
	if was != nil || !reserved {
		return nil
	}
	state := maildir.State{UIDValidity: m.validity, UIDNext: uint32(next), Use: m.use}
	if err := maildir.WriteState(m.store.opt.FS, dir, state); err != nil {
		return diskFault(err)
	}
	m.mu.Lock()
	m.ceiling = m.next
	m.mu.Unlock()
	return nil
}
