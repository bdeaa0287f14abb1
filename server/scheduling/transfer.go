package scheduling

import (
	"context"
	"errors"

	"facteur/server/collection"
	"facteur/server/fault"
	"facteur/server/itip"
)

// Transfer is a COPY or MOVE of a meeting to the calendar of somebody else.
type Transfer struct {
	From Request // Condition and IfTag are those of the source
	// To is where it goes; its Condition and IfTag count for nothing.
	To        Request
	Move      bool
	Overwrite bool // what is there is replaced
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
// concerns. An organizer's own meeting is not moved away, for that would cancel it for all.
// The errors are those of Put and Remove. After a crash the source is removed, too, when the destination was made.
func (s *Scheduler) Transfer(ctx context.Context, t Transfer) (Result, error) {
	var res Result
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
		data := source.data
		if t.Arriving != nil {
			if data, err = t.Arriving(data); err != nil {
				return res, err
			}
		}
		there, err := read(t.To.Collection, t.To.Href)
		switch {
		case err != nil:
			return res, err
		case there.entry != nil && !t.Overwrite:
			return res, collection.ErrCondition
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
	if !t.Move || source.cal == nil {
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

// transfer makes one try. What the destination has of another meeting goes when this one is there (RFC 4918
// 9.8.4, 9.9.3).
func (s *Scheduler) transfer(ctx context.Context, t Transfer, source, there object, data []byte) (Result, error) {
	to := t.To
	to.Condition, to.IfTag = there.exactly(), ""
	if !t.Move {
		res, err := s.putOver(ctx, to, data, source.entry.Facts.UID)
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
	res, err := s.putOver(ctx, to, data, source.entry.Facts.UID)
	if err == nil {
		t.copyProps()
		from := t.From
		from.Condition, from.IfTag = source.exactly(), ""
		err = s.Remove(ctx, from)
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
	err := s.removeMoved(ctx, t)
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

func (s *Scheduler) removeMoved(ctx context.Context, t *task) error {
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
	return s.Remove(ctx, Request{Account: t.Account, Collection: in, Href: t.Move.Href, Condition: now.exactly(), NoReply: t.Move.NoReply})
}
