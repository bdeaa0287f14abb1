package intake

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"facteur/server/address"
	"facteur/server/deliver"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/message"
	"facteur/server/trace"
)

// maxReceived is the number of Received fields over which a message is in a
// loop (RFC 5321 6.3).
const maxReceived = 100

// Data takes the message itself. When it returns without an error, what
// Receipt.PerRecipient does not refuse is durable.
func (tx *Transaction) Data(ctx context.Context, body envelope.Body) (_ Receipt, err error) {
	defer func() { tx.traceRefusal(hook.Data, tx.sender.ReversePath, tx.rcpts, err) }()
	if len(tx.rcpts) == 0 {
		return Receipt{}, fault.New(fault.Malformed, "The message has no recipients")
	}
	live := tx.in.live.Load()
	env := envelope.Envelope{
		ID: cmp.Or(tx.injected, envelope.NewID()), Session: tx.sess, Sender: tx.sender, Recipients: tx.rcpts, Received: tx.in.opts.Now(),
	}
	tx.id, tx.noted = env.ID, false
	header, err := message.ReadHeader(body)
	if err != nil {
		return Receipt{}, err
	}
	if err := tx.checkHeader(live, header); err != nil {
		return Receipt{}, err
	}
	if header, body, err = tx.authenticate(ctx, live, env, header, body); err != nil {
		return Receipt{}, err
	}
	if err := tx.checkAuthor(live, header); err != nil {
		return Receipt{}, err
	}
	if header, body, err = tx.complete(live, env, header, body); err != nil {
		return Receipt{}, err
	}
	tx.traceIn(env, header, body)
	content := message.NewContent(header, body)
	res := tx.dataHooks(ctx, live, env, content)
	if res.Refusal != nil {
		tx.endMemory(ctx, env.ID, res)
		return Receipt{}, res.Refusal
	}
	if res.Discard {
		tx.endMemory(ctx, env.ID, res)
		tx.in.opts.Log.Info("intake.discarded", "session", tx.sess.ID, "id", env.ID)
		tx.note(trace.Event{Kind: trace.Discarded})
		return Receipt{ID: env.ID, PerRecipient: make([]error, len(tx.rcpts))}, nil
	}
	o := tx.carryOut(ctx, live, env.ID, orders{header: header, body: body, copies: tx.copies(live, header)}, res.Actions)
	verdict, refusal := tx.take(live, header)
	if refusal != nil {
		tx.endMemory(ctx, env.ID, res, refusal)
		return Receipt{}, refusal
	}
	m := deliver.Message{
		Envelope: env, Body: o.body, Header: o.header, Trace: tx.trace(live, env, res), Copies: o.copies, Via: o.via,
		Auth: tx.auth, Junk: tx.auth.Junk(), Hold: cmp.Or(o.hold, held(verdict)), Quarantine: o.quarantine,
		Spam: res.Spam, Virus: res.Virus, Scanned: res.Scanned,
	}
	if o.header == header { // no script changed it: what was found out about it still holds
		m.Content = content
	}
	errs := tx.in.opts.Deliver.Deliver(ctx, m, tx.targets)
	r, err := tx.receipt(env.ID, errs)
	tx.endMemory(ctx, env.ID, res, append(r.PerRecipient, err)...)
	if err == nil {
		tx.tellHeld(verdict, o, env)
		tx.notePeople(header, o.copies)
	}
	return r, err
}

// checkHeader refuses loops, and own users under a name that is not theirs:
// every address in From and Sender must be one that they may send as.
func (tx *Transaction) checkHeader(live *Settings, h *message.Header) error {
	if h.Count("Received") > maxReceived {
		return fault.New(fault.Loop, "")
	}
	if tx.account.IsZero() {
		return nil
	}
	if h.Malformed() {
		return fault.New(fault.Malformed, "The header has lines that are no fields")
	}
	for _, name := range []string{"From", "Sender"} {
		if h.Count(name) > 1 { // RFC 5322 3.6: readers differ in which one they show
			return fault.Newf(fault.Malformed, "There is more than one %s field", name)
		}
		addrs, ok := h.Addresses(name)
		if !ok || name == "From" && len(addrs) == 0 {
			return fault.Newf(fault.Malformed, "The %s field is missing or can't be read", name)
		}
		for _, a := range addrs {
			if !live.Directory.MaySendAs(tx.account, a) {
				return fault.Newf(fault.BadSender, "%s may not send with %s: <%s>", tx.account, name, a)
			}
		}
	}
	return nil
}

// copies returns the copy for the shared mailbox in whose name our own user writes.
func (tx *Transaction) copies(live *Settings, h *message.Header) []deliver.Copy {
	if tx.account.IsZero() {
		return nil
	}
	from, _ := h.Addresses("From") // checkHeader read it
	for _, a := range from {
		if box, ok := live.Directory.SharedOf(a); ok {
			return []deliver.Copy{{Box: box, Folder: deliver.SentFolder, Create: true}}
		}
	}
	return nil
}

// dataHooks runs the stage submit for our own users, data for all others. The
// server's scripts always run; at submit those of the sender's domain and
// account follow; at data those of a domain or account to which all recipients
// belong, since the answer is one for all of them.
func (tx *Transaction) dataHooks(ctx context.Context, live *Settings, env envelope.Envelope, content *message.Content) hook.Result {
	if tx.injected != "" {
		return hook.Result{}
	}
	stage, owner := hook.Data, tx.onlyBox()
	if !tx.account.IsZero() {
		stage, owner = hook.Submit, tx.account
	}
	hooks := live.hooks(stage, owner)
	if len(hooks) == 0 {
		return hook.Result{}
	}
	return tx.in.ask(ctx, live, hooks, tx.withFacts(hook.Call{Stage: stage, Message: &hook.Message{
		ID: env.ID, ReversePath: tx.sender.ReversePath, Recipients: tx.forwardPaths(), Size: content.Body().Size(),
		Content: content, Auth: tx.auth.Hook(),
	}}))
}

// onlyBox returns the mailbox that is the only destination.
func (tx *Transaction) onlyBox() address.Address {
	if len(tx.targets) == 1 && tx.targets[0].Kind == directory.Box {
		return tx.targets[0].Address
	}
	return address.Address{}
}

// trace returns the fields that are added above the message: those of scripts, then
// Authentication-Results (RFC 8601 5) and Received (RFC 5321 4.4).
func (tx *Transaction) trace(live *Settings, env envelope.Envelope, res hook.Result) []byte {
	var out []byte
	var rules []string
	for _, a := range res.Actions {
		switch a.Kind {
		case hook.AddHeader:
			if !addable(a.Name) {
				tx.ignored(env.ID, a, "this field is not for scripts")
				continue
			}
			if field, err := message.FormatField(a.Name, a.Value); err == nil {
				out = append(out, field...)
			}
		case hook.Score:
			rules = append(rules, a.Rule+"="+strconv.FormatFloat(a.Points, 'f', -1, 64))
		}
	}
	if len(rules) > 0 {
		value := strconv.FormatFloat(res.Spam.Score, 'f', -1, 64) + " (" + strings.Join(rules, " ") + ")"
		if field, err := message.FormatField("X-Spam-Score", value); err == nil {
			out = append(out, field...)
		}
	}
	if tx.verified() {
		out = append(out, tx.auth.Field(live.Hostname)...)
	}
	received := message.ReceivedInfo{
		From: env.Session, By: live.Hostname, ID: env.ID, UTF8: env.Sender.SMTPUTF8, Date: env.Received.In(live.Location),
	}
	if len(env.Recipients) == 1 && tx.added == 0 {
		received.For = env.Recipients[0].ForwardPath
	}
	return append(out, message.Received(received)...)
}

// receipt turns the errors of the targets into those of the recipients: a
// recipient is taken when one of its destinations took it.
func (tx *Transaction) receipt(id string, errs []error) (Receipt, error) {
	r := Receipt{ID: id, PerRecipient: make([]error, len(tx.rcpts))}
	taken := 0
	for i, leads := range tx.leads {
		r.PerRecipient[i] = outcome(leads, errs)
		if r.PerRecipient[i] == nil {
			taken++
		}
	}
	if taken == 0 && tx.sess.Listener != lmtp {
		return Receipt{}, gentlest(r.PerRecipient)
	}
	if taken > 0 {
		tx.in.opts.Log.Info("intake.accepted", "session", tx.sess.ID, "id", id, "reverse_path", tx.sender.ReversePath.String(),
			"recipients", len(tx.rcpts), "taken", taken)
	}
	return r, nil
}

// outcome is the answer for a recipient that leads to some targets.
func outcome(leads []int, errs []error) error {
	failed := make([]error, len(leads))
	for n, i := range leads {
		failed[n] = errs[i]
	}
	if slices.Contains(failed, nil) {
		return nil
	}
	return gentlest(failed)
}

// gentlest returns the answer for all: the first that leaves hope, for what
// failed for good is told when the rest is taken.
func gentlest(errs []error) error {
	for _, err := range errs {
		if fault.Temporary(err) {
			return err
		}
	}
	return errs[0]
}
