package server

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/deliver"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/intake"
	"facteur/server/message"
	"facteur/server/spool"
)

// notice is a message of this server to people who are here.
type notice struct {
	to            []address.Address // the second one in Cc
	subject, text string            // lines of text end in LF
	id            string            // of one that may be repeated after a crash, for one reader; "": a new one
	closed        address.Address   // an account whose queue is held before it is told; zero: none
}

// maxNotices is how many notices wait to be sent.
const maxNotices = 100

// noticeLater has a notice sent soon. false: too many wait.
func (s *Server) noticeLater(n notice) bool {
	select {
	case s.notices <- n:
		return true
	default:
		s.log.Error("server.notice", "to", n.to[0].String(), "subject", n.subject, "error", "too many at once")
		return false
	}
}

// tellLater tells what delivery has to say (deliver.Options.Tell).
func (s *Server) tellLater(n deliver.Notice) {
	s.noticeLater(notice{to: []address.Address{n.To}, subject: n.Subject, text: n.Text})
}

// tellOwner tells the owner of an account and the postmaster what became of its mail
// (intake.Options.Notify).
func (s *Server) tellOwner(n intake.Notice) {
	if n.Script && !s.heldToday.take(n.Account, maxHeldNotices, n.At) {
		s.log.Warn("server.notice", "to", n.Account.String(), "id", n.ID, "error", "too many messages of it are held today to tell of each")
		return
	}
	live := s.live.Load()
	to := []address.Address{n.Account}
	if p := live.Directory.Postmaster; !p.IsZero() && !onlyTo(live.directory.Resolve(p), n.Account) {
		to = append(to, p)
	}
	at := n.At.In(live.Location)
	told := notice{to: to}
	switch {
	case n.ID == "":
		told.closed = n.Account
		told.subject, told.text = closedText(n, at)
	case n.Script:
		told.subject, told.text = heldByScript(n, at)
	default:
		told.subject, told.text = heldText(n, at)
	}
	s.noticeLater(told)
}

// onlyTo tells whether mail arrives in one mailbox alone.
func onlyTo(r directory.Resolution, box address.Address) bool {
	return len(r.Destinations) == 1 && r.Destinations[0].Kind == directory.Box && r.Destinations[0].Address.Key() == box.Key()
}

// writeNotices sends notices until the server stops, and then those that wait.
func (s *Server) writeNotices() {
	for {
		select {
		case n := <-s.notices:
			s.writeNotice(n)
		case <-s.stopping:
			for len(s.notices) > 0 {
				s.writeNotice(<-s.notices)
			}
			return
		}
	}
}

// writeNotice sends a notice to each of its readers by itself: one may be out of reach.
func (s *Server) writeNotice(n notice) {
	if !n.closed.IsZero() {
		s.holdQueueOf(n.closed)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	live := s.live.Load()
	now := time.Now()
	body := n.format(live, now.In(live.Location))
	for _, to := range n.to {
		env := envelope.Envelope{
			ID: cmp.Or(n.id, envelope.NewID()), Received: now, Sender: envelope.Sender{Size: body.Size(), Body: "8BITMIME", SMTPUTF8: n.needsUTF8()},
			Recipients: []envelope.Recipient{{ForwardPath: to, Notify: envelope.NotifyNever}},
		}
		if err := s.intake.Inject(ctx, env, body); err != nil {
			s.log.Error("server.notice", "to", to.String(), "subject", n.subject, "error", err)
			continue
		}
		s.log.Info("server.notice", "to", to.String(), "subject", n.subject)
	}
}

// holdQueueOf holds what waits in the queue of an account that was closed for sending:
// who has its password may have sent it, to leave much later (RFC 4865).
func (s *Server) holdQueueOf(account address.Address) {
	for e := range s.spool.Entries(spool.Filter{Account: account}) {
		waits := slices.ContainsFunc(e.Recipients, func(r spool.Status) bool { return !r.Done })
		if e.Hold != "" || !waits {
			continue
		}
		err := s.spool.Hold(e.ID, account.String()+" was closed for sending while this waited")
		if err != nil && !fault.Is(err, fault.NotFound) { // it left meanwhile
			s.log.Error("server.hold", "id", e.ID, "account", account.String(), "error", err)
		}
	}
}

func (n notice) needsUTF8() bool {
	return slices.ContainsFunc(n.to, address.Address.NeedsUTF8)
}

// format writes the message.
func (n notice) format(live *settings, at time.Time) envelope.Bytes {
	var b strings.Builder
	fmt.Fprintf(&b, "From: Mail server <postmaster@%s>\r\nTo: <%s>\r\n", live.Hostname, n.to[0])
	for _, cc := range n.to[1:] {
		fmt.Fprintf(&b, "Cc: <%s>\r\n", cc)
	}
	field, err := message.FormatField("Subject", n.subject)
	if err != nil {
		field = []byte("Subject: A notice of the mail server\r\n")
	}
	b.Write(field)
	// RFC 3834 5: no answer is wanted.
	fmt.Fprintf(&b, "Date: %s\r\nMessage-ID: <%s@%s>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n", at.Format(message.DateFormat), envelope.NewID(), live.Hostname)
	b.WriteString(strings.ReplaceAll(n.text, "\n", "\r\n"))
	return envelope.Bytes(b.String())
}

// moreText is the end of both notices, for the postmaster.
const moreText = `If %[1]s needs to send so much, write sending = 2 into
its table of mail.toml: that doubles the limits.
`

func heldText(n intake.Notice, at time.Time) (subject, text string) {
	return "Mail of " + n.Account.String() + " is held", fmt.Sprintf(`A message that was sent as %[1]s at %[2]s is held:

  %[3]s.

Nothing is lost. It goes on when the postmaster has released it, and so do
others that are held after it. There is no other notice today.

To %[1]s: if you did not send it, somebody else knows your
password. Change it, and tell your postmaster.

To the postmaster, on the server (the message is %[4]s):

  facteur queue list --from %[1]s        what is held
  facteur queue release --from %[1]s     let it go
  facteur queue drop --from %[1]s        throw it away

`+moreText, n.Account, at.Format("2006-01-02 15:04 MST"), n.Reason, n.ID)
}

func closedText(n intake.Notice, at time.Time) (subject, text string) {
	return n.Account.String() + " is closed for sending", fmt.Sprintf(`Since %[2]s %[1]s can't send any mail, because
%[3]s.

Reading mail works as before. What was sent and still waits in the queue is held.

To %[1]s: if it was not you, somebody else knows your
password. Change it, and tell your postmaster.

To the postmaster, on the server, once the password is a new one:

  facteur account reopen %[1]s
  facteur queue list --from %[1]s        what is held
  facteur queue release --from %[1]s     let it go
  facteur queue drop --from %[1]s        throw it away

`+moreText, n.Account, at.Format("2006-01-02 15:04 MST"), n.Reason)
}
