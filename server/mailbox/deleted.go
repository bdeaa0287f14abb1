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
const (
	deletedDate  = time.DateOnly
	deletedInbox = "INBOX"
)

// Deleted is a message that can be brought back.
type Deleted struct {
	Folder string
	At     time.Time // when it was expunged
	Size   int64     // octets on disk

	path     string
	day      string
	validity uint32 // UIDVALIDITY of the folder
	uid      uint32 // that it had
}

// awayDir returns the directory for messages of a mailbox that are expunged now,
// or "" when they are not kept.
func (m *Mailbox) awayDir() (string, error) {
	retention, _ := m.home.keep()
	if retention <= 0 {
		return "", nil
	}
	return m.home.awayDir(m.at.Load().base, m.now())
}

// awayDir makes the directory for messages of a folder.
func (h *Home) awayDir(base string, now time.Time) (string, error) {
	if base == "." {
		base = deletedInbox
	}
	dir := filepath.Join(h.deletedDir(), now.UTC().Format(deletedDate), base)
	err := safefile.MkdirAll(h.store.opt.FS, dir)
	if safefile.NoRoom(err) {
		// What is removed to make room must not need room.
		h.store.opt.Log.Warn("mailbox.deleted", "dir", dir, "err", err, "result", "removed for good")
		return "", nil
	}
	return dir, err
}

// deletedDir is where the messages lie that can be brought back.
func (h *Home) deletedDir() string { return filepath.Join(filepath.Dir(h.dir), "deleted") }

// keep returns what Options.Keep says.
func (h *Home) keep() (retention time.Duration, quota int64) {
	if h.store.opt.Keep == nil {
		return 0, 0
	}
	return h.store.opt.Keep(h.address)
}

// kept notes that deleted/ has grown, and has it cut to the quota.
func (h *Home) kept(octets int64) {
	_, quota := h.keep()
	h.usageMu.Lock()
	h.keptOctets += octets
	due := quota > 0 && (h.keptOctets > quota || !h.keptKnown) && !h.purging
	h.purging = h.purging || due
	h.usageMu.Unlock()
	if !due {
		return
	}
	h.store.work.Go(func() {
		err := h.purge()
		h.usageMu.Lock()
		h.purging = false
		h.usageMu.Unlock()
		if err != nil {
			h.store.opt.Log.Warn("mailbox.purge", "dir", h.deletedDir(), "err", err)
		}
	})
}

// Purge removes what is kept for longer than Options.Keep says, and the oldest
// of what is above its quota. A Store does so by itself once an hour for the homes
// in use.
func (s *Store) Purge(a address.Address) error {
	h, err := s.Home(a)
	if err != nil {
		return err
	}
	return diskFault(h.purge())
}

func (h *Home) purge() error {
	h.deletedMu.Lock()
	defer h.deletedMu.Unlock()
	all, err := h.deleted()
	if err != nil {
		return err
	}
	keep, quota := h.keep()
	now := h.store.opt.Now()
	over, rest := retention.Over(all, retention.Rule{For: keep, Quota: quota}, now, func(d Deleted) (time.Time, int64) { return d.At, d.Size })
	for _, d := range over {
		if err := h.store.opt.FS.Remove(d.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	h.usageMu.Lock()
	h.keptOctets, h.keptKnown = rest, true
	h.usageMu.Unlock()
	return h.removeEmptyDays(now)
}

// removeEmptyDays removes directories of former days that hold nothing more.
func (h *Home) removeEmptyDays(now time.Time) error {
	today := now.UTC().Format(deletedDate)
	days, err := readDirs(h.deletedDir())
	for _, day := range days {
		if day == today {
			continue
		}
		folders, err := readDirs(filepath.Join(h.deletedDir(), day))
		if err != nil {
			return err
		}
		for _, folder := range folders {
			h.store.opt.FS.Remove(filepath.Join(h.deletedDir(), day, folder)) // fails when it is not empty
		}
		h.store.opt.FS.Remove(filepath.Join(h.deletedDir(), day))
	}
	return err
}

// readDirs lists the directories in a directory, which need not be there.
func readDirs(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// deleted lists what can be brought back, oldest first.
func (h *Home) deleted() ([]Deleted, error) {
	var all []Deleted
	days, err := readDirs(h.deletedDir())
	if err != nil {
		return nil, err
	}
	for _, day := range days {
		folders, err := readDirs(filepath.Join(h.deletedDir(), day))
		if err != nil {
			return nil, err
		}
		for _, base := range folders {
			if all, err = h.deletedOf(all, day, base); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(all, func(a, b Deleted) int {
		return cmp.Or(cmp.Compare(a.day, b.day), a.At.Compare(b.At), // the clock of the disk may stand for some ms
			cmp.Compare(a.Folder, b.Folder), cmp.Compare(a.uid, b.uid), cmp.Compare(a.path, b.path))
	})
	return all, nil
}

// deletedOf adds those of one folder and day.
func (h *Home) deletedOf(all []Deleted, day, base string) ([]Deleted, error) {
	folder := maildir.Inbox
	if base != deletedInbox {
		var ok bool
		if folder, ok = maildir.FolderName(base); !ok {
			return all, nil
		}
	}
	date, err := time.Parse(deletedDate, day)
	if err != nil {
		return all, nil // not ours
	}
	dir := filepath.Join(h.deletedDir(), day, base)
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
		if end := date.AddDate(0, 0, 1); at.Before(date) || !at.Before(end) {
			at = date
		}
		name := maildir.ParseName(e.Name())
		all = append(all, Deleted{Folder: folder, At: at, Size: st.Size, path: path, day: day, validity: name.Validity, uid: name.UID})
	}
	return all, nil
}

// Deleted lists what can be brought back, oldest first.
func (s *Store) Deleted(a address.Address) ([]Deleted, error) {
	h, err := s.Home(a)
	if err != nil {
		return nil, err
	}
	h.deletedMu.Lock()
	defer h.deletedMu.Unlock()
	all, err := h.deleted()
	return all, diskFault(err)
}

// Undelete brings back what was expunged at since or later, of one folder or of
// all (""), into the folders that it came from, and returns how many. A folder
// that is gone is made again. The messages have their flags but for \Deleted, and
// the keywords that have a letter when the folder is still the same.
func (s *Store) Undelete(a address.Address, since time.Time, folder string) (int, error) {
	h, err := s.Home(a)
	if err != nil {
		return 0, err
	}
	if folder != "" {
		if folder, err = maildir.CanonicalFolder(folder); err != nil {
			return 0, err
		}
	}
	h.deletedMu.Lock()
	defer h.deletedMu.Unlock()
	all, err := h.deleted()
	if err != nil {
		return 0, diskFault(err)
	}
	groups := make(map[string][]Deleted)
	for _, d := range all {
		if !d.At.Before(since) && (folder == "" || d.Folder == folder) {
			groups[d.Folder] = append(groups[d.Folder], d)
		}
	}
	count := 0
	for _, name := range sortedKeys(groups) {
		n, err := h.undelete(name, groups[name])
		count += n
		if err != nil {
			return count, diskFault(err)
		}
	}
	return count, nil
}

// undelete brings messages back into a folder. With deletedMu held.
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
		if err = m.restore(d.path); errors.Is(err, fs.ErrNotExist) {
			err = nil
			continue
		}
		if err != nil {
			break
		}
		count++
		dirs[filepath.Dir(d.path)] = true
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
	h.usageMu.Lock()
	h.keptKnown = false
	h.usageMu.Unlock()
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
