package scheduling

import (
	"bytes"
	"context"
	"slices"
	"time"

	"facteur/server/address"
	"facteur/server/ical"
	"facteur/server/itip"
)

// maxCalm is how many times Options.Calm mail waits at most while one change follows another.
const maxCalm = 12

// maxTogether is how many tasks about one meeting are in memory at once to be merged, and how many of
// them wait.
const maxTogether = 32

// crowd has the mail of a meeting merged while it waits, when there is too much of it: each task
// has the whole meeting in it.
func (s *Scheduler) crowd(ctx context.Context, t *task) {
	about, ok := s.waits(t)
	if !ok {
		return
	}
	s.mu.Lock()
	var list []pending
	others := slices.DeleteFunc(slices.Clone(s.waiting), func(p pending) bool {
		with := p.about == about && len(list) < maxTogether
		if with {
			list = append(list, p)
		}
		return with
	})
	if len(list) < maxTogether {
		s.mu.Unlock()
		return
	}
	s.waiting = others
	s.mu.Unlock()
	s.work(ctx, list)
}

// waits says whether a task has mail that a later change of the same meeting may replace, and
// of which it is.
func (s *Scheduler) waits(t *task) (about string, ok bool) {
	if len(t.Bases) == 0 || !slices.ContainsFunc(t.Sends, func(to send) bool { return !to.Done && s.byMail(&to) }) {
		return "", false
	}
	return string(t.Box.Key()) + "\x00" + t.UID, true
}

// byMail says whether a message is for somebody elsewhere.
func (s *Scheduler) byMail(to *send) bool {
	_, here := s.boxOf(to.To)
	return !here
}

// calm has the mail of a new task wait: for what replaces it, but not for ever.
func (s *Scheduler) calm(t *task) {
	about, ok := s.waits(t)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	first, others := t.Made, false
	for _, p := range s.waiting {
		if p.about == about {
			others = true
			if p.made.Before(first) {
				first = p.made
			}
		}
	}
	if s.opts.Calm == 0 && !others {
		return
	}
	t.calm = t.Made.Add(s.opts.Calm)
	if last := first.Add(maxCalm * s.opts.Calm); t.calm.After(last) {
		t.calm = last
	}
	if soon := t.Made.Add(time.Millisecond); t.calm.Before(soon) {
		t.calm = soon // Run has to merge them
	}
	for i := range s.waiting {
		if p := &s.waiting[i]; p.about == about {
			p.next, p.calm = t.calm, t.calm
		}
	}
}

// merge makes of the mail that tasks about one meeting have for a person one message, which tells
// the difference between what that person knows and what is now. It stays with the last task.
// Where that can't be done each message is sent.
func (s *Scheduler) merge(tasks []*task) {
	slices.SortFunc(tasks, func(a, b *task) int { return a.Stamp.Compare(b.Stamp) })
	last := tasks[len(tasks)-1]
	now, err := s.find(last.Box, last.UID)
	if err != nil || now.entry != nil && now.cal == nil || last.Change == nil || (now.entry == nil) != (last.Change.After == "") {
		return // it is not what the last one made of it
	}
	m := merging{Scheduler: s, last: last, now: now.cal, plans: make(map[string][]itip.Outgoing), changed: make(map[*task]bool)}
	users, in := m.users(tasks)
	for _, key := range users {
		if len(in[key]) > 1 && !m.user(key, in[key]) {
			return
		}
	}
	// The last one first: after a crash between two of them it is merged once more.
	for _, t := range slices.Backward(tasks) {
		if m.changed[t] {
			s.keepTask(t)
		}
	}
}

// merging is the work of merge.
type merging struct {
	*Scheduler
	last    *task
	now     *ical.Calendar
	plans   map[string][]itip.Outgoing // by what was known
	changed map[*task]bool
}

// users returns for whom there is mail, and in which tasks.
func (m *merging) users(tasks []*task) (order []string, in map[string][]*task) {
	in = make(map[string][]*task)
	for _, t := range tasks {
		for i := range t.Sends {
			to := &t.Sends[i]
			key := to.To.Key()
			if to.Done || !m.byMail(to) || slices.Contains(in[key], t) {
				continue
			}
			if in[key] == nil {
				order = append(order, key)
			}
			in[key] = append(in[key], t)
		}
	}
	return order, in
}

// user merges what there is for one person. false: that can't be done.
func (m *merging) user(key string, in []*task) bool {
	first, last := in[0], in[len(in)-1]
	base := first.Bases[first.Sends[first.next(key)].Base]
	list, ok := m.plan(base)
	if !ok {
		return false
	}
	list = slices.DeleteFunc(slices.Clone(list), func(o itip.Outgoing) bool { return o.To.Key() != key })
	if len(list) == 0 && known(base, key) {
		// One change took the other back; but what was answered before may count no more.
		in = in[:len(in)-1]
	}
	for _, t := range in {
		m.changed[t] = true
		for i := range t.Sends {
			t.Sends[i].Done = t.Sends[i].Done || t.Sends[i].To.Key() == key
		}
	}
	m.changed[last] = true
	for _, o := range list {
		m.address(last, o, last.knew(base))
	}
	return true
}

// knew returns the index of what was known, which is added when it is new: of many people it is
// mostly the same.
func (t *task) knew(base []byte) int {
	i := slices.IndexFunc(t.Bases, func(b []byte) bool { return bytes.Equal(b, base) })
	if i < 0 {
		i = len(t.Bases)
		t.Bases = append(t.Bases, base)
	}
	return i
}

// parse reads an object; nil: there is none.
func parse(data []byte) (*ical.Calendar, error) {
	if len(data) == 0 {
		return nil, nil
	}
	return ical.ParseBytes(data)
}

// next returns the index of the first message of a task that is still to be sent to a person.
func (t *task) next(key string) int {
	return slices.IndexFunc(t.Sends, func(to send) bool { return !to.Done && to.To.Key() == key })
}

// known says whether an object invites a person.
func known(data []byte, key string) bool {
	c, err := parse(data)
	return err == nil && c != nil && slices.ContainsFunc(itip.Attendees(c), func(u itip.User) bool { return u.Key() == key })
}

// plan returns the messages that lead from what was known to what is now.
func (m *merging) plan(base []byte) ([]itip.Outgoing, bool) {
	id := sum(base)
	if list, ok := m.plans[id]; ok {
		return list, true
	}
	before, err := parse(base)
	if err != nil {
		return nil, false
	}
	plan, err := itip.Change{Before: before, After: m.now, Self: m.person(m.last.Box), Now: m.stamp(m.last.UID), Floating: m.location()}.Plan()
	if err != nil {
		return nil, false
	}
	m.plans[id] = plan.Messages
	return plan.Messages, true
}

// limited is that of an account that may send no more for now.
type limited struct {
	until   time.Time
	refused int // messages, until then
}

// limitWait is how long a limit of an account is believed.
const limitWait = 5 * time.Minute

// refuse notes that mail of an account was refused for now by a rule.
func (s *Scheduler) refuse(account address.Address) {
	now := s.opts.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, l := range s.limits {
		if !l.until.After(now) {
			delete(s.limits, key)
		}
	}
	l := s.limits[account.Key()]
	if l.until.IsZero() {
		l.until = now.Add(limitWait)
	}
	l.refused++
	s.limits[account.Key()] = l
}

// limited says whether so much of an account was refused that the rest waits.
func (s *Scheduler) limited(account address.Address) bool {
	now := s.opts.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.limits[account.Key()]
	return l.until.After(now) && l.refused >= maxRefused
}
