package mailbox

import (
	"os"
	"path/filepath"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/maildir"
)

// Expire expunges the messages of folders with a special use that were saved
// there longer than age ago (RFC 8514), and returns how many.
func (s *Store) Expire(a address.Address, use string, age time.Duration) (int, error) {
	h, err := s.Home(a)
	if err != nil {
		return 0, err
	}
	count := 0
	for _, m := range h.mailboxes() {
		if m.use != use || use == "" {
			continue
		}
		n, err := m.expire(age)
		if count += n; err != nil {
			return count, err
		}
	}
	return count, nil
}

// ExpireFolder is Expire for one folder. One that is not there has no messages.
func (s *Store) ExpireFolder(a address.Address, folder string, age time.Duration) (int, error) {
	h, err := s.Home(a)
	if err != nil {
		return 0, err
	}
	m, err := h.Mailbox(folder)
	if fault.Is(err, fault.NotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return m.expire(age)
}

// expire expunges what was saved longer than age ago. It reads nothing but the index.
func (m *Mailbox) expire(age time.Duration) (int, error) {
	snap, err := m.Snapshot()
	if err != nil {
		return 0, err
	}
	before := m.now().Add(-age).Unix()
	var old []UID
	for _, r := range snap.Range(0, snap.Len()) {
		if int64(r.SaveDate) < before {
			old = append(old, r.UID)
		}
	}
	if len(old) == 0 {
		return 0, nil
	}
	gone, err := m.Expunge(old)
	return len(gone), err
}

// Holds tells whether the home of an account or shared mailbox has a folder, by its name
// ("" for the home itself), on disk. It opens nothing, and makes nothing.
func (s *Store) Holds(a address.Address, folder string) bool {
	dir := filepath.Join(s.opt.Dir, a.Dir())
	if folder != "" {
		dir = filepath.Join(dir, "mail", maildir.FolderDir(folder))
	}
	info, err := os.Stat(dir)
	return err == nil && info.IsDir()
}
