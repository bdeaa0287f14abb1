package intake

import (
	"context"

	"facteur/server/address"
	"facteur/server/deliver"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/senderauth"
)

// Transaction is one message on its way in: Mail, Rcpt for each recipient, Data.
type Transaction struct {
	in       *Intake
	sess     envelope.Session
	account  address.Address // of the login; zero without one
	injected string          // id of this server's own message, which may go anywhere; else ""

	sender  envelope.Sender
	rcpts   []envelope.Recipient
	targets []deliver.Target
	leads   [][]int                // for each of rcpts: its indexes in targets
	reached map[end]int            // indexes in targets
	closed  []directory.ClosedList // among the recipients
	added   int                    // recipients, by scripts

	auth senderauth.Results // of the message

	id    string // of the message, from Data on; "" before
	noted bool   // it was noted as come in
}

// end is where a destination is, however one came there.
type end struct {
	kind directory.Kind
	key  address.Key
}

// Receipt is the answer to a message that was taken over.
type Receipt struct {
	ID string
	// PerRecipient has one answer for each accepted Rcpt, in order; nil: taken.
	PerRecipient []error
}

// Mail begins with the reverse-path (RFC 5321 3.3).
func (tx *Transaction) Mail(ctx context.Context, s envelope.Sender) (err error) {
	defer func() { tx.traceRefusal(hook.Mail, s.ReversePath, nil, err) }()
	live := tx.in.live.Load()
	dir := live.Directory
	if !tx.account.IsZero() && !s.ReversePath.IsZero() && !dir.MaySendAs(tx.account, s.ReversePath) {
		return fault.Newf(fault.BadSender, "%s may not send as <%s>", tx.account, s.ReversePath)
	}
	if err := tx.maySend(); err != nil {
		return err
	}
	if err := tx.mailHooks(ctx, live, s); err != nil {
		return err
	}
	tx.sender, tx.rcpts, tx.targets, tx.leads, tx.closed, tx.added = s, nil, nil, nil, nil, 0
	clear(tx.reached)
	return nil
}

// Rcpt adds a recipient, or says why not.
func (tx *Transaction) Rcpt(ctx context.Context, r envelope.Recipient) (err error) {
	defer func() { tx.traceRefusal(hook.Rcpt, tx.sender.ReversePath, []envelope.Recipient{r}, err) }()
	live := tx.in.live.Load()
	dests, err := tx.lead(ctx, live, r.ForwardPath)
	if err != nil {
		return err
	}
	res := tx.rcptHooks(ctx, live, r, dests)
	if res.Refusal != nil {
		return res.Refusal
	}
	if err := tx.greylist(ctx, live, r, res.Actions); err != nil {
		return err
	}
	to := rewritten(r.ForwardPath, res.Actions)
	if to.Kind != "" {
		if dests, err = tx.rewrite(ctx, live, r, to); err != nil {
			return err
		}
	}
	if err := tx.checkQuotas(live, dests); err != nil {
		return err
	}
	if list, closed := live.Directory.Closed(to.Address); closed {
		tx.closed = append(tx.closed, list)
	}
	tx.add(r, dests)
	return nil
}

// lead tells where an address leads for the sender of this message, or why it may not go
// there.
func (tx *Transaction) lead(ctx context.Context, live *Settings, to address.Address) ([]directory.Destination, error) {
	res := tx.in.route(live).Resolve(ctx, to)
	if err := tx.mayReach(res); err != nil {
		return nil, err
	}
	if err := tx.mayPost(live, to); err != nil {
		return nil, err
	}
	if !res.Local {
		return []directory.Destination{{Kind: directory.Remote, Address: to}}, nil
	}
	return res.Destinations, nil
}

// mayReach refuses to relay for strangers: what is not ours takes only mail of
// our own users, and of this server itself. The way back to the sender of what was
// forwarded is for reports, which have the null reverse-path (RFC 5321 4.5.5), or
// whoever has seen such an address could send to that sender by way of us.
func (tx *Transaction) mayReach(res directory.Resolution) error {
	stranger := tx.account.IsZero() && tx.injected == ""
	switch {
	case !res.Local && stranger:
		return fault.New(fault.NotLocal, "") // RFC 5321 7.9
	case res.Local && res.Fault != nil:
		return res.Fault
	case res.Back && stranger && !tx.sender.ReversePath.IsZero():
		return fault.New(fault.NotLocal, "This address takes reports only")
	}
	return nil
}

// checkQuotas refuses a recipient when none of the mailboxes behind it has
// room: of a list with one full mailbox the others still get their mail.
func (tx *Transaction) checkQuotas(live *Settings, dests []directory.Destination) error {
	var full error
	for _, d := range dests {
		if d.Kind != directory.Box {
			return nil
		}
		home, err := tx.in.opts.Store.Home(d.Address)
		if err == nil {
			size := max(tx.sender.Size, 1) // at a full mailbox even an undeclared size is too much
			err = deliver.CheckQuota(home, live.Directory, d.Address, size)
		}
		if err == nil {
			return nil
		}
		full = err
	}
	return full
}

// add notes the destinations of a recipient; each is reached once, however many
// recipients lead to it.
func (tx *Transaction) add(r envelope.Recipient, dests []directory.Destination) {
	leads := tx.reach(r, dests, tx.sess.Listener == lmtp && len(dests) == 1)
	tx.rcpts = append(tx.rcpts, r)
	tx.leads = append(tx.leads, leads)
}

// reach makes targets of the destinations that are not reached yet, and returns the places
// of all of them. answered: the peer gets an answer for each (LMTP).
func (tx *Transaction) reach(r envelope.Recipient, dests []directory.Destination, answered bool) (leads []int) {
	for _, d := range dests {
		e := end{d.Kind, d.Address.Key()}
		i, again := tx.reached[e]
		if !again {
			i = len(tx.targets)
			tx.reached[e] = i
			tx.targets = append(tx.targets, deliver.Target{Destination: d, Recipient: r, Unique: tx.injected, Answered: answered})
		}
		leads = append(leads, i)
	}
	return leads
}

// lmtp is the service whose peers get an answer for each recipient (RFC 2033 4.2).
const lmtp = "lmtp"

// rcptHooks runs the stage rcpt: the server's scripts, then those of the
// mailbox when there is one behind the recipient and nothing else.
func (tx *Transaction) rcptHooks(ctx context.Context, live *Settings, r envelope.Recipient, dests []directory.Destination) hook.Result {
	if tx.injected != "" {
		return hook.Result{}
	}
	var box address.Address
	to := hook.Recipient{Address: r.ForwardPath, Original: r.ForwardPath}
	if len(dests) == 1 && dests[0].Kind == directory.Box {
		d := dests[0]
		to.Address, to.Detail, to.Path = d.Address, d.Detail, d.Path
		box = d.Address
	}
	hooks := live.hooks(hook.Rcpt, box)
	if len(hooks) == 0 {
		return hook.Result{}
	}
	return tx.run(ctx, live, hooks, hook.Call{
		Stage:     hook.Rcpt,
		Message:   &hook.Message{ReversePath: tx.sender.ReversePath, Recipients: tx.forwardPaths(), Size: tx.sender.Size},
		Recipient: &to,
	})
}

func (tx *Transaction) forwardPaths() []address.Address {
	var all []address.Address
	for _, r := range tx.rcpts {
		all = append(all, r.ForwardPath)
	}
	return all
}
