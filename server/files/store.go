package files

import (
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/resident"
	"facteur/server/retention"
	"facteur/server/safefile"
)

const (
	defaultFolder   = "files"
	defaultMaxSize  = 1 << 30
	defaultMaxFiles = 100_000
)

// Store holds the trees of all accounts and shared mailboxes.
type Store struct {
	opt    Options
	syncer *safefile.Syncer
	serial atomic.Uint64  // of trees
	last   safefile.Clock // the newest time of a file
	trees  *resident.Homes[*Tree]
	bins   *retention.Kind[Deleted]
}

// Open returns the store in a directory, which is made when it is not there.
func Open(opt Options) (*Store, error) {
	if opt.FS == nil {
		opt.FS = safefile.OS
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Bins == nil {
		opt.Bins = retention.New(retention.Options{})
	}
	if opt.MaxSize <= 0 {
		opt.MaxSize = defaultMaxSize
	}
	if opt.MaxFiles <= 0 {
		opt.MaxFiles = defaultMaxFiles
	}
	if opt.Folder == "" {
		opt.Folder = defaultFolder
	}
	if err := safefile.Prepare(opt.FS, opt.Dir, opt.Tmp, opt.Now()); err != nil {
		return nil, err
	}
	s := &Store{opt: opt, syncer: safefile.NewSyncer(opt.FS)}
	s.bins = retention.Add(opt.Bins, opt.Folder, s.deletedOn)
	s.trees = resident.NewHomes(s.newTree)
	return s, nil
}

// Close ends the store. Trees answer Unavailable from then on.
func (s *Store) Close() {
	s.trees.Close(func(t *Tree) error {
		t.end(resident.ErrClosed)
		return nil
	})
}

func (s *Store) newTree(a address.Address) *Tree {
	home := filepath.Join(s.opt.Dir, a.Dir())
	return &Tree{store: s, address: a, dir: filepath.Join(home, s.opt.Folder), serial: s.serial.Add(1), bin: s.bins.Bin(a)}
}

// Tree returns the files of an account or shared mailbox, the same for all who ask. It
// makes nothing on disk.
func (s *Store) Tree(a address.Address) (*Tree, error) { return s.trees.Get(a) }

// Usage tells what an account holds.
func (s *Store) Usage(a address.Address) (Usage, error) {
	t, err := s.Tree(a)
	if err != nil {
		return Usage{}, err
	}
	u, err := t.Usage()
	return u, diskFault(err)
}

// Forget drops a tree from memory, so that its directory may be moved away. It answers
// NotFound from then on.
func (s *Store) Forget(a address.Address) {
	if t, ok := s.trees.Forget(a); ok {
		t.end(errGone)
	}
}

// nextTime returns a time that no other file of this process has.
func (s *Store) nextTime() time.Time { return s.last.Next(s.opt.Now()) }

// room asks whether a tree may grow.
func (s *Store) room(a address.Address, octets int64) error {
	if s.opt.Room == nil || octets <= 0 {
		return nil
	}
	return s.opt.Room(a, octets)
}

var (
	errGone  = fault.New(fault.NotFound, "It is not there any more")
	errBusy  = fault.New(fault.Unavailable, "It is being changed by someone else")
	errNone  = fault.New(fault.NotFound, "There is no such file or folder")
	errInWay = fault.New(fault.NotPossible, "Something that is neither a file nor a folder is there")
)
