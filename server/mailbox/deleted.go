package mailbox

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/maildir"
	"facteur/server/retention"
	"facteur/server/safefile"
)

// Deleted messages lie in deleted/DATE/FOLDER/FILE beside mail/: the day in UTC
// on which they were expunged, the directory of the folder as in mail/ (INBOX for
// that), and the file as it was named.
const deletedInbox = "INBOX"

// Deleted is a message that can be brought back: when it was expunged, and its octets on
// disk.
type Deleted struct {
	retention.Thing
	Folder string

	validity uint32 // UIDVALIDITY of the folder
	uid      uint32 // that it had
}

// awayDir makes the directory for messages of a folder that are expunged now, "" when they
// are not kept.
func (h *Home) awayDir(base string) (string, error) {
	if base == "." {
		base = deletedInbox
	}
	return h.bin.Today(base)
}

// deletedOn lists what was expunged on a day.
func deletedOn(day retention.Day) ([]Deleted, error) {
	folders, err := day.Dirs()
	if err != nil {
		return nil, err
	}
	var all []Deleted
	for _, base := range folders {
		if all, err = appendDeleted(all, day, base); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b Deleted) int { // the clock of the disk may stand for some ms
		return cmp.Or(cmp.Compare(a.Folder, b.Folder), cmp.Compare(a.uid, b.uid), cmp.Compare(a.Place, b.Place))
	})
	return all, nil
}

// appendDeleted adds those of one folder.
func appendDeleted(all []Deleted, day retention.Day, base string) ([]Deleted, error) {
	folder := maildir.Inbox
	if base != deletedInbox {
		var ok bool
		if folder, ok = maildir.FolderName(base); !ok {
			return all, nil
		}
	}
	dir := filepath.Join(day.Dir, base)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
			continue // gone meanwhile, or nothing of ours
		}
		// The rename set the ctime; a copy of the whole account has another, but
		// the day is in the path.
		at := time.Unix(st.Ctim.Unix())
		if end := day.Date.AddDate(0, 0, 1); at.Before(day.Date) || !at.Before(end) {
			at = day.Date
		}
		name := maildir.ParseName(e.Name())
		all = append(all, Deleted{retention.Thing{At: at, Size: st.Size, Place: path}, folder, name.Validity, name.UID})
	}
	return all, nil
}

// Deleted lists what can be brought back, oldest first.
func (s *Store) Deleted(a address.Address) ([]Deleted, error) {
	h, err := s.Home(a)
	if err != nil {
		return nil, err
	}
	all, err := h.bin.List()
	return all, safefile.Fault(err)
}

// Undelete brings back what was expunged at since or later, of one folder or of
// all (""), into the folders that it came from, and returns how many. A folder
// that is gone is made again. The messages have their flags but for \Deleted, and
// the keywords that have a letter when the folder is still the same.
func (s *Store) Undelete(a address.Address, since time.Time, folder string) (count int, err error) {
	h, err := s.Home(a)
	if err != nil {
		return 0, err
	}
	if folder != "" {
		if folder, err = maildir.CanonicalFolder(folder); err != nil {
			return 0, err
		}
	}
	err = h.bin.Use(func(all []Deleted) error {
		groups := make(map[string][]Deleted)
		for _, d := range all {
			if !d.At.Before(since) && (folder == "" || d.Folder == folder) {
				groups[d.Folder] = append(groups[d.Folder], d)
			}
		}
		for _, name := range sortedKeys(groups) {
			n, err := h.undelete(name, groups[name])
			count += n
			if err != nil {
				return err
			}
		}
		return nil
	})
	return count, safefile.Fault(err)
}

// undelete brings messages back into a folder, while the bin is in use.
func (h *Home) undelete(folder string, messages []Deleted) (int, error) {
	m, err := h.Mailbox(folder)
	if fault.Is(err, fault.NotFound) {
		if err = h.Create(folder, ""); err == nil || fault.Is(err, fault.Exists) {
			m, err = h.Mailbox(folder)
		}
	}
	if err != nil {
		return 0, err
	}
	// In the order that they had in the folder, whenever each of them went.
	slices.SortStableFunc(messages, func(a, b Deleted) int {
		return cmp.Or(cmp.Compare(a.validity, b.validity), cmp.Compare(a.uid, b.uid))
	})
	count := 0
	dirs := make(map[string]bool)
	for _, d := range messages {
		if err = m.restore(d.Place); errors.Is(err, fs.ErrNotExist) {
			err = nil
			continue
		}
		if err != nil {
			break
		}
		count++
		dirs[filepath.Dir(d.Place)] = true
	}
	// First there: a message must not be in neither.
	if serr := m.Sync(); err == nil {
		err = serr
	}
	for dir := range dirs {
		if serr := h.store.syncer.Sync(dir); err == nil {
			err = serr
		}
	}
	return count, err
}

// restore moves a file into cur as a new message.
func (m *Mailbox) restore(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	name := maildir.ParseName(filepath.Base(path))
	if name.Size != info.Size() || name.Served == maildir.Unknown {
		if name.Size, name.Served, err = servedSize(path); err != nil {
			return err
		}
	}
	if name.Validity != m.validity {
		name.Flags &= system
	}
	name.Flags &^= maildir.Trashed
	if err := m.lockWrite(1); err != nil {
		return err
	}
	defer m.mu.Unlock()
	c := m.begin()
	defer c.commit()
	uid := m.given.next
	name.Unique, name.Other = m.store.newUnique(), ""
	name.Validity, name.UID = m.validity, uint32(uid)
	file := name.Format(maildir.Cur)
	if err := m.store.opt.FS.RenameNoReplace(path, c.at.path(false, file)); err != nil {
		return err
	}
	c.soil(false)
	c.add(m.newRecord(uid, file, false, name.Served, info.ModTime().Unix()))
	return nil
}
