// Package trial is for who writes scripts: it runs them in a made world, where
// nothing is done and nothing is asked of the network. The world has a zone
// instead of the DNS, a clock that stands, a memory of its own, and a mailbox
// that is said to be so. `facteur hook test`, the prompt of `facteur hook repl` and the
// tests of scripts (NAME_test.lua) all use it.
//
// Tests run in the sandbox of package lua as scripts do, with larger limits; the
// script that is tested runs with its own. What a test may say is in
// plugins/README.md.
//
// Nothing here holds a lock but Memory. A World is used by one goroutine at a
// time.
//
// It reads files only below the folder of a test, and writes none.
package trial

import (
	"time"

	"facteur/server/address"
	"facteur/server/hook"
)

// World is what a script finds beside the message.
type World struct {
	Now      time.Time
	Location *time.Location
	DNS      *Zone
	KV       *Memory
	Box      *Box
	Metrics  map[string]float64 // what scripts counted, by name
}

// Morning is the time of a world for which none is given: a Monday.
var Morning = time.Date(2026, 6, 15, 10, 0, 0, 0, time.UTC)

// NewWorld returns a world with a new mailbox of me@example.org and an empty
// zone.
func NewWorld(location *time.Location) *World {
	if location == nil {
		location = time.UTC
	}
	return &World{
		Now: Morning, Location: location, DNS: new(Zone), KV: NewMemory(),
		Box:     NewBox(address.Address{Local: "me", Domain: "example.org"}),
		Metrics: make(map[string]float64),
	}
}

// Services are those of the world.
func (w *World) Services() hook.Services {
	return hook.Services{KV: w.KV, DNS: w.DNS, Metric: func(_, name string, by float64) { w.Metrics[name] += by }}
}

// Call returns the call of a stage: of facts, what the stage has.
func (w *World) Call(stage hook.Stage, facts Facts) hook.Call {
	call := hook.Call{
		Stage: stage, Services: w.Services(), Now: w.Now, Location: w.Location,
	}
	if stage.Live() && stage != hook.Resolve {
		call.Client = &facts.Client
	}
	switch stage {
	case hook.Connect, hook.Auth, hook.Resolve, hook.Calendar, hook.Tick:
	default:
		message := facts.Message
		if !stage.HasContent() {
			message.Content = nil // it has not come yet
		}
		call.Message = &message
	}
	if stage.HasBox() {
		call.Box = w.Box
	}
	switch stage {
	case hook.Auth:
		call.Login = &facts.Login
	case hook.Rcpt:
		call.Recipient = &facts.Recipient
	case hook.Resolve:
		call.Address = facts.Recipient.Original
	case hook.Stored:
		call.Change = &facts.Change
	case hook.Sent, hook.Deferred, hook.Bounced:
		call.Fate = &facts.Fate
	case hook.Calendar:
		call.Invitation = &facts.Invitation
	}
	return call
}

// Facts are what a script is told of.
type Facts struct {
	Client     hook.Client
	Login      hook.Login
	Message    hook.Message
	Recipient  hook.Recipient
	Change     hook.Change
	Fate       hook.Fate
	Invitation hook.Invitation
}
