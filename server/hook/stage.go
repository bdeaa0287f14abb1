package hook

// Stage is a point in a message's way, or after it. Its text is the name of the
// Lua function.
type Stage string

// The stages, with the arguments of their function.
const (
	Connect  Stage = "connect"  // connect(c): another server has connected
	Auth     Stage = "auth"     // auth(c, a): a login whose password is right, any protocol
	Mail     Stage = "mail"     // mail(c, m): MAIL FROM
	Rcpt     Stage = "rcpt"     // rcpt(c, m, r): each RCPT TO
	Resolve  Stage = "resolve"  // resolve(address): an address of ours that nothing else claims; returns destinations
	Data     Stage = "data"     // data(c, m): the whole message, before the 250
	Submit   Stage = "submit"   // submit(c, m): the same for mail of our own users
	Deliver  Stage = "deliver"  // deliver(m, box): once for each local recipient
	Stored   Stage = "stored"   // stored(m, box, event): a client put, copied, moved or flagged a message
	Sent     Stage = "sent"     // sent(m, result): a remote server took the message for a recipient
	Deferred Stage = "deferred" // deferred(m, result): it did not yet
	Bounced  Stage = "bounced"  // bounced(m, result): it will not
	Calendar Stage = "calendar" // calendar(event, box): an invitation has arrived
	Tick     Stage = "tick"     // tick(box): about every hour
)

// Stages lists all stages, in the order of a message's way.
var Stages = []Stage{Connect, Auth, Mail, Rcpt, Resolve, Data, Submit, Deliver, Stored, Sent, Deferred, Bounced, Calendar, Tick}

// Live tells whether somebody waits for the answer: a server, or a client. Only
// there may a script be required, and there it has less time.
func (s Stage) Live() bool {
	switch s {
	case Connect, Auth, Mail, Rcpt, Resolve, Data, Submit:
		return true
	}
	return false
}

// HasBox tells whether the actions of the stage are methods of box; those of the
// others are functions.
func (s Stage) HasBox() bool {
	switch s {
	case Deliver, Stored, Calendar, Tick:
		return true
	}
	return false
}

// HasContent tells whether the message is there as a whole.
func (s Stage) HasContent() bool {
	switch s {
	case Data, Submit, Deliver, Stored, Sent, Deferred, Bounced:
		return true
	}
	return false
}
