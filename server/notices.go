package server

import (
	"context"
	"fmt"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/config"
	"facteur/server/envelope"
	"facteur/server/intake"
	"facteur/server/limit"
	"facteur/server/message"
)

// sendingTable returns [limits.sending] for package limit.
func sendingTable(c *settings) limit.Table {
	windows := func(list []config.Window) []limit.Window {
		made := make([]limit.Window, len(list))
		for i, w := range list {
			made[i] = limit.Window(w)
		}
		return made
	}
	clock := func(d time.Duration) limit.Clock { return limit.Clock(d / time.Minute) }
	s := c.Limits.Sending
	return limit.Table{
		Account: windows(s.Account), Client: windows(s.Client), Weekend: s.WeekendDivide, Zone: c.Location,
		Night: limit.Night{From: clock(s.NightFrom), To: clock(s.NightTo), Divide: s.NightDivide},
	}
}

// maxNotices is how many notices wait to be written.
const maxNotices = 100

// noticeLater has a notice written soon (intake.Options.Notify).
func (s *Server) noticeLater(n intake.Notice) {
	select {
	case s.notices <- n:
	default:
		s.log.Error("server.notice", "account", n.Account.String(), "error", "too many at once")
	}
}

// writeNotices writes notices until the server stops.
func (s *Server) writeNotices() {
	for {
		select {
		case n := <-s.notices:
			s.writeNotice(n)
		case <-s.stopping:
			for {
				select {
				case n := <-s.notices:
					s.writeNotice(n)
				default:
					return
				}
			}
		}
	}
}

// writeNotice sends a notice to the owner of the account and to the postmaster,
// each for itself: one may be out of reach.
func (s *Server) writeNotice(n intake.Notice) {
	live := s.live.Load()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	to := []address.Address{n.Account}
	if p := live.Directory.Postmaster; !p.IsZero() && p.Key() != n.Account.Key() {
		to = append(to, p)
	}
	body := noticeText(n, to, live)
	for _, a := range to {
		env := envelope.Envelope{
			ID: envelope.NewID(), Received: time.Now(), Sender: envelope.Sender{Size: body.Size(), Body: "8BITMIME", SMTPUTF8: n.Account.NeedsUTF8() || a.NeedsUTF8()},
			Recipients: []envelope.Recipient{{ForwardPath: a, Notify: envelope.NotifyNever}},
		}
		if err := s.intake.Inject(ctx, env, body); err != nil {
			s.log.Error("server.notice", "account", n.Account.String(), "to", a.String(), "error", err)
		}
	}
	s.log.Info("server.notice", "account", n.Account.String(), "held", n.ID, "reason", n.Reason)
}

// noticeText is the message.
func noticeText(n intake.Notice, to []address.Address, live *settings) envelope.Bytes {
	at := n.At.In(live.Location)
	subject, text := heldText(n, at)
	if n.ID == "" {
		subject, text = closedText(n, at)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "From: Mail server <postmaster@%s>\r\nTo: <%s>\r\n", live.Hostname, to[0])
	if len(to) > 1 {
		fmt.Fprintf(&b, "Cc: <%s>\r\n", to[1])
	}
	field, _ := message.FormatField("Subject", subject) // an address has no control characters
	b.Write(field)
	// RFC 3834 5: no answer is wanted.
	fmt.Fprintf(&b, "Date: %s\r\nMessage-ID: <%s@%s>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n", at.Format(time.RFC1123Z), envelope.NewID(), live.Hostname)
	b.WriteString(strings.ReplaceAll(text, "\n", "\r\n"))
	return envelope.Bytes(b.String())
}

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
`, n.Account, at.Format("2006-01-02 15:04 MST"), n.Reason, n.ID)
}

func closedText(n intake.Notice, at time.Time) (subject, text string) {
	return n.Account.String() + " is closed for sending", fmt.Sprintf(`Since %[2]s %[1]s can't send any mail, because
%[3]s.

Reading mail works as before.

To %[1]s: if it was not you, somebody else knows your
password. Change it, and tell your postmaster.

To the postmaster, on the server, once the password is a new one:

  facteur account reopen %[1]s
`, n.Account, at.Format("2006-01-02 15:04 MST"), n.Reason)
}
