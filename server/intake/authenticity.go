package intake

import (
	"context"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/listen"
	"facteur/server/message"
	"facteur/server/senderauth"
)

// smtp is the service where other servers bring mail.
const smtp = "smtp"

// verified tells whether the message is of another server, and was verified.
func (tx *Transaction) verified() bool {
	return tx.injected == "" && tx.account.IsZero() && tx.sess.Listener == smtp && tx.in.opts.Verifier != nil
}

// authenticate finds out who mail of other servers really comes from, and refuses what
// its author's domain asks to refuse (RFC 7489 6.6.2; senderauth tells when that is not
// done). It returns the message without the fields in which somebody else speaks in our
// name (RFC 8601 5): those were verified with it, for they may be signed.
//
// A program on this machine (LMTP) is believed. What this server kept for a while has the
// results in its header.
func (tx *Transaction) authenticate(ctx context.Context, live *Settings, env envelope.Envelope, h *message.Header, body envelope.Body) (*message.Header, envelope.Body, error) {
	switch {
	case tx.injected != "":
		tx.auth = senderauth.Recorded(h, live.Hostname)
		return h, body, nil
	case tx.sess.Listener == lmtp:
		return h, body, nil
	}
	if tx.verified() {
		facts := tx.facts(live)
		tx.auth = tx.in.opts.Verifier.Verify(ctx, facts, h, body)
		refusal := tx.auth.Refusal(facts)
		tx.tell(env, facts, refusal)
		if refusal != nil {
			return nil, nil, refusal
		}
	}
	return withoutForged(live, h, body)
}

func (tx *Transaction) facts(live *Settings) senderauth.Facts {
	s := tx.sess
	ip := s.Remote.Addr().Unmap()
	return senderauth.Facts{
		IP: ip, Helo: s.Helo, ReversePath: tx.sender.ReversePath,
		// A program of this machine connects from the address that it connects to.
		Exempt: !ip.IsValid() || ip == s.Local.Addr().Unmap() || listen.Within(live.Trusted, ip),
	}
}

// tell writes the results down, and passes them on.
func (tx *Transaction) tell(env envelope.Envelope, facts senderauth.Facts, refusal error) {
	r := tx.auth
	log := tx.in.opts.Log.With("session", tx.sess.ID, "id", env.ID, "from", string(r.DMARC.Domain), "spf", string(r.SPF.Result),
		"dkim", r.Hook().DKIM, "dmarc", string(r.DMARC.Result), "arc", string(r.ARC.Result), "disposition", string(r.DMARC.Disposition))
	if r.DMARC.Override != "" {
		log = log.With("override", r.DMARC.Override)
	}
	if refusal != nil {
		log = log.With("refused", refusal)
	}
	log.Info("intake.authenticated")
	if tx.in.opts.Authenticated != nil && (refusal == nil || !fault.Temporary(refusal)) { // else it comes again
		tx.in.opts.Authenticated(env, facts, r)
	}
}

// withoutForged returns the message without fields that only this server may add.
func withoutForged(live *Settings, h *message.Header, body envelope.Body) (*message.Header, envelope.Body, error) {
	drop := senderauth.Forged(h, func(d address.Domain) bool {
		return string(d) == live.Hostname || live.Directory.IsLocal(d)
	})
	forged := false
	for i := range h.Len() {
		name, _ := h.Field(i)
		forged = forged || drop(i, name)
	}
	if !forged {
		return h, body, nil
	}
	body = message.Edit(body, h, message.Edits{Drop: drop})
	h, err := message.ReadHeader(body)
	return h, body, err
}
