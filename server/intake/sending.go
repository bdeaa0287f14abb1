package intake

import (
	"hash/fnv"
	"net/netip"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/limit"
	"facteur/server/message"
)

// Notice is what the owner of an account and the postmaster are to be told.
type Notice struct {
	Account address.Address
	ID      string // of a message that is held; "" when the account was closed for sending
	Reason  string // in plain words
	At      time.Time
	Script  bool // a script holds the message; else it is a limit
}

// maySend refuses what an account sends that is closed for sending.
func (tx *Transaction) maySend() error {
	if tx.account.IsZero() || tx.in.opts.Sending == nil {
		return nil
	}
	if c, closed := tx.in.opts.Sending.IsClosed(tx.account); closed {
		return limit.Verdict{Action: limit.Refuse, Closed: true, Reason: c.Reason}.Fault()
	}
	return nil
}

// take counts the message of an own user against the sending limits. The
// recipients are those that the client named: neither what an alias leads to, nor
// redirections and answers are counted.
func (tx *Transaction) take(live *Settings, h *message.Header) (limit.Verdict, *fault.Fault) {
	if tx.account.IsZero() || tx.in.opts.Sending == nil {
		return limit.Verdict{}, nil
	}
	now := tx.in.opts.Now()
	account, _ := live.Directory.Account(tx.account)
	sub := limit.Submission{
		Account: tx.account, Client: tx.sess.Remote.Addr(), Recipients: len(tx.rcpts) + tx.added, Factor: account.Sending, Digest: tx.digest(h),
		At: tx.sender.HoldUntil,
	}
	if live.Unlimited != nil && live.Unlimited(sub.Client) {
		sub.Client = netip.Addr{}
	}
	v := tx.in.opts.Sending.Take(sub, now)
	if v.Closed && v.Tell {
		tx.notify(Notice{Account: tx.account, Reason: v.Reason, At: now})
	}
	return v, v.Fault()
}

// tellHeld tells of a message that was taken over, and is held. Of what is in quarantine
// its recipients are told, once a day.
func (tx *Transaction) tellHeld(v limit.Verdict, o orders, env envelope.Envelope) {
	if o.hold != "" {
		tx.in.opts.Log.Info("intake.held", "session", tx.sess.ID, "id", env.ID, "quarantine", o.quarantine, "reason", o.hold)
	}
	switch {
	case o.held && !tx.account.IsZero():
		tx.notify(Notice{Account: tx.account, ID: env.ID, Reason: o.hold, At: env.Received, Script: true})
	case v.Action == limit.Hold && v.Tell:
		tx.notify(Notice{Account: tx.account, ID: env.ID, Reason: v.Reason, At: env.Received})
	}
}

func (tx *Transaction) notify(n Notice) {
	if tx.in.opts.Notify != nil {
		tx.in.opts.Notify(n)
	}
}

// digest tells a message from another, but not from itself when the client tries
// it again.
func (tx *Transaction) digest(h *message.Header) uint64 {
	sum := fnv.New64a()
	sum.Write([]byte(h.Subject()))
	for _, r := range tx.rcpts {
		sum.Write([]byte{0})
		sum.Write([]byte(r.ForwardPath.Key()))
	}
	return sum.Sum64()
}

// held is the reason of a message that is held, "" for any other.
func held(v limit.Verdict) string {
	if v.Action != limit.Hold {
		return ""
	}
	return v.Reason
}
