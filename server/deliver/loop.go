package deliver

import (
	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/fault"
	"facteur/server/message"
)

// passed tells whether the message came through the address a before: its
// Delivered-To says so.
func (t *transaction) passed(a address.Address) bool {
	return t.passes(a) > 0
}

// passes counts how often it did.
func (t *transaction) passes(a address.Address) int {
	n := 0
	for _, v := range t.msg.Header.RawValues("Delivered-To") {
		if been, err := address.Parse(message.DecodeText(v)); err == nil && been.Key() == a.Key() {
			n++
		}
	}
	return n
}

// stopLoops changes the targets that would send the message around once more.
// An account keeps the mail instead of sending it on; an alias or a list has no
// place to keep it, so the sender is told (5.4.6): by the answer, and not by a
// notice to whoever the reverse-path names. The error refuses the whole message.
func (t *transaction) stopLoops() error {
	for i := range t.targets {
		target := &t.targets[i]
		if target.Kind != directory.Remote || target.Forwarder.IsZero() || !t.passed(target.Forwarder) {
			continue
		}
		t.opts.Log.Warn("deliver.loop", "id", t.msg.Envelope.ID, "forwarder", target.Forwarder.String())
		if _, account := t.live.Directory.Account(target.Forwarder); account {
			target.Kind, target.Address = directory.Box, target.Forwarder
			continue
		}
		t.errs[i] = fault.New(fault.Loop, "")
		if !target.Answered {
			return t.errs[i]
		}
	}
	return nil
}
