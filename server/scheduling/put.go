package scheduling

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/fault"
	"facteur/server/homes"
	"facteur/server/hook"
	"facteur/server/ical"
	"facteur/server/itip"
)

// Request is a change of a calendar object by a client.
type Request struct {
	Account    address.Address // who is logged in
	Collection *homes.Collection
	Href       string // the last segment, not percent-encoded
	Condition  collection.Condition
	IfTag      string // If-Schedule-Tag-Match (RFC 6638 8.3), with its quotes; "": none
	NoReply    bool   // Schedule-Reply: F (RFC 6638 8.1)
}

// Result is what became of a Put.
type Result struct {
	Entry   *collection.Entry
	Created bool
	Tag     string // the Schedule-Tag (RFC 6638 8.2), with its quotes; "": it has none
	Changed bool   // what is kept differs from what was sent, so its ETag is not told (RFC 4791 5.3.4)
}

// Precondition is a condition of RFC 6638 3.2.4 or RFC 4791 5.3.2.1 that does not hold.
type Precondition struct {
	Name string // as davxml.Name writes it: "{urn:ietf:params:xml:ns:caldav}same-organizer-in-all-components"
	// In and Href are what is in the way; nil: nothing of this home.
	In   *homes.Collection
	Href string
	Text string // for a person
}

func (p *Precondition) Error() string { return p.Text }

const caldav = "{urn:ietf:params:xml:ns:caldav}"

// maxTries is how often a change begins anew because another came first.
const maxTries = 100

// errBusy ends that: so many others do not come first.
var errBusy = fault.New(fault.Unavailable, "the object is changed by too many at once")

// Tag is the Schedule-Tag of an object (RFC 6638 3.2.10), with its quotes; "": it has none.
func Tag(e *collection.Entry) string {
	if e == nil {
		return ""
	}
	if tag, ok := homes.ScheduleTag(e.Facts); ok {
		return `"` + tag + `"`
	}
	return ""
}

// Put keeps an object, and tells those whom it concerns (RFC 6638 3.2). The errors are those
// of collection.Collection.Put, a *Precondition, and faults.
func (s *Scheduler) Put(ctx context.Context, r Request, data []byte) (Result, error) {
	var asked asked
	for range maxTries {
		now, err := s.stored(r, data)
		if err != nil {
			return Result{}, err
		}
		if !r.holds(now.entry) {
			return Result{}, collection.ErrCondition
		}
		e, created, changed, err := s.put(ctx, r, now, data, &asked)
		if errors.Is(err, collection.ErrCondition) {
			continue // another came between: once more, from what that left
		}
		if err != nil {
			return Result{}, err
		}
		return Result{Entry: e, Created: created, Changed: changed, Tag: Tag(e)}, nil
	}
	return Result{}, errBusy
}

// stored returns the object that a request is about; its octets only when it, or what is put
// in its place, has to do with scheduling.
func (s *Scheduler) stored(r Request, data []byte) (object, error) {
	e, err := r.Collection.Entry(r.Href)
	if fault.Is(err, fault.NotFound) {
		e, err = nil, nil
	}
	if err != nil || Tag(e) == "" && !organized(data) {
		return object{in: r.Collection, href: r.Href, entry: e}, err
	}
	return read(r.Collection, r.Href)
}

// holds tells whether a request is about an object as it is (nil: there is none).
func (r Request) holds(e *collection.Entry) bool {
	return r.Condition.Holds(e) && (r.IfTag == "" || e != nil && r.IfTag == Tag(e))
}

// exactly is the condition that an object is what it was when it was read.
func (o object) exactly() collection.Condition {
	if o.entry == nil {
		return collection.Condition{Absent: true}
	}
	return collection.Condition{Match: []collection.ETag{o.entry.ETag}}
}

// put makes one try.
func (s *Scheduler) put(ctx context.Context, r Request, now object, data []byte, asked *asked) (e *collection.Entry, created, changed bool, err error) {
	after := scheduled(r.Collection, now, data)
	if after == nil {
		e, created, err = r.Collection.Put(r.Href, data, now.exactly())
		return e, created, false, err
	}
	if now.cal != nil && uidOf(now.cal) != uidOf(after) {
		return nil, false, false, &collection.UIDConflict{Href: now.href}
	}
	c := itip.Change{
		Before: now.cal, After: after, Self: s.person(r.Collection.Owner), Now: s.stamp(uidOf(after)), NoReply: r.NoReply, Floating: s.location(),
	}
	if c.After, err = s.askAbout(ctx, r, c, asked); err != nil {
		return nil, false, false, err
	}
	plan, err := c.Plan()
	if err != nil {
		return nil, false, false, refusal(err)
	}
	if plan.Role == itip.Bystander {
		e, created, err = r.Collection.Put(r.Href, data, now.exactly())
		return e, created, false, err
	}
	if err := s.unique(r, now, after); err != nil {
		return nil, false, false, err
	}
	if err := s.maySchedule(r, plan); err != nil {
		return nil, false, false, err
	}
	if len(plan.Messages) > 0 && s.askPut(ctx, r, after, asked).Kind == hook.Reject {
		return nil, false, false, asked.refusal()
	}
	kept, changed := data, false
	t := s.newTask(r.Collection.Owner, s.actor(r), plan.Messages)
	s.follows(t, now.data, uidOf(after), c.Now)
	object := plan.Object
	if status := s.expect(t); len(status) > 0 {
		if noted := itip.SetStatus(object, plan.Role, status); !slices.Equal(noted.Children, object.Children) {
			object = noted
		}
	}
	if plan.Altered || c.After != after || object != plan.Object {
		kept = object.Append(nil)
		changed = !bytes.Equal(kept, data)
	}
	if e, created, err = s.commit(now, kept, t); err != nil {
		return nil, false, false, err
	}
	s.start(ctx, t)
	if last, err := r.Collection.Entry(r.Href); err == nil && last.ETag != e.ETag { // a room has answered already
		e, changed = last, true
	}
	return e, created, changed, nil
}

// scheduled returns the calendar that is put, when anybody is to be told of it or might have
// been told of what it replaces; else nil. What is no calendar object is nil, too: the
// collection says what is wrong with it.
func scheduled(in *homes.Collection, now object, data []byte) *ical.Calendar {
	if in.Kind() != collection.Calendar || in.Origin != homes.Kept || !organized(data) && Tag(now.entry) == "" {
		return nil
	}
	after, err := ical.ParseBytes(data)
	if err != nil || after.Check() != nil {
		return nil
	}
	return after
}

// organized tells whether octets may hold the property ORGANIZER.
func organized(data []byte) bool {
	for {
		i := bytes.IndexAny(data, "Oo")
		if i < 0 || len(data)-i < len("ORGANIZER") {
			return false
		}
		if bytes.EqualFold(data[i:i+len("ORGANIZER")], []byte("ORGANIZER")) {
			return true
		}
		data = data[i+1:]
	}
}

// refusal turns the error of a plan into one for a client.
func refusal(err error) error {
	var p *itip.Precondition
	if errors.As(err, &p) {
		return &Precondition{Name: caldav + p.Name, Text: p.Text}
	}
	if errors.Is(err, itip.ErrTooMuch) {
		return &Precondition{Name: caldav + itip.TooManyAttendees, Text: err.Error()}
	}
	return &Precondition{Name: caldav + "valid-calendar-data", Text: err.Error()}
}

// unique looks for the UID in the other calendars of a home (RFC 6638 3.2.4.1).
func (s *Scheduler) unique(r Request, now object, after *ical.Calendar) error {
	if now.entry != nil {
		return nil
	}
	other, err := s.find(r.Collection.Owner, uidOf(after))
	if err != nil || other.entry == nil || other.in.Name() == r.Collection.Name() {
		return err // in this collection, no-uid-conflict tells
	}
	return &Precondition{
		Name: caldav + "unique-scheduling-object-resource", In: other.in, Href: other.href,
		Text: "another calendar of this home has this meeting",
	}
}

// uidOf returns the UID of an object.
func uidOf(c *ical.Calendar) string {
	for _, child := range c.Children {
		if uid := child.Value("UID"); uid != "" && child.Name != "VTIMEZONE" {
			return uid
		}
	}
	return ""
}

// maySchedule tells whether who is logged in may act in the owner's name.
func (s *Scheduler) maySchedule(r Request, plan *itip.Plan) error {
	if len(plan.Messages) == 0 || r.Collection.Rights.Has(homes.Schedule) {
		return nil
	}
	return fault.Newf(fault.Policy, "%s may not invite and answer in the name of %s", r.Account, r.Collection.Owner)
}

// actor is the account whose mail it is: the owner's own, or who acts for a shared mailbox.
func (s *Scheduler) actor(r Request) address.Address {
	if account, ok := s.opts.Directory().Account(r.Collection.Owner); ok {
		return account.Address
	}
	return r.Account
}

// askAbout asks the scripts of a mailbox about an invitation that a client puts there for the
// first time, and returns it with the answer that they give when it has none.
func (s *Scheduler) askAbout(ctx context.Context, r Request, c itip.Change, asked *asked) (*ical.Calendar, error) {
	if c.Before != nil || itip.RoleOf(c.After, c.Self) != itip.AsAttendee {
		return c.After, nil
	}
	d := s.askPut(ctx, r, c.After, asked)
	switch {
	case d.Kind == hook.Reject:
		return nil, asked.refusal()
	case d.Kind != "" && !answered(c.After, c.Self):
		return itip.Answer{Self: c.Self, PartStat: partStat(d), Now: c.Now}.Set(c.After), nil
	}
	return c.After, nil
}

// asked is what scripts say about a Put.
type asked struct {
	done bool
	said Decision
}

func (a *asked) refusal() error { return fault.New(fault.Policy, a.said.Comment) }

// askPut asks the scripts of a mailbox about what a client puts there, once for each Put.
func (s *Scheduler) askPut(ctx context.Context, r Request, c *ical.Calendar, a *asked) Decision {
	if a.done || s.opts.Ask == nil {
		return a.said
	}
	a.done = true
	if about, ok := s.invitation(c); ok {
		a.said = s.opts.Ask(ctx, r.Collection.Owner, about)
	}
	return a.said
}

// Remove takes an object away, and tells those whom it concerns (RFC 6638 3.2.1.3, 3.2.2.3).
// The errors are those of collection.Collection.Remove, and faults.
func (s *Scheduler) Remove(ctx context.Context, r Request) error {
	for range maxTries {
		now, err := s.stored(r, nil)
		if err != nil {
			return err
		}
		if now.entry == nil {
			return r.Collection.Remove(r.Href, r.Condition) // which knows what to say
		}
		if !r.holds(now.entry) {
			return collection.ErrCondition
		}
		if err := s.remove(ctx, r, now); !errors.Is(err, collection.ErrCondition) {
			return err
		}
	}
	return errBusy
}

// remove makes one try.
func (s *Scheduler) remove(ctx context.Context, r Request, now object) error {
	if now.cal == nil || Tag(now.entry) == "" || r.Collection.Origin != homes.Kept {
		return r.Collection.Remove(r.Href, now.exactly())
	}
	uid := uidOf(now.cal)
	stamp := s.stamp(uid)
	plan, err := itip.Change{
		Before: now.cal, Self: s.person(r.Collection.Owner), Now: stamp, NoReply: r.NoReply, Floating: s.location(),
	}.Plan()
	if err != nil {
		return refusal(err)
	}
	if err := s.maySchedule(r, plan); err != nil {
		return err
	}
	t := s.newTask(r.Collection.Owner, s.actor(r), plan.Messages)
	s.follows(t, now.data, uid, stamp)
	if _, _, err := s.commit(now, nil, t); err != nil {
		return err
	}
	s.start(ctx, t)
	return nil
}
