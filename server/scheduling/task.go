package scheduling

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/ical"
	"facteur/server/itip"
)

// The values of SCHEDULE-STATUS (RFC 6638 3.2.9) that are used.
const (
	statusPending   = "1.0" // it waits until it may be sent
	statusSent      = "1.1" // as mail, or within seconds
	statusDelivered = "1.2"
	statusUnknown   = "3.7" // no such user
	statusRefused   = "3.8" // no authority
	statusFailed    = "5.1" // not delivered
)

// newTask makes the task of sending messages. Its ID tells whether its change came before another's.
func (s *Scheduler) newTask(box, account address.Address, messages []itip.Outgoing) *task {
	now := s.opts.Now()
	t := &task{ID: fmt.Sprintf("%016x-%s", s.last.Next(now).UnixNano(), envelope.NewID()), Made: now, Box: box, Account: account}
	for _, m := range messages {
		s.address(t, m, 0)
	}
	return t
}

// address adds what one person is told to a task.
func (s *Scheduler) address(t *task, m itip.Outgoing, base int) {
	_, here := s.boxOf(m.To)
	if m.First != nil && !here {
		t.Sends = append(t.Sends, send{From: m.From, To: m.To, Message: t.index(m.First), Base: base})
	}
	t.Sends = append(t.Sends, send{From: m.From, To: m.To, Message: t.index(m.Message), Only: m.First != nil && here, Base: base})
}

// index returns the index of a message, which is added when it is new.
func (t *task) index(m *itip.Message) int {
	if t.read == nil {
		t.read = make([]*itip.Message, len(t.Messages))
	}
	i := slices.Index(t.read, m)
	if i < 0 {
		i = len(t.read)
		t.read = append(t.read, m)
		t.Messages = append(t.Messages, m.Octets())
	}
	return i
}

// follows notes what was before the change of a task that a person makes, so that its mail
// may be merged with that of the next one.
func (s *Scheduler) follows(t *task, before []byte, uid string, stamp time.Time) {
	if slices.ContainsFunc(t.Sends, func(to send) bool { return s.byMail(&to) }) {
		t.Bases, t.UID, t.Stamp = [][]byte{before}, uid, stamp
	}
}

// message returns a message of a task.
func (t *task) message(i int) (*itip.Message, error) {
	if t.read == nil {
		t.read = make([]*itip.Message, len(t.Messages))
	}
	if t.read[i] == nil {
		c, err := ical.ParseBytes(t.Messages[i])
		if err != nil {
			return nil, err
		}
		if t.read[i], err = itip.Read(c); err != nil {
			return nil, err
		}
	}
	return t.read[i], nil
}

// expect notes what will have become of the messages of a task when nothing goes wrong, and
// returns it for the object.
func (s *Scheduler) expect(t *task) map[string]string {
	status := make(map[string]string)
	for i := range t.Sends {
		to := &t.Sends[i]
		switch box, here := s.boxOf(to.To); {
		case here && !box.IsZero():
			to.Status = statusDelivered
		case s.reachable(to.To):
			to.Status = statusSent
		default:
			to.Status = statusUnknown
		}
		status[to.To.Key()] = to.Status
	}
	return status
}

// reachable tells whether mail may reach a user.
func (s *Scheduler) reachable(u itip.User) bool {
	a := u.Mailbox()
	if a.IsZero() || s.opts.Send == nil {
		return false
	}
	dir := s.opts.Directory()
	return !dir.IsLocal(a.Domain) || len(dir.Resolve(a).Destinations) > 0
}

// commit makes a change of an object, nil: it is removed, once its task is durable. A task
// of no messages is not kept. What was read must be what is there still, else the error is
// collection.ErrCondition.
func (s *Scheduler) commit(now object, data []byte, t *task) (e *collection.Entry, created bool, err error) {
	if len(t.Sends) > 0 {
		t.Change = &change{Collection: now.in.Name(), Href: now.href}
		if now.entry != nil {
			t.Change.Before = sum(now.data)
		}
		if data != nil {
			t.Change.After = sum(data)
		}
		t.Change.Follows = s.unfinished(t)
		if err := s.journal.add(t); err != nil {
			s.forget(t)
			return nil, false, fault.Wrap(fault.Unavailable, "", err)
		}
	}
	if data == nil {
		err = now.in.Remove(now.href, now.exactly())
	} else {
		e, created, err = now.in.Put(now.href, data, now.exactly())
	}
	if err == nil {
		s.committed(t)
		return e, created, nil
	}
	// It was not made; or it was, and is not durable: the client is told that it failed, and
	// will do it again.
	if len(t.Sends) > 0 {
		s.forget(t)
	}
	return nil, false, err
}

// wasMade tells, after a crash, whether the change of a task was made.
func (s *Scheduler) wasMade(t *task) bool {
	if t.Change == nil || t.Change.Before == t.Change.After {
		return true
	}
	home, err := s.opts.Homes.Own(t.changed())
	if err != nil {
		return !fault.Is(err, fault.NotFound)
	}
	in, err := home.Open(t.Change.Collection)
	if err != nil {
		return true
	}
	now, err := read(in, t.Change.Href)
	if err != nil {
		return true
	}
	is := ""
	if now.entry != nil {
		is = sum(now.data)
	}
	return is != t.Change.Before
}

// place is where an object is that tasks change.
type place struct {
	box              address.Key
	collection, href string
}

func (t *task) place() place {
	return place{t.changed().Key(), t.Change.Collection, t.Change.Href}
}

// maxFollows bounds the tasks that one names that follows them.
const maxFollows = 4 * maxTogether

// committed notes that the change of a task was made, until the task is done.
func (s *Scheduler) committed(t *task) {
	if t.Change == nil || len(t.Sends) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes[t.place()] = append(s.changes[t.place()], t.ID)
}

// unfinished returns the tasks that are not done, and changed the object of a task before it. Whatever
// the object is when a crash comes, that they did stands in that task.
func (s *Scheduler) unfinished(t *task) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.changes[t.place()]
	return slices.Clone(list[max(0, len(list)-maxFollows):])
}

// forget removes a task that is done.
func (s *Scheduler) forget(t *task) {
	if err := s.journal.remove(t); err != nil {
		s.opts.Log.Error("scheduling.task", "id", t.ID, "error", err)
	}
	if t.Change == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	left := slices.DeleteFunc(s.changes[t.place()], func(id string) bool { return id == t.ID })
	if s.changes[t.place()] = left; len(left) == 0 {
		delete(s.changes, t.place())
	}
}

// changed is in whose calendar the change of a task is.
func (t *task) changed() address.Address {
	if t.Change.Box.IsZero() {
		return t.Box
	}
	return t.Change.Box
}

// The times of what failed for a while.
const (
	firstRetry = time.Minute
	lastRetry  = 2 * time.Hour
	giveUp     = 5 * 24 * time.Hour
)

// maxAtOnce is how many people are told before a client has its answer, and patience for how
// long that goes on; scripts may look at each mail. The rest is told soon after.
const (
	maxAtOnce = 20
	patience  = 5 * time.Second
)

// maxRefused is after how many messages that a rule refuses for now, as the limit of what an
// account sends, the rest of a task waits too. The next time others come first.
const maxRefused = 10

// start delivers the messages of a task, now or soon.
func (s *Scheduler) start(ctx context.Context, t *task) {
	s.calm(t)
	if len(t.Sends) > maxAtOnce {
		s.later(s.pending(t, t.Made))
	} else {
		s.do(ctx, t, time.Now().Add(patience))
	}
	s.crowd(ctx, t)
}

// do delivers the messages of a task whose change was made, until a time; zero: all. What fails
// for a while is left to Run, and what there was no time for.
func (s *Scheduler) do(ctx context.Context, t *task, until time.Time) {
	if len(t.Sends) == 0 {
		return
	}
	d := doing{Scheduler: s, task: t, late: s.opts.Now().Sub(t.Made) > giveUp, calm: s.opts.Now().Before(t.calm), status: make(map[string]string)}
	ctx = context.WithoutCancel(ctx) // the client may hang up now: the change was made
	over := func() bool { return !until.IsZero() && time.Now().After(until) }
	for k := range t.Sends {
		to := &t.Sends[(k+t.tries*maxRefused)%len(t.Sends)]
		switch {
		case to.Done:
		case over():
			d.left++
		default:
			d.send(ctx, to)
		}
	}
	if d.failed != nil {
		s.opts.Log.Warn("scheduling.delayed", "id", t.ID, "box", t.Box.String(), "messages", d.left, "error", d.failed)
	}
	s.note(t, d.status)
	switch {
	case d.left > 0 && over(): // there was no time for it
		s.postpone(t, 0)
	case d.left > 0 && d.rule:
		s.postpone(t, limitWait)
	case d.left > 0:
		s.postpone(t, t.retry())
	case d.waiting && d.changed:
		s.keepTask(t)
		fallthrough
	case d.waiting:
		s.later(s.pending(t, t.calm))
	default:
		s.forget(t)
	}
}

// doing is the work of do.
type doing struct {
	*Scheduler
	task    *task
	late    bool              // what fails now is given up
	calm    bool              // mail waits still
	waiting bool              // there is such mail
	changed bool              // something was sent
	left    int               // what failed for a while, or waits for a limit
	refused int               // of these, by a rule
	rule    bool              // there are such, or there were before
	failed  error             // the first of these
	status  map[string]string // what is to be noted
}

// send delivers one message.
func (d *doing) send(ctx context.Context, to *send) {
	t := d.task
	mail := d.byMail(to)
	switch {
	case mail && d.calm:
		d.waiting = true
		return
	case d.refused >= maxRefused && !d.late, mail && d.limited(t.Account) && !d.late:
		d.left++
		d.rule = true
		d.become(to, statusPending)
		return
	}
	is, err := d.deliver(ctx, t, to)
	if err != nil && fault.Temporary(err) && !d.late {
		d.left++
		if d.failed == nil {
			d.failed = err
		}
		if mail && fault.Is(err, fault.TryLater) {
			d.refused++
			d.rule = true
			d.refuse(t.Account)
			d.become(to, statusPending) // RFC 6638 3.2.9
		}
		return
	}
	if err != nil {
		d.opts.Log.Warn("scheduling.failed", "id", t.ID, "box", t.Box.String(), "to", to.To.URI, "error", err)
	}
	to.Done, d.changed = true, true
	d.become(to, is)
}

// become notes what became of a message, where that is other than the object says.
func (d *doing) become(to *send, status string) {
	if to.Status != status {
		d.status[to.To.Key()], to.Status = status, status
	}
}

// note sets what became of messages, where that is other than the object says.
func (s *Scheduler) note(t *task, status map[string]string) {
	if len(status) == 0 || len(t.Sends) == 0 {
		return
	}
	m, err := t.message(t.Sends[0].Message)
	if err != nil {
		return
	}
	for range maxTries {
		now, err := s.find(t.Box, m.UID)
		if err != nil || now.cal == nil {
			return // it was removed: there is nothing to note it in
		}
		role := itip.RoleOf(now.cal, s.person(t.Box))
		data := itip.SetStatus(now.cal, role, status).Append(nil)
		if _, _, err := now.in.Put(now.href, data, now.exactly()); !errors.Is(err, collection.ErrCondition) {
			if err != nil {
				s.opts.Log.Warn("scheduling.status", "id", t.ID, "box", t.Box.String(), "error", err)
			}
			return
		}
	}
}
