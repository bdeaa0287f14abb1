package deliver

import (
	"fmt"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/message"
	"facteur/server/redirect"
	"facteur/server/senderauth"
)

// Signer signs what leaves; *senderauth.Keys does. Its errors are temporary: the message
// is not taken, rather than sent in a form that others refuse.
type Signer interface {
	// Sign returns the DKIM-Signature fields of a domain for a message as it leaves.
	Sign(domain address.Domain, h *message.Header, b envelope.Body) ([]byte, error)
	// Seal returns an ARC set for a message that is passed on, or nothing.
	Seal(domain address.Domain, authserv string, r senderauth.Results, h *message.Header, b envelope.Body) ([]byte, error)
}

// outgoing is a message as it leaves this server.
type outgoing struct {
	body   envelope.Body
	sender envelope.Sender
}

// outgoing makes the form of a departure. What our own users and this server itself send
// is signed by its author's domain (RFC 6376). What is forwarded keeps its body and its
// signed fields, but from a list whose members would not get it otherwise; it is sealed
// by the forwarding address's domain (RFC 8617), and gets a reverse-path here.
func (t *transaction) outgoing(d *departure) (outgoing, error) {
	out := outgoing{sender: t.msg.Envelope.Sender}
	edits := message.Edits{Prepend: t.msg.Trace}
	signer := t.ownDomain()
	if t.needsList(d) {
		domain := t.primary(d.list)
		edits = redirect.List(t.msg.Header, d.list, address.Address{Local: "postmaster", Domain: domain})
		edits.Prepend = t.msg.Trace
		out.sender.SMTPUTF8 = out.sender.SMTPUTF8 || d.list.NeedsUTF8()
		signer = domain
	}
	if !d.forwarder.IsZero() {
		edits.Prepend = append(message.DeliveredTo(d.forwarder, out.sender.SMTPUTF8), edits.Prepend...)
	}
	out.body = message.Edit(t.msg.Body, t.msg.Header, edits)
	if err := t.sign(&out, signer, d); err != nil {
		return outgoing{}, err
	}
	var err error
	if out.sender.ReversePath, err = t.reversePath(d.forwarder); err != nil {
		return outgoing{}, unavailable(err)
	}
	return out, nil
}

// sign puts signatures and seal on top.
func (t *transaction) sign(out *outgoing, signer address.Domain, d *departure) error {
	sealer := address.Domain("")
	if !d.forwarder.IsZero() && !t.fromHere() && t.msg.Auth.SPF.Result != "" { // else nothing was verified: there is nothing to vouch for
		sealer = t.primary(d.forwarder)
	}
	if t.opts.Keys == nil || t.msg.Header.Count("From") == 0 { // RFC 6376 5.4: what has no author is sent as it is
		return nil
	}
	put := func(by address.Domain, what string, write func(*message.Header) ([]byte, error)) error {
		if by == "" {
			return nil
		}
		header, err := message.ReadHeader(out.body)
		if err != nil {
			return unavailable(err)
		}
		fields, err := write(header)
		if err != nil {
			return fault.Wrap(fault.Internal, "", fmt.Errorf("%s by %s: %w", what, by, err))
		}
		out.body = message.Edit(out.body, header, message.Edits{Prepend: fields})
		return nil
	}
	err := put(signer, "signature", func(h *message.Header) ([]byte, error) { return t.opts.Keys.Sign(signer, h, out.body) })
	if err != nil {
		return err
	}
	return put(sealer, "seal", func(h *message.Header) ([]byte, error) {
		return t.opts.Keys.Seal(sealer, t.live.Hostname, t.msg.Auth, h, out.body)
	})
}

// fromHere tells whether the message was written here: by one of our users, or by this
// server.
func (t *transaction) fromHere() bool {
	s := t.msg.Envelope.Session
	return !s.Account.IsZero() || s.Listener == ""
}

// ownDomain returns the domain of the author, when it is ours to answer for; else "".
func (t *transaction) ownDomain() address.Domain {
	authors, _ := t.msg.Header.Addresses("From")
	if !t.fromHere() || len(authors) == 0 || !t.live.Directory.IsLocal(authors[0].Domain) {
		return ""
	}
	return authors[0].Domain
}

// primary returns the domain in whose name an address of ours acts.
func (t *transaction) primary(a address.Address) address.Domain {
	domain, _ := t.live.Directory.Primary(a.Domain)
	return domain
}

// needsList tells whether the author's domain would have this refused at the members of a
// list: SPF does not align after forwarding (RFC 7489 3.1.2), and no signature does.
func (t *transaction) needsList(d *departure) bool {
	r := t.msg.Auth.DMARC
	return !d.list.IsZero() && !t.fromHere() && !r.DKIMAligned && (r.Policy == senderauth.Quarantine || r.Policy == senderauth.Reject)
}

// reversePath returns that of what a forwarder sends on: one at its domain, so that SPF
// passes there (RFC 7208 D.4), unless it is null or ours already.
func (t *transaction) reversePath(forwarder address.Address) (address.Address, error) {
	sender := t.msg.Envelope.Sender.ReversePath
	if forwarder.IsZero() || sender.IsZero() || t.opts.SRS == nil || t.live.Directory.IsLocal(sender.Domain) {
		return sender, nil
	}
	return t.opts.SRS.Forward(t.ctx, sender, t.primary(forwarder))
}
