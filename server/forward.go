package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/deliver"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/message"
	"facteur/server/redirect"
	"facteur/server/spool"
	"facteur/server/srs"
)

// openForwarding opens what sending mail on needs. The state is open by then, and the
// spool is not: it tells what became of what was sent on.
func (s *Server) openForwarding(data string) (err error) {
	if s.redirects, err = redirect.Open(context.Background(), s.state, nil); err != nil {
		return fmt.Errorf("opening the memory of redirections: %w", err)
	}
	s.srs = srs.New(srs.Options{Dir: keysDir(data), Store: redirect.Senders{Memory: s.redirects}})
	return nil
}

// deliverOptions are the parts that delivery works with.
func (s *Server) deliverOptions() deliver.Options {
	return deliver.Options{
		Store: s.store, Spool: s.spool, Log: s.log, Redirects: s.redirects, SRS: s.srs, Keys: s.keys, Tell: s.tellLater,
	}
}

// withSenders returns a directory that knows the senders behind rewritten reverse-paths.
func (s *Server) withSenders(o directory.Options) *directory.Directory {
	o.Unwrap = func(a address.Address) (address.Address, error) {
		sender, err := unwrap(s.srs, a)
		if err != nil {
			s.log.Warn("srs.refused", "address", a.String(), "error", err)
		} else {
			s.log.Info("srs.back", "address", a.String(), "sender", sender.String())
		}
		return sender, err
	}
	return directory.New(o)
}

// unwrapTimeout bounds how long a long sender is looked for.
const unwrapTimeout = 10 * time.Second

// unwrap returns the sender that a rewritten reverse-path stands for, or the answer to
// who writes to it.
func unwrap(r *srs.Rewriter, a address.Address) (address.Address, error) {
	ctx, cancel := context.WithTimeout(context.Background(), unwrapTimeout)
	defer cancel()
	sender, err := r.Reverse(ctx, a)
	switch {
	case errors.Is(err, srs.ErrForged):
		return sender, fault.New(fault.NoSuchAddress, "No message was forwarded from here under this address")
	case errors.Is(err, srs.ErrExpired):
		return sender, fault.New(fault.NoSuchAddress, "This address of a forwarded message has expired")
	}
	return sender, err
}

// offline is the srs.Store of the verbs: only the running server has the long senders.
type offline struct{}

func (offline) Keep(context.Context, string, address.Address, time.Time) error {
	return errors.ErrUnsupported
}

func (offline) Find(context.Context, string) (address.Address, bool, error) {
	return address.Address{}, false, fault.New(fault.Unavailable, "The sender is too long to stand in it; it is in state.db")
}

// told takes note of what became of mail that was sent on (spool.Options.Told).
func (s *Server) told(e spool.Event) {
	o := redirect.Outcome{Entry: e.ID, Forwarder: e.Forwarder, Target: e.Recipient.ForwardPath, Fault: e.Result.Fault, Final: e.Kind != spool.Deferred && e.Kind != spool.Delayed}
	if e.Local || e.Forwarder.IsZero() || e.Forwarder.IsSRS() {
		return
	}
	p, paused := s.redirects.Told(o)
	if !paused {
		return
	}
	live := s.live.Load()
	to := live.Directory.Postmaster
	if account, ok := live.directory.Account(p.Forwarder); ok {
		to = account.Address
	}
	s.log.Warn("redirect.paused", "forwarder", p.Forwarder.String(), "to", p.Target.String(), "since", p.Since, "reply", p.Reply)
	p.Since = p.Since.In(live.Location)
	s.tellLater(deliver.Paused(p, to))
}

// tellLater has a notice sent soon.
func (s *Server) tellLater(n deliver.Notice) {
	select {
	case s.tells <- n:
	default:
		s.log.Error("server.notice", "to", n.To.String(), "subject", n.Subject, "error", "too many at once")
	}
}

// tellAll sends notices until the server stops.
func (s *Server) tellAll() {
	for {
		select {
		case n := <-s.tells:
			s.tell(n)
		case <-s.stopping:
			for {
				select {
				case n := <-s.tells:
					s.tell(n)
				default:
					return
				}
			}
		}
	}
}

// tell sends a notice.
func (s *Server) tell(n deliver.Notice) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	live := s.live.Load()
	now := time.Now()
	body := formatNotice(n, live, now.In(live.Location))
	env := envelope.Envelope{
		ID: envelope.NewID(), Received: now, Sender: envelope.Sender{Size: body.Size(), Body: "8BITMIME", SMTPUTF8: n.To.NeedsUTF8()},
		Recipients: []envelope.Recipient{{ForwardPath: n.To, Notify: envelope.NotifyNever}},
	}
	if err := s.intake.Inject(ctx, env, body); err != nil {
		s.log.Error("server.notice", "to", n.To.String(), "subject", n.Subject, "error", err)
		return
	}
	s.log.Info("server.notice", "to", n.To.String(), "subject", n.Subject)
}

// formatNotice writes a message of this server to one reader.
func formatNotice(n deliver.Notice, live *settings, at time.Time) envelope.Bytes {
	var b strings.Builder
	fmt.Fprintf(&b, "From: Mail server <postmaster@%s>\r\nTo: <%s>\r\n", live.Hostname, n.To)
	field, err := message.FormatField("Subject", n.Subject)
	if err != nil {
		field = []byte("Subject: A notice of the mail server\r\n")
	}
	b.Write(field)
	// RFC 3834 5: no answer is wanted.
	fmt.Fprintf(&b, "Date: %s\r\nMessage-ID: <%s@%s>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n", at.Format(message.DateFormat), envelope.NewID(), live.Hostname)
	b.WriteString(strings.ReplaceAll(n.Text, "\n", "\r\n"))
	return envelope.Bytes(b.String())
}
