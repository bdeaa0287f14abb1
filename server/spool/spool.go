// Package spool keeps messages on disk until each of their recipients is done, and
// tries them again and again: those of other servers, and local ones whose delivery
// failed for a while. It decides when and what; how is the business of an Attempter.
//
// An entry is a file in the folder queue, ID.one: the message, and behind it a JSON
// record of the envelope and the state of each recipient. It is never changed; what
// changes in the record after an attempt goes into a second file, ID.env, which is
// replaced as a whole and then counts alone. The entry exists if and only if ID.one
// does. So a crash loses nothing, and repeats at most the attempts that were under way:
// an entry is durable when Add returns, and it goes only once no recipient waits and
// every delivery status notification (DSN, RFC 3461) that it owes is durable
// elsewhere. A record that can't be read is set aside as ID.bad and never removed.
//
// What is held (Entry.Hold) or scheduled (Entry.NotBefore, RFC 4865) is not tried until
// it is released or its time has come. Fresh mail goes before the backlog, whose rate
// is limited; a destination of which no server answers is left alone for a while. The
// sender is told of a delay after some hours and of a failure at the end (RFC 3461), but
// nobody gets more than a few reports an hour.
//
// Locks: Spool.mu guards the schedule, in memory, and is never held over input or
// output. Each entry has a lock that is held while its record is replaced; it is taken
// before Spool.mu, never after. Goroutines: one for each running attempt, at most
// Options.Concurrency; all have ended when Close returns. A timer, not a loop, wakes
// the schedule.
//
// In memory an entry takes some 300 octets: records are read when they are needed.
//
// It does not choose servers (package relay), deliver (package deliver), rewrite
// addresses (package redirect), or limit how much is sent.
package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/safefile"
)

// Recipient is one recipient of an entry.
type Recipient struct {
	envelope.Recipient
	// Local means that the forward-path is an account or shared mailbox here, whose
	// delivery failed for a while.
	Local bool
	// Forwarder is the local address that forwards to this one, zero when nobody
	// does. Reports name it in place of where it leads.
	Forwarder address.Address
	// Via is the server, "host:port", through which it leaves; "": as the settings say.
	Via string
	// Done is the fate of a recipient that needs no attempt: all there is to do is
	// to tell the sender, if that is due (RFC 3461). Nil for all others.
	Done *Result
}

// Entry is a message to keep until its recipients are done. The Recipients of its
// Envelope are not looked at.
type Entry struct {
	Envelope   envelope.Envelope
	Recipients []Recipient
	// Hold is why nobody gets it until it is released, in plain words; "" when it is
	// not held. What is held does not expire.
	Hold string
	// Quarantine: a script held it, to be looked at. It is not for ever: see Quarantined.
	Quarantine bool
	// Spam and Virus are what scripts found, for those of the stage deliver.
	Spam  hook.Spam
	Virus string
	// NotBefore is when the first attempt may be, at the latest of this and the
	// HoldUntil of the sender (RFC 4865). The time after which a message is given up,
	// or its sender told of the delay, counts from then.
	NotBefore time.Time
}

// Item is what to do in one attempt: a message for recipients of one destination.
type Item struct {
	ID         string            // of the entry
	Envelope   envelope.Envelope // with Recipients as below
	Recipients []Recipient
	Local      bool           // all are local: one box
	Domain     address.Domain // of all of them
	Via        string         // as that of Recipient
	Spam       hook.Spam      // as that of Entry
	Virus      string
	Body       envelope.Body // valid until Attempt returns
	// Done makes durable that some recipients, by their places, are done, while the
	// attempt goes on for others. Their results are returned all the same.
	Done func(map[int]Result)
}

// Result is the fate of one recipient in one attempt.
type Result struct {
	Fault  *fault.Fault // nil: done; else it says whether to try again
	Remote string       // the server that answered, "" for this one
	Reply  string       // what it answered when it took the message
	DSN    bool         // it tells the sender of success (RFC 3461), so we don't
	TLS    string       // "TLS1.3", "" without
	// Reached: there was a server, though what Fault says of it are our own words.
	Reached bool
}

// Attempter carries out attempts. It is called by several goroutines at once, and
// ends soon after its context does.
type Attempter interface {
	// Attempt returns a Result for each of the Item's Recipients, in their order.
	Attempt(context.Context, Item) []Result
}

// Options are the settings of a Spool.
type Options struct {
	Dir     string // data/spool; on the same file system as the drafts
	FS      safefile.FS
	Log     *slog.Logger     // nil: nothing is logged
	Now     func() time.Time // nil: time.Now
	Attempt Attempter
	// Inject sends a delivery status notification on its way, and returns when it is
	// durable. It may be given the same one again after a crash: the Envelope's ID
	// is the same then.
	Inject func(context.Context, envelope.Envelope, envelope.Body) error
	// Told is told what came of each attempt at each recipient, once that is durable.
	// It is called by several goroutines at once, and must neither block nor call the
	// Spool. May be nil.
	Told func(Event)
	// Wanted tells whether Told wants the message with an Event. It is called as Told is, and
	// before it. Nil: never.
	Wanted func(Event) bool

	// These may change later, see Apply.
	Hostname       string
	Schedule       Schedule
	Concurrency    int // attempts at once; 0 is 40
	PerDestination int // attempts at once to one domain or box; 0 is 4
	// Rate is how many attempts of what has waited begin in a second, so that the
	// queue of a server that was off does not become a storm; 0 is 50. Fresh mail goes
	// first and is not counted.
	Rate int
	// Idle: nothing is tried, for work on a queue that no server runs. It can't change.
	Idle bool
}

func (o *Options) fill() {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Concurrency == 0 {
		o.Concurrency = 40
	}
	if o.PerDestination == 0 {
		o.PerDestination = 4
	}
	if o.Rate == 0 {
		o.Rate = 50
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Schedule.fill()
}

// Spool is the queue.
type Spool struct {
	store *store
	log   *slog.Logger
	now   func() time.Time

	ctx    context.Context // of the attempts
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	opts    Options
	items   map[string]*item
	agenda  agenda
	lanes   lanes
	timer   *time.Timer
	closing bool
	cold    map[destination]*cold

	readers readers
}

// Open opens the queue below o.Dir, sweeps what a crash left in its folder tmp, and
// begins to try what waits. It must be closed. Nothing else may use the folder yet.
func Open(o Options) (*Spool, error) {
	o.fill()
	s := &Spool{log: o.Log, now: o.Now, opts: o, items: make(map[string]*item), lanes: newLanes(), cold: make(map[destination]*cold)}
	s.store = &store{dir: filepath.Join(o.Dir, "queue"), fs: o.FS, syncer: safefile.NewSyncer(o.FS), log: o.Log}
	if err := safefile.MkdirAll(o.FS, s.store.dir); err != nil {
		return nil, fmt.Errorf("open the spool: %w", err)
	}
	if err := sweepTmp(o.FS, filepath.Join(o.Dir, "tmp")); err != nil {
		return nil, fmt.Errorf("open the spool: %w", err)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.timer = time.AfterFunc(time.Hour, s.wake)
	s.timer.Stop()
	if err := s.store.scan(s.load); err != nil {
		s.cancel()
		return nil, fmt.Errorf("open the spool: %w", err)
	}
	s.log.Info("spool.opened", "entries", len(s.items))
	s.wake()
	return s, nil
}

// sweepTmp makes the folder for drafts and spilled messages and empties it.
func sweepTmp(fsys safefile.FS, dir string) error {
	if err := safefile.MkdirAll(fsys, dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Type().IsRegular() {
			err = errors.Join(err, fsys.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// load takes an entry that was found on disk into the schedule.
func (s *Spool) load(id string, r *record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enter(id, r, false)
}

// Apply changes the settings that may change while the Spool is open: Hostname,
// Schedule, Concurrency, PerDestination and Rate. The schedule holds from the next attempt
// of each recipient.
func (s *Spool) Apply(o Options) {
	o.fill()
	s.mu.Lock()
	s.opts.Hostname, s.opts.Schedule = o.Hostname, o.Schedule
	s.opts.Concurrency, s.opts.PerDestination, s.opts.Rate = o.Concurrency, o.PerDestination, o.Rate
	s.lanes.widened()
	s.mu.Unlock()
	s.wake()
}

// Close ends the Spool. Running attempts go on until they end by themselves or ctx
// does; then they are broken off, and count as not made.
func (s *Spool) Close(ctx context.Context) {
	s.mu.Lock()
	s.closing = true
	s.timer.Stop()
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, s.cancel)
	defer stop()
	s.wg.Wait()
	s.cancel()
}

// maxRecipients bounds an entry.
const maxRecipients = 10_000

// Pending is an entry that is durable and not tried yet. After a crash it counts as
// released.
type Pending struct {
	spool  *Spool
	id     string
	record *record // nil when it was released or dropped, or there is nothing to do
}

// Add makes an entry of a message, which must be complete, and returns when it is
// durable; then it must be released or dropped. It appends to the draft, which must be
// linked nowhere; the caller then discards it.
//
// It may be repeated after a crash: an entry of the same message for the same
// recipients is taken as this one as long as it is there. An entry that has nothing
// to do, because no recipient waits and no report is due, is not made.
func (s *Spool) Add(ctx context.Context, e Entry, d *safefile.Draft) (*Pending, error) {
	switch {
	case len(e.Recipients) == 0:
		return nil, errors.New("a spool entry without recipients")
	case len(e.Recipients) > maxRecipients:
		return nil, fault.Newf(fault.TooMany, "More than %d recipients", maxRecipients)
	case !validID(e.Envelope.ID):
		return nil, fmt.Errorf("%q is not the id of a message", e.Envelope.ID)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := newRecord(e, d.Size(), s.now())
	if id := s.repeated(r); id != "" || r.finished() {
		return &Pending{spool: s, id: id}, nil
	}
	id, err := s.store.add(r, d)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "", fmt.Errorf("add to the spool: %w", err))
	}
	s.log.Info("spool.added", "id", id, "from", e.Envelope.Sender.ReversePath.String(), "recipients", len(e.Recipients), "size", r.Size)
	return &Pending{spool: s, id: id, record: r}, nil
}

// repeated returns the id of the entry that a record repeats, or "".
func (s *Spool) repeated(r *record) string {
	id := r.ID
	for n := 1; ; n++ {
		it, err := s.find(id)
		if err != nil {
			return ""
		}
		if other, err := s.current(it); err == nil && other.repeats(r) {
			return id
		}
		id = numbered(r.ID, n)
	}
}

// ID returns the id of the entry: that of the message, with a number behind it when
// there was an entry of that id.
func (p *Pending) ID() string { return p.id }

// Release lets the attempts begin. It may be called more than once, and does nothing
// after Drop.
func (p *Pending) Release() {
	if p.record == nil {
		return
	}
	p.spool.mu.Lock()
	p.spool.enter(p.id, p.record, true)
	p.spool.mu.Unlock()
	p.record = nil
	p.spool.wake()
}

// Drop takes the entry back. It may be called more than once, and does nothing after
// Release. On an error the entry may come back after a restart.
func (p *Pending) Drop() error {
	if p.record == nil {
		return nil
	}
	r := p.record
	p.record = nil
	if err := p.spool.store.remove(p.id, r); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("drop %s from the spool: %w", p.id, err)
	}
	p.spool.log.Info("spool.dropped", "id", p.id)
	return nil
}
