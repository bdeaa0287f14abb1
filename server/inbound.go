package server

import (
	"context"
	"net/netip"
	"time"

	"facteur/server/connection"
	"facteur/server/envelope"
	"facteur/server/fault"
)

// inboundLimits are those of who connects to smtpd. They hold for others than the
// trusted, who are not counted.
func (s *Server) inboundLimits(trusted []netip.Prefix) connection.Limits {
	return connection.Limits{
		Trusted: trusted,
		Rate: func(remote netip.Addr) *fault.Fault {
			if s.own.has(remote) {
				return nil
			}
			return s.inbound.Connect(remote, time.Now())
		},
		Hopeless: func(remote netip.Addr) bool { return s.inbound.Hopeless(remote, time.Now()) },
		Offended: func(remote netip.Addr) { s.inbound.Offend(remote, time.Now()) },
	}
}

// Mail is that of smtpd.Transaction: it counts the messages of strangers.
func (t transaction) Mail(ctx context.Context, sender envelope.Sender) error {
	if t.inbound != nil {
		if f := t.inbound.Message(t.client, time.Now()); f != nil {
			return f
		}
	}
	return t.Transaction.Mail(ctx, sender)
}
