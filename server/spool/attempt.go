package spool

import (
	"errors"
	"io/fs"
	"slices"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/message"
)

const (
	// maxAtOnce is how many recipients one attempt has (RFC 5321 4.5.3.1.8).
	maxAtOnce = 100
	// afterError is when to try again after an error of the disk.
	afterError = 5 * time.Minute
)

// attempt tries the recipients of a destination. It returns when to do so again, zero
// when there is nothing more to do.
func (s *Spool) attempt(sl *slot) (next time.Time) {
	it := sl.item
	r, err := s.current(it)
	if err != nil {
		return s.unreadable(it, err)
	}
	if r.Hold != "" {
		s.mu.Lock()
		s.plan(it, r)
		s.mu.Unlock()
		return time.Time{}
	}
	if r.NotBefore.After(s.now()) {
		return r.NotBefore
	}
	places := r.waiting(sl.dest)
	if len(places) == 0 {
		return time.Time{}
	}
	if f := s.putOff(sl.dest, r); f != nil {
		if next, err = s.settle(sl, places, outcome{putOff: f}); err != nil {
			next = s.unreadable(it, err)
		}
		return next
	}
	b, err := s.store.open(it.id, r)
	if err != nil {
		return s.unreadable(it, err)
	}
	defer b.Close()
	for part := range slices.Chunk(places, maxAtOnce) {
		item := newItem(it.id, r, part, b)
		item.Done = func(done map[int]Result) { s.settleSome(sl, part, done) }
		results := s.opts.Attempt.Attempt(s.ctx, item)
		s.reached(item, sl.dest, results)
		if next, err = s.settle(sl, part, outcome{results: results}); err != nil {
			return s.unreadable(it, err)
		}
		if s.ctx.Err() != nil {
			break
		}
	}
	return next
}

// outcome is what an attempt came to, or why none was made.
type outcome struct {
	results []Result
	putOff  *fault.Fault
}

// of returns the result of the nth recipient.
func (o outcome) of(n int) Result {
	switch {
	case o.putOff != nil:
		return Result{Fault: o.putOff}
	case n < len(o.results):
		return o.results[n]
	}
	return Result{Fault: fault.New(fault.Internal, "")} // a faulty Attempter
}

// newItem makes the Item for some recipients.
func newItem(id string, r *record, places []int, b envelope.Body) Item {
	first := &r.Recipients[places[0]]
	item := Item{
		ID: id, Envelope: r.envelope(), Local: first.Local, Domain: address.Address(first.Address).Domain, Body: b,
		Via: first.Via, Spam: r.spam(), Virus: r.Virus,
	}
	for _, i := range places {
		to := r.Recipients[i].recipient()
		item.Recipients = append(item.Recipients, to)
		item.Envelope.Recipients = append(item.Envelope.Recipients, to.Recipient)
	}
	return item
}

// current returns the record of an entry.
func (s *Spool) current(it *item) (*record, error) {
	it.mu.Lock()
	defer it.mu.Unlock()
	return s.currentLocked(it)
}

func (s *Spool) currentLocked(it *item) (*record, error) {
	if it.gone {
		return nil, errGone
	}
	if it.unsaved != nil {
		return it.unsaved.record.clone(), nil
	}
	return s.store.read(it.id)
}

// unreadable deals with an entry that can't be read, and returns when to try again.
func (s *Spool) unreadable(it *item, err error) time.Time {
	switch {
	case errors.Is(err, errGone):
	case errors.Is(err, errBad):
		s.store.setAside(it.id, err)
	case errors.Is(err, fs.ErrNotExist):
		s.log.Warn("spool.vanished", "id", it.id) // someone has removed it by hand
	default:
		s.log.Error("spool.unreadable", "id", it.id, "err", err)
		return s.now().Add(afterError)
	}
	return time.Time{}
}

// settle puts the outcome of an attempt into the record. It returns when the
// destination is to be tried again. Its error is that of reading the record.
func (s *Spool) settle(sl *slot, places []int, o outcome) (time.Time, error) {
	it := sl.item
	it.mu.Lock()
	r, err := s.currentLocked(it)
	if err != nil {
		it.mu.Unlock()
		return time.Time{}, err
	}
	events := s.apply(it.id, r, places, o)
	release := s.attach(it.id, r, events)
	defer release()
	events, err = s.keep(it, r, events)
	s.mu.Lock()
	it.waiting = int32(r.open())
	s.mu.Unlock()
	it.mu.Unlock()
	s.tell(events)

	now := s.now()
	switch {
	case err != nil:
		s.log.Error("spool.unsaved", "id", it.id, "err", err)
		s.wantHousekeeping(it, now.Add(time.Minute))
	case r.owesReports():
		s.wantHousekeeping(it, now)
	}
	if r.Hold != "" {
		return time.Time{}, nil // its release plans it anew
	}
	var next time.Time
	for _, i := range r.waiting(sl.dest) {
		if to := &r.Recipients[i]; next.IsZero() || to.Next.Before(next) {
			next = to.Next
		}
	}
	return next, nil
}

// settleSome puts the results of some of the recipients of an attempt into the record
// while it goes on for others. What can't be written now is settled at its end.
func (s *Spool) settleSome(sl *slot, part []int, done map[int]Result) {
	var places []int
	var o outcome
	for n, i := range part {
		if res, ok := done[n]; ok && (res.Fault == nil || !fault.Temporary(res.Fault)) {
			places, o.results = append(places, i), append(o.results, res)
		}
	}
	if len(places) > 0 {
		s.settle(sl, places, o)
	}
}

// keep makes a changed record durable, and removes the entry when it is finished. It
// returns the events that may be told then. On an error record and events are kept in
// memory. it.mu is held.
func (s *Spool) keep(it *item, r *record, events []Event) ([]Event, error) {
	if it.unsaved != nil {
		events = append(it.unsaved.events, events...)
	}
	var err error
	if r.finished() {
		if err = s.store.remove(it.id, r); err == nil {
			s.log.Info("spool.finished", "id", it.id)
			s.mu.Lock()
			it.held = false
			s.mu.Unlock()
		}
	} else {
		err = s.store.save(it.id, r)
	}
	if err != nil {
		it.unsaved = &unsaved{r, events}
		return nil, err
	}
	it.unsaved = nil
	return events, nil
}

func (s *Spool) tell(events []Event) {
	if s.opts.Told == nil {
		return
	}
	for _, e := range events {
		s.opts.Told(e)
	}
}

// apply changes the state of the recipients by what an attempt came to, and returns
// what is to be told of it.
func (s *Spool) apply(id string, r *record, places []int, o outcome) []Event {
	var events []Event
	s.mu.Lock()
	schedule := s.opts.Schedule
	s.mu.Unlock()
	now := s.now()
	reports := make(map[message.Action]string)
	var next time.Time // the same for all, so that they stay together
	for n, i := range places {
		res := o.of(n)
		to := &r.Recipients[i]
		temporary := res.Fault != nil && fault.Temporary(res.Fault)
		switch {
		case to.Done:
			continue // dropped meanwhile
		case temporary && s.ctx.Err() != nil:
			continue // broken off by Close: not made
		}
		if o.putOff == nil {
			to.Attempts++
		}
		if temporary && !schedule.expired(r.began(), now) {
			if next.IsZero() {
				next = schedule.next(to.Attempts, to.Local, r.began(), now)
			}
			to.Next, to.Last = next, res.last(now)
			if schedule.late(r.began(), now) {
				to.delay(r, res, reports)
			}
		} else {
			to.finish(r, res, reports, now)
		}
		s.logResult(id, r, to, res)
		events = append(events, r.event(id, to, res))
	}
	return events
}

// delay notes that the sender is to be told, once, that it takes long.
func (to *rcptRecord) delay(r *record, res Result, reports map[message.Action]string) {
	if !to.Delayed {
		to.Delayed = true
		to.owe(r, res, reports)
	}
}

func (r *record) event(id string, to *rcptRecord, res Result) Event {
	rcpt := to.recipient()
	e := Event{
		ID: id, Kind: Sent, Sender: address.Address(r.Sender.ReversePath),
		Recipient: rcpt.Recipient, Forwarder: rcpt.Forwarder, Local: rcpt.Local, Result: res,
		Attempts: to.Attempts, Next: to.Next, Envelope: r.envelope(),
	}
	switch {
	case res.Fault == nil:
	case to.Done && fault.Temporary(res.Fault):
		e.Kind = Expired
	case to.Done:
		e.Kind = Bounced
	case to.Report == message.Delayed:
		e.Kind = Delayed
	default:
		e.Kind = Deferred
	}
	return e
}

// owe notes the report that the sender is to get about a recipient, in place of one
// that is owed and not true any more.
func (to *rcptRecord) owe(r *record, res Result, ids map[message.Action]string) {
	to.Report, to.ReportID = "", ""
	if r.Sender.ReversePath.IsZero() || to.Notify&envelope.NotifyNever != 0 {
		return // RFC 5321 4.5.5, RFC 3461 4.1
	}
	var action message.Action
	switch {
	case !to.Done && (to.Notify == 0 || to.Notify&envelope.NotifyDelay != 0):
		action = message.Delayed
	case !to.Done:
		return
	case to.Failed && (to.Notify == 0 || to.Notify&envelope.NotifyFailure != 0):
		action = message.Failed
	case to.Failed || to.Notify&envelope.NotifySuccess == 0:
		return
	case to.Local:
		action = message.Delivered
	case res.DSN: // the next server tells (RFC 3461 5.2.2)
		return
	default:
		action = message.Relayed
	}
	if ids[action] == "" {
		ids[action] = envelope.NewID()
	}
	to.Report, to.ReportID = action, ids[action]
}

func (s *Spool) logResult(id string, r *record, to *rcptRecord, res Result) {
	args := []any{"id", id, "to", to.Address.String(), "attempt", to.Attempts, "remote", res.Remote}
	switch {
	case res.Fault == nil:
		s.log.Info("spool.sent", append(args, "reply", res.Reply, "tls", res.TLS)...)
	case to.Failed && r.Sender.ReversePath.IsZero():
		// A report that can't be delivered has nobody to be reported to (RFC 5321 6.1).
		s.log.Warn("spool.failed", append(args, "err", res.Fault, "result", "dropped: its reverse-path is null")...)
	case to.Failed:
		s.log.Warn("spool.failed", append(args, "err", res.Fault, "report", to.Report != "")...)
	default:
		s.log.Info("spool.deferred", append(args, "err", res.Fault, "next", to.Next)...)
	}
}
