package intake

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/listen"
	"facteur/server/senderauth"
)

// greylist puts a recipient off when a script says so and the client, sender and recipient
// are new together. It is for other servers, which come again: not for our own users, LMTP
// and trusted networks. When the memory fails, mail passes.
func (tx *Transaction) greylist(ctx context.Context, live *Settings, r envelope.Recipient, actions []hook.Action) error {
	after := time.Duration(0)
	asked := false
	for _, a := range actions {
		if a.Kind == hook.Greylist {
			asked, after = true, max(after, a.For)
		}
	}
	store, ip := tx.in.opts.Greylist, tx.sess.Remote.Addr().Unmap()
	trusted := listen.Within(live.Trusted, ip)
	if !asked || store == nil || tx.sess.Listener != smtp || !tx.account.IsZero() || !ip.IsValid() || trusted {
		return nil
	}
	wait, err := store.Check(ctx, GreyTriple{
		Client: greyNetwork(ip), Sender: tx.sender.ReversePath.Key(), Recipient: r.ForwardPath.Key(),
	}, after, tx.in.opts.Now(), func() string { return tx.greyDomain(ctx, ip) })
	log := tx.in.opts.Log.With("session", tx.sess.ID, "client", ip.String(), "from", tx.sender.ReversePath.String(), "to", r.ForwardPath.String())
	switch {
	case err != nil:
		log.Error("intake.greylist", "error", err, "result", "it passes")
		return nil
	case wait <= 0:
		return nil
	}
	log.Info("intake.greylisted", "wait", wait)
	return fault.Newf(fault.TryLater, "Greylisted, try again in %d seconds", (wait+time.Second-1)/time.Second) // RFC 6647 5
}

// spfPatience bounds the questions about a sender who may be put off.
const spfPatience = 5 * time.Second

// greyDomain returns the domain that the client speaks for, "" when SPF does not pass: large
// senders try again from another of their addresses (RFC 6647 4.2).
func (tx *Transaction) greyDomain(ctx context.Context, ip netip.Addr) string {
	if tx.in.opts.Verifier == nil || tx.sender.ReversePath.IsZero() {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, spfPatience)
	defer cancel()
	spf := tx.in.opts.Verifier.SPF(ctx, senderauth.Facts{IP: ip, Helo: tx.sess.Helo, ReversePath: tx.sender.ReversePath})
	if spf.Result != senderauth.Pass {
		return ""
	}
	return string(spf.Domain)
}

// rewritten returns the last action that sends a recipient elsewhere; the zero one when
// none does.
func rewritten(from address.Address, actions []hook.Action) hook.Action {
	for _, a := range slices.Backward(actions) {
		if a.Kind == hook.Rewrite && a.Address.Key() != from.Key() {
			return a
		} else if a.Kind == hook.Rewrite {
			break
		}
	}
	return hook.Action{}
}

// rewrite tells where a recipient leads that a script sends elsewhere. That is resolved as
// if the client had named it, so nobody gets by it where they may not write to; no script
// is asked again, so there is no way round in a circle. The recipient stays what it was in
// reports and trace fields.
func (tx *Transaction) rewrite(ctx context.Context, live *Settings, r envelope.Recipient, to hook.Action) ([]directory.Destination, error) {
	dests, err := tx.lead(ctx, live, to.Address)
	log := tx.in.opts.Log.With("session", tx.sess.ID, "from", r.ForwardPath.String(), "to", to.Address.String(), "script", to.Script, "line", to.Line)
	if err != nil {
		log.Warn("intake.rewrite", "error", err)
		return nil, err
	}
	log.Info("intake.rewritten")
	return tx.forwardedBy(live, r.ForwardPath, dests), nil
}

// forwardedBy names an address of ours as the one that sends on to other servers, where no
// alias or account does.
func (tx *Transaction) forwardedBy(live *Settings, by address.Address, dests []directory.Destination) []directory.Destination {
	if !live.Directory.IsLocal(by.Domain) {
		return dests
	}
	dests = slices.Clone(dests)
	for i := range dests {
		if d := &dests[i]; d.Kind == directory.Remote && d.Forwarder.IsZero() {
			d.Forwarder = by
		}
	}
	return dests
}
