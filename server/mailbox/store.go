// Package mailbox is the store of messages that deliver, IMAP and POP3 share:
// mailboxes with UIDs, flags and events over Maildir++ folders that other
// programs may change at any time.
//
// A Store has a Home for each account, a Home a Mailbox for each folder. All
// users of the process share these values, which cost little; the list of
// messages of a Mailbox is read when it is first needed and let go when nobody
// used it for a while. Delivery (Add) does not need the list. Each session that
// has a mailbox selected holds a View, which tells it what changed.
//
// UIDs ascend and are never given twice under one UIDVALIDITY (RFC 9051
// 2.3.1.1). They stand in the names of the files, and facteur-state holds a
// UIDNEXT that runs ahead by up to 1,000: after an unclean stop it goes on from
// there.
//
// What other programs do in cur and new is seen when a list is read, at Poll,
// and once a second while a View is open. A file that they put there is given a
// UID by renaming it. One that is missing counts as gone only by the rule of
// maildir.Scan.
//
// Changes of the file system go through safefile, and what must be durable is
// so when a method returns, except Add, whose durability is Sync.
//
// Locks, in this order: Home.admin (operations on folders), Mailbox.scanMu (one
// scan at a time), Mailbox.fileMu (the small files of a folder), Mailbox.mu (the
// list; of two mailboxes the one with the lower id first), then Home.mu,
// Home.usageMu and Store.mu, which are held for a moment. From Mailbox.mu on none
// is held over a sync. A folder's name and directories change with scanMu, fileMu
// and mu held, so that any of these is enough to read them.
//
// Not here: quotas (Usage only counts), access rights, CONDSTORE, search.
package mailbox

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/maildir"
	"facteur/server/safefile"
)

// idleAfter is the time after which a list that nobody uses is let go.
const idleAfter = 5 * time.Minute

// Store holds the homes of all accounts and shared mailboxes.
type Store struct {
	opt    Options
	syncer *safefile.Syncer
	host   string
	pid    string
	serial atomic.Uint64 // of names and of mailboxes

	stop chan struct{}
	work sync.WaitGroup // goroutines that Close waits for

	mu     sync.Mutex
	closed bool
	homes  map[address.Key]*Home
	loaded map[*Mailbox]struct{} // those with a list
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
	for _, dir := range []string{opt.Dir, opt.Tmp} {
		if err := safefile.MkdirAll(opt.FS, dir); err != nil {
			return nil, err
		}
	}
	if err := sameDisk(opt.Dir, opt.Tmp); err != nil {
		return nil, err
	}
	safefile.RemoveStale(opt.FS, opt.Tmp, opt.Now())
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	s := &Store{
		opt:    opt,
		syncer: safefile.NewSyncer(opt.FS),
		host:   maildir.Host(host),
		pid:    strconv.Itoa(os.Getpid()),
		stop:   make(chan struct{}),
		homes:  make(map[address.Key]*Home),
		loaded: make(map[*Mailbox]struct{}),
	}
	s.work.Go(s.watch)
	return s, nil
}

// sameDisk checks that files of one directory can be linked into another.
func sameDisk(a, b string) error {
	var sa, sb unix.Stat_t
	if err := unix.Stat(a, &sa); err != nil {
		return &os.PathError{Op: "stat", Path: a, Err: err}
	}
	if err := unix.Stat(b, &sb); err != nil {
		return &os.PathError{Op: "stat", Path: b, Err: err}
	}
	if sa.Dev != sb.Dev {
		return fmt.Errorf("%s and %s are not on one file system, which they must be: messages are linked from one into the other", b, a)
	}
	return nil
}

// Close writes what a clean stop leaves, so that UIDs go on without a gap, and
// ends all goroutines. Whatever is asked afterwards is Unavailable.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	homes := make([]*Home, 0, len(s.homes))
	for _, h := range s.homes {
		homes = append(homes, h)
	}
	s.mu.Unlock()
	close(s.stop)

	var mu sync.Mutex
	var errs []error
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8) // several at once, for the disk combines syncs
	for _, h := range homes {
		slots <- struct{}{}
		wg.Go(func() {
			err := h.close(errClosed)
			mu.Lock()
			errs = append(errs, err)
			mu.Unlock()
			<-slots
		})
	}
	wg.Wait()
	s.work.Wait()
	return errors.Join(errs...)
}

var (
	errClosed = fault.New(fault.Unavailable, "The server is shutting down")
	errGone   = fault.New(fault.NotFound, "The mailbox is gone")
	errNoUID  = fault.New(fault.NotFound, "The message is gone")
)

// Draft returns an empty file for Mailbox.Add. The caller must Discard it.
func (s *Store) Draft() (*safefile.Draft, error) {
	d, err := safefile.NewDraft(s.opt.FS, s.opt.Tmp)
	return d, diskFault(err)
}

// Home returns the home of an account or shared mailbox. On first use it makes
// INBOX and the usual folders.
func (s *Store) Home(a address.Address) (*Home, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, errClosed
	}
	h := s.homes[a.Key()]
	if h == nil {
		h = &Home{store: s, dir: filepath.Join(s.opt.Dir, a.Dir(), "mail")}
		s.homes[a.Key()] = h
	}
	s.mu.Unlock()
	if err := h.open(); err != nil {
		return nil, diskFault(err)
	}
	return h, nil
}

// Forget drops a home from memory, so that its directory may be moved away. Its
// mailboxes answer NotFound from then on, and their Views are Gone.
func (s *Store) Forget(a address.Address) error {
	s.mu.Lock()
	h := s.homes[a.Key()]
	delete(s.homes, a.Key())
	s.mu.Unlock()
	if h == nil {
		return nil
	}
	return h.close(errGone)
}

// watch polls mailboxes with open views each second, and lets lists go.
func (s *Store) watch() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		for _, m := range s.lists() {
			if m.viewed() {
				m.Poll()
			} else {
				m.unload(idleAfter)
			}
			if s.stopped() {
				return
			}
		}
	}
}

func (s *Store) lists() []*Mailbox {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Mailbox, 0, len(s.loaded))
	for m := range s.loaded {
		all = append(all, m)
	}
	return all
}

func (s *Store) stopped() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// track notes whether a mailbox has a list.
func (s *Store) track(m *Mailbox, loaded bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if loaded {
		s.loaded[m] = struct{}{}
	} else {
		delete(s.loaded, m)
	}
}

// newUnique returns a unique part for a new file.
func (s *Store) newUnique() string {
	now := s.opt.Now()
	b := make([]byte, 0, 32)
	b = append(b, 'M')
	b = strconv.AppendInt(b, int64(now.Nanosecond()/1000), 10)
	b = append(b, 'P')
	b = append(b, s.pid...)
	b = append(b, 'Q')
	b = strconv.AppendUint(b, s.serial.Add(1), 10)
	return maildir.NewUnique(now, string(b), s.host)
}

// diskFault gives an error of the file system its reply: a full disk is
// Unavailable, anything else Internal, both temporary.
func diskFault(err error) error {
	if err == nil {
		return nil
	}
	var f *fault.Fault
	if errors.As(err, &f) {
		return err
	}
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
		return fault.Wrap(fault.Unavailable, "", err)
	}
	return fault.Wrap(fault.Internal, "", err)
}
