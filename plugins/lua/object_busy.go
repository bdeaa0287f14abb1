package lua

import (
	"time"

	lua "github.com/yuin/gopher-lua"

	"facteur/server/hook"
)

// The bounds of box:busy: each call may read many events.
const (
	maxBusyCalls = 10
	maxBusyDays  = 62
)

// boxBusy is box:busy(from[, to]): nil when the time is free, else an array of what is taken
// of it. At the stage calendar the event in question does not count.
func boxBusy(s *state) int {
	from := s.moment(1)
	to := from.Add(time.Second)
	if s.L.Get(2) != lua.LNil {
		to = s.moment(2)
	}
	s.onlyArgs(2)
	switch {
	case to.Before(from):
		s.argError(2, "it ends before it begins")
	case to.Sub(from) > maxBusyDays*24*time.Hour:
		s.argError(2, "that is more than %d days", maxBusyDays)
	case to.Equal(from):
		to = from.Add(time.Second)
	}
	if s.run.busy++; s.run.busy > maxBusyCalls {
		s.L.RaiseError("box:busy: it was asked more than %d times", maxBusyCalls)
	}
	except := ""
	if s.call.Invitation != nil {
		except = s.call.Invitation.UID
	}
	var err error
	list := serve(s, "box.busy", func() []hook.Busy {
		list, e := s.call.Box.Busy(from, to, except)
		err = e
		return list
	})
	if err != nil { // nil would say that the time is free
		s.L.RaiseError("box:busy: %s", clip(err.Error(), maxErrorText))
	}
	if len(list) == 0 {
		return s.push(lua.LNil)
	}
	t := s.array(len(list))
	for i, p := range list {
		t.RawSetInt(i+1, s.record(member{"starts", seconds(p.Start)}, member{"ends", seconds(p.End)}, member{"kind", s.data(string(p.Kind))}))
	}
	return s.push(t)
}
