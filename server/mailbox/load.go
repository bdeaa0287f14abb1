package mailbox

import (
	"os"
	"path/filepath"
	"strconv"
	"time"

	"facteur/server/maildir"
	"facteur/server/msgindex"
)

// load reads the index, and lists the directories when that can't be trusted.
func (m *Mailbox) load() error {
	m.scanMu.Lock()
	defer m.scanMu.Unlock()
	m.mu.Lock()
	if m.live.Load() != nil || m.fail != nil {
		defer m.mu.Unlock()
		return m.fail
	}
	m.mu.Unlock()
	return m.open()
}

// open is load with scanMu held.
func (m *Mailbox) open() error {
	sets, err := m.loadFurther()
	if err != nil {
		return err
	}
	x, found := msgindex.Open(msgindex.Options{
		Dir: m.indexDir(), FS: m.home.cacheFS(), Log: m.store.opt.Log,
		Validity: m.validity, BootID: m.store.bootID, Now: m.store.opt.Now,
	})
	m.mu.Lock()
	m.index, m.unique, m.suspect, m.scan = x, nil, nil, scanState{}
	trusted := m.takeOver(found)
	m.mu.Unlock()

	if err := m.fill(found, trusted, sets); err != nil {
		m.mu.Lock()
		x, stamp := m.dropIndex()
		m.mu.Unlock()
		closeIndex(x, stamp)
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail // the index is let go by who set it
	}
	m.complete(x)
	return nil
}

// complete has the index used. With scanMu and mu held.
func (m *Mailbox) complete(x *msgindex.Index) {
	snap := x.Snapshot()
	if m.given.recent == 0 {
		m.given.recent = firstNew(snap, m.given.next)
	}
	m.home.usageMu.Lock()
	m.home.setUsage(m, Usage{Octets: snap.Octets(), Messages: snap.Len()})
	m.home.usageMu.Unlock()
	m.touchUsed()
	m.live.Store(x)
	m.store.loaded.Note(m, true)
}

// openAnew removes the index and makes it again out of the files.
func (m *Mailbox) openAnew() error {
	m.scanMu.Lock()
	defer m.scanMu.Unlock()
	m.mu.Lock()
	if m.fail != nil {
		defer m.mu.Unlock()
		return m.fail
	}
	x, _ := m.dropIndex()
	m.mu.Unlock()
	if x != nil {
		x.Drop()
	}
	m.closeText(false)
	if err := os.RemoveAll(m.indexDir()); err != nil {
		return err
	}
	m.text.reached.Store(0)
	err := m.open()
	m.news.Publish()
	return err
}

// indexDir is the directory of the caches. It is named after the UIDVALIDITY, so
// that it stays when the folder is renamed.
func (m *Mailbox) indexDir() string {
	return filepath.Join(m.home.indexDir(), strconv.FormatUint(uint64(m.validity), 36))
}

// takeOver tells whether an index can be trusted: it was closed, or the process
// that wrote it was killed, and it doesn't know of numbers that facteur-state does
// not. With mu held.
func (m *Mailbox) takeOver(found msgindex.Found) bool {
	g := &m.given
	known := found.UIDNext <= max(g.ceiling, g.next) && found.HighestModSeq <= max(g.reserve, g.modSeq)
	if found.Empty || !known || !found.Clean && !found.SameBoot {
		return false
	}
	g.recent = max(g.recent, m.index.Snapshot().Recent())
	return true
}

// fill makes the index say what lies on disk. With scanMu held.
func (m *Mailbox) fill(found msgindex.Found, trusted bool, sets map[UID]uint32) error {
	if !trusted {
		return m.rebuild(sets)
	}
	if err := m.fillFurther(sets); err != nil {
		return err
	}
	stamp, err := m.readStamp()
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.stamp = found.Stamp
	// A change of another program may hide behind the last one of ours.
	m.scan = scanState{ended: m.now(), loose: true}
	m.mu.Unlock()
	if found.Clean && stamp == found.Stamp {
		return nil
	}
	for range 2 { // what the first does not show, the second may tell gone
		missing, err := m.scanOnce()
		if err != nil || missing == 0 {
			return err
		}
	}
	return nil
}

// fillFurther gives records the sets of further keywords that the log tells.
func (m *Mailbox) fillFurther(sets map[UID]uint32) error {
	m.mu.Lock()
	snap, due := m.index.Snapshot(), len(sets) > 0
	m.mu.Unlock()
	for _, r := range snap.Range(0, snap.Len()) {
		due = due || r.More != 0
	}
	if !due {
		return nil
	}
	if err := m.lockScan(0); err != nil {
		return err
	}
	defer m.mu.Unlock()
	c := m.begin()
	defer c.commit()
	for i, r := range c.snap.Range(0, c.snap.Len()) {
		if r.More != 0 && sets[r.UID] != r.More {
			changed := *r
			changed.More = sets[r.UID]
			c.set(i, changed)
		}
	}
	for uid, set := range sets {
		if i, ok := c.snap.Find(uid); ok && c.snap.At(i).More == 0 {
			changed := *c.snap.At(i)
			changed.More = set
			c.set(i, changed)
		}
	}
	return nil
}

// lockScan locks mu with n UIDs and modSeqs MODSEQs free to give, for who holds
// scanMu. On error it is not locked.
func (m *Mailbox) lockScan(n int) error {
	for {
		m.mu.Lock()
		if m.fail != nil || m.index == nil {
			defer m.mu.Unlock()
			if m.fail != nil {
				return m.fail
			}
			return errGone
		}
		if m.free(n) {
			return nil
		}
		r := m.reserve(n)
		m.mu.Unlock()
		<-r.done
		if r.err != nil {
			return r.err
		}
	}
}

// putEntry caches a file name and a summary. Without an entry the name is looked
// up in the directory when it is needed.
func (m *Mailbox) putEntry(x *msgindex.Index, uid UID, name string, summary []byte) msgindex.Ref {
	ref, err := x.PutEntry(uid, name, summary)
	if err != nil {
		m.store.opt.Log.Debug("mailbox.cache", "folder", m.Name(), "err", err)
		return 0
	}
	return ref
}

// seconds bounds a time in seconds since 1970 to what a Record can hold.
func seconds(t int64) uint32 { return uint32(min(max(t, 1), 1<<32-1)) }

// saveDate returns the time in a file name (RFC 8514), or another one when it
// has none.
func saveDate(name string, other int64) uint32 {
	if t := nameTime(name); t > 0 && t < 1<<32 {
		return uint32(t)
	}
	return seconds(other)
}

// nameHash is Record.Unique: of all of a file name but its flags.
func nameHash(name string) uint32 {
	hash := uint32(2166136261) // FNV-1a
	for i := 0; i < len(name) && name[i] != ':'; i++ {
		hash = (hash ^ uint32(name[i])) * 16777619
	}
	return hash
}

// firstNew returns the UID of the first message that lies in new, or next: what
// counts as not told to any session when nothing else tells.
func firstNew(snap *Snapshot, next UID) UID {
	for _, r := range snap.Range(0, snap.Len()) {
		if r.Has(msgindex.InNew) {
			return r.UID
		}
	}
	return next
}

// unload lets go of an index that nobody used for a while.
func (m *Mailbox) unload(after time.Duration) {
	if !m.scanMu.TryLock() {
		return
	}
	defer m.scanMu.Unlock()
	m.mu.Lock()
	if m.live.Load() == nil || m.watches.Load() > 0 || m.readers.Load() > 0 || m.now().Sub(m.lastUse()) < after {
		m.mu.Unlock()
		return
	}
	x, stamp := m.dropIndex()
	m.mu.Unlock()
	closeIndex(x, stamp)
	m.closeText(false)
}

// dropIndex lets go of the index, which the caller closes without mu. With
// scanMu and mu held.
func (m *Mailbox) dropIndex() (*msgindex.Index, maildir.Stamp) {
	x := m.index
	m.index, m.unique, m.suspect = nil, nil, nil
	m.live.Store(nil)
	m.closeFurther()
	m.store.loaded.Note(m, false)
	return x, m.stamp
}

func closeIndex(x *msgindex.Index, stamp maildir.Stamp) {
	if x != nil {
		x.Close(stamp)
	}
}
