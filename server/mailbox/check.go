package mailbox

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"facteur/server/fault"
	"facteur/server/maildir"
	"facteur/server/message"
	"facteur/server/msgindex"
)

// Check compares what is in memory with what lies on disk, and with the rules:
// UIDs ascend below UIDNEXT, no MODSEQ is above HIGHESTMODSEQ and what is reserved
// on disk, no two files are one message, sizes, dates, counts and what is cached
// are right. It reads every message, while nothing else changes the mailbox.
// For tests and for the verification of a store.
func (h *Home) Check() error {
	var errs []error
	for _, m := range h.mailboxes() {
		if err := m.check(func(int, int) {}); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m.Name(), err))
		}
	}
	h.usageMu.Lock()
	defer h.usageMu.Unlock()
	var sum Usage
	for _, m := range h.mailboxes() {
		sum.Octets += m.usage.Octets
		sum.Messages += m.usage.Messages
	}
	if sum != h.usage {
		errs = append(errs, fmt.Errorf("the usage is %v, of its folders %v", h.usage, sum))
	}
	return errors.Join(errs...)
}

func (m *Mailbox) check(progress func(done, total int)) error {
	if _, err := m.Snapshot(); err != nil {
		return err
	}
	c := checker{m: m, files: make(map[string]found)}
	if err := c.names(); err != nil {
		return err
	}
	err := c.contents(progress)
	return errors.Join(append(c.errs, err)...)
}

// checker compares a mailbox with its files.
type checker struct {
	m       *Mailbox
	at      *place
	snap    *Snapshot
	entries *msgindex.Entries
	files   map[string]found // by path
	errs    []error
}

func (c *checker) failf(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

// names compares all that is known without opening messages. It holds the locks
// meanwhile, so that nothing changes.
func (c *checker) names() error {
	m := c.m
	m.scanMu.Lock()
	defer m.scanMu.Unlock()
	m.fileMu.Lock()
	defer m.fileMu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.live.Load() == nil {
		return m.fail
	}
	c.at, c.snap, c.entries = m.at.Load(), m.index.Snapshot(), m.index.Entries()
	defer c.entries.Close()
	scan, err := maildir.ReadScan(c.at.dir, c.m.now())
	if err != nil {
		return err
	}
	own, strays := c.m.sortScan(scan)
	for _, f := range own {
		c.files[c.at.path(f.inNew, f.name)] = f
	}
	for _, s := range strays {
		c.failf("%s has no UID", s.name)
	}
	if len(c.files) != c.snap.Len() {
		c.failf("%d files for %d messages", len(c.files), c.snap.Len())
	}
	last := UID(0)
	for _, r := range c.snap.Range(0, c.snap.Len()) {
		if r.UID <= last || r.UID >= c.m.given.next {
			c.failf("UID %d after %d, with UIDNEXT %d", r.UID, last, c.m.given.next)
		}
		last = r.UID
		c.record(r)
	}
	c.counts()
	c.state()
	c.further()
	return nil
}

// record compares a message with the name of its file.
func (c *checker) record(r *Record) {
	if r.ModSeq == 0 || r.ModSeq > c.snap.HighestModSeq() {
		c.failf("UID %d has MODSEQ %d, HIGHESTMODSEQ is %d", r.UID, r.ModSeq, c.snap.HighestModSeq())
	}
	name, ok := fileName(c.entries, r)
	if !ok {
		if r.Entry != 0 {
			c.failf("UID %d: its entry can't be read", r.UID)
		}
		for _, f := range c.files { // without an entry it is looked up in the directory
			if f.uid == r.UID {
				name = f.name
			}
		}
	}
	path := c.at.path(r.Has(msgindex.InNew), name)
	f, ok := c.files[path]
	if !ok || f.uid != r.UID || f.flags != r.Flags || nameHash(name) != r.Unique {
		c.failf("UID %d is %+v, its name %s, its file %+v", r.UID, *r, name, f)
		return
	}
	if r.SaveDate != saveDate(name, int64(r.InternalDate)) {
		c.failf("UID %d: its save date is %d, its name %s", r.UID, r.SaveDate, name)
	}
}

// contents opens all messages, without a lock.
func (c *checker) contents(progress func(done, total int)) error {
	e := c.m.Entries()
	defer e.Close()
	for i, r := range c.snap.Range(0, c.snap.Len()) {
		progress(i, c.snap.Len())
		var errs []error
		err := e.onFile(r.UID, func(r *Record, name, path string) error {
			var err error
			errs, err = checkFile(e, r, name, path)
			return err
		})
		if err != nil && !fault.Is(err, fault.NotFound) { // not expunged meanwhile
			return err
		}
		c.errs = append(c.errs, errs...)
	}
	progress(c.snap.Len(), c.snap.Len())
	return nil
}

// checkFile compares a message with its file and with what is cached of it.
func checkFile(e *Entries, r *Record, name, path string) (errs []error, err error) {
	failf := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	f, err := maildir.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	x, err := indexCRLF(f)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if n := maildir.ParseName(name); n.Size != info.Size() || x.size != r.Size() {
		failf("UID %d: %s has %d octets, served %d, not %d", r.UID, name, info.Size(), x.size, r.Size())
	}
	if seconds(info.ModTime().Unix()) != r.InternalDate {
		failf("UID %d: its internal date is %d, that of the file %d", r.UID, r.InternalDate, info.ModTime().Unix())
	}
	_, data, ok := e.entries.Entry(r)
	if !ok || len(data) == 0 {
		return errs, nil // not cached yet
	}
	content := &Content{file: f, size: x.size, crlf: x}
	s, err := message.Summarize(content, content.Size())
	if err != nil {
		return nil, err
	}
	if want, err := s.AppendBinary(nil); err != nil || !bytes.Equal(want, data) {
		failf("UID %d: what is cached of it is not what the message says", r.UID)
	}
	return errs, nil
}

// counts compares what is counted with the messages.
func (c *checker) counts() {
	var unseen, deleted int
	var octets int64
	for _, r := range c.snap.Range(0, c.snap.Len()) {
		octets += r.Size()
		if r.Flags&maildir.Seen == 0 {
			unseen++
		}
		if r.Flags&maildir.Trashed != 0 {
			deleted++
		}
	}
	if s := c.snap; unseen != s.Unseen() || deleted != s.Deleted() || octets != s.Octets() {
		c.failf("unseen %d, deleted %d, octets %d; really %d, %d, %d", s.Unseen(), s.Deleted(), s.Octets(), unseen, deleted, octets)
	}
	h := c.m.home
	h.usageMu.Lock()
	defer h.usageMu.Unlock()
	if u := (Usage{octets, c.snap.Len()}); c.m.counted && c.m.usage != u {
		c.failf("the usage is %v, really %v", c.m.usage, u)
	}
}

// state compares the numbers that were given with those on disk.
func (c *checker) state() {
	state, err := maildir.ReadState(c.at.dir)
	if err != nil {
		c.failf("%w", err)
		return
	}
	g := c.m.given
	if state.UIDValidity != c.m.validity || state.ID != c.m.objectID || UID(state.UIDNext) < g.ceiling || g.ceiling < g.next {
		c.failf("facteur-state is %+v; in memory %d, %+v", state, c.m.validity, g)
	}
	if c.snap.HighestModSeq() > g.modSeq || g.modSeq > max(ModSeq(state.ModSeq), 1) || ModSeq(state.ModSeq) < g.reserve {
		c.failf("HIGHESTMODSEQ %d, given %d, on disk %d", c.snap.HighestModSeq(), g.modSeq, state.ModSeq)
	}
	if c.snap.UIDNext() > g.next {
		c.failf("the index has UIDNEXT %d, the mailbox %d", c.snap.UIDNext(), g.next)
	}
}

// further compares the keywords that have no letter with their log.
func (c *checker) further() {
	log, err := maildir.ReadFurther(c.at.dir)
	if err != nil {
		c.failf("%w", err)
		return
	}
	for _, r := range c.snap.Range(0, c.snap.Len()) {
		if set := c.m.further.of(r.More); !slices.Equal(set, log.Messages[uint32(r.UID)]) {
			c.failf("UID %d has the further keywords %v, the log says %v", r.UID, set, log.Messages[uint32(r.UID)])
		}
	}
}
