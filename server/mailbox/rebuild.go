package mailbox

import (
	"time"

	"facteur/server/maildir"
	"facteur/server/msgindex"
)

// rebuild makes the index from the directories, with what the old one knows of
// files that are the same. All messages get a MODSEQ above every one that was
// told. With scanMu held.
func (m *Mailbox) rebuild(sets map[UID]uint32) error {
	began := time.Now()
	stamp, err := m.readStamp()
	if err != nil {
		return err
	}
	own, strays, err := m.readWhole()
	if err != nil {
		return err
	}
	m.mu.Lock()
	next, snap := m.given.next, m.index.Snapshot()
	m.mu.Unlock()
	b := rebuilder{m: m, at: m.at.Load(), old: snap, entries: m.index.Entries(), sets: sets, strays: strays}
	for group := range groups(own) {
		if group[0].uid >= next { // not by us
			b.strays, _ = m.sortRest(found{}, group, b.strays, nil)
			continue
		}
		b.message(group)
	}
	b.entries.Close()
	modSeq, err := b.lock()
	if err != nil {
		return err
	}
	for i := range b.recs {
		b.recs[i].ModSeq = modSeq
	}
	m.given.modSeq, m.stamp = modSeq, stamp
	batch := m.index.Begin()
	batch.Reset(b.recs)
	batch.Commit(msgindex.Commit{ModSeq: modSeq, UIDNext: m.given.next, Recent: m.given.recent, Stamp: stamp})
	m.scanned(began)
	m.scan.young, m.scan.loose = true, true
	m.mu.Unlock()
	m.settleStrays(b.strays, b.twins)
	return nil
}

// rebuilder makes the records of a mailbox from its files.
type rebuilder struct {
	m       *Mailbox
	at      *place
	old     *Snapshot
	entries *msgindex.Entries
	sets    map[UID]uint32
	recs    []Record
	strays  []stray
	twins   []twin
}

// lock locks mu and returns the MODSEQ for all messages. Without any, HIGHESTMODSEQ
// stays what it may have been at most.
func (b *rebuilder) lock() (ModSeq, error) {
	if len(b.recs) > 0 {
		if err := b.m.lockScan(0); err != nil {
			return 0, err
		}
		return b.m.given.modSeq + 1, nil
	}
	b.m.mu.Lock()
	if b.m.fail != nil {
		defer b.m.mu.Unlock()
		return 0, b.m.fail
	}
	return b.m.given.modSeq, nil
}

// message takes in the files of one UID.
func (b *rebuilder) message(group []found) {
	best, rest := choose(group, "", "")
	r, ok := b.record(best)
	if !ok {
		return
	}
	b.recs = append(b.recs, r)
	b.strays, b.twins = b.m.sortRest(best, rest, b.strays, b.twins)
}

func (b *rebuilder) record(f found) (Record, bool) {
	if i, ok := b.old.Find(f.uid); ok {
		r := *b.old.At(i)
		if name, ok := fileName(b.entries, &r); ok && name == f.name && r.Has(msgindex.InNew) == f.inNew && r.Flags == f.flags {
			r.SetMarks(r.Marks() &^ msgindex.Missing)
			r.More = b.sets[f.uid]
			return r, true
		}
	}
	path := b.at.path(f.inNew, f.name)
	if f.size == maildir.Unknown {
		var err error
		if _, f.size, err = servedSize(path); err != nil {
			return Record{}, false // gone meanwhile
		}
	}
	date := nameTime(f.name) // for a file that has another name by now
	if mtime, err := maildir.Mtime(path); err == nil {
		date = mtime / int64(time.Second)
	}
	r := b.m.newRecord(f.uid, f.name, f.inNew, f.size, date)
	r.Flags, r.More = f.flags, b.sets[f.uid]
	return r, true
}

// newRecord describes a file whose name is put into the cache without a summary.
func (m *Mailbox) newRecord(uid UID, name string, inNew bool, size, date int64) Record {
	r := Record{UID: uid, Flags: maildir.FlagsOf(name), InternalDate: seconds(date), SaveDate: saveDate(name, date), Unique: nameHash(name)}
	r.SetSize(size)
	marks := msgindex.Exact
	if inNew {
		marks |= msgindex.InNew
	}
	r.SetMarks(marks)
	r.Entry = m.putEntry(m.index, uid, name, nil)
	return r
}
