package mailbox

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"facteur/server/fault"
	"facteur/server/maildir"
	"facteur/server/msgindex"
	"facteur/server/safefile"
)

// Copy copies messages to dst, of this or another home, with their flags and
// internal dates. The files are linked. UIDs that are gone are left out. It is
// durable when it returns, and on error nothing was copied. may tells which flags
// and keywords may be set in dst (RFC 4314 4: others are left out), nil: all.
// Quotas are the caller's business.
func (m *Mailbox) Copy(uids []UID, dst *Mailbox, may func(flag string) bool) ([]Pair, error) {
	t := transfer{src: m, dst: dst, may: may}
	err := t.run(uids)
	if err != nil {
		t.undo()
		return nil, err
	}
	return t.pairs, nil
}

// Move moves messages to dst, of this or another home, each of them at once.
// UIDs that are gone are left out. It is durable when it returns; on error the
// pairs tell which messages were moved nevertheless. may is that of Copy.
func (m *Mailbox) Move(uids []UID, dst *Mailbox, may func(flag string) bool) ([]Pair, error) {
	t := transfer{src: m, dst: dst, move: true, may: may}
	err := t.run(uids)
	return t.pairs, err
}

// transfer is a Copy or Move that runs.
type transfer struct {
	src, dst *Mailbox
	move     bool
	may      func(flag string) bool // nil: all
	system   maildir.Flags          // those of system that may be set
	flags    map[flagKey]flagSet    // of src to those of dst
	pairs    []Pair
}

// flagKey is the flags and keywords of a Record.
type flagKey struct {
	flags maildir.Flags
	more  uint32
}

func (t *transfer) run(uids []UID) error {
	uids = sorted(uids)
	if err := t.mapFlags(uids); err != nil {
		return err
	}
	err := t.transferAll(uids)
	// dst first: a message that is moved must not be in neither.
	if serr := t.dst.Sync(); err == nil {
		err = serr
	}
	if t.move {
		if serr := t.src.Sync(); err == nil {
			err = serr
		}
	}
	slices.SortFunc(t.pairs, func(a, b Pair) int { return cmp.Compare(a.Dst, b.Dst) })
	return err
}

// mapFlags finds what the keywords of src are in dst. Those for which dst has
// no room left are not copied (RFC 9051 6.4.7: SHOULD).
func (t *transfer) mapFlags(uids []UID) error {
	snap, err := t.src.Snapshot()
	if err != nil {
		return err
	}
	t.system = system
	for _, f := range systemFlags {
		if t.may != nil && !t.may(f.name) {
			t.system &^= f.flag
		}
	}
	names := make(map[flagKey][]string)
	for _, uid := range uids {
		if i, ok := snap.Find(uid); ok {
			r := snap.At(i)
			key := flagKey{r.Flags, r.More}
			if _, known := names[key]; !known {
				names[key] = t.settable(t.src.Flags(r))
			}
		}
	}
	t.dst.furtherMu.Lock()
	defer t.dst.furtherMu.Unlock()
	t.flags = make(map[flagKey]flagSet)
	for from, words := range names {
		to, err := t.dst.parseFlags(words, true)
		if fault.Is(err, fault.NotPossible) {
			to, err = t.dst.parseFlags(words, false)
		}
		if err != nil {
			return err
		}
		t.flags[from] = to
	}
	return nil
}

// settable returns those of the flags that may be set.
func (t *transfer) settable(flags []string) []string {
	if t.may == nil {
		return flags
	}
	return slices.DeleteFunc(slices.Clone(flags), func(f string) bool { return !t.may(f) })
}

// further tells whether a message gets keywords that have no letter.
func (t *transfer) further() bool {
	for _, set := range t.flags {
		if len(set.further) > 0 {
			return true
		}
	}
	return false
}

// transferAll goes through the messages, and again through those whose file
// was not where it should be.
func (t *transfer) transferAll(uids []UID) error {
	for range attempts {
		var lost []UID
		for chunk := range slices.Chunk(uids, chunkSize) {
			gone, err := t.transferChunk(chunk)
			if err != nil {
				return safefile.Fault(err)
			}
			lost = append(lost, gone...)
		}
		if len(lost) == 0 {
			return nil
		}
		if err := t.src.findNames(lost); err != nil {
			return safefile.Fault(err)
		}
		uids = lost
	}
	return errBusy
}

func (t *transfer) transferChunk(uids []UID) (lost []UID, err error) {
	if t.further() {
		t.dst.furtherMu.Lock()
		defer t.dst.furtherMu.Unlock()
		defer t.dst.tidyFurther()
		if err := t.dst.openFurther(); err != nil {
			return nil, err
		}
	}
	unlock, err := t.lock(len(uids))
	if err != nil {
		return nil, err
	}
	defer unlock()
	src := t.src.begin()
	dst := src
	if t.dst != t.src {
		dst = t.dst.begin()
	}
	var moved []int
	for _, uid := range uids {
		i, ok := src.snap.Find(uid)
		if !ok {
			continue
		}
		err = t.transferOne(src, dst, src.snap.At(i))
		if notThere(err) {
			lost, err = src.lose(lost, i), nil
			continue
		}
		if err != nil {
			break
		}
		if t.move {
			src.soil(src.snap.At(i).Has(msgindex.InNew))
			moved = append(moved, i)
		}
	}
	// dst first: a message that is moved is never in neither index.
	if dst != src {
		dst.commit()
	}
	src.remove(moved...)
	src.commit()
	return lost, err
}

// lock locks both mailboxes, src with its index and dst with n UIDs.
func (t *transfer) lock(n int) (unlock func(), err error) {
	if t.src == t.dst {
		return t.src.mu.Unlock, t.src.lockWrite(n)
	}
	for {
		// What is needed is made sure one by one, and may be gone when both are locked.
		if err := t.src.lockWrite(0); err != nil {
			return nil, err
		}
		t.src.mu.Unlock()
		if err := t.dst.lockWrite(n); err != nil {
			return nil, err
		}
		t.dst.mu.Unlock()
		first, second := t.src, t.dst
		if first.id > second.id {
			first, second = second, first
		}
		first.mu.Lock()
		second.mu.Lock()
		unlock = func() { second.mu.Unlock(); first.mu.Unlock() }
		if t.src.ready(0) && t.dst.ready(n) {
			return unlock, nil
		}
		unlock()
	}
}

// ready tells whether all is there that lockWrite makes sure of. With mu held.
func (m *Mailbox) ready(n int) bool { return m.fail == nil && m.live.Load() != nil && m.free(n) }

// transferOne links or renames one file, with both locked.
func (t *transfer) transferOne(src, dst *change, r *Record) error {
	file, ok := src.fileName(r)
	if !ok {
		return errNoName
	}
	m := t.dst
	name := maildir.ParseName(file)
	set, ok := t.flags[flagKey{r.Flags, r.More}]
	if !ok {
		set = flagSet{flags: r.Flags & t.system} // changed since mapFlags
	}
	uid := m.given.next
	name.Unique, name.Other = m.store.newUnique(), ""
	name.Validity, name.UID, name.Flags, name.Served = m.validity, uint32(uid), set.flags, r.Size()
	inNew := set.flags == 0
	to := name.Format(sub(inNew))
	n := Record{UID: uid, Flags: set.flags, InternalDate: r.InternalDate, SaveDate: seconds(nameTime(to)), Unique: nameHash(to)}
	n.SetSize(r.Size())
	n.SetMarks(fileMarks(inNew))
	if len(set.further) > 0 {
		if err := m.writeFurther(maildir.AppendMessage(nil, uint32(uid), set.further)); err != nil {
			return err
		}
		m.given.next++ // whatever happens now, the line is about this message only
		n.More = m.further.number(set.further)
	}
	wasNew := r.Has(msgindex.InNew)
	move := src.dir(wasNew).Link
	if t.move {
		move = src.dir(wasNew).RenameNoReplace
	}
	err := move(file, dst.dir(inNew), to)
	if errors.Is(err, unix.EMLINK) { // it has too many links
		err = copyFile(m.store, src.at.path(wasNew, file), dst.at.path(inNew, to))
	}
	if err != nil {
		return err
	}
	dst.soil(inNew)
	_, summary, _ := src.entries.Entry(r)
	n.Entry = m.putEntry(m.index, uid, to, summary)
	t.pairs = append(t.pairs, Pair{Src: r.UID, Dst: uid})
	dst.add(n)
	return nil
}

func copyFile(s *Store, from, to string) error {
	d, err := s.Draft()
	if err != nil {
		return err
	}
	defer d.Discard()
	f, err := maildir.OpenFile(from)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := d.ReadFrom(f); err != nil {
		return err
	}
	mtime, err := maildir.Mtime(from)
	if err != nil {
		return err
	}
	if err := d.SetTime(time.Unix(0, mtime)); err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		return err
	}
	return d.Move(to)
}

// undo removes what a Copy that failed has made.
func (t *transfer) undo() {
	var made []UID
	for _, p := range t.pairs {
		made = append(made, p.Dst)
	}
	if len(made) == 0 {
		return
	}
	if _, err := t.dst.expunge(made, ""); err != nil {
		t.dst.store.opt.Log.Warn("mailbox.copy", "folder", t.dst.Name(), "err", err)
	}
}
