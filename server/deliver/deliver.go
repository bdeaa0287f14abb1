// Package deliver brings a message to the people that it is for: it runs the
// hooks of the stage deliver for each mailbox, carries out their actions, and
// hands what must leave this server to the spool.
//
// Order of a delivery, so that nothing is lost and nothing comes twice:
//
//  1. plan: ask what may be sent on (package redirect), for each mailbox run the hooks,
//     and decide on folders and redirects;
//  2. spool: what must leave is given its form (signed, sealed, with a reverse-path of
//     ours) and made durable, but waits;
//  3. write: the message once for each form that is needed, most often one, and
//     sync it;
//  4. file: link it into the mailboxes and sync their directories, many at once;
//  5. a mailbox that failed is emptied of it again. When all failed, nothing has
//     happened, and the caller keeps the message. Else the spool keeps it for
//     those that failed for a while, and tells the sender (RFC 3461) of those that
//     failed for good; when that can't be made durable, all of 2 and 4 is undone;
//  6. make durable what the scripts noted in their memory; note what was sent on, and
//     release what waits in the spool;
//  7. answer: vacations, replies, notifications (package autoreply), each noted before it
//     is queued.
//
// A crash before the end leaves what a client without an answer will send
// again, so some get it twice (RFC 5321 4.5.3.2 knows no better). The same may
// happen when the disk fails and then refuses to undo, too; the log has
// "deliver.undo" then.
//
// Nothing here holds a lock. Settings are swapped whole by Apply.
//
// It does not decide what may come in (package intake).
package deliver

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"facteur/server/address"
	"facteur/server/autoreply"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/mailbox"
	"facteur/server/message"
	"facteur/server/people"
	"facteur/server/redirect"
	"facteur/server/senderauth"
	"facteur/server/spool"
	"facteur/server/srs"
	"facteur/server/trace"
)

// Options are the parts that a Deliverer works with, for its whole life.
type Options struct {
	Store *mailbox.Store
	Spool *spool.Spool
	Log   *slog.Logger
	Now   func() time.Time // nil: time.Now

	Redirects *redirect.Memory  // limits what is sent on; nil: nothing does
	People    *people.Memory    // who the mailboxes know; nil: nobody
	SRS       *srs.Rewriter     // nil: reverse-paths stay as they are
	Keys      Signer            // nil: nothing is signed or sealed
	Replies   *autoreply.Memory // of what is sent by itself; nil: nothing is
	// Tell tells somebody something, by mail, without waiting. May be nil.
	Tell func(Notice)
	// Delivered is told of each mailbox that has the message, or whose scripts dropped it, once
	// all of the delivery is durable. It must not block. May be nil.
	Delivered func(Delivered)
	Trace     *trace.Log // nil: nothing is noted

	// Contacts looks somebody up in the address books of a mailbox, by the index alone; name is
	// never "" then. nil: nobody stands in one.
	Contacts func(box, who address.Address) (name string, ok bool, err error)
	// Busy is that of hook.Box, for a mailbox. nil: nobody is busy.
	Busy func(box address.Address, from, to time.Time, except string) ([]hook.Busy, error)
}

// Notice is what this server has to tell somebody.
type Notice struct {
	To            address.Address // of an account or an alias here
	Subject, Text string          // Text has lines that end in LF
}

// Settings are what a reload changes.
type Settings struct {
	Hostname  string
	Directory *directory.Directory
	// Hooks returns the scripts of a mailbox at the stage deliver, in order.
	Hooks    func(box address.Address) []hook.Hook
	Services hook.Services // of scripts
	Location *time.Location
	// Vacation returns the notice that the owner of a mailbox has set, nil: none. It may be
	// nil itself.
	Vacation func(box address.Address) *hook.AutoReply
}

// Deliverer delivers messages. It may be used by several at once.
type Deliverer struct {
	opts     Options
	live     atomic.Pointer[Settings]
	warnings warnings
}

// New returns a Deliverer with its first settings.
func New(opts Options, first Settings) *Deliverer {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	d := &Deliverer{opts: opts, warnings: warnings{warned: make(map[address.Key]bool)}}
	d.Apply(first)
	return d
}

// Apply changes the settings from the next message on.
func (d *Deliverer) Apply(s Settings) { d.live.Store(&s) }

// Message is a message on its way into mailboxes.
type Message struct {
	Envelope envelope.Envelope
	Body     envelope.Body
	Header   *message.Header
	Content  *message.Content // of both, when it is there already; nil: it is made here
	// Trace holds header fields that were added here, Received last: they come
	// above the message.
	Trace []byte
	// Copies are those that our own user keeps of what is sent.
	Copies []Copy
	// Via is the server, "host:port", through which it leaves; "": as the settings say.
	Via string
	// Hold is why the message waits in the spool, for all of its recipients, until it
	// is released there; "": it does not.
	Hold string
	// Quarantine: a script holds it, to be looked at (spool.Entry).
	Quarantine bool
	// Spam and Virus are what scripts found when it came in; Scanned: they looked for viruses.
	Spam    hook.Spam
	Virus   string
	Scanned bool
	// Auth is what was found out about the sender; zero when nothing was verified.
	Auth senderauth.Results
	// Junk: it is kept in the folder Junk, unless a script files it elsewhere.
	Junk bool
}

// Target is one destination of a message.
type Target struct {
	directory.Destination
	Recipient envelope.Recipient // the RCPT that led here
	// Unique is set when the delivery may be repeated after a crash, by the spool,
	// which also tells the sender of its success: a mailbox that has it already
	// takes it as done.
	Unique string
	// Answered: the peer gets an answer for this target alone (LMTP, RFC 2033 4.2),
	// so a failure needs neither another try from here nor a notification.
	Answered bool

	notBefore time.Time // it waits in the spool until then
	done      bool      // it has the message already
}

// Deliver brings m to all targets, or to the spool where they are remote or
// fail for a while. It returns one error a target, nil where m is durably
// taken over or the spool will tell its sender that it is not. When no target
// at all could be reached, or what failed could not be kept, nothing has
// happened and each error says so.
func (d *Deliverer) Deliver(ctx context.Context, m Message, targets []Target) []error {
	t := &transaction{Deliverer: d, live: d.live.Load(), ctx: ctx, msg: m, targets: slices.Clone(targets), errs: make([]error, len(targets))}
	t.content = sync.OnceValue(func() *message.Content {
		if m.Content != nil {
			return m.Content
		}
		return message.NewContent(m.Header, m.Body)
	})
	defer t.discardDrafts()
	if err := t.stopLoops(); err != nil {
		return t.fail(err)
	}
	if err := t.limitForwarders(); err != nil {
		return t.fail(err)
	}
	if t.waits() {
		return t.wait()
	}
	t.plan()
	if err := t.spoolRemote(); err != nil {
		return t.fail(err)
	}
	t.file()
	if t.nothingDone() {
		return t.fail(nil)
	}
	if err := t.spoolRest(); err != nil {
		return t.fail(err)
	}
	t.commitScripts()
	t.commitLeaves()
	for _, p := range t.pending {
		p.Release()
	}
	for _, b := range t.boxes {
		b.release()
	}
	t.answer()
	t.tellDelivered()
	t.traceDelivery()
	t.notePeople()
	t.fileCopies()
	t.warnFull()
	return t.errs
}

// transaction is one Deliver.
type transaction struct {
	*Deliverer
	live    *Settings
	ctx     context.Context
	msg     Message
	targets []Target
	errs    []error // one a target

	boxes   []*boxPlan
	boxOf   []*boxPlan // that of each target, nil for a remote one
	drafts  []*draft
	pending []*spool.Pending

	leaves      []*redirect.Leave
	fingerprint []byte // of the message, once it is needed

	content func() *message.Content // what scripts ask of the message is found once
}

// nothingDone tells whether no target was reached, so that the client keeps the
// message and nothing needs to be spooled for later.
func (t *transaction) nothingDone() bool {
	return !slices.Contains(t.errs, nil)
}

// fail undoes what was done. With a cause each target fails for it.
func (t *transaction) fail(cause error) []error {
	t.cancelLeaves()
	t.cancelScripts(cause)
	for _, p := range t.pending {
		t.drop(p)
	}
	for _, b := range t.boxes {
		b.undo(t)
	}
	if cause != nil {
		t.opts.Log.Error("deliver.failed", "id", t.msg.Envelope.ID, "error", cause)
		for i := range t.errs {
			t.errs[i] = fault.As(cause)
		}
		return t.errs
	}
	for i, err := range t.errs {
		t.opts.Log.Warn("deliver.refused", "id", t.msg.Envelope.ID, "to", t.targets[i].Address.String(), "error", err)
	}
	return t.errs
}

// drop takes back what waits in the spool.
func (t *transaction) drop(p *spool.Pending) {
	if err := p.Drop(); err != nil {
		t.opts.Log.Error("deliver.undo", "id", t.msg.Envelope.ID, "entry", p.ID(), "error", err)
	}
}
