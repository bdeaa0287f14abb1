package spool

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/message"
)

// Summary is an entry in a list.
type Summary struct {
	ID         string
	Received   time.Time
	Size       int64           // of the message, in octets
	Sender     address.Address // zero: the null reverse-path
	Recipients []Status
}

// Status is the state of a recipient.
type Status struct {
	Address   address.Address
	Forwarder address.Address // who forwards to it, zero: nobody
	Local     bool
	Done      bool // delivered, or failed for good
	Failed    bool
	Attempts  int
	Next      time.Time // of the next attempt; zero when Done
	Tried     time.Time // the last attempt, zero before the first
	Remote    string    // the server that answered then, "" for this one
	Reply     string    // what it said, or what happened here
	Detail    string    // more of it, for the operator
	Words     string    // all that in plain words, without times
}

// Detail is all that is known of an entry.
type Detail struct {
	Summary
	Envelope envelope.Envelope // without recipients
	Subject  string
	Running  bool // an attempt is under way
}

// List returns the entries, oldest first. It reads their records.
func (s *Spool) List() []Summary {
	s.mu.Lock()
	items := make([]*item, 0, len(s.items))
	for _, it := range s.items {
		items = append(items, it)
	}
	s.mu.Unlock()
	list := make([]Summary, 0, len(items))
	for _, it := range items {
		// One that ends meanwhile is not in the list; one that is damaged is found,
		// and told of, when it is tried.
		if r, err := s.current(it); err == nil {
			list = append(list, r.summary(it.id))
		}
	}
	slices.SortFunc(list, func(a, b Summary) int {
		return cmp.Or(a.Received.Compare(b.Received), cmp.Compare(a.ID, b.ID))
	})
	return list
}

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
	if errors.Is(err, fs.ErrNotExist) {
		return Detail{}, notFound(id)
	}
	if err != nil {
		return Detail{}, err
	}
	d := Detail{Summary: r.summary(id), Envelope: r.envelope()}
	if b, err := s.store.open(id); err == nil {
		if h, err := message.ReadHeader(b); err == nil {
			d.Subject = h.Subject()
		}
		b.Close()
	}
	s.mu.Lock()
	d.Running = slices.ContainsFunc(it.slots, func(sl *slot) bool { return sl.index < 0 })
	s.mu.Unlock()
	return d, nil
}

// Retry tries all waiting recipients of an entry now; it is fault.NotFound when there
// is none.
func (s *Spool) Retry(id string) error {
	it, err := s.find(id)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.retry(it)
	s.mu.Unlock()
	s.wake()
	return nil
}

// RetryAll tries all that waits now, and returns the number of entries.
func (s *Spool) RetryAll() int {
	s.mu.Lock()
	n := len(s.items)
	for _, it := range s.items {
		s.retry(it)
	}
	s.mu.Unlock()
	s.wake()
	return n
}

func (s *Spool) retry(it *item) {
	now := s.now()
	for _, sl := range it.slots {
		if sl.index >= 0 && sl.due.After(now) {
			sl.due = now
			s.agenda.moved(sl)
		}
	}
}

func (s *Spool) find(id string) (*item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if it := s.items[id]; it != nil {
		return it, nil
	}
	return nil, notFound(id)
}

func notFound(id string) error {
	return fault.Newf(fault.NotFound, "There is no message %q in the queue", id)
}

func (r *record) summary(id string) Summary {
	sum := Summary{ID: id, Received: r.Received, Size: r.Size, Sender: address.Address(r.Sender.ReversePath)}
	for i := range r.Recipients {
		sum.Recipients = append(sum.Recipients, r.Recipients[i].status())
	}
	return sum
}

func (to *rcptRecord) status() Status {
	st := Status{
		Address: address.Address(to.Address), Forwarder: address.Address(to.Forwarder), Local: to.Local,
		Done: to.Done, Failed: to.Failed, Attempts: to.Attempts, Next: to.Next, Words: to.words(),
	}
	if l := to.Last; l != nil {
		st.Tried, st.Remote, st.Reply, st.Detail = l.At, l.Remote, l.reply(), l.Detail
	}
	return st
}

// words tells the state in plain words.
func (to *rcptRecord) words() string {
	if to.Last == nil {
		return "not tried yet"
	}
	said := to.Last.reply()
	if to.Last.Remote != "" {
		said = to.Last.Remote + " answered: " + said
	}
	var words string
	switch {
	case to.Failed:
		words = "failed for good: " + said
	case to.Done && to.Local:
		words = "delivered"
	case to.Done:
		words = "sent: " + said
	default:
		words = "waits for the next attempt: " + said
	}
	if to.Report != "" {
		words += " (the sender is yet to be told)"
	}
	return words
}
