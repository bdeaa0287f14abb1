package hook

import (
	"time"

	"facteur/server/address"
	"facteur/server/fault"
)

// Kind is the kind of an Action. Its text is the name of the Lua function.
type Kind string

// The actions, with the fields of Action that they use. Which of them a stage
// allows is in Allowed.
const (
	Reject        Kind = "reject"         // Fault; at Deliver and Calendar: Text
	Tempfail      Kind = "tempfail"       // Fault
	Delay         Kind = "delay"          // For: the greeting waits
	Greylist      Kind = "greylist"       // For: a new triple of client, sender and recipient is told to come again after it
	Rewrite       Kind = "rewrite"        // Address: goes there instead
	Discard       Kind = "discard"        // drop the message, silently
	Quarantine    Kind = "quarantine"     // Text: taken in, and held until the postmaster releases it
	Hold          Kind = "hold"           // Text: waits in the queue until it is released
	Route         Kind = "route"          // Relay: leaves through that server
	AddRcpt       Kind = "add_rcpt"       // Address: goes there too
	Score         Kind = "score"          // Points, Rule, Text
	AddHeader     Kind = "add_header"     // Name, Value
	RemoveHeader  Kind = "remove_header"  // Name
	SubjectPrefix Kind = "subject_prefix" // Text
	FileInto      Kind = "fileinto"       // Folder, Create, Flags, Copy; at Submit: the sender's copy
	Keep          Kind = "keep"           // Flags; file into INBOX
	Flag          Kind = "flag"           // Flags
	Unflag        Kind = "unflag"         // Flags
	Redirect      Kind = "redirect"       // Address, Copy
	Vacation      Kind = "vacation"       // Reply
	Reply         Kind = "reply"          // Reply
	Notify        Kind = "notify"         // Notice
	Snooze        Kind = "snooze"         // Until
	Learn         Kind = "learn"          // Text: "spam" or "ham"
	Accept        Kind = "accept"         // the invitation; Text: a comment
	Decline       Kind = "decline"        // the invitation; Text: a comment
	Expire        Kind = "expire"         // Folder, For: what is older goes to the deleted messages
	Stop          Kind = "stop"           // no further script runs
)

// Allowed lists the actions of each stage.
var Allowed = map[Stage][]Kind{
	Connect: {Reject, Tempfail, Delay, Stop},
	Auth:    {Reject, Stop},
	Mail:    {Reject, Tempfail, Stop},
	Rcpt:    {Reject, Tempfail, Greylist, Rewrite, Stop},
	Resolve: {Stop},
	Data:    {Reject, Tempfail, Discard, Quarantine, Score, AddHeader, RemoveHeader, SubjectPrefix, AddRcpt, Stop},
	Submit: {Reject, Tempfail, Discard, Quarantine, Hold, Route, FileInto, Score, AddHeader, RemoveHeader, SubjectPrefix,
		AddRcpt, Stop},
	Deliver: {FileInto, Keep, Flag, Unflag, Discard, Reject, Redirect, Vacation, Reply, Notify, Snooze, AddHeader, RemoveHeader,
		SubjectPrefix, Accept, Decline, Learn, Stop},
	Stored:   {Learn, Flag, Unflag, FileInto, Notify, Stop},
	Sent:     {Notify, Redirect, Stop},
	Deferred: {Notify, Redirect, Stop},
	Bounced:  {Notify, Redirect, Stop},
	Calendar: {Accept, Decline, Reject, Stop},
	Tick:     {Expire, Notify, Stop},
}

// Action is something that a script asks for.
type Action struct {
	Kind    Kind
	Fault   *fault.Fault
	Points  float64
	Rule    string
	Text    string
	Name    string
	Value   string
	Folder  string // UTF-8, separator "/"
	Create  bool
	Copy    bool
	Flags   []string // IMAP flags and keywords: `\Seen`, `$Work`
	Address address.Address
	Relay   string // host:port
	For     time.Duration
	Until   time.Time
	Reply   *AutoReply
	Notice  *Notification
	Script  string // who asked
	Line    int    // where
}

// AutoReply is what a vacation or reply says. For reply, Start and Stop are not used.
type AutoReply struct {
	Text      string // or HTML
	HTML      string
	Subject   string          // "": Auto: and that of the message
	From      address.Address // of the box; zero: the address that was written to
	Days      int             // a sender gets one in so many days; -1: the default
	Addresses []address.Address
	Handle    string
	Start     Date // first and last day, both included
	Stop      Date
}

// Date is a local date; zero: none.
type Date struct {
	Year, Month, Day int
}

// IsZero tells whether there is no date.
func (d Date) IsZero() bool { return d == Date{} }

// String is the date as in RFC 3339, "" for none.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return time.Date(d.Year, time.Month(d.Month), d.Day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
}

// Notification is a small mail about a message.
type Notification struct {
	To      address.Address // zero: the mailbox itself
	Subject string
	Text    string
}
