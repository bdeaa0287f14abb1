// Package hook declares the points at which a script may decide: the stages,
// the facts that it sees, the actions that it may ask for, and what happens
// when it fails. There is no Lua here: plugins/lua implements Program.
//
// A Program never acts. It returns Actions, and the caller (intake at the SMTP
// stages, deliver at delivery) carries them out in its own fixed order. So a
// dry run is the same call without the carrying out.
package hook

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
)

// Stage is a point in a message's way. Its text is the name of the Lua function.
type Stage string

// The stages.
const (
	Rcpt    Stage = "rcpt"    // rcpt(c, m, r): each RCPT TO
	Data    Stage = "data"    // data(c, m): the whole message, before the 250
	Submit  Stage = "submit"  // submit(c, m): the same for mail of our own users
	Deliver Stage = "deliver" // deliver(m, box): once for each local recipient
)

// Stages lists all stages.
var Stages = []Stage{Rcpt, Data, Submit, Deliver}

// SMTP tells whether the stage is part of an SMTP session.
func (s Stage) SMTP() bool { return s != Deliver }

// Client is the connected client: c in Lua.
type Client struct {
	IP         netip.Addr // invalid on a Unix socket
	RDNS       string
	Helo       string
	TLSVersion string
	TLSCipher  string
	User       string // account of the login, "" without one
	Listener   string
	ID         string
}

// Message is the message: m in Lua.
type Message struct {
	ID          string
	ReversePath address.Address   // m.from
	Recipients  []address.Address // m.to
	Size        int64
	Content     Content // nil at the stage Rcpt, when nothing has arrived yet
	Auth        *Auth   // nil when the message was not verified
}

// Auth is what was found out about who a message comes from, in the words of RFC 8601:
// m.auth in Lua.
type Auth struct {
	SPF     string
	DKIM    string // "pass" when any signature does
	DMARC   string
	ARC     string
	Domains []address.Domain // whose signatures pass
}

// Content reads a message. Implementations bound what they read.
type Content interface {
	// Values returns the decoded values of all fields of that name, in order.
	Values(name string) []string
	// RawValues returns them as they stand, unfolded but not decoded.
	RawValues(name string) []string
	// Addresses returns the addresses in all fields of that name.
	Addresses(name string) []address.Address
	// Subject and Date are those of the header; zero when absent.
	Subject() string
	Date() time.Time
	// Text returns the text of the message, decoded to UTF-8, at most max octets.
	Text(max int) string
}

// Recipient is one forward-path: r in Lua.
type Recipient struct {
	Address  address.Address // where it leads: the account or shared mailbox, else the forward-path
	Original address.Address // the forward-path as given
	Detail   string          // the subaddress
	Path     []string        // how the aliases led here
}

// Box is the mailbox of one recipient: box in Lua. It shows the data of that
// account alone.
type Box interface {
	Address() address.Address
	Addresses() []address.Address // all that lead to this box alone
	Quota() (used, max int64)     // octets; max 0: no limit
	Folders() []string
	Exists(folder string) bool
}

// Call is one run of a Program.
type Call struct {
	Stage     Stage
	Client    *Client    // not at Deliver
	Message   *Message   //
	Recipient *Recipient // at Rcpt
	Box       Box        // at Deliver
	Now       time.Time
	Location  *time.Location
	// Verbose asks for a trace of the lines that ran.
	Verbose bool
}

// Kind is the kind of an Action. Its text is the name of the Lua function.
type Kind string

// The actions. Which of them a stage allows is in Allowed.
const (
	Reject    Kind = "reject"     // Fault
	Tempfail  Kind = "tempfail"   // Fault
	Discard   Kind = "discard"    // drop the message, silently
	Score     Kind = "score"      // Points, Rule, Text
	AddHeader Kind = "add_header" // Name, Value
	FileInto  Kind = "fileinto"   // Folder, Create, Flags, Copy
	Keep      Kind = "keep"       // Flags; file into INBOX
	Flag      Kind = "flag"       // Flags
	Redirect  Kind = "redirect"   // Address, Copy
	Stop      Kind = "stop"       // no further script runs
)

// Allowed lists the actions of each stage.
var Allowed = map[Stage][]Kind{
	Rcpt:    {Reject, Tempfail, Stop},
	Data:    {Reject, Tempfail, Discard, Score, AddHeader, Stop},
	Submit:  {Reject, Tempfail, Discard, Score, AddHeader, Stop},
	Deliver: {FileInto, Keep, Flag, Discard, Redirect, AddHeader, Stop},
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
	Script  string // who asked
	Line    int    // where
}

// Line is a line of a trace: a script's log call, or (Verbose) a line that ran.
type Line struct {
	Script string
	Line   int
	Text   string
}

// Outcome is what a run of a Program came to.
type Outcome struct {
	Actions []Action
	Trace   []Line
	Elapsed time.Duration // less the time inside calls of ours
	// Err is set when the script failed or hit a limit: then there are no Actions.
	Err error
}

// Program is a compiled script. It may be run by several at once.
type Program interface {
	// Name is the script's path as in mail.toml.
	Name() string
	// Handles tells whether the script defines a function for the stage.
	Handles(Stage) bool
	// Run never panics, and returns within the limits of the stage.
	Run(context.Context, Call) Outcome
}

// Hook is a Program in its place.
type Hook struct {
	Program  Program
	Required bool // when it fails at an SMTP stage: 451 instead of going on
}

// Failure tells of a script that failed.
type Failure struct {
	Script string
	Stage  Stage
	Err    error
}

// Result is what all the scripts of a stage came to.
type Result struct {
	Actions  []Action
	Trace    []Line
	Failures []Failure
	// Refusal is the answer for the peer when a script said reject or tempfail,
	// or when a required one failed.
	Refusal *fault.Fault
	// Discard: a script said so (at the SMTP stages).
	Discard bool
	Score   float64
}

// Run runs the hooks of a stage in their order. At the SMTP stages reject,
// tempfail and discard end it; stop ends it everywhere. A hook that fails
// counts as absent, except where Required says otherwise.
func Run(ctx context.Context, hooks []Hook, call Call) Result {
	var res Result
	for _, h := range hooks {
		if !h.Program.Handles(call.Stage) {
			continue
		}
		out := h.Program.Run(ctx, call)
		res.Trace = append(res.Trace, out.Trace...)
		if out.Err != nil {
			res.Failures = append(res.Failures, Failure{h.Program.Name(), call.Stage, out.Err})
			if h.Required && call.Stage.SMTP() {
				res.Refusal = fault.Wrap(fault.Internal, "", out.Err)
				return res
			}
			continue
		}
		if res.take(call.Stage, out.Actions) {
			return res
		}
	}
	return res
}

// take adds the actions of one script; it tells whether they end the stage.
func (res *Result) take(stage Stage, actions []Action) (end bool) {
	res.Actions = append(res.Actions, actions...)
	for _, a := range actions {
		switch a.Kind {
		case Reject, Tempfail:
			res.Refusal = a.Fault
			return true
		case Discard:
			if stage.SMTP() {
				res.Discard = true
				return true
			}
		case Score:
			res.Score += a.Points
		case Stop:
			end = true
		}
	}
	return end
}

// Log writes what the scripts logged and which of them failed. The logger has
// the facts of the message.
func (res Result) Log(log *slog.Logger) {
	for _, l := range res.Trace {
		log.Info("hook.log", "script", l.Script, "line", l.Line, "text", l.Text)
	}
	for _, f := range res.Failures {
		log := log.With("script", f.Script, "stage", string(f.Stage), "error", f.Err)
		if f.Stage == Deliver {
			log = log.With("result", "the mail is kept as if the script were absent")
		}
		log.Warn("hook.failed")
	}
}
