package follow

import (
	"facteur/server/address"
	"facteur/server/hook"
	"facteur/server/trace"
)

// traceScripts notes which scripts ran for a mailbox.
func (f *Follower) traceScripts(box address.Address, call hook.Call, res hook.Result) {
	r := trace.Run{Stage: call.Stage, Box: box}
	if call.Message != nil {
		r.ID = call.Message.ID
	}
	f.opts.Trace.Scripts(r, res)
}
