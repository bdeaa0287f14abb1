package scheduling

import (
	"context"
	"errors"

	"facteur/server/collection"
	"facteur/server/fault"
	"facteur/server/itip"
)

// Transfer is a COPY or MOVE to a calendar of somebody else, or in the place of a meeting.
type Transfer struct {
	From Request // Condition and IfTag are those of the source
	// To is where it goes; its Condition and IfTag count for nothing.
	To        Request
	Move      bool
	Overwrite bool // what is there is replaced, when it has the same UID
	// Arriving returns the octets of the object as the destination keeps them, whose attachments are
	// others; nil: the same.
	Arriving func(data []byte) ([]byte, error)
}

// moving is the source of a MOVE, in a calendar of the task's Box: when the destination has
// the object, it has to be removed.
type moving struct {
	Collection, Href string
	Sum              string // of its octets
	NoReply          bool
}

// Transfer makes what is copied to somebody else as a PUT there does, and takes away
// what is moved as a DELETE does (RFC 6638 3.2.3.2, 3.2.3.3): each half tells those whom it
// concerns. An organizer's own meeting is not moved away, for that would cancel it for all. Within
// a home nothing is taken away: only what it replaces is told, as changed.
// The errors are those of Put and Remove. After a crash the source is removed, too, when the destination was made.
func (s *Scheduler) Transfer(ctx context.Context, t Transfer) (Result, error) {
	var res Result
	if t.From.Collection.Collection == t.To.Collection.Collection && t.From.Href == t.To.Href {
		return res, fault.New(fault.NotPossible, "The object can't be copied or moved to itself")
	}
	created := false
	for range maxTries {
		source, err := read(t.From.Collection, t.From.Href)
		switch {
		case err != nil:
			return res, err
		case source.entry == nil:
			return res, fault.New(fault.NotFound, "")
		case !t.From.holds(source.entry):
			return res, collection.ErrCondition
		}
		if err := s.mayLeave(t, source); err != nil {
			return res, err
		}
		there, err := read(t.To.Collection, t.To.Href)
		switch {
		case err != nil:
			return res, err
		case there.entry != nil && !t.Overwrite:
			return res, collection.ErrCondition
		}
		data := source.data
		if t.Arriving != nil {
			if data, err = t.Arriving(data); err != nil {
				return res, err
			}
		}
		res, err = s.transfer(ctx, t, source, there, data)
		created = created || res.Created
		if !errors.Is(err, collection.ErrCondition) {
			res.Created = created
			return res, err
		}
		t.Overwrite = t.Overwrite || created // by what this very transfer made
	}
	return res, errBusy
}

// mayLeave refuses to move the meeting of an organizer who has invited others.
func (s *Scheduler) mayLeave(t Transfer, source object) error {
	if !t.Move || source.cal == nil || t.withinHome() {
		return nil
	}
	owner := t.From.Collection.Owner
	plan, err := itip.Change{Before: source.cal, Self: s.person(owner), Now: s.opts.Now(), NoReply: t.From.NoReply, Floating: s.location()}.Plan()
	switch {
	case err != nil:
		return refusal(err)
	case plan.Role == itip.AsOrganizer && len(plan.Messages) > 0:
		return &Precondition{
			Name: caldav + itip.AllowedOrganizer,
			Text: "the meeting would be cancelled for all whom " + owner.String() + " has invited: copy it, or remove it and make another one there",
		}
	}
	return s.maySchedule(t.From, plan)
}

// withinHome says whether the object stays in its home.
func (t Transfer) withinHome() bool {
	return t.From.Collection.Owner.Key() == t.To.Collection.Owner.Key()
}

// transfer makes one try.
func (s *Scheduler) transfer(ctx context.Context, t Transfer, source, there object, data []byte) (Result, error) {
	to := t.To
	to.Condition, to.IfTag = there.exactly(), ""
	if !t.Move {
		res, err := s.Put(ctx, to, data)
		if err == nil {
			t.copyProps()
		}
		return res, err
	}
	task := s.newTask(t.From.Collection.Owner, t.From.Account, nil)
	task.Move = &moving{Collection: source.in.Name(), Href: source.href, Sum: sum(source.data), NoReply: t.From.NoReply}
	task.Change = &change{Box: to.Collection.Owner, Collection: to.Collection.Name(), Href: to.Href, After: sum(data)}
	if there.entry != nil {
		task.Change.Before = sum(there.data)
	}
	if err := s.journal.add(task); err != nil {
		s.forget(task)
		return Result{}, fault.Wrap(fault.Unavailable, "", err)
	}
	res, err := s.Put(ctx, to, data)
	if err == nil {
		t.copyProps()
		err = s.removeMoved(ctx, task, source)
		if err != nil && !errors.Is(err, collection.ErrCondition) && fault.Temporary(err) { // it is in its new place, and others know
			s.opts.Log.Warn("scheduling.move", "id", task.ID, "box", task.Box.String(), "error", err, "result", "it is tried again")
			s.postpone(task, task.retry())
			return res, nil
		}
	}
	s.forget(task)
	return res, err
}

// copyProps gives what is transferred the properties of its source.
func (t Transfer) copyProps() {
	t.From.Collection.CopyProps(t.From.Href, t.To.Collection.Collection, t.To.Href)
}

// finishMove removes the source of a MOVE that a crash broke off after its first half.
func (s *Scheduler) finishMove(ctx context.Context, t *task) {
	err := s.removeLeft(ctx, t)
	switch {
	case err == nil || fault.Is(err, fault.NotFound) || errors.Is(err, collection.ErrCondition): // it is not what was moved
	case fault.Temporary(err) && s.opts.Now().Sub(t.Made) < giveUp:
		s.opts.Log.Warn("scheduling.move", "id", t.ID, "box", t.Box.String(), "error", err, "result", "it is tried again")
		s.postpone(t, t.retry())
		return
	default:
		s.opts.Log.Error("scheduling.move", "id", t.ID, "box", t.Box.String(), "error", err, "result", "it is in both calendars")
	}
	s.forget(t)
}

func (s *Scheduler) removeLeft(ctx context.Context, t *task) error {
	home, err := s.opts.Homes.Own(t.Box)
	if err != nil {
		return err
	}
	in, err := home.Open(t.Move.Collection)
	if err != nil {
		return err
	}
	now, err := read(in, t.Move.Href)
	if err != nil || now.entry == nil || sum(now.data) != t.Move.Sum {
		return err
	}
	return s.removeMoved(ctx, t, now)
}

// removeMoved removes the source of a MOVE, when it is as it was.
func (s *Scheduler) removeMoved(ctx context.Context, t *task, source object) error {
	if t.Box.Key() == t.changed().Key() { // within a home, which has it still
		return source.in.Remove(source.href, source.exactly())
	}
	return s.Remove(ctx, Request{Account: t.Account, Collection: source.in, Href: source.href, Condition: source.exactly(), NoReply: t.Move.NoReply})
}
