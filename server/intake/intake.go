// Package intake is the one way in for mail: from other servers (MX), from our
// own users (submission), from a local program (LMTP), and from this server
// itself (delivery status notifications).
//
// It decides who may send what to whom: no relaying, own users under their own
// addresses only, per-recipient answers at RCPT. It runs the hooks of the
// stages connect to submit and carries out their actions. What it accepts it hands to deliver, and only
// what deliver made durable is answered with 250.
//
// Settings are swapped whole by Apply; a transaction in progress meets the
// newest ones at each command.
package intake

import (
	"context"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/deliver"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/limit"
	"facteur/server/mailbox"
	"facteur/server/people"
	"facteur/server/senderauth"
	"facteur/server/trace"
)

// Options are the parts that an Intake works with, for its whole life.
type Options struct {
	Deliver *deliver.Deliverer
	Store   *mailbox.Store
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
	// Verifier finds out who mail of other servers comes from; nil: nobody does.
	Verifier *senderauth.Verifier
	// Authenticated is told of each message that was verified, but for those that are put
	// off, before it is answered; it must not block. nil: nobody is.
	Authenticated func(envelope.Envelope, senderauth.Facts, senderauth.Results)
	Sending       *limit.Sending // of our own users; nil: no limits
	Greylist      *Greylist      // nil: what a script would greylist passes
	People        *people.Memory // that they write to; nil: none are noted
	// Notify tells the owner of an account and the postmaster something. It must
	// not wait. It may be nil.
	Notify func(Notice)
	Trace  *trace.Log // nil: nothing is noted
}

// Settings are what a reload changes.
type Settings struct {
	Hostname  string
	Directory *directory.Directory
	// ServerHooks are the scripts for every message; BoxHooks returns those of
	// an address's domain and of the address itself, in that order.
	ServerHooks []hook.Hook
	BoxHooks    func(address.Address) []hook.Hook
	DomainHooks func(address.Domain) []hook.Hook // those of a domain alone; may be nil
	// Handled tells whether any script at all has a function for a stage; nil: any may.
	Handled  func(hook.Stage) bool
	Services hook.Services  // of scripts
	Location *time.Location // of the times in trace fields; nil: UTC
	// Trusted are the networks whose mail is taken whatever the policy of its author.
	Trusted []netip.Prefix
	// Unlimited tells which clients have no sending limit of their own; that of the
	// account holds all the same. It may be nil.
	Unlimited func(netip.Addr) bool
	// Recipients is how many a message may have, those included that scripts add; 0: 100.
	Recipients int

	server scripts // by Apply
}

// Intake takes messages in. It may be used by several at once.
type Intake struct {
	opts Options
	live atomic.Pointer[Settings]
}

// New returns an Intake with its first settings.
func New(opts Options, first Settings) *Intake {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	in := &Intake{opts: opts}
	in.Apply(first)
	return in
}

// Apply changes the settings from the next command on.
func (in *Intake) Apply(s Settings) {
	if s.Location == nil {
		s.Location = time.UTC
	}
	if s.Recipients == 0 {
		s.Recipients = 100
	}
	s.server = byStage(s.ServerHooks)
	in.live.Store(&s)
}

// Begin starts a mail transaction of a session.
func (in *Intake) Begin(sess envelope.Session, cred auth.Credential) *Transaction {
	return &Transaction{in: in, sess: sess, account: cred.Account, reached: make(map[end]int)}
}

// Inject takes a message of this server itself, such as a DSN: it is routed
// and filed like any other, without hooks of the SMTP stages. The message keeps
// the envelope's ID, and where it is already it is not brought again: Inject may
// be repeated after a crash.
func (in *Intake) Inject(ctx context.Context, env envelope.Envelope, body envelope.Body) error {
	tx := in.Begin(env.Session, auth.Credential{})
	tx.injected = env.ID
	if err := tx.Mail(ctx, env.Sender); err != nil {
		return err
	}
	for _, r := range env.Recipients {
		if err := tx.Rcpt(ctx, r); err != nil {
			return err
		}
	}
	receipt, err := tx.Data(ctx, body)
	if err != nil {
		return err
	}
	for _, err := range receipt.PerRecipient {
		if err != nil {
			return err
		}
	}
	return nil
}
