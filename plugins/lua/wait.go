package lua

import "context"

// wait runs a call that may wait for somebody else: a service, or a module. Its
// time is not the script's.
func (s *state) wait(call func()) { s.meter.serve(call) }

// waitContext ends with the run, at the latest when its wall time is over.
func (s *state) waitContext() context.Context {
	if s.run.context == nil {
		s.run.context, s.run.release = context.WithDeadline(s.meter.Context, s.meter.started.Add(s.meter.wall))
	}
	return s.run.context
}
