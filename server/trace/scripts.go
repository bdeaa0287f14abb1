package trace

import (
	"slices"

	"facteur/server/address"
	"facteur/server/hook"
)

// Run is where scripts ran.
type Run struct {
	ID      string // of the message; "" before there is one
	Session string
	Stage   hook.Stage
	Box     address.Address // zero at the stages without one
	To      address.Address // at Rcpt: the forward-path
	Own     bool            // the message is one of this server: a report, or a notice
}

// Scripts notes which scripts of a stage ran, and the lines that decided. Where there
// is no message yet those that asked for nothing are not noted.
func (l *Log) Scripts(r Run, res hook.Result) {
	if l == nil || len(res.Ran) == 0 {
		return
	}
	if l.ran != nil {
		l.ran(r, res)
	}
	if r.ID == "" && len(res.Actions) == 0 && len(res.Failures) == 0 {
		return
	}
	e := Event{ID: r.ID, Kind: Ran, Session: r.Session, Stage: string(r.Stage), Box: AddressText(r.Box)}
	if !r.To.IsZero() {
		e.To = []string{AddressText(r.To)}
	}
	for _, ran := range res.Ran {
		decided := slices.ContainsFunc(res.Actions, func(a hook.Action) bool { return a.Script == ran.Script })
		if ran.Hash == "" && !decided && ran.Err == nil {
			continue // built in, and about something else
		}
		s := Script{Name: ran.Script, Hash: ran.Hash, Micros: ran.Elapsed.Microseconds()}
		if ran.Err != nil {
			s.Err = ran.Err.Error()
		}
		for _, a := range res.Actions {
			if a.Script == ran.Script && len(s.Lines) < maxLines {
				s.Lines = append(s.Lines, Line{a.Line, a.String()})
			}
		}
		e.Scripts = append(e.Scripts, s)
	}
	if len(e.Scripts) > 0 {
		l.Note(e)
	}
}
