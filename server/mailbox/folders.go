package mailbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"facteur/server/fault"
	"facteur/server/maildir"
	"facteur/server/safefile"
)

// maxFolders bounds the folders of a home, and its subscriptions.
const maxFolders = 10000

// uses are the special uses that a folder may be made with (RFC 6154 2, but
// \All and \Flagged, which are no folders).
var uses = []string{`\Archive`, `\Drafts`, `\Junk`, `\Sent`, `\Trash`}

// Create makes a mailbox, with a special use or "". The levels above it need
// not exist.
func (h *Home) Create(name, use string) error {
	name, err := maildir.CanonicalFolder(name)
	if err != nil {
		return err
	}
	if use != "" && !slices.Contains(uses, use) {
		return fault.Newf(fault.NotPossible, "A folder can't have the special use %s", use)
	}
	if err := h.lockAdmin(); err != nil {
		return err
	}
	defer h.admin.Unlock()
	if h.lookup(name) != nil {
		return fault.New(fault.Exists, "There is a folder of that name")
	}
	_, err = h.create(name, use)
	return safefile.Fault(err)
}

// create makes a mailbox that is not there. With admin held.
func (h *Home) create(name, use string) (*Mailbox, error) {
	if len(h.names()) >= maxFolders {
		return nil, fault.Newf(fault.NotPossible, "There are %d folders already, which is all that there can be", maxFolders)
	}
	m := h.newMailbox(name, maildir.FolderDir(name))
	m.use = use
	if err := h.makeFolders([]*Mailbox{m}); err != nil {
		return nil, err
	}
	h.mu.Lock()
	h.folders[name] = m
	h.mu.Unlock()
	h.publish()
	return m, nil
}

// lockAdmin locks admin, with the table of folders brought up to date.
func (h *Home) lockAdmin() error {
	h.admin.Lock()
	h.mu.Lock()
	fail, known := h.fail, h.mtime
	h.mu.Unlock()
	mtime, err := maildir.Mtime(h.dir)
	if fail == nil && err == nil && mtime != known {
		err = h.list(false)
	}
	if fail != nil {
		err = fail
	}
	if err != nil {
		h.admin.Unlock()
	}
	return safefile.Fault(err)
}

// Delete removes a mailbox and its messages. The levels below it stay, and the
// subscription (RFC 9051 6.3.5, 6.3.8).
func (h *Home) Delete(name string) error {
	name, err := maildir.CanonicalFolder(name)
	if err != nil {
		return fault.Wrap(fault.NotFound, "There is no such folder", err)
	}
	if name == maildir.Inbox {
		return fault.New(fault.NotPossible, "INBOX can't be deleted")
	}
	filled := h.bin.Fill() // who reads deleted/ waits until the messages are there
	discard, err := h.takeOut(name)
	if err != nil {
		filled()
		return safefile.Fault(err)
	}
	h.store.homes.Go(func() {
		defer filled()
		discard()
	})
	return nil
}

// takeOut removes a mailbox, durably, and returns what is left to do with its files.
func (h *Home) takeOut(name string) (discard func(), err error) {
	if err := h.lockAdmin(); err != nil {
		return nil, err
	}
	defer h.admin.Unlock()
	m := h.lookup(name)
	if m == nil {
		if len(h.below(name)) > 0 {
			return nil, fault.New(fault.NotPossible, "There are folders below it; delete those first")
		}
		return nil, fault.New(fault.NotFound, "There is no such folder")
	}
	m.scanMu.Lock()
	defer m.scanMu.Unlock()
	m.fileMu.Lock()
	defer m.fileMu.Unlock()
	away, err := h.remove(m)
	if err != nil {
		return nil, err
	}
	return func() {
		os.RemoveAll(m.indexDir()) // caches: swept when the home is opened next
		if err := h.discard(away, m.at.Load().base); err != nil {
			h.store.opt.Log.Warn("mailbox.delete", "dir", away, "err", err) // likewise
		}
	}, nil
}

// remove renames the directory of a mailbox away, durably, and returns its new name.
// With admin, scanMu and fileMu held.
func (h *Home) remove(m *Mailbox) (away string, err error) {
	away = filepath.Join(h.dir, discardName(m.at.Load().base, time.Now()))
	m.mu.Lock()
	err = h.store.opt.FS.RenameNoReplace(m.at.Load().dir, away)
	m.mu.Unlock()
	if err != nil {
		return "", err
	}
	m.endLocked(errGone)
	h.uncount(m)
	h.mu.Lock()
	delete(h.folders, m.Name())
	h.mu.Unlock()
	h.publish()
	return away, h.store.opt.FS.SyncDir(h.dir)
}

// discardName returns the name of the directory of a folder that is removed. It
// ends with what the folder's was, when there is room.
func discardName(base string, now time.Time) string {
	name := deletedPrefix + strconv.FormatInt(now.UnixNano(), 36)
	if len(name)+len(base) <= 255 {
		name += base
	}
	return name
}

// discard removes the directory of a folder that was removed. Its messages may
// be brought back as long as Options.Bins say.
func (h *Home) discard(dir, base string) error {
	if err := h.keepAll(dir, base); err != nil {
		return err
	}
	return safefile.RemoveAll(h.store.opt.FS, dir)
}

// keepAll moves the messages of a directory to deleted/.
func (h *Home) keepAll(dir, base string) error {
	away, err := h.awayDir(base)
	if err != nil || away == "" {
		return err
	}
	to := safefile.OpenDir(h.store.opt.FS, away)
	defer to.Close()
	for _, sub := range []string{maildir.New, maildir.Cur} {
		octets, err := h.keepFiles(filepath.Join(dir, sub), to)
		h.bin.Grew(octets)
		if err != nil {
			return err
		}
	}
	return h.store.syncer.Sync(away)
}

// keepFiles moves the messages of new or cur, and returns their size.
func (h *Home) keepFiles(dir string, away *safefile.Dir) (octets int64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	from := safefile.OpenDir(h.store.opt.FS, dir)
	defer from.Close()
	for _, e := range entries {
		if !e.Type().IsRegular() || e.Name()[0] == '.' {
			continue
		}
		if err := moveAway(h.store, from, away, e.Name()); err != nil {
			return octets, err
		}
		octets += max(0, maildir.ParseName(e.Name()).Size)
	}
	return octets, nil
}

// sweepDeleted removes what a crash left of folders that were deleted.
func (h *Home) sweepDeleted() error {
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), deletedPrefix) {
			continue
		}
		base := e.Name()[len(deletedPrefix):]
		if _, rest, ok := strings.Cut(base, "."); ok {
			base = "." + rest
		} else {
			base = "." // the name had no room for it: to INBOX
		}
		if err := h.discard(filepath.Join(h.dir, e.Name()), base); err != nil {
			return err
		}
	}
	return nil
}

// sweepIndexes removes caches of folders that are gone.
func (h *Home) sweepIndexes() {
	live := make(map[string]bool)
	for _, m := range h.mailboxes() {
		live[filepath.Base(m.indexDir())] = true
	}
	entries, err := os.ReadDir(h.indexDir())
	for _, e := range entries {
		if e.IsDir() && !live[e.Name()] {
			err = errors.Join(err, os.RemoveAll(filepath.Join(h.indexDir(), e.Name())))
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.store.opt.Log.Debug("mailbox.index", "dir", h.indexDir(), "err", err)
	}
}

// below returns the names of the mailboxes below a name.
func (h *Home) below(name string) []string {
	var names []string
	for _, n := range h.names() {
		if strings.HasPrefix(n, name+"/") {
			names = append(names, n)
		}
	}
	return names
}

// Rename renames a mailbox and those below it. Of INBOX the messages move to
// the new mailbox, and what is below it stays (RFC 9051 6.3.6).
func (h *Home) Rename(old, new string) error {
	old, err := maildir.CanonicalFolder(old)
	if err != nil {
		return fault.Wrap(fault.NotFound, "There is no such folder", err)
	}
	if new, err = maildir.CanonicalFolder(new); err != nil {
		return err
	}
	if err := h.lockAdmin(); err != nil {
		return err
	}
	defer h.admin.Unlock()
	if h.lookup(new) != nil {
		return fault.New(fault.Exists, "There is a folder of that name")
	}
	if old == maildir.Inbox {
		return h.renameInbox(new)
	}
	if strings.HasPrefix(new, old+"/") {
		return fault.New(fault.NotPossible, "A folder can't be moved below itself")
	}
	names := h.below(old)
	if h.lookup(old) != nil {
		names = append(names, old)
	}
	if len(names) == 0 {
		return fault.New(fault.NotFound, "There is no such folder")
	}
	targets := make([]string, len(names))
	for i, name := range names {
		if targets[i], err = maildir.CanonicalFolder(new + name[len(old):]); err != nil {
			return err
		}
		if h.lookup(targets[i]) != nil {
			return fault.Newf(fault.Exists, "There is a folder named %s", targets[i])
		}
	}
	return safefile.Fault(h.renameAll(names, targets))
}

// renameAll renames mailboxes, or none. With admin held.
func (h *Home) renameAll(names, targets []string) error {
	for i, name := range names {
		if err := h.renameOne(name, targets[i], maildir.FolderDir(targets[i])); err != nil {
			for i--; i >= 0; i-- {
				if back := h.renameOne(targets[i], names[i], maildir.FolderDir(names[i])); back != nil {
					err = errors.Join(err, back)
				}
			}
			return err
		}
	}
	h.publish()
	return h.store.opt.FS.SyncDir(h.dir)
}

func (h *Home) renameOne(name, target, base string) error {
	m := h.lookup(name)
	m.scanMu.Lock()
	defer m.scanMu.Unlock()
	m.fileMu.Lock()
	defer m.fileMu.Unlock()
	m.mu.Lock()
	err := h.store.opt.FS.RenameNoReplace(m.at.Load().dir, filepath.Join(h.dir, base))
	if err == nil {
		m.place(target, base)
	}
	m.mu.Unlock()
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.folders, name)
	h.folders[target] = m
	return nil
}

// renameInbox moves the messages of INBOX to a new mailbox. With admin held.
func (h *Home) renameInbox(new string) error {
	dst, err := h.create(new, "")
	if err != nil {
		return safefile.Fault(err)
	}
	src := h.lookup(maildir.Inbox)
	snap, err := src.Snapshot()
	if err != nil {
		return err
	}
	uids := make([]UID, 0, snap.Len())
	for _, r := range snap.Range(0, snap.Len()) {
		uids = append(uids, r.UID)
	}
	_, err = src.Move(uids, dst, nil)
	return err
}

// Subscribe sets or clears the subscription to a name, of a mailbox or not.
func (h *Home) Subscribe(name string, on bool) error {
	name, err := maildir.CanonicalFolder(name)
	if err != nil {
		return err
	}
	if err := h.lockAdmin(); err != nil {
		return err
	}
	defer h.admin.Unlock()
	h.mu.Lock()
	had := h.subscribed[name]
	var names []string
	for n := range h.subscribed {
		if n != name {
			names = append(names, n)
		}
	}
	h.mu.Unlock()
	if had == on {
		return nil
	}
	if on {
		names = append(names, name)
	}
	if len(names) > maxFolders {
		return fault.Newf(fault.NotPossible, "There are %d subscriptions already, which is all that there can be", maxFolders)
	}
	slices.SortFunc(names, compareNames)
	if err := maildir.WriteSubscriptions(h.store.opt.FS, h.dir, names); err != nil {
		return safefile.Fault(err)
	}
	h.mu.Lock()
	if on {
		h.subscribed[name] = true
	} else {
		delete(h.subscribed, name)
	}
	h.mu.Unlock()
	h.publish()
	return nil
}
