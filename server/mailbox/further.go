package mailbox

import (
	"slices"
	"sync"

	"facteur/server/maildir"
	"facteur/server/safefile"
)

// furtherSlack is the size in octets below which facteur-keywords is not
// written anew, however much of it counts no more.
const furtherSlack = 256 << 10

// further is the keywords that have no letter, and their log. A Record names its
// set by a number, so that it means the same in every Snapshot.
type further struct {
	mu      sync.RWMutex
	sets    map[uint32][]uint16 // by Record.More
	retired map[uint32][]uint16 // those that were of no use to the newest Snapshot, but maybe to older ones
	most    int                 // of sets, above which some retire

	// With Mailbox.mu held:
	file    safefile.File // nil: not open
	clean   bool          // the log may be appended to
	size    int64         // of the log, in octets
	limit   int64         // of size, above which the log is written anew
	changes uint64

	syncMu sync.Mutex
	synced uint64 // with syncMu held
}

// of returns the set of a number, ascending.
func (f *further) of(more uint32) []uint16 {
	if more == 0 {
		return nil
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	set, _ := f.find(more)
	return set
}

// find returns the set of a number. With mu held.
func (f *further) find(more uint32) (set []uint16, ok bool) {
	if set, ok = f.sets[more]; !ok {
		set, ok = f.retired[more]
	}
	return set, ok
}

// number returns that of a set. It is the same in every run, so that the index
// on disk keeps its meaning.
func (f *further) number(set []uint16) uint32 {
	if len(set) == 0 {
		return 0
	}
	hash := uint32(2166136261) // FNV-1a
	for _, i := range set {
		hash = (hash ^ uint32(i)) * 16777619
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for ; ; hash++ {
		if hash == 0 {
			continue
		}
		if old, taken := f.find(hash); taken && !slices.Equal(old, set) {
			continue
		}
		if f.sets == nil {
			f.sets = make(map[uint32][]uint16)
		}
		f.sets[hash] = set
		return hash
	}
}

// minSets is the number of sets up to which none retires.
const minSets = 1024

// retire forgets the sets that retired the last time, and retires those that a
// Snapshot has no use for, when there are many. So a session may know a Snapshot
// from before the last time, not one from before the last but one: of its
// messages the keywords are not all told until it is shown a newer one.
func (f *further) retire(snap *Snapshot) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.sets) <= max(minSets, f.most) {
		return
	}
	used := make(map[uint32][]uint16)
	for _, r := range snap.Range(0, snap.Len()) {
		if set, ok := f.find(r.More); ok {
			used[r.More] = set
			delete(f.sets, r.More)
		}
	}
	f.sets, f.retired, f.most = used, f.sets, 2*len(used)
}

// loadFurther reads facteur-keywords. It returns the sets of the messages that
// have any, by number. With scanMu held, when the index is not complete.
func (m *Mailbox) loadFurther() (map[UID]uint32, error) {
	m.fileMu.Lock()
	defer m.fileMu.Unlock()
	if err := m.readKeywords(); err != nil {
		return nil, err
	}
	log, err := maildir.ReadFurther(m.at.Load().dir)
	if err != nil {
		return nil, err
	}
	m.setWords(m.words.Load().letters, log.Words, m.lettersMtime())
	m.mu.Lock()
	defer m.mu.Unlock()
	m.further.clean, m.further.size = log.Whole, log.Size
	m.further.limit = max(m.further.limit, 64<<10+32*int64(len(log.Messages)))
	sets := make(map[UID]uint32, len(log.Messages))
	for uid, set := range log.Messages {
		sets[UID(uid)] = m.further.number(set)
	}
	return sets, nil
}

// hasFurther tells whether there is a log: messages may have further keywords.
func (m *Mailbox) hasFurther() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.further.size > 0
}

// openFurther makes the log ready to be appended to. With furtherMu held, and
// not mu.
func (m *Mailbox) openFurther() error {
	m.mu.Lock()
	f := &m.further
	open, clean, dir := f.file != nil, f.clean, m.at.Load().dir
	m.mu.Unlock()
	if open && clean {
		return nil
	}
	if !clean {
		return m.compactFurther()
	}
	file, err := m.store.opt.FS.Append(dir + "/" + maildir.FurtherFile)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	f.file = file
	return nil
}

// compactFurther writes the log anew, without what counts no more. With
// furtherMu held: nobody appends meanwhile.
func (m *Mailbox) compactFurther() error {
	m.mu.Lock()
	dir, f, x := m.at.Load().dir, &m.further, m.index
	changes := f.changes
	m.mu.Unlock()
	if x == nil {
		return errGone
	}
	log := maildir.Further{Words: m.words.Load().further, Messages: make(map[uint32][]uint16)}
	snap := x.Snapshot()
	for _, r := range snap.Range(0, snap.Len()) {
		log.SetMessage(uint32(r.UID), f.of(r.More))
	}
	data := log.Format()
	path := dir + "/" + maildir.FurtherFile
	if err := safefile.WriteFile(m.store.opt.FS, path, data); err != nil {
		return err
	}
	file, err := m.store.opt.FS.Append(path)
	if err != nil {
		return err
	}
	f.syncMu.Lock()
	defer f.syncMu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	f.synced = max(f.synced, changes)
	if f.file != nil {
		f.file.Close()
	}
	f.file, f.clean, f.size, f.limit = file, true, int64(len(data)), 4*int64(len(data))
	return nil
}

// appendFurther appends lines to the log. With furtherMu held, and not mu.
func (m *Mailbox) appendFurther(lines []byte) error {
	if err := m.openFurther(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.writeFurther(lines)
}

// writeFurther appends lines to the open log. With mu held.
func (m *Mailbox) writeFurther(lines []byte) error {
	f := &m.further
	if m.fail != nil {
		return m.fail
	}
	f.changes++
	n, err := f.file.Write(lines)
	f.size += int64(n)
	if err != nil {
		f.clean = false // written anew before the next line
	}
	return err
}

// syncFurther returns when what was appended is durable. One sync serves all
// that wait.
func (m *Mailbox) syncFurther() error {
	m.mu.Lock()
	f := &m.further
	file, changes := f.file, f.changes
	m.mu.Unlock()
	f.syncMu.Lock()
	defer f.syncMu.Unlock()
	if changes <= f.synced || file == nil {
		return nil
	}
	m.mu.Lock()
	file, changes = f.file, f.changes
	m.mu.Unlock()
	if file == nil {
		return nil
	}
	if err := file.Sync(); err != nil {
		return err
	}
	f.synced = changes
	return nil
}

// tidyFurther lets old sets go, and writes the log anew when it has grown long.
// With furtherMu held, and not mu.
func (m *Mailbox) tidyFurther() {
	m.mu.Lock()
	f := &m.further
	due := f.size > furtherSlack && f.size > f.limit
	if m.index != nil {
		f.retire(m.index.Snapshot())
	}
	m.mu.Unlock()
	if !due {
		return
	}
	if err := m.compactFurther(); err != nil {
		m.store.opt.Log.Warn("mailbox.keywords", "folder", m.Name(), "err", err)
	}
}

// closeFurther lets the log go. With mu held.
func (m *Mailbox) closeFurther() {
	if f := &m.further; f.file != nil {
		f.file.Close()
		f.file = nil
	}
}

// mergeFurther returns the further keywords after an operation.
func mergeFurther(old []uint16, op FlagOp, given []uint16) []uint16 {
	switch {
	case op == Set:
		return given
	case len(given) == 0:
		return old
	}
	var set []uint16
	for _, i := range old {
		if _, named := slices.BinarySearch(given, i); !named {
			set = append(set, i)
		}
	}
	if op == AddFlags {
		set = append(set, given...)
		slices.Sort(set)
	}
	return set
}
