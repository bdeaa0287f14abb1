package mailbox

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"facteur/server/fault"
	"facteur/server/maildir"
	"facteur/server/safefile"
)

// Copy copies messages to dst, of this or another home, with their flags and
// internal dates. The files are linked. UIDs that are gone are left out. It is
// durable when it returns, and on error nothing was copied. Quotas are the
// caller's business.
func (m *Mailbox) Copy(by *View, uids []UID, dst *Mailbox) ([]Pair, error) {
	t := transfer{src: m, dst: dst, by: by}
	err := t.run(uids)
	if err != nil {
		t.undo()
		return nil, err
	}
	return t.pairs, nil
}

// Move moves messages to dst, of this or another home, each of them at once.
// UIDs that are gone are left out. It is durable when it returns; on error the
// pairs tell which messages were moved nevertheless.
func (m *Mailbox) Move(by *View, uids []UID, dst *Mailbox) ([]Pair, error) {
	t := transfer{src: m, dst: dst, by: by, move: true}
	err := t.run(uids)
	return t.pairs, err
}

// transfer is a Copy or Move that runs.
type transfer struct {
	src, dst *Mailbox
	by       *View
	move     bool
	flags    map[maildir.Flags]maildir.Flags // of src to those of dst
	pairs    []Pair
}

func (t *transfer) run(uids []UID) error {
	uids = slices.Compact(slices.Sorted(slices.Values(uids)))
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

// mapFlags finds the letters that the keywords of src have in dst. Those for
// which dst has no letter left are not copied (RFC 9051 6.4.7: SHOULD).
func (t *transfer) mapFlags(uids []UID) error {
	if err := t.src.lockList(); err != nil {
		return err
	}
	names := make(map[maildir.Flags][]string)
	for _, uid := range uids {
		if i, ok := t.src.list.find(uid); ok {
			flags := t.src.list.recs[i].flags
			names[flags] = t.src.flagNames(flags)
		}
	}
	t.src.mu.Unlock()
	t.flags = make(map[maildir.Flags]maildir.Flags)
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

// transferAll goes through the messages, and again through those whose file
// was not where it should be.
func (t *transfer) transferAll(uids []UID) error {
	for range attempts {
		var lost []UID
		for chunk := range slices.Chunk(uids, chunkSize) {
			gone, err := t.transferChunk(chunk)
			if err != nil {
				return diskFault(err)
			}
			lost = append(lost, gone...)
		}
		if len(lost) == 0 {
			return nil
		}
		if err := t.src.rescan(); err != nil {
			return diskFault(err)
		}
		uids = lost
	}
	return errBusy
}

func (t *transfer) transferChunk(uids []UID) (lost []UID, err error) {
	unlock, err := t.lock(len(uids))
	if err != nil {
		return nil, err
	}
	defer unlock()
	src, dst := t.src, t.dst
	before, dstBefore := src.stampNow(), dst.stampNow()
	var moved []int
	for _, uid := range uids {
		i, ok := src.list.find(uid)
		if !ok {
			continue
		}
		err = t.transferOne(&src.list.recs[i])
		if errors.Is(err, fs.ErrNotExist) {
			lost, err = src.lose(lost, i), nil
			continue
		}
		if err != nil {
			break
		}
		if t.move {
			src.soil(src.list.recs[i].inNew)
			moved = append(moved, i)
		}
	}
	src.forgetRecords(moved, t.by)
	src.stampOwn(before)
	src.wake()
	if dst != src {
		dst.stampOwn(dstBefore)
		dst.wake()
	}
	return lost, err
}

// lock locks both mailboxes, src with its list and dst with n UIDs.
func (t *transfer) lock(n int) (unlock func(), err error) {
	if t.src == t.dst {
		return t.src.mu.Unlock, t.src.lockListUIDs(n)
	}
	for {
		// What is needed is made sure one by one, and may be gone when both are locked.
		if err := t.src.lockList(); err != nil {
			return nil, err
		}
		t.src.mu.Unlock()
		if err := t.dst.lockUIDs(n); err != nil {
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
		if t.src.fail == nil && t.dst.fail == nil && t.src.complete && t.dst.uidsFree(n) {
			return unlock, nil
		}
		unlock()
	}
}

// transferOne links or renames one file, with both locked.
func (t *transfer) transferOne(r *record) error {
	dst := t.dst
	name := maildir.ParseName(r.name)
	flags, ok := t.flags[r.flags]
	if !ok {
		flags = r.flags & system // changed since mapFlags
	}
	name.Unique, name.Other = dst.store.newUnique(), ""
	name.Validity, name.UID, name.Flags, name.Served = dst.validity, uint32(dst.next), flags, r.size
	n := record{uid: dst.next, flags: flags, size: r.size, date: r.date, recent: flags == 0}
	n.inNew = n.recent && !dst.selected()
	n.name = name.Format(sub(n.inNew))
	from, to := t.src.path(r.inNew, r.name), dst.path(n.inNew, n.name)
	var err error
	if t.move {
		err = dst.store.opt.FS.RenameNoReplace(from, to)
	} else {
		err = linkOrCopy(dst.store, from, to)
	}
	if err != nil {
		return err
	}
	t.pairs = append(t.pairs, Pair{Src: r.uid, Dst: n.uid})
	dst.arrived(n, t.by)
	return nil
}

// linkOrCopy links a file, or copies it when it has too many links.
func linkOrCopy(s *Store, from, to string) error {
	err := s.opt.FS.Link(from, to)
	if !errors.Is(err, unix.EMLINK) {
		return err
	}
	d, err := s.Draft()
	if err != nil {
		return err
	}
	defer d.Discard()
	return copyFile(d, from, to)
}

func copyFile(d *safefile.Draft, from, to string) error {
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
	if _, err := t.dst.Expunge(nil, made); err != nil {
		t.dst.store.opt.Log.Warn("mailbox.copy", "folder", t.dst.Name(), "err", err)
	}
}
