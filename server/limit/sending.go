package limit

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/listen"
	"facteur/server/statedb"
)

// Options is what a Sending needs.
type Options struct {
	State *statedb.DB // where counts are kept; nil: nowhere
	Log   *slog.Logger
	Table Table
}

// Sending limits what our own users send.
type Sending struct {
	state *statedb.DB
	log   *slog.Logger

	mu       sync.Mutex
	table    Table
	accounts map[string]*subject // by accountKey
	clients  map[string]*subject // by clientKey
	dirty    map[string]bool     // of both, to be written to state.db
	saving   bool                // a write is on its way
	closed   map[address.Key]Closed
	swept    time.Time // when the old were last forgotten
	visits   map[address.Key]*visits
	visited  time.Time // as swept
}

// subject is an account or a client. Its exported fields are kept in state.db.
type subject struct {
	Sent    history `json:"sent,omitempty"`
	Planned history `json:"planned,omitempty"` // what is to leave later, and is in Sent then

	// Of an account: the day of the last notice of held mail, the times when it
	// went over the top limit, when the last of them is over, and digests of the
	// last messages that were refused.
	Told    string   `json:"told,omitempty"`
	Over    []int64  `json:"over,omitempty"`
	Quiet   int64    `json:"quiet,omitempty"`
	Refused []uint64 `json:"refused,omitempty"`
}

// maxClients bounds the clients that are remembered. Those over it push out others
// that sent little; the limits of the accounts hold all the same, and of those
// there are as many as mail.toml has.
const maxClients = 50_000

// Open returns a Sending with the counts and closed accounts of o.State.
func Open(o Options) (*Sending, error) {
	s := &Sending{
		state: o.State, log: o.Log, table: o.Table,
		accounts: make(map[string]*subject), clients: make(map[string]*subject), dirty: make(map[string]bool), closed: make(map[address.Key]Closed),
		visits: make(map[address.Key]*visits),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.state == nil {
		return s, nil
	}
	return s, s.load()
}

// Apply changes the table from the next message on. What was counted stays.
func (s *Sending) Apply(t Table) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table = t
}

// Submission is a message of one of our own users.
type Submission struct {
	Account    address.Address
	Client     netip.Addr // zero: of one that has no limit (trusted, this machine)
	Recipients int        // as the client named them: what an alias leads to is not counted
	Factor     float64    // multiplies all limits; 0: 1
	Digest     uint64     // tells a message from another: a refused one that is tried again is not a new offence
	At         time.Time  // when it is to leave (RFC 4865), if that is later: it is counted there
}

// Action is what to do with a message.
type Action uint8

// The actions.
const (
	Accept Action = iota
	Hold          // accept, and keep it until it is released
	Refuse
)

// Verdict is the answer to a Submission.
type Verdict struct {
	Action Action
	Reason string // in plain words
	// Until is when the refused message would be accepted, if nothing else is sent;
	// zero: never.
	Until time.Time
	// Tell: the owner and the postmaster are to be told; once a day for an account
	// whose mail is held, and when this message has closed the account.
	Tell bool
	// Closed: the account may send nothing until it is opened again.
	Closed bool
}

// Take decides on a message, and counts its recipients unless it is refused.
func (s *Sending) Take(sub Submission, now time.Time) Verdict {
	v := s.take(sub, now)
	if v.Closed && v.Tell {
		s.keepClosed(context.Background(), sub.Account)
	}
	if v.Action != Accept {
		client := ""
		if sub.Client.IsValid() {
			client = clientName(sub.Client)
		}
		s.log.Warn("limit.sending", "account", sub.Account.String(), "client", client, "recipients", sub.Recipients,
			"held", v.Action == Hold, "why", v.Reason)
	}
	return v
}

func (s *Sending) take(sub Submission, now time.Time) Verdict {
	if sub.Factor == 0 {
		sub.Factor = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, closed := s.closed[sub.Account.Key()]; closed {
		return Verdict{Action: Refuse, Closed: true, Reason: c.Reason}
	}
	s.sweep(now)
	account, client := s.account(sub.Account, now), s.client(sub.Client, now)
	r := request{table: &s.table, n: sub.Recipients, factor: sub.Factor, later: sub.At.After(now)}
	r.parties = []party{{sub.Account.String(), account.Sent, account.Planned, s.table.Account}}
	if client != nil {
		r.parties = append(r.parties, party{clientName(sub.Client), client.Sent, client.Planned, s.table.Client})
	}
	at := now
	if r.later {
		at = sub.At
	}
	v, over := r.decide(at)
	if r.later && len(account.Planned) >= maxPlanned || r.later && client != nil && len(client.Planned) >= maxPlanned {
		v = Verdict{Action: Refuse, Reason: "Too many messages wait for their time already"}
	}
	switch {
	case v.Action == Refuse && over == 0 && !v.Until.IsZero():
		if s.offend(account, sub, v.Until, now) {
			v = s.closeFor(sub.Account, "it went over the limit of sent mail three times in a day", now)
		}
		s.touch(accountKey(sub.Account))
	case v.Action == Hold:
		if today := now.In(s.table.zone()).Format(time.DateOnly); account.Told != today {
			account.Told, v.Tell = today, true
		}
	}
	if v.Action == Refuse {
		return v
	}
	account.note(at, now, sub.Recipients, s.table.longest())
	s.touch(accountKey(sub.Account))
	if client != nil {
		client.note(at, now, sub.Recipients, s.table.longest())
		s.touch(clientKey(sub.Client))
	}
	return v
}

// note counts n recipients at a time, which may be to come.
func (sub *subject) note(at, now time.Time, n int, keep time.Duration) {
	if at.After(now) {
		sub.plan(at.Unix(), n)
		return
	}
	sub.Sent = sub.Sent.add(at.Unix(), n, keep)
}

func accountKey(a address.Address) string { return "account " + string(a.Key()) }

func clientKey(ip netip.Addr) string { return "client " + clientName(ip) }

// clientName is "192.0.2.1" or "2001:db8::/64".
func clientName(ip netip.Addr) string {
	key := listen.ClientKey(ip.Unmap())
	if key.Is6() {
		return netip.PrefixFrom(key, 64).String()
	}
	return key.String()
}

// account returns what is known of an account, with no part in the future. s.mu
// is held.
func (s *Sending) account(a address.Address, now time.Time) *subject {
	sub := s.accounts[accountKey(a)]
	if sub == nil {
		sub = &subject{}
		s.accounts[accountKey(a)] = sub
	}
	sub.settle(now.Unix(), s.table.longest())
	sub.Sent.clamp(now.Unix())
	return sub
}

// client is account for a client, nil for one without a limit.
func (s *Sending) client(ip netip.Addr, now time.Time) *subject {
	if !ip.IsValid() {
		return nil
	}
	sub := s.clients[clientKey(ip)]
	if sub == nil {
		s.makeRoom()
		sub = &subject{}
		s.clients[clientKey(ip)] = sub
	}
	sub.settle(now.Unix(), s.table.longest())
	sub.Sent.clamp(now.Unix())
	return sub
}

// idle tells whether nothing is known of a subject that matters any more.
func (sub *subject) idle(now time.Time, longest time.Duration) bool {
	aday := now.Add(-24 * time.Hour)
	sub.settle(now.Unix(), longest)
	sub.Sent = sub.Sent.forget(now.Unix(), longest)
	return len(sub.Sent)+len(sub.Planned) == 0 && (len(sub.Over) == 0 || sub.Over[len(sub.Over)-1] < aday.Unix()) &&
		sub.Told < aday.Add(-24*time.Hour).UTC().Format(time.DateOnly)
}

// sweep forgets who has sent nothing for long, once an hour. s.mu is held.
func (s *Sending) sweep(now time.Time) {
	if since := now.Sub(s.swept); since >= 0 && since < time.Hour {
		return
	}
	s.swept = now
	longest := s.table.longest()
	for _, all := range []map[string]*subject{s.accounts, s.clients} {
		for key, sub := range all {
			if sub.idle(now, longest) {
				delete(all, key)
				s.touch(key)
			}
		}
	}
}

// makeRoom forgets one of a few clients when there are too many: the one that
// has sent the least. s.mu is held.
func (s *Sending) makeRoom() {
	if len(s.clients) < maxClients {
		return
	}
	const looked = 16 // the order of a map is a random one
	least, fewest, seen := "", 0, 0
	for key, sub := range s.clients {
		n := 0
		for _, p := range sub.Sent {
			n += p.N
		}
		if least == "" || n < fewest {
			least, fewest = key, n
		}
		if seen++; seen == looked {
			break
		}
	}
	delete(s.clients, least)
	if fewest > 0 { // else it is not in state.db
		s.touch(least)
	}
}
