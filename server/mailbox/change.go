package mailbox

import (
	"slices"

	"facteur/server/maildir"
	"facteur/server/msgindex"
	"facteur/server/safefile"
)

// chunkSize is the number of messages that are changed in one go, with the
// mailbox locked and under one MODSEQ.
const chunkSize = 128

// unknownStamp is none that directories have: it leads to a scan.
var unknownStamp = maildir.Stamp{New: -1, Cur: -1}

// change is a change of a mailbox that is being made, from begin to commit with
// mu held. Places are those of snap.
type change struct {
	m       *Mailbox
	at      *place
	snap    *Snapshot
	batch   *msgindex.Batch
	entries *msgindex.Entries // nil: not needed yet
	before  maildir.Stamp
	modSeq  ModSeq           // of what it changes
	made    bool             // there is something to log
	told    bool             // and something that clients must be told
	files   bool             // a directory was changed
	dirs    [2]*safefile.Dir // new and cur, nil: not needed yet
	count   Usage            // what it adds
}

// begin begins a change. With mu held, the index read, and a MODSEQ free.
func (m *Mailbox) begin() *change {
	return &change{
		m: m, at: m.at.Load(), snap: m.index.Snapshot(), batch: m.index.Begin(),
		before: m.stampNow(), modSeq: m.given.modSeq + 1,
	}
}

// fileName returns the name that the file of a message has, as far as is known.
func (c *change) fileName(r *Record) (string, bool) {
	if c.entries == nil {
		c.entries = c.m.index.Entries()
	}
	return fileName(c.entries, r)
}

// fileName returns the name that the file of a message has, as far as is known.
func fileName(entries *msgindex.Entries, r *Record) (string, bool) {
	name, _, ok := entries.Entry(r)
	switch {
	case !ok:
		return "", false
	case r.Has(msgindex.Exact):
		return string(name), true
	}
	return maildir.WithFlags(string(name), r.Flags), true
}

// dir returns new or cur, for many renames within it.
func (c *change) dir(inNew bool) *safefile.Dir {
	i, path := dirtyCur, c.at.curDir
	if inNew {
		i, path = dirtyNew, c.at.newDir
	}
	if c.dirs[i] == nil {
		c.dirs[i] = safefile.OpenDir(c.m.store.opt.FS, path)
	}
	return c.dirs[i]
}

// soil notes that new or cur was changed.
func (c *change) soil(inNew bool) {
	i := dirtyCur
	if inNew {
		i = dirtyNew
	}
	c.m.dirty[i].changes++
	c.files = true
}

// add appends a message, whose UID is m.given.next.
func (c *change) add(r Record) {
	r.ModSeq = c.modSeq
	c.m.given.next = r.UID + 1
	c.m.touch(r.UID)
	c.batch.Append(r)
	c.made, c.told = true, true
	c.count.Messages++
	c.count.Octets += r.Size()
}

// set replaces a message by itself with other flags or keywords.
func (c *change) set(i int, r Record) {
	r.ModSeq = c.modSeq
	c.keep(i, r)
	c.told = true
}

// keep replaces a message by one that is the same to clients.
func (c *change) keep(i int, r Record) {
	c.count.Octets += r.Size() - c.snap.At(i).Size()
	c.m.touch(r.UID)
	c.batch.Change(i, r)
	c.made = true
}

// remove takes messages out.
func (c *change) remove(places ...int) {
	for _, i := range places {
		r := c.snap.At(i)
		c.m.touch(r.UID)
		c.batch.Remove(i)
		c.count.Messages--
		c.count.Octets -= r.Size()
		delete(c.m.suspect, r.UID)
	}
	c.made, c.told = c.made || len(places) > 0, c.told || len(places) > 0
	c.m.removed += len(places)
}

// commit logs the change and publishes it.
func (c *change) commit() {
	m := c.m
	if c.entries != nil {
		c.entries.Close()
	}
	for _, d := range c.dirs {
		if d != nil {
			d.Close()
		}
	}
	if c.files {
		m.stampOwn(c.before)
	}
	if !c.made {
		return
	}
	commit := msgindex.Commit{UIDNext: m.given.next, Recent: m.given.recent, Stamp: m.stamp}
	if c.told {
		m.given.modSeq = c.modSeq
		commit.ModSeq = c.modSeq
	}
	c.batch.Commit(commit)
	if c.count != (Usage{}) {
		m.count(c.count)
	}
	if c.told {
		m.store.busy()
		m.quiet()
		m.news.Publish()
	}
}

// touch keeps a scan that runs from having a say on a message. With mu held.
func (m *Mailbox) touch(uid UID) {
	if m.touched != nil {
		m.touched[uid] = true
	}
}

// lose adds a message whose file was not there to those to look for, unless
// the last scan did not find it either.
func (c *change) lose(lost []UID, i int) []UID {
	r := c.snap.At(i)
	if r.Has(msgindex.Missing) {
		return lost
	}
	return append(lost, r.UID)
}

// suspectName has the next scan put the name of a file into the cache anew. With
// mu held.
func (m *Mailbox) suspectName(uid UID) {
	if m.suspect == nil {
		m.suspect = make(map[UID]bool)
	}
	m.suspect[uid] = true
	m.stamp = unknownStamp // another program renamed or removed it
}

// sorted returns UIDs in order, each once.
func sorted(uids []UID) []UID {
	return slices.Compact(slices.Sorted(slices.Values(uids)))
}
