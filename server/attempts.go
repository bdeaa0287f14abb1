package server

import (
	"context"

	"facteur/server/deliver"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/message"
	"facteur/server/relay"
	"facteur/server/senderauth"
	"facteur/server/spool"
)

// attempts is the Server as the spool sees it: it makes one attempt at one
// destination.
type attempts Server

// Attempt is that of spool.Attempter.
func (a *attempts) Attempt(ctx context.Context, item spool.Item) []spool.Result {
	select {
	case <-a.ready:
	case <-ctx.Done():
		return failed(item, ctx.Err())
	}
	live := a.live.Load()
	switch {
	case item.Local:
		return a.again(ctx, item)
	case live.directory.IsLocal(item.Domain): // a script's redirect to one of ours
		return a.inject(ctx, item)
	default:
		return send(ctx, a.relay, item)
	}
}

// again delivers to a mailbox that failed for a while.
func (a *attempts) again(ctx context.Context, item spool.Item) []spool.Result {
	header, err := message.ReadHeader(item.Body)
	if err != nil {
		return failed(item, err)
	}
	targets := make([]deliver.Target, len(item.Recipients))
	for i, r := range item.Recipients {
		targets[i] = deliver.Target{
			Destination: directory.Destination{Kind: directory.Box, Address: r.ForwardPath},
			Recipient:   r.Recipient, Unique: item.ID,
		}
	}
	auth := senderauth.Recorded(header, string(a.live.Load().Hostname))
	m := deliver.Message{Envelope: item.Envelope, Body: item.Body, Header: header, Auth: auth, Junk: auth.Junk(), Spam: item.Spam, Virus: item.Virus}
	errs := a.deliver.Deliver(ctx, m, targets)
	results := make([]spool.Result, len(errs))
	for i, err := range errs {
		results[i] = result(err)
	}
	return results
}

// inject routes each recipient anew, within this server.
func (a *attempts) inject(ctx context.Context, item spool.Item) []spool.Result {
	results := make([]spool.Result, len(item.Recipients))
	for i, r := range item.Recipients {
		env := item.Envelope // its ID makes a repetition a no-op
		env.Recipients = []envelope.Recipient{r.Recipient}
		results[i] = result(a.intake.Inject(ctx, env, item.Body))
	}
	return results
}

// send relays to the servers of the domain.
func send(ctx context.Context, r *relay.Relay, item spool.Item) []spool.Result {
	m := relay.Message{ID: item.ID, Domain: item.Domain, Via: item.Via, Sender: item.Envelope.Sender, Recipients: item.Envelope.Recipients, Body: item.Body}
	m.Done = func(done map[int]relay.Result) {
		some := make(map[int]spool.Result, len(done))
		for i, res := range done {
			some[i] = spool.Result(res)
		}
		item.Done(some)
	}
	results := make([]spool.Result, len(m.Recipients))
	for i, res := range r.Attempt(ctx, m) {
		results[i] = spool.Result(res)
	}
	return results
}

func result(err error) spool.Result {
	if err == nil {
		return spool.Result{}
	}
	return spool.Result{Fault: fault.As(err)}
}

func failed(item spool.Item, err error) []spool.Result {
	results := make([]spool.Result, len(item.Recipients))
	for i := range results {
		results[i] = result(err)
	}
	return results
}
