package scheduling

import (
	"context"
	"errors"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/ical"
	"facteur/server/itip"
)

// Mail is a mail that was delivered to a mailbox and kept there.
type Mail struct {
	Content hook.Content
	Authors []address.Address // of the field From
	// Proven: DMARC passes, or an account here submitted it.
	Proven bool
	Junk   bool
	// About is its Message-ID, with brackets; "": it has none.
	About    string
	Decision Decision // what the scripts of the delivery said
}

// Outcome is whether a mail is worked into calendars.
type Outcome struct {
	Taken  bool
	Reason string // why not
	Method itip.Method
	UID    string
}

// The reasons for which a mail stays plain mail.
var (
	errJunk    = errors.New("it is junk")
	errForged  = errors.New("it is not known who sent it: neither does DMARC pass, nor was it sent by an account here")
	errAuthors = errors.New("it has not one author")
	errAuthor  = errors.New("its author is not the organizer")
	errMany    = errors.New("too much waits already")
	errMethod  = errors.New("such a message changes no calendar")
)

// maxWaiting bounds the mails that wait to be worked in.
const maxWaiting = 10_000

// arrived is the message of a mail (step 1 of the package doc).
type arrived struct {
	Message  []byte
	Author   address.Address
	About    string `json:",omitempty"`
	Decision Decision
}

// Mail has a message (RFC 6047) that came by mail worked into the calendars of a mailbox, soon.
// When it returns without an error that is durable. The sender is looked at here; what of a
// stored event the sender may change is looked at when it is worked in. What is not taken
// stays plain mail.
func (s *Scheduler) Mail(ctx context.Context, box address.Address, m Mail) (Outcome, error) {
	found, err := itip.Find(m.Content)
	if err != nil {
		return Outcome{Reason: err.Error()}, nil
	}
	o := Outcome{Method: found.Method, UID: found.UID}
	if err := s.mayChange(m, found); err != nil {
		o.Reason = err.Error()
		return o, nil
	}
	t := s.newTask(box, address.Address{}, nil)
	t.Arrived = &arrived{Message: found.Unmanaged().Octets(), Author: m.Authors[0], About: m.About, Decision: m.Decision}
	if err := s.journal.add(t); err != nil {
		return o, fault.Wrap(fault.Unavailable, "", err)
	}
	s.later(pending{id: t.ID, mail: true})
	o.Taken = true
	return o, nil
}

// mayChange tells why a mail may not change a calendar.
func (s *Scheduler) mayChange(m Mail, found *itip.Message) error {
	switch {
	case m.Junk:
		return errJunk
	case !m.Proven:
		return errForged
	case len(m.Authors) != 1:
		return errAuthors
	case found.Kind == "VFREEBUSY", found.Method == itip.Publish: // who publishes invites nobody
		return errMethod
	case found.Method.FromOrganizer() && !by(m.Authors[0])(found.Organizer):
		return errAuthor
	case s.mails() >= maxWaiting:
		return errMany
	}
	return nil
}

// mails is how many mails wait.
func (s *Scheduler) mails() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.waiting {
		if p.mail {
			n++
		}
	}
	return n
}

// by is the Person of who wrote a mail. The parameter EMAIL, which is what the mail itself
// says, counts only where the URI is no address.
func by(author address.Address) itip.Person {
	return func(u itip.User) bool {
		if u.Address.IsZero() {
			return u.Email.Key() == author.Key()
		}
		return u.Address.Key() == author.Key()
	}
}

// workMail works a mail in.
func (s *Scheduler) workMail(ctx context.Context, t *task) {
	log := s.opts.Log.With("id", t.ID, "box", t.Box.String(), "from", t.Arrived.Author.String())
	res, err := s.arrive(context.WithoutCancel(ctx), t) // what is begun is done: scripts are short
	switch {
	case err != nil && fault.Temporary(err) && s.opts.Now().Sub(t.Made) < giveUp:
		log.Warn("scheduling.mail", "error", err, "result", "it is tried again")
		s.postpone(t, t.retry())
		return
	case err != nil:
		log.Error("scheduling.mail", "error", err, "result", "it stays plain mail")
	case res.Outcome == itip.Refused || res.Outcome == itip.Ignored:
		log.Info("scheduling.mail", "result", "it changes no calendar", "why", string(res.Reason))
	default:
		log.Info("scheduling.mail", "result", "it was worked in")
	}
	if err := s.journal.remove(t); err != nil {
		log.Error("scheduling.task", "error", err)
	}
}

func (s *Scheduler) arrive(ctx context.Context, t *task) (itip.Result, error) {
	c, err := ical.ParseBytes(t.Arrived.Message)
	if err != nil {
		return itip.Result{}, fault.Wrap(fault.Malformed, "", err)
	}
	m, err := itip.Read(c)
	if err != nil {
		return itip.Result{}, fault.Wrap(fault.Malformed, "", err)
	}
	return s.receive(ctx, &incoming{
		box: t.Box, message: m, from: by(t.Arrived.Author), create: s.known(ctx, t.Box, t.Arrived.Author), again: t.again,
		decision: t.Arrived.Decision, about: t.Arrived.About, mail: true,
	})
}

// known tells whether somebody is no stranger to a mailbox: somebody here, or one that it
// knows.
func (s *Scheduler) known(ctx context.Context, box, who address.Address) bool {
	if _, here := s.opts.Directory().SoleBox(who); here {
		return true
	}
	if s.opts.Known != nil && s.opts.Known(ctx, box, who) {
		return true
	}
	_, ok, err := s.opts.Homes.Contact(box, who)
	if err != nil {
		s.opts.Log.Warn("scheduling.contact", "box", box.String(), "error", err)
	}
	return ok
}
