package mailbox

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/feed"
	"facteur/server/maildir"
	"facteur/server/retention"
	"facteur/server/safefile"
)

// Home is the mail of one account or shared mailbox.
type Home struct {
	store   *Store
	address address.Address
	dir     string
	changed feed.Feed
	version atomic.Uint64 // of the folders and subscriptions

	admin    sync.Mutex
	validity uint32 // highest UIDVALIDITY given; with admin held

	mu         sync.Mutex
	ready      bool
	fail       error // of all that is asked: closed or forgotten
	folders    map[string]*Mailbox
	subscribed map[string]bool
	mtime      int64 // of dir when the folders were listed

	metadata  annotations
	annotated annotationLog

	bin *retention.Bin[Deleted]

	usageMu sync.Mutex
	usage   Usage
}

func (s *Store) newHome(a address.Address) *Home {
	return &Home{store: s, address: a, dir: filepath.Join(s.opt.Dir, a.Dir(), "mail"), bin: s.bins.Bin(a)}
}

// defaultUses are the folders of a new home (RFC 6154).
var defaultUses = map[string]string{
	"Sent":    `\Sent`,
	"Drafts":  `\Drafts`,
	"Trash":   `\Trash`,
	"Junk":    `\Junk`,
	"Archive": `\Archive`,
}

// deletedPrefix begins the directory of a folder that is being removed.
const deletedPrefix = "facteur-deleted-"

// open reads the folders, and makes them on first use.
func (h *Home) open() error {
	h.mu.Lock()
	ready, fail := h.ready, h.fail
	h.mu.Unlock()
	if ready || fail != nil {
		return fail
	}
	h.admin.Lock()
	defer h.admin.Unlock()
	h.mu.Lock()
	ready = h.ready
	h.mu.Unlock()
	if ready {
		return nil
	}
	return h.openAdmin()
}

func (h *Home) openAdmin() error {
	if err := safefile.MkdirAll(h.store.opt.FS, h.dir); err != nil {
		return err
	}
	safefile.RemoveStale(h.store.opt.FS, h.dir, h.store.opt.Now())
	if err := h.sweepDeleted(); err != nil {
		return err
	}
	names, known, err := maildir.ReadSubscriptions(h.dir)
	if err != nil {
		return err
	}
	if h.validity, err = maildir.ReadValidity(h.dir); err != nil {
		return err
	}
	if err := h.list(!known); err != nil {
		return err
	}
	h.sweepIndexes()
	if !known {
		// Written last: without it everything above is done again.
		if names, known, err = maildir.ReadDovecotSubscriptions(h.dir); err != nil {
			return err
		}
		if !known {
			names = h.names()
		}
		if err := maildir.WriteSubscriptions(h.store.opt.FS, h.dir, names); err != nil {
			return err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subscribed = make(map[string]bool)
	for _, name := range names {
		h.subscribed[name] = true
	}
	h.ready = true
	return h.fail
}

// list brings the table of folders up to what lies on disk; first makes those
// of a new home. With admin held.
func (h *Home) list(first bool) error {
	mtime, err := maildir.Mtime(h.dir)
	if err != nil {
		return err
	}
	found, err := h.readFolders(first)
	if err != nil {
		return err
	}
	h.mu.Lock()
	known := make(map[string]*Mailbox, len(found))
	var gone []*Mailbox
	for name, m := range h.folders {
		if dir, ok := found[name]; ok && dir == m.at.Load().base {
			known[name] = m
		} else {
			gone = append(gone, m)
		}
	}
	h.mu.Unlock()
	made, err := h.adoptFolders(found, known)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.folders, h.mtime = known, mtime
	h.mu.Unlock()
	for _, m := range gone {
		m.end(errGone)
		h.uncount(m)
	}
	if made || len(gone) > 0 {
		h.publish()
	}
	return nil
}

// readFolders returns the directories of folders by name.
func (h *Home) readFolders(first bool) (map[string]string, error) {
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		return nil, err
	}
	found := map[string]string{maildir.Inbox: "."}
	if first {
		for name := range defaultUses {
			found[name] = maildir.FolderDir(name)
		}
	}
	for _, e := range entries {
		name, ok := maildir.FolderName(e.Name())
		if !ok || !maildir.IsFolder(filepath.Join(h.dir, e.Name())) {
			continue
		}
		if _, double := found[name]; !double || e.Name() == maildir.FolderDir(name) {
			found[name] = e.Name()
		}
	}
	return found, nil
}

// adoptFolders adds to known a Mailbox for each folder that was found, and
// makes what is missing on disk.
func (h *Home) adoptFolders(found map[string]string, known map[string]*Mailbox) (made bool, err error) {
	given := make(map[uint32]bool) // UIDVALIDITYs in use
	for _, m := range known {
		given[m.validity] = true
	}
	var bare []*Mailbox // those without a state of their own
	for _, name := range sortedKeys(found) {
		if known[name] != nil {
			continue
		}
		m := h.newMailbox(name, found[name])
		state, err := maildir.ReadState(m.at.Load().dir)
		if err == nil && !given[state.UIDValidity] && state.ID == "" { // of before there were any
			state.ID = newObjectID()
			err = maildir.WriteState(h.store.opt.FS, m.at.Load().dir, state)
		}
		switch {
		case err == nil && !given[state.UIDValidity]:
			given[state.UIDValidity] = true
			h.validity = max(h.validity, state.UIDValidity)
			m.setState(state)
		case err == nil, errors.Is(err, fs.ErrNotExist):
			// New, of another program, or copied with the state of another folder.
			m.use = defaultUse(name, state)
			if err != nil && h.importDovecot(m, given) {
				break
			}
			bare = append(bare, m)
		default:
			h.store.opt.Log.Error("mailbox.state", "folder", name, "err", err)
			m.fail = fault.Wrap(fault.Internal, "", err)
		}
		known[name] = m
		made = true
	}
	return made, h.makeFolders(bare)
}

// importDovecot takes a folder over from Dovecot with its UIDs, so that mail
// clients need not read it anew. It tells whether it could. With admin held.
func (h *Home) importDovecot(m *Mailbox, given map[uint32]bool) bool {
	at := m.at.Load()
	validity, next, err := maildir.ImportDovecot(h.store.opt.FS, at.dir)
	if err == nil && validity != 0 && !given[validity] {
		state := maildir.State{UIDValidity: validity, UIDNext: next, ModSeq: 1, Recent: 1, Use: m.use, ID: newObjectID()}
		if err = maildir.MakeFolder(h.store.opt.FS, at.dir, state); err == nil {
			given[validity] = true
			h.validity = max(h.validity, validity)
			m.setState(state)
			h.store.opt.Log.Info("mailbox.dovecot", "folder", at.name, "uidvalidity", validity, "uidnext", next)
			return true
		}
	}
	if err != nil {
		h.store.opt.Log.Warn("mailbox.dovecot", "folder", at.name, "err", err, "result", "its messages get new UIDs")
	}
	return false
}

// makeFolders gives folders what they need on disk, durably.
func (h *Home) makeFolders(folders []*Mailbox) error {
	if len(folders) == 0 {
		return nil
	}
	validity, err := h.newValidity(len(folders))
	if err != nil {
		return err
	}
	for i, m := range folders {
		state := maildir.State{UIDValidity: validity + uint32(i), UIDNext: 1, ModSeq: 1, Recent: 1, Use: m.use, ID: newObjectID()}
		if err := maildir.MakeFolder(h.store.opt.FS, m.at.Load().dir, state); err != nil {
			return err
		}
		m.setState(state)
	}
	return h.store.opt.FS.SyncDir(h.dir)
}

// indexDir holds the caches of all folders.
func (h *Home) indexDir() string { return filepath.Join(filepath.Dir(h.dir), "index") }

func defaultUse(name string, copied maildir.State) string {
	if copied.UIDValidity != 0 {
		return ""
	}
	return defaultUses[name]
}

// newValidity returns the first of n values that were never given in this home.
func (h *Home) newValidity(n int) (uint32, error) {
	first := max(h.validity+1, uint32(h.store.opt.Now().Unix()))
	last := first + uint32(n) - 1
	if last < first || first == 0 {
		return 0, fmt.Errorf("%s: no UIDVALIDITY is left", h.dir)
	}
	if err := maildir.WriteValidity(h.store.opt.FS, h.dir, last); err != nil {
		return 0, err
	}
	h.validity = last
	return first, nil
}

// refresh lists the folders again when another program made or removed one.
func (h *Home) refresh() error {
	mtime, err := maildir.Mtime(h.dir)
	if err != nil {
		return safefile.Fault(err)
	}
	h.mu.Lock()
	same, fail := mtime == h.mtime, h.fail
	h.mu.Unlock()
	if same || fail != nil {
		return fail
	}
	if err := h.lockAdmin(); err != nil {
		return err
	}
	h.admin.Unlock()
	return nil
}

// Changed tells of folders made, removed and renamed, of subscriptions, and of
// annotations. While there is a subscriber the home is looked at each second for
// folders that other programs made or removed.
func (h *Home) Changed() *feed.Feed { return &h.changed }

// Version changes with the folders and the subscriptions.
func (h *Home) Version() uint64 { return h.version.Load() }

// publish tells that the folders or the subscriptions are others now.
func (h *Home) publish() {
	h.version.Add(1)
	h.changed.Publish()
}

// poll looks for folders that other programs made or removed, when somebody
// wants to know.
func (h *Home) poll() {
	h.mu.Lock()
	fail := h.fail
	h.mu.Unlock()
	if fail != nil || h.changed.Len() == 0 {
		return
	}
	if err := h.refresh(); err != nil {
		h.store.opt.Log.Warn("mailbox.folders", "dir", h.dir, "err", err)
	}
}

// Mailbox returns a mailbox, the same for all who ask.
func (h *Home) Mailbox(name string) (*Mailbox, error) {
	name, err := maildir.CanonicalFolder(name)
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, "There is no such folder", err)
	}
	if m := h.lookup(name); m != nil {
		return m, nil
	}
	if err := h.refresh(); err != nil {
		return nil, err
	}
	if m := h.lookup(name); m != nil {
		return m, nil
	}
	return nil, fault.New(fault.NotFound, "There is no such folder")
}

// Exists tells whether a mailbox of that name is there.
func (h *Home) Exists(name string) bool {
	_, err := h.Mailbox(name)
	return err == nil
}

func (h *Home) lookup(name string) *Mailbox {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.folders[name]
}

// names returns the names of the mailboxes, sorted.
func (h *Home) names() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return sortedKeys(h.folders)
}

func (h *Home) mailboxes() []*Mailbox {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*Mailbox, 0, len(h.folders))
	for _, m := range h.folders {
		all = append(all, m)
	}
	return all
}

// Folders lists the folders by name, INBOX first: mailboxes, the levels above
// them, and subscriptions.
func (h *Home) Folders() ([]Folder, error) {
	if err := h.refresh(); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	names := make(map[string]bool)
	for name := range h.folders {
		for ; name != ""; name = name[:max(0, strings.LastIndexByte(name, '/'))] {
			names[name] = true
		}
	}
	for name := range h.subscribed {
		names[name] = true
	}
	folders := make([]Folder, 0, len(names))
	for name := range names {
		f := Folder{Name: name, Subscribed: h.subscribed[name]}
		if m := h.folders[name]; m != nil {
			f.Exists, f.Use = true, m.use
		}
		folders = append(folders, f)
	}
	slices.SortFunc(folders, func(a, b Folder) int { return compareNames(a.Name, b.Name) })
	return folders, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareNames)
	return keys
}

// compareNames puts INBOX first, and a folder before those below it.
func compareNames(a, b string) int {
	if a == maildir.Inbox || b == maildir.Inbox {
		switch {
		case a == b:
			return 0
		case a == maildir.Inbox:
			return -1
		}
		return 1
	}
	return cmp.Compare(strings.ReplaceAll(a, "/", "\x00"), strings.ReplaceAll(b, "/", "\x00"))
}

// close ends all mailboxes of the home with an error, and writes their UIDNEXT.
func (h *Home) close(why error) error {
	h.bin.Forget()
	h.mu.Lock()
	h.fail = why
	h.mu.Unlock()
	h.admin.Lock() // wait for an operation that runs
	defer h.admin.Unlock()
	var errs []error
	for _, m := range h.mailboxes() {
		errs = append(errs, m.close(why))
	}
	return errors.Join(errs...)
}
