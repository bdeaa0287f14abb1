package intake

import (
	"context"
	"strings"

	"facteur/server/address"
	"facteur/server/deliver"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/message"
	"facteur/server/relay"
	"facteur/server/trace"
)

// orders are what scripts of the stages data and submit want of a message, as far as they
// may.
type orders struct {
	header *message.Header
	body   envelope.Body

	hold       string // why it waits until it is released, ""
	quarantine bool   // it waits so
	held       bool   // hold said so, so its sender is told
	via        string
	copies     []deliver.Copy
}

// carryOut turns the actions of a stage into orders, in a fixed order: the header, further
// recipients, and then where the message goes. What a script may not do is left undone, and
// told to the operator.
func (tx *Transaction) carryOut(ctx context.Context, live *Settings, id string, o orders, actions []hook.Action) orders {
	var touch message.Retouch
	for _, a := range actions {
		switch a.Kind {
		case hook.RemoveHeader:
			if !message.Removable(a.Name) {
				tx.ignored(id, a, "this field is not for scripts")
				continue
			}
			touch.Remove = append(touch.Remove, a.Name)
		case hook.SubjectPrefix:
			touch.Prefix = a.Text + touch.Prefix
		case hook.AddRcpt:
			tx.addRcpt(ctx, live, id, a)
		case hook.Quarantine, hook.Hold:
			tx.order(&o, a)
		case hook.Route:
			tx.routeBy(live, id, &o, a)
		case hook.FileInto:
			o.copies = append(o.copies, deliver.Copy{Box: tx.account, Folder: a.Folder, Create: a.Create, Flags: a.Flags})
		}
	}
	body, header, signers, err := touch.Apply(o.body, o.header)
	if err != nil {
		tx.in.opts.Log.Warn("hook.ignored", "session", tx.sess.ID, "id", id, "error", err)
		return o
	}
	for _, d := range signers {
		tx.in.opts.Log.Info("hook.signature_broken", "session", tx.sess.ID, "id", id, "signer", string(d), "why", "a script changed a field that is signed")
		tx.note(trace.Event{Kind: trace.Other, Why: "a script changed a field that " + string(d) + " signed: that signature does not pass any more"})
	}
	o.body, o.header = body, header
	return o
}

// order notes that a message is held. Quarantine is the stronger word.
func (tx *Transaction) order(o *orders, a hook.Action) {
	reason := a.Text
	if reason == "" {
		reason = "by a script"
	}
	switch {
	case a.Kind == hook.Quarantine && !o.quarantine:
		o.quarantine, o.held, o.hold = true, false, reason
	case o.hold == "":
		o.held, o.hold = true, reason
	}
}

// routeBy notes the server through which a message leaves. That is the operator's to say.
func (tx *Transaction) routeBy(live *Settings, id string, o *orders, a hook.Action) {
	_, _, err := relay.ParseVia(a.Relay)
	switch {
	case !live.isServers(a.Script):
		tx.ignored(id, a, "only scripts of the server may route")
	case err != nil:
		tx.ignored(id, a, err.Error())
	default:
		o.via = a.Relay
	}
}

// addRcpt adds a recipient that the sender is told nothing of. It must be one to which this
// sender could have written, or scripts of accounts would make an open relay; what the
// server's scripts name is the operator's will, wherever it is.
func (tx *Transaction) addRcpt(ctx context.Context, live *Settings, id string, a hook.Action) {
	if len(tx.rcpts)+tx.added >= live.Recipients {
		tx.ignored(id, a, "the message has as many recipients as it may have")
		return
	}
	dests, err := tx.furtherDestinations(ctx, live, a)
	if err != nil {
		tx.ignored(id, a, err.Error())
		return
	}
	before := len(tx.targets)
	tx.reach(envelope.Recipient{ForwardPath: a.Address, Notify: envelope.NotifyNever}, dests, false)
	if len(tx.targets) > before {
		tx.added++
	}
	tx.in.opts.Log.Info("intake.added", "session", tx.sess.ID, "id", id, "to", a.Address.String(), "script", a.Script, "line", a.Line)
}

func (tx *Transaction) furtherDestinations(ctx context.Context, live *Settings, a hook.Action) ([]directory.Destination, error) {
	if !live.isServers(a.Script) {
		if _, closed := live.Directory.Closed(a.Address); closed && tx.account.IsZero() {
			return nil, fault.New(fault.Policy, "Only certain people may write to it")
		}
		return tx.lead(ctx, live, a.Address)
	}
	res := tx.in.route(live).Resolve(ctx, a.Address)
	switch {
	case res.Local && res.Fault != nil:
		return nil, res.Fault
	case res.Local:
		return res.Destinations, nil
	}
	dests := []directory.Destination{{Kind: directory.Remote, Address: a.Address}}
	if tx.account.IsZero() {
		dests = tx.forwardedBy(live, tx.forwarder(live), dests)
	}
	return dests, nil
}

// forwarder is in whose name this server sends on what a script of its own sends on: the
// postmaster of the domain that was written to.
func (tx *Transaction) forwarder(live *Settings) address.Address {
	domain := address.Domain(live.Hostname)
	for _, r := range tx.rcpts {
		if d, ok := live.Directory.Primary(r.ForwardPath.Domain); ok {
			domain = d
			break
		}
	}
	return address.Address{Local: "postmaster", Domain: domain}
}

// addable tells whether a script may add a field of a name: not one by which others see
// who wrote the message and where it has been.
func addable(name string) bool {
	return message.Removable(name) && !strings.EqualFold(name, "Sender") && !strings.EqualFold(name, "Bcc")
}
