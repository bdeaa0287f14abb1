// Package mailbox is the store of messages that deliver, IMAP and POP3 share:
// mailboxes with UIDs, flags, MODSEQs and what is cached of messages, over Maildir++
// folders that other programs may change at any time.
//
// A Store has a Home for each account, a Home a Mailbox for each folder. All
// users of the process share these values, which cost little; the index of a
// Mailbox (package msgindex) is read when it is first needed and let go when
// nobody used it for a while. Readers take a Snapshot, which never changes, and
// need no lock; a session that has a mailbox selected holds a Watch, and compares
// the snapshot that its client knows with the newest (msgindex.Diff).
//
// UIDs ascend and are never given twice under one UIDVALIDITY (RFC 9051
// 2.3.1.1). They stand in the names of the files. Each batch of a change, of at most
// 128 messages, gets one MODSEQ, above every one that was told (RFC 7162). For both
// facteur-state holds a ceiling that runs ahead, by up to 1,000 and 10,000: after an
// unclean stop it goes on from there.
//
// The index is trusted when it was closed, or when the process that wrote it was
// killed: its log is written before anything is told. It is compared with the
// directories by their mtimes, and by a scan when these differ or it was not
// closed. After a power cut, or without an index, it is made from the files, and
// every message gets a new MODSEQ: to clients all changed, and what vanished is not
// known. The cache is a cache: what it lost is read from the files again.
//
// What other programs do in cur and new is seen when an index is read, at Poll,
// and once a second while a Watch is open. A file that they put there is given a
// UID by renaming it. One that is missing counts as gone only by the rule of
// maildir.Scan.
//
// Keywords have a letter in the file name as long as there are letters. Further
// ones are in facteur-keywords, a log beside the mail (package maildir).
//
// What is expunged moves to deleted/ when Options.Bins say so, and may be brought
// back from there. The text of messages is indexed in the background (package fts)
// while nothing else is to be done; what is not indexed yet the caller reads.
//
// Changes of the file system go through safefile, and what must be durable is
// so when a method returns, except Add, whose durability is Sync.
//
// Locks, in this order: that of Home.bin (package retention), Home.admin (operations on folders), Mailbox.furtherMu (who appends to facteur-keywords),
// Mailbox.scanMu (one scan at a time; it keeps the index), Mailbox.fileMu (the small
// files of a folder), Mailbox.mu (what changes the index; of two mailboxes the one
// with the lower id first), then Home.mu, Home.usageMu, textState.mu and
// further.mu, which are held for a moment. From Mailbox.mu on none is held over a sync. A
// folder's name and directories change with scanMu, fileMu and mu held, so that any
// of these keeps them.
//
// Not here: quotas (Usage only counts), access rights, the search program.
package mailbox

import (
	"log/slog"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/maildir"
	"facteur/server/resident"
	"facteur/server/retention"
	"facteur/server/safefile"
)

// idleAfter is the time after which an index that nobody uses is let go.
const idleAfter = 5 * time.Minute

// With more than maxLoaded indexes in memory, each of which has open files, those
// that nobody uses are let go sooner: a LIST with STATUS may ask for all of the
// folders of an account.
const (
	maxLoaded    = 2000
	crowdedAfter = 3 * time.Second
)

// unusedAfter is how long an index that nobody uses stays, when there are so many.
func unusedAfter(loaded int) time.Duration {
	if loaded > maxLoaded {
		return crowdedAfter
	}
	return idleAfter
}

// Store holds the homes of all accounts and shared mailboxes.
type Store struct {
	opt    Options
	syncer *safefile.Syncer
	host   string
	pid    string
	bootID string        // of the running system
	serial atomic.Uint64 // of names and of mailboxes
	clock  atomic.Int64  // the time at the last tick, in nanoseconds
	active atomic.Int64  // when something was changed last, likewise
	bins   *retention.Kind[Deleted]

	homes  *resident.Homes[*Home]
	loaded resident.Loaded[*Mailbox] // those with an index in memory
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
	if err := safefile.Prepare(opt.FS, opt.Dir, opt.Tmp, opt.Now()); err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	s := &Store{
		opt:    opt,
		syncer: safefile.NewSyncer(opt.FS),
		host:   maildir.Host(host),
		pid:    strconv.Itoa(os.Getpid()),
		bootID: safefile.BootID(),
		bins:   retention.Add(opt.Bins, "mailbox", deletedOn),
	}
	s.homes = resident.NewHomes(s.newHome)
	s.clock.Store(opt.Now().UnixNano())
	s.homes.Every(time.Second, s.watch)
	if !opt.NoText {
		s.homes.Go(s.indexTexts)
	}
	return s, nil
}

// Close writes what a clean stop leaves, so that UIDs go on without a gap, and
// ends all goroutines. Whatever is asked afterwards is Unavailable.
func (s *Store) Close() error {
	return s.homes.Close(func(h *Home) error { return h.close(resident.ErrClosed) })
}

var (
	errGone  = fault.New(fault.NotFound, "The mailbox is gone")
	errNoUID = fault.New(fault.NotFound, "The message is gone")
)

// Draft returns an empty file for Mailbox.Add. The caller must Discard it.
func (s *Store) Draft() (*safefile.Draft, error) {
	d, err := safefile.NewDraft(s.opt.FS, s.opt.Tmp)
	return d, safefile.Fault(err)
}

// Home returns the home of an account or shared mailbox. On first use it makes
// INBOX and the usual folders.
func (s *Store) Home(a address.Address) (*Home, error) {
	h, err := s.homes.Get(a)
	if err != nil {
		return nil, err
	}
	if err := h.open(); err != nil {
		return nil, safefile.Fault(err)
	}
	return h, nil
}

// Forget drops a home from memory, so that its directory may be moved away. Its
// mailboxes answer NotFound from then on, and their Watches are Gone.
func (s *Store) Forget(a address.Address) error {
	h, ok := s.homes.Forget(a)
	if !ok {
		return nil
	}
	return h.close(errGone)
}

// watch looks after what is in memory, each second.
func (s *Store) watch() {
	s.clock.Store(s.opt.Now().UnixNano())
	loaded := s.loaded.All()
	s.lookAfter(loaded, unusedAfter(len(loaded)))
	for _, h := range s.homes.All() {
		h.poll()
	}
}

// lookAfter polls the mailboxes that are watched, and lets go of those that nobody used for
// a while.
func (s *Store) lookAfter(loaded []*Mailbox, unused time.Duration) {
	for _, m := range loaded {
		if s.homes.Closed() {
			return
		}
		if m.watches.Load() > 0 {
			m.Poll()
		} else {
			m.unload(unused)
		}
		m.tidyCache()
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
