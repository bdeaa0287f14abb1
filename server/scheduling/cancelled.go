package scheduling

import (
	"context"

	"facteur/server/fault"
	"facteur/server/itip"
	"facteur/server/schedule"
)

// A mail may arrive late, or be sent again by whoever has it: its signature is still good. What
// an organizer elsewhere has cancelled is kept nowhere, so that SEQUENCE and DTSTAMP of the CANCEL
// are remembered (RFC 5546 2.1.5). People here may take a cancellation back: theirs are not.

// cancelled has what a REQUEST by mail says compared with what cancelled the object.
func (s *Scheduler) cancelled(ctx context.Context, in *incoming, now object) error {
	if !in.mail || in.message.Method != itip.Request || now.cal != nil || s.opts.Answers == nil {
		in.cancelled = nil
		return nil
	}
	sequence, stamp, ok, err := s.opts.Answers.Cancelled(ctx, in.box, schedule.Object(in.message.UID, in.message.Organizer.Key()))
	switch {
	case err != nil:
		return fault.Wrap(fault.Unavailable, "", err)
	case ok:
		in.cancelled = &itip.Version{Sequence: sequence, Stamp: stamp}
	}
	return nil
}

// remember notes a CANCEL by mail, durably, before the object goes. It notes one that is here
// before its REQUEST too, of those who may make objects.
func (s *Scheduler) remember(ctx context.Context, in *incoming, res itip.Result) error {
	if !in.mail || in.message.Method != itip.Cancel || s.opts.Answers == nil {
		return nil
	}
	if !res.Remove && !(res.Reason == itip.NoObject && in.create && in.message.Whole()) {
		return nil
	}
	v, what := in.message.Version(s.opts.Now()), schedule.Object(in.message.UID, in.message.Organizer.Key())
	if err := s.opts.Answers.Cancel(ctx, in.box, what, v.Sequence, v.Stamp, s.opts.Now()); err != nil {
		return fault.Wrap(fault.Unavailable, "", err)
	}
	return nil
}
