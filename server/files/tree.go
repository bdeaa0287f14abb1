package files

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/retention"
	"facteur/server/safefile"
)

const (
	maxName = 240  // octets of a name on disk; what stands before those of hidden files has room
	maxPath = 2048 // octets of a path on disk below the tree
	// asidePrefix begins the name of what is being made or removed, in the root of a tree.
	asidePrefix = ".aside~"
)

// Tree is the files of one account or shared mailbox. All users of the process share it.
type Tree struct {
	store   *Store
	address address.Address
	dir     string // files/ in the folder of the account
	serial  uint64
	bin     *retention.Bin[Deleted]

	propsMu sync.Mutex // who changes properties

	mu   sync.Mutex
	fail error // of all that is asked: closed or forgotten
	made bool  // dir is there and swept

	usageMu sync.Mutex
	usage   Usage
	known   bool
}

// entry is what lies at a place on disk.
type entry struct {
	folder bool
	size   int64
	mtime  int64 // ns
	inode  uint64
}

// spot is where a path leads.
type spot struct {
	abs string // there or not
	now *entry // nil: nothing is there
}

func (e *entry) info(name string) Info {
	i := Info{Name: name, Folder: e.folder, Modified: time.Unix(0, e.mtime)}
	if !e.folder {
		i.Size, i.ETag = e.size, e.tag()
	}
	return i
}

func (e *entry) tag() ETag {
	b := make([]byte, 0, 24)
	b = binary.BigEndian.AppendUint64(b, e.inode)
	b = binary.BigEndian.AppendUint64(b, uint64(e.mtime))
	b = binary.AppendUvarint(b, uint64(e.size))
	return ETag(`"` + hex.EncodeToString(b) + `"`)
}

// infoOf returns what a Check looks at.
func (s spot) infoOf(p Path) *Info {
	if s.now == nil {
		return nil
	}
	i := s.now.info(p.name())
	return &i
}

func (p Path) name() string {
	if len(p) == 0 {
		return ""
	}
	return p[len(p)-1]
}

var errOther = errors.New("neither a file nor a folder")

func lstat(path string) (*entry, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return nil, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return newEntry(&st)
}

func newEntry(st *unix.Stat_t) (*entry, error) {
	e := &entry{size: st.Size, mtime: st.Mtim.Nano(), inode: st.Ino}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		e.folder, e.size = true, 0
	default:
		return nil, errOther
	}
	return e, nil
}

// find returns where a path leads. The errors are ErrParent, errInWay, and faults.
func (t *Tree) find(p Path) (spot, error) {
	s := spot{abs: t.dir}
	now, err := lstat(t.dir)
	switch {
	case err == nil && now.folder:
		s.now = now
	case errors.Is(err, fs.ErrNotExist):
		s.now = &entry{folder: true} // the root is made when something is put into it
	case err == nil || errors.Is(err, errOther):
		return s, errInWay
	default:
		return s, err
	}
	for _, name := range p {
		if s.now == nil || !s.now.folder {
			return s, ErrParent
		}
		if s, err = t.step(s.abs, name); err != nil {
			return s, err
		}
	}
	if len(s.abs) > len(t.dir)+maxPath {
		return s, fault.New(fault.NotPossible, "The path is too long")
	}
	return s, nil
}

// step returns where a name in a folder leads.
func (t *Tree) step(dir, name string) (spot, error) {
	file, err := fileName(name)
	if err != nil {
		return spot{}, err
	}
	s := spot{abs: filepath.Join(dir, file)}
	s.now, err = lstat(s.abs)
	if errors.Is(err, fs.ErrNotExist) && file != name && nameOf(name) == name {
		// A file of another program whose name Escape never makes.
		s.abs = filepath.Join(dir, name)
		if s.now, err = lstat(s.abs); errors.Is(err, fs.ErrNotExist) {
			s.abs = filepath.Join(dir, file)
		}
	}
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist):
		return s, nil
	case errors.Is(err, errOther):
		return s, errInWay
	case errors.Is(err, unix.ENOTDIR):
		return s, ErrParent // gone meanwhile
	}
	return s, err
}

// fileName returns the name on disk of one of any octets.
func fileName(name string) (string, error) {
	file := safefile.Escape(name)
	if name == "" || len(file) > maxName {
		return "", fault.Newf(fault.NotPossible, "A name is empty, or longer than %d octets on disk", maxName)
	}
	return file, nil
}

// nameOf returns the name of what has a name on disk, "" when it is hidden.
func nameOf(file string) string {
	if file == "" || file[0] == '.' || len(file) > maxName || strings.ContainsAny(file, "/\x00") {
		return ""
	}
	if name, ok := safefile.Unescape(file); ok {
		return name
	}
	return file
}

// look is find for who reads.
func (t *Tree) look(p Path) (spot, error) {
	if err := t.alive(); err != nil {
		return spot{}, err
	}
	s, err := t.find(p)
	if errors.Is(err, ErrParent) || err == errInWay || err == nil && s.now == nil {
		return s, errNone
	}
	return s, err
}

func (t *Tree) alive() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fail
}

// end has the tree answer an error from now on.
func (t *Tree) end(err error) {
	t.bin.Forget()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fail = err
}

// Stat returns what lies at a path.
func (t *Tree) Stat(p Path) (Info, error) {
	s, err := t.look(p)
	if err != nil {
		return Info{}, diskFault(err)
	}
	return s.now.info(p.name()), nil
}

// List returns what is in a folder, by name. Of a file it is the error NotPossible.
func (t *Tree) List(p Path) ([]Info, error) {
	s, err := t.look(p)
	if err != nil {
		return nil, diskFault(err)
	}
	if !s.now.folder {
		return nil, fault.New(fault.NotPossible, "It is not a folder")
	}
	entries, err := os.ReadDir(s.abs)
	if err != nil && !isGone(err) {
		return nil, diskFault(err)
	}
	all := make([]Info, 0, len(entries))
	for _, e := range entries {
		name := nameOf(e.Name())
		if name == "" {
			continue
		}
		if now, err := lstat(filepath.Join(s.abs, e.Name())); err == nil { // else gone meanwhile, or none
			all = append(all, now.info(name))
		}
	}
	slices.SortFunc(all, func(a, b Info) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// Open opens a file for reading; who asked closes it. Info is of what is read. The error
// for a folder is ErrFolder.
func (t *Tree) Open(p Path) (*os.File, Info, error) {
	s, err := t.look(p)
	if err != nil {
		return nil, Info{}, diskFault(err)
	}
	if s.now.folder {
		return nil, Info{}, ErrFolder
	}
	f, e, err := openFile(s.abs)
	if err != nil {
		return nil, Info{}, diskFault(err)
	}
	return f, e.info(p.name()), nil
}

// isGone tells whether an error says that something is not where it was a moment ago.
func isGone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) }

// openFile opens a regular file, and waits for nothing.
func openFile(path string) (*os.File, *entry, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if isGone(err) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) {
		return nil, nil, errNone
	}
	if err != nil {
		return nil, nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		f.Close()
		return nil, nil, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	e, err := newEntry(&st)
	if err != nil || e.folder {
		f.Close()
		return nil, nil, errNone
	}
	return f, e, nil
}

// theirs is an error of a Check or of who sends a file, which goes back as it is.
type theirs struct{ error }

// asks returns the error of a Check, which may be nil.
func (c Check) asks(now *Info) error {
	if c == nil {
		return nil
	}
	if err := c(now); err != nil {
		return theirs{err}
	}
	return nil
}

// diskFault gives an error of the file system its reply: a full disk is Unavailable,
// anything else Internal, both temporary. What is documented stays.
func diskFault(err error) error {
	var other theirs
	switch {
	case errors.As(err, &other):
		return other.error
	case errors.Is(err, ErrParent), errors.Is(err, ErrFolder), errors.Is(err, ErrExists), errors.Is(err, ErrSame):
		return err
	}
	return safefile.Fault(err)
}
