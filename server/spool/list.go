package spool

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/message"
)

// Summary is an entry in a list.
type Summary struct {
	ID         string
	Received   time.Time
	Size       int64           // of the message, in octets
	Sender     address.Address // zero: the null reverse-path
	Hold       string          // why it is held, "" when it is not
	Quarantine bool            // a script held it, to be looked at
	Told       bool            // its recipients were told that it is in quarantine
	NotBefore  time.Time       // when its sender, or who released it, let it go; zero: at once
	Expires    time.Time       // when it is given up, unless it is held
	Recipients []Status
}

// State is what a recipient waits for, or how it ended.
type State string

// The states.
const (
	Waiting   State = "waiting" // for the next attempt
	Held      State = "held"
	Scheduled State = "scheduled" // for the time that the sender wants
	Delivered State = "delivered" // here
	Passed    State = "sent"      // taken by another server
	Failed    State = "failed"
	Dropped   State = "dropped" // by the operator
)

// Status is the state of a recipient.
type Status struct {
	Address   address.Address
	Forwarder address.Address // who forwards to it, zero: nobody
	Local     bool
	Via       string // the server through which it leaves, when a script said so
	State     State
	Done      bool // nothing more is tried
	Owed      bool // the sender is yet to be told
	Delayed   bool // the sender has been told that it takes long
	Notify    envelope.Notify
	Attempts  int
	Next      time.Time // of the next attempt; zero when Done
	Tried     time.Time // the last attempt, zero before the first
	Remote    string    // the server that answered then, "" for this one
	Reply     string    // what it said, or what happened here
	Detail    string    // more of it, for the operator
	Words     string    // the reason for the State in plain words
}

// Detail is all that is known of an entry.
type Detail struct {
	Summary
	Envelope envelope.Envelope // without recipients
	From     string            // of the header
	Subject  string
	Running  bool // an attempt is under way
}

// Counts are those of the whole queue.
type Counts struct {
	Entries    int
	Recipients int       // that are not done
	Held       int       // entries
	Oldest     time.Time // when the oldest entry was received, zero when there is none
}

// Counts returns them; it reads nothing.
func (s *Spool) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := Counts{Entries: len(s.items)}
	var oldest int64
	for _, it := range s.items {
		c.Recipients += int(it.waiting)
		if it.held {
			c.Held++
		}
		if oldest == 0 || it.received < oldest {
			oldest = it.received
		}
	}
	if oldest != 0 {
		c.Oldest = time.Unix(oldest, 0)
	}
	return c
}

// Entries goes through the entries that a filter chooses, oldest first. It reads their
// records as it goes.
func (s *Spool) Entries(f Filter) iter.Seq[Summary] {
	return func(yield func(Summary) bool) {
		for _, it := range s.sorted() {
			// One that ends meanwhile is not in the list; one that is damaged is found,
			// and told of, when it is tried.
			r, err := s.current(it)
			if err == nil && f.match(r) && !yield(s.summary(it.id, r)) {
				return
			}
		}
	}
}

// Parts returns the ids of the entries of a message, oldest first: most have one, named
// as the message; one that leaves in several forms has more, with "-1" and so on at the
// end. The id of such a part stands for itself.
func (s *Spool) Parts(id string) []string {
	var parts []string
	for _, it := range s.sorted() {
		if it.id == id || strings.HasPrefix(it.id, id+"-") {
			parts = append(parts, it.id)
		}
	}
	return parts
}

// sorted returns all items, oldest first.
func (s *Spool) sorted() []*item {
	s.mu.Lock()
	items := make([]*item, 0, len(s.items))
	for _, it := range s.items {
		items = append(items, it)
	}
	s.mu.Unlock()
	slices.SortFunc(items, func(a, b *item) int {
		return cmp.Or(cmp.Compare(a.received, b.received), cmp.Compare(a.id, b.id))
	})
	return items
}

// List returns all entries, oldest first.
func (s *Spool) List() []Summary { return slices.Collect(s.Entries(Filter{})) }

// Len returns the number of entries.
func (s *Spool) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.items)
}

// Show returns an entry; it is fault.NotFound when there is none.
func (s *Spool) Show(id string) (Detail, error) {
	it, err := s.find(id)
	if err != nil {
		return Detail{}, err
	}
	r, err := s.current(it)
	if err != nil {
		return Detail{}, gone(id, err)
	}
	d := Detail{Summary: s.summary(id, r), Envelope: r.envelope()}
	if b, err := s.store.open(id, r); err == nil {
		if h, err := message.ReadHeader(b); err == nil {
			d.From, d.Subject = strings.Join(h.Values("From"), ", "), h.Subject()
		}
		b.Close()
	}
	s.mu.Lock()
	d.Running = slices.ContainsFunc(it.slots, func(sl *slot) bool { return sl.index < 0 })
	s.mu.Unlock()
	return d, nil
}

func (s *Spool) summary(id string, r *record) Summary {
	sum := r.summary(id, s.now())
	s.mu.Lock()
	sum.Expires = r.began().Add(s.opts.Schedule.Expire)
	s.mu.Unlock()
	return sum
}

func (r *record) summary(id string, now time.Time) Summary {
	sum := Summary{
		ID: id, Received: r.Received, Size: r.Size, Sender: address.Address(r.Sender.ReversePath), Hold: r.Hold, NotBefore: r.NotBefore,
		Quarantine: r.Quarantine, Told: r.Told,
	}
	for i := range r.Recipients {
		sum.Recipients = append(sum.Recipients, r.status(i, now))
	}
	return sum
}

func (r *record) status(i int, now time.Time) Status {
	to := &r.Recipients[i]
	st := Status{
		Address: address.Address(to.Address), Forwarder: address.Address(to.Forwarder), Local: to.Local, Via: to.Via,
		Done: to.Done, Owed: to.Report != "", Delayed: to.Delayed, Notify: to.Notify, Attempts: to.Attempts, Next: to.Next,
	}
	if l := to.Last; l != nil {
		st.Tried, st.Remote, st.Reply, st.Detail = l.At, l.Remote, l.reply(), l.Detail
	}
	switch {
	case to.Dropped:
		st.State = Dropped
	case to.Failed:
		st.State = Failed
	case to.Done && to.Local:
		st.State = Delivered
	case to.Done:
		st.State = Passed
	case r.Hold != "":
		st.State = Held
	case r.NotBefore.After(now):
		st.State = Scheduled
	default:
		st.State = Waiting
	}
	st.Words = r.words(&st)
	return st
}

// words tells the reason for a state.
func (r *record) words(st *Status) string {
	said := st.Reply
	if st.Remote != "" {
		said = st.Remote + " answered: " + said
	}
	switch st.State {
	case Held:
		return r.Hold
	case Scheduled:
		return "not to be sent before"
	case Delivered, Dropped:
		return ""
	case Waiting:
		if st.Tried.IsZero() {
			return "not tried yet"
		}
	}
	return said
}
