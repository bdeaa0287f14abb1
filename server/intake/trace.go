package intake

import (
	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/message"
	"facteur/server/senderauth"
	"facteur/server/trace"
)

// note notes an event of the message, or of the connection before there is one.
func (tx *Transaction) note(e trace.Event) {
	e.ID, e.Session = tx.id, tx.sess.ID
	tx.in.opts.Trace.Note(e)
}

// traceIn notes that a message came in, before any script sees it. What this server
// brings again, after it waited here, did so before.
func (tx *Transaction) traceIn(env envelope.Envelope, h *message.Header, body envelope.Body) {
	tx.noted = true
	if tx.injected != "" && tx.sess.Listener != "" {
		return
	}
	e := trace.Event{
		Kind: trace.In, Client: tx.traceClient(), From: trace.AddressText(env.Sender.ReversePath),
		To: forwardPathTexts(env.Recipients), Size: body.Size(), Auth: traceAuth(tx.auth),
	}
	if ids := h.RawValues("Message-ID"); len(ids) > 0 {
		e.MessageID = ids[0]
	}
	tx.note(e)
}

// traceRefusal notes why somebody was refused at a stage; err is nil when nobody was.
func (tx *Transaction) traceRefusal(stage hook.Stage, from address.Address, to []envelope.Recipient, err error) {
	if err == nil || tx.in.opts.Trace == nil {
		return
	}
	e := trace.Event{Kind: trace.Refused, Stage: string(stage), Why: fault.As(err).Error(), From: trace.AddressText(from), To: forwardPathTexts(to)}
	if stage != hook.Data {
		tx.id, tx.noted = "", false
	}
	if !tx.noted { // else it was told
		e.Client, e.Auth = tx.traceClient(), traceAuth(tx.auth)
	}
	tx.note(e)
}

// traceScripts notes which scripts ran.
func (in *Intake) traceScripts(call hook.Call, res hook.Result) {
	r := trace.Run{Stage: call.Stage}
	if call.Client != nil {
		r.Session = call.Client.ID
	}
	if call.Message != nil {
		r.ID = call.Message.ID
	}
	if call.Recipient != nil {
		r.To = call.Recipient.Original
	}
	in.opts.Trace.Scripts(r, res)
}

// traceGreeting notes that scripts refused who connected.
func (in *Intake) traceGreeting(s envelope.Session, g Greeting) {
	if g.Refusal != nil {
		in.opts.Trace.Note(trace.Event{
			Kind: trace.Refused, Session: s.ID, Client: traceClient(s), Stage: string(hook.Connect), Why: g.Refusal.Error(),
		})
	}
}

func (tx *Transaction) traceClient() *trace.Client {
	c := traceClient(tx.sess)
	c.User = trace.AddressText(tx.account)
	return c
}

func traceClient(s envelope.Session) *trace.Client {
	c := &trace.Client{RDNS: s.RDNS, Helo: s.Helo, Listener: s.Listener, TLS: s.TLSVersion}
	if s.Remote.IsValid() {
		c.IP = s.Remote.Addr().Unmap().String()
	}
	return c
}

// traceAuth is what was found out about the sender; nil when nothing was looked for.
func traceAuth(r senderauth.Results) *trace.Auth {
	a := r.Hook()
	if a == nil || r.SPF.Result == "" {
		return nil
	}
	return &trace.Auth{SPF: a.SPF, DKIM: a.DKIM, DMARC: a.DMARC, ARC: a.ARC}
}

func forwardPathTexts(list []envelope.Recipient) []string {
	var all []address.Address
	for _, r := range list {
		all = append(all, r.ForwardPath)
	}
	return trace.AddressTexts(all)
}
