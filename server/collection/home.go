package collection

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/retention"
	"facteur/server/safefile"
)

// HomeFile is a file of each home, below the folder of the account: it says that the defaults
// were made.
const HomeFile = "calendars/.facteur-home"

// deletedPrefix begins the directory of a collection that is being removed for good.
const deletedPrefix = ".facteur-deleted-"

// Home is the calendars and address books of one account or shared mailbox.
type Home struct {
	store   *Store
	address address.Address
	dir     string // the folder of the account

	admin sync.Mutex

	mu     sync.Mutex
	fail   error // of all that is asked: closed or forgotten
	made   bool  // the defaults are there
	known  map[string]*Collection
	stamps [len(kinds)]int64 // mtimes of the directories of kinds when they were listed
	usage  Usage

	bin *retention.Bin[Deleted]
}

func (s *Store) newHome(a address.Address) *Home {
	return &Home{store: s, address: a, dir: filepath.Join(s.opt.Dir, a.Dir()), bin: s.bins.Bin(a)}
}

func (h *Home) kindDir(k Kind) string { return filepath.Join(h.dir, k.dir()) }

// indexPath is the path of the index of a collection. It is a file, for what is
// a directory in index/ is of the mailboxes.
func (h *Home) indexPath(k Kind, dir string) string {
	return filepath.Join(h.dir, "index", k.dir()+"."+dir)
}

// open makes what a home has on first use.
func (h *Home) open() error {
	h.mu.Lock()
	made, fail := h.made, h.fail
	h.mu.Unlock()
	if made || fail != nil {
		return fail
	}
	h.admin.Lock()
	defer h.admin.Unlock()
	marker := filepath.Join(h.dir, HomeFile)
	_, err := os.Lstat(marker)
	if errors.Is(err, fs.ErrNotExist) {
		// Written last: without it everything is done again.
		if err = h.makeDefaults(); err == nil {
			err = safefile.WriteFile(h.store.opt.FS, marker, nil)
		}
	}
	if err != nil {
		return err
	}
	h.sweep()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.made = true
	return h.fail
}

func (h *Home) makeDefaults() error {
	for _, k := range kinds {
		if err := safefile.MkdirAll(h.store.opt.FS, h.kindDir(k)); err != nil {
			return err
		}
	}
	if err := h.list(); err != nil {
		return err
	}
	for _, d := range h.store.opt.Defaults {
		if h.lookup(d.Name) == nil {
			if err := h.make(d); err != nil {
				return err
			}
		}
	}
	return h.list()
}

// sweep removes what crashes left.
func (h *Home) sweep() {
	for _, k := range kinds {
		safefile.RemoveStale(h.store.opt.FS, h.kindDir(k), h.store.now())
		entries, _ := os.ReadDir(h.kindDir(k)) // it is tried again at the next start
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), deletedPrefix) {
				if err := safefile.RemoveAll(h.store.opt.FS, filepath.Join(h.kindDir(k), e.Name())); err != nil {
					h.store.opt.Log.Warn("collection.remove", "dir", e.Name(), "err", err)
				}
			}
		}
	}
	safefile.RemoveStale(h.store.opt.FS, filepath.Join(h.dir, "index"), h.store.now())
}

// refresh lists the collections again when another program made or removed one.
func (h *Home) refresh() error {
	if ok, fail := h.current(); ok {
		return fail
	}
	h.admin.Lock()
	defer h.admin.Unlock()
	return h.list()
}

// current tells whether the table of collections is what lies on disk, or there is none any
// more.
func (h *Home) current() (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fail != nil || h.known != nil && h.stamps == h.stampsNow(), h.fail
}

func (h *Home) stampsNow() (stamps [len(kinds)]int64) {
	for i, k := range kinds {
		stamps[i] = mtimeOf(h.kindDir(k))
	}
	return stamps
}

// list brings the table of collections up to what lies on disk. With admin held.
func (h *Home) list() error {
	stamps := h.stampsNow()
	for i := range stamps {
		if stamps[i] > h.store.now().Add(-settle).UnixNano() {
			stamps[i] = 0 // it is listed again: another change may have the same mtime
		}
	}
	found := make(map[string]*Collection)
	for _, k := range kinds {
		entries, err := os.ReadDir(h.kindDir(k))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			name := ""
			if e.IsDir() {
				name = nameOf(e.Name())
			}
			if name == "" {
				continue
			}
			if found[name] != nil {
				h.store.opt.Log.Warn("collection.double", "dir", h.dir, "name", name, "hidden", k.dir())
				continue
			}
			found[name] = h.newCollection(k, name, e.Name())
		}
	}
	h.mu.Lock()
	var lost []*Collection
	for name, c := range h.known {
		if f := found[name]; f != nil && f.kind == c.kind && *f.at.Load() == *c.at.Load() {
			found[name] = c
		} else {
			lost = append(lost, c)
		}
	}
	h.known, h.stamps = found, stamps
	fail := h.fail
	h.mu.Unlock()
	for _, c := range lost {
		c.end(errGone)
		h.uncount(c)
	}
	return fail
}

func (h *Home) newCollection(k Kind, name, dir string) *Collection {
	c := &Collection{home: h, store: h.store, kind: k, id: h.store.serial.Add(1)}
	c.at.Store(&place{name: name, dir: filepath.Join(h.kindDir(k), dir), index: h.indexPath(k, dir)})
	return c
}

func (h *Home) lookup(name string) *Collection {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.known[name]
}

// Collections returns all collections, by name.
func (h *Home) Collections() ([]*Collection, error) {
	if err := h.refresh(); err != nil {
		return nil, diskFault(err)
	}
	return h.all(), nil
}

func (h *Home) all() []*Collection {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*Collection, 0, len(h.known))
	for _, c := range h.known {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *Collection) int { return cmp.Compare(a.Name(), b.Name()) })
	return all
}

// Open returns a collection, the same for all who ask.
func (h *Home) Open(name string) (*Collection, error) {
	if err := h.refresh(); err != nil {
		return nil, diskFault(err)
	}
	if c := h.lookup(name); c != nil {
		return c, nil
	}
	return nil, fault.New(fault.NotFound, "There is no such collection")
}

// Create makes a collection, durably. A name is unique over both kinds.
func (h *Home) Create(name string, kind Kind, props Props) (*Collection, error) {
	if err := h.store.room(h.address, props.size()); err != nil {
		return nil, err
	}
	h.admin.Lock()
	defer h.admin.Unlock()
	if err := h.list(); err != nil {
		return nil, diskFault(err)
	}
	if h.lookup(name) != nil {
		return nil, fault.New(fault.Exists, "There is a collection of that name")
	}
	if err := h.make(Default{name, kind, props}); err != nil {
		return nil, diskFault(err)
	}
	if err := h.list(); err != nil {
		return nil, diskFault(err)
	}
	return h.lookup(name), nil
}

// make makes the directory of a collection, as a whole. With admin held.
func (h *Home) make(d Default) error {
	dir, err := dirName(d.Name)
	if err != nil {
		return err
	}
	fsys, parent := h.store.opt.FS, h.kindDir(d.Kind)
	if err := safefile.MkdirAll(fsys, parent); err != nil {
		return err
	}
	draft := filepath.Join(parent, deletedPrefix+filepath.Base(safefile.TempName("")))
	err = fsys.Mkdir(draft)
	if err == nil {
		err = writeProps(fsys, draft, Props{}, d.Props)
	}
	if err == nil {
		// Another program may have made it: an empty directory must not be taken over.
		if err = fsys.RenameNoReplace(draft, filepath.Join(parent, dir)); errors.Is(err, fs.ErrExist) {
			err = fault.New(fault.Exists, "There is a collection of that name")
		}
	}
	if err != nil {
		safefile.RemoveAll(h.store.opt.FS, draft) // what is left is swept at the next start
		return err
	}
	return h.store.syncer.Sync(parent)
}

// Rename gives a collection another name. Its tokens stay valid.
func (h *Home) Rename(from, to string) error {
	dir, err := dirName(to)
	if err != nil {
		return err
	}
	h.admin.Lock()
	defer h.admin.Unlock()
	if err := h.list(); err != nil {
		return diskFault(err)
	}
	c := h.lookup(from)
	if c == nil {
		return fault.New(fault.NotFound, "There is no such collection")
	}
	if h.lookup(to) != nil {
		return fault.New(fault.Exists, "There is a collection of that name")
	}
	next := &place{name: to, dir: filepath.Join(h.kindDir(c.kind), dir), index: h.indexPath(c.kind, dir)}
	if err := c.move(next); err != nil {
		return diskFault(err)
	}
	h.mu.Lock()
	delete(h.known, from)
	h.known[to] = c
	h.stamps = h.stampsNow()
	h.mu.Unlock()
	return diskFault(h.store.syncer.Sync(h.kindDir(c.kind)))
}

// move renames the directory and the index. An index that stays behind is of
// another directory than the next of the old name.
func (c *Collection) move(next *place) error {
	c.scanMu.Lock()
	defer c.scanMu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return c.fail
	}
	at := c.at.Load()
	err := c.store.opt.FS.RenameNoReplace(at.dir, next.dir)
	if errors.Is(err, fs.ErrExist) {
		return fault.New(fault.Exists, "There is a collection of that name")
	}
	if err != nil {
		return c.missing(err)
	}
	err = c.store.opt.FS.Rename(at.index, next.index)
	c.at.Store(next)
	if c.journal == nil {
		return nil
	}
	if c.journal.path = next.index; err != nil {
		c.journal.path = at.index
		c.journal.drop(err)
		c.journal.path = next.index
	}
	return nil
}

// close ends all collections of the home with an error.
func (h *Home) close(why error) {
	h.bin.Forget()
	h.mu.Lock()
	h.fail = why
	h.mu.Unlock()
	h.admin.Lock() // wait for an operation that runs
	defer h.admin.Unlock()
	for _, c := range h.all() {
		c.end(why)
	}
}

// Has tells whether an account has a home, without making one.
func (s *Store) Has(a address.Address) bool {
	_, err := os.Lstat(filepath.Join(s.opt.Dir, a.Dir(), HomeFile))
	return err == nil
}
