package mailbox

import (
	"errors"
	"io/fs"
	"slices"

	"facteur/server/fault"
	"facteur/server/maildir"
	"facteur/server/msgindex"
	"facteur/server/safefile"
)

// SetFlags changes flags, durably when it returns. modified are the messages
// that were left as they are for UnchangedSince, ascending (RFC 7162 3.1.3). UIDs
// that are gone are passed over. Each message that changes gets a new MODSEQ;
// one that has the flags already keeps its own.
func (m *Mailbox) SetFlags(opt StoreOptions) (modified []UID, err error) {
	f := flagging{m: m, StoreOptions: opt}
	err = f.run()
	if serr := m.Sync(); err == nil {
		err = serr
	}
	slices.Sort(f.modified)
	return f.modified, err
}

// flagging is a SetFlags that runs.
type flagging struct {
	StoreOptions
	m        *Mailbox
	set      flagSet
	modified []UID
}

func (f *flagging) run() (err error) {
	m := f.m
	m.furtherMu.Lock()
	defer m.furtherMu.Unlock()
	if f.set, err = m.parseFlags(f.Flags, f.Op != RemoveFlags); err != nil {
		return err
	}
	if len(f.set.further) > 0 || f.Op == Set && m.hasFurther() {
		if err := m.openFurther(); err != nil {
			return safefile.Fault(err)
		}
		defer m.tidyFurther()
	}
	return m.eachChunk(sorted(f.UIDs), f.chunk)
}

func (f *flagging) chunk(c *change, uids []UID) (lost []UID, err error) {
	w := f.m.words.Load()
	var log []byte
	more := make(map[int]uint32) // places whose further keywords change
	for _, uid := range uids {
		i, ok := c.snap.Find(uid)
		if !ok {
			continue
		}
		r := c.snap.At(i)
		if f.Conditional && r.ModSeq > f.UnchangedSince {
			f.modified = append(f.modified, uid)
			continue
		}
		old := f.m.further.of(r.More)
		if set := mergeFurther(old, f.Op, f.set.further); !slices.Equal(set, old) {
			more[i] = f.m.further.number(set)
			log = maildir.AppendMessage(log, uint32(uid), set)
		}
	}
	if log != nil {
		if err := f.m.writeFurther(log); err != nil {
			return nil, err
		}
	}
	for _, uid := range uids {
		i, ok := c.snap.Find(uid)
		if !ok || f.Conditional && c.snap.At(i).ModSeq > f.UnchangedSince {
			continue
		}
		changed := *c.snap.At(i)
		changed.Flags = f.apply(changed.Flags, w.known())
		if number, ok := more[i]; ok {
			changed.More = number
		}
		err := c.setFlags(i, changed)
		if notThere(err) {
			lost = c.lose(lost, i)
		} else if err != nil {
			return lost, err
		}
	}
	return lost, nil
}

// apply returns the flags after the operation. A letter without a name, which
// no client can know of, stays.
func (f *flagging) apply(old, known maildir.Flags) maildir.Flags {
	switch f.Op {
	case AddFlags:
		return old | f.set.flags
	case RemoveFlags:
		return old &^ f.set.flags
	}
	return old&^known | f.set.flags
}

// attempts is how often something is tried while another program renames files.
const attempts = 4

// errBusy tells that it was tried in vain.
var errBusy = fault.New(fault.Unavailable, "Another program is at work in the mailbox, try again later")

// eachChunk calls f for the UIDs, a chunk at a time, as one change each. f
// returns the UIDs whose file was not where it should be; it is called again
// with those, after a scan.
func (m *Mailbox) eachChunk(uids []UID, f func(c *change, chunk []UID) (lost []UID, err error)) error {
	for range attempts {
		var lost []UID
		for chunk := range slices.Chunk(uids, chunkSize) {
			if err := m.lockWrite(0); err != nil {
				return err
			}
			c := m.begin()
			gone, err := f(c, chunk)
			c.commit()
			m.mu.Unlock()
			if err != nil {
				return safefile.Fault(err)
			}
			lost = append(lost, gone...)
		}
		if len(lost) == 0 {
			return nil
		}
		if err := m.findNames(lost); err != nil {
			return safefile.Fault(err)
		}
		uids = lost
	}
	return errBusy
}

// errNoName tells that the cache has no file name of a message.
var errNoName = errors.New("the name of the file is not known")

// notThere tells whether a file is to be looked for.
func notThere(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoName) }

// findNames has a scan look for the files of messages; when the cache lost the
// name of one, for those of all that it lost.
func (m *Mailbox) findNames(lost []UID) error {
	e := m.newEntries()
	defer e.Close()
	if e.err != nil {
		return e.err
	}
	snap := e.index.Snapshot()
	for _, uid := range lost {
		if i, ok := snap.Find(uid); ok {
			if _, known := fileName(e.entries, snap.At(i)); !known {
				return m.find(e.unreadable())
			}
		}
	}
	return m.find(lost)
}

// setFlags gives a message other flags or keywords.
func (c *change) setFlags(i int, changed Record) error {
	old := c.snap.At(i)
	if changed.Flags == old.Flags && changed.More == old.More {
		return nil
	}
	if changed.Flags != old.Flags {
		if err := c.rename(old, &changed); err != nil {
			return err
		}
	}
	c.set(i, changed)
	return nil
}

// rename gives the file of a message the name in cur for its new flags.
func (c *change) rename(old, changed *Record) error {
	name, ok := c.fileName(old)
	if !ok {
		return errNoName
	}
	to := maildir.WithFlags(name, changed.Flags)
	inNew := old.Has(msgindex.InNew)
	if err := c.dir(inNew).RenameNoReplace(name, c.dir(false), to); err != nil {
		return err
	}
	changed.SetMarks(old.Marks() &^ (msgindex.InNew | msgindex.Exact))
	c.soil(false)
	if inNew {
		c.soil(true)
	}
	return nil
}
