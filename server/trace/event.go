package trace

import (
	"strings"
	"time"
	"unicode/utf8"

	"facteur/server/address"
)

// Kind is what happened.
type Kind string

// The kinds, with the fields of Event that they use.
const (
	In         Kind = "in"         // taken in: Client From To Size MessageID Auth Score
	Refused    Kind = "refused"    // Client From To Stage Why; no ID before the message is there
	Discarded  Kind = "discarded"  // by scripts: Box, or none of them gets it
	Ran        Kind = "scripts"    // Stage Box Scripts
	Filed      Kind = "filed"      // Box Folder Flags Junk UID
	Redirected Kind = "redirected" // Box (who forwards) To
	NotSentOn  Kind = "not-sent-on"
	Replied    Kind = "replied"  // Box To What (vacation, reply, notify)
	NotReplied Kind = "no-reply" // Box What Why
	Queued     Kind = "queued"   // To Entry; Why: held or put off
	Sent       Kind = "sent"     // To Remote Reply TLS
	Deferred   Kind = "deferred" // To Remote Reply Next
	Bounced    Kind = "bounced"  // To Remote Reply
	Other      Kind = "other"    // Box Why, in words
)

// Event is one line of a trace. Which fields a kind uses is with the kinds; all
// texts are cut at a bound. Addresses are in the form in which they are compared.
type Event struct {
	ID        string     `json:"id"` // of the message; first, for Find looks for it there
	At        time.Time  `json:"at"`
	Kind      Kind       `json:"kind"`
	Session   string     `json:"session,omitempty"` // of the connection
	Client    *Client    `json:"client,omitempty"`
	From      string     `json:"from,omitempty"` // reverse-path; "" the null one
	To        []string   `json:"to,omitempty"`
	Box       string     `json:"box,omitempty"`
	MessageID string     `json:"message_id,omitempty"`
	Size      int64      `json:"size,omitempty"`
	Auth      *Auth      `json:"auth,omitempty"`
	Score     float64    `json:"score,omitempty"`
	Stage     string     `json:"stage,omitempty"`
	Scripts   []Script   `json:"scripts,omitempty"`
	Folder    string     `json:"folder,omitempty"`
	Flags     []string   `json:"flags,omitempty"`
	UID       uint32     `json:"uid,omitempty"`
	Junk      bool       `json:"junk,omitempty"`
	Entry     string     `json:"entry,omitempty"` // of the queue, where it is not the ID
	Remote    string     `json:"remote,omitempty"`
	Reply     string     `json:"reply,omitempty"`
	TLS       string     `json:"tls,omitempty"`
	Next      *time.Time `json:"next,omitempty"`
	What      string     `json:"what,omitempty"`
	Why       string     `json:"why,omitempty"`
}

// Client is who brought a message.
type Client struct {
	IP       string `json:"ip,omitempty"`
	RDNS     string `json:"rdns,omitempty"`
	Helo     string `json:"helo,omitempty"`
	Listener string `json:"listener,omitempty"` // "": this server itself
	TLS      string `json:"tls,omitempty"`
	User     string `json:"user,omitempty"` // of the login
}

// Auth is what was found out about who a message is from (RFC 8601).
type Auth struct {
	SPF   string `json:"spf,omitempty"`
	DKIM  string `json:"dkim,omitempty"`
	DMARC string `json:"dmarc,omitempty"`
	ARC   string `json:"arc,omitempty"`
}

// Script is one that ran.
type Script struct {
	Name   string `json:"name"`
	Hash   string `json:"hash,omitempty"`
	Micros int64  `json:"us"`              // how long it took
	Lines  []Line `json:"lines,omitempty"` // those that decided
	Err    string `json:"err,omitempty"`
}

// Line is a line of a script that asked for something.
type Line struct {
	Line int    `json:"line,omitempty"`
	Do   string `json:"do"`
}

// What is kept of an event at most.
const (
	maxText  = 500 // octets
	maxList  = 100
	maxLines = 64
)

// bound cuts what is too long.
func (e *Event) bound() {
	for _, s := range []*string{&e.From, &e.Box, &e.MessageID, &e.Folder, &e.Remote, &e.Reply, &e.What, &e.Why} {
		*s = cut(*s)
	}
	e.To, e.Flags = cutList(e.To), cutList(e.Flags)
	if c := e.Client; c != nil {
		c.Helo, c.RDNS = cut(c.Helo), cut(c.RDNS)
	}
	e.Scripts = e.Scripts[:min(len(e.Scripts), maxList)]
	for i := range e.Scripts {
		s := &e.Scripts[i]
		s.Err = cut(s.Err)
		s.Lines = s.Lines[:min(len(s.Lines), maxLines)]
		for j := range s.Lines {
			s.Lines[j].Do = cut(s.Lines[j].Do)
		}
	}
}

func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	n := maxText
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

func cutList(list []string) []string {
	list = list[:min(len(list), maxList)]
	for i := range list {
		list[i] = cut(list[i])
	}
	return list
}

// AddressText is the form in which an address stands in a trace; "" for the null one.
func AddressText(a address.Address) string {
	if a.IsZero() {
		return ""
	}
	return string(a.Key())
}

// AddressTexts is AddressText of several, at most as many as an event has.
func AddressTexts(list []address.Address) []string {
	var out []string
	for _, a := range list[:min(len(list), maxList)] {
		out = append(out, AddressText(a))
	}
	return out
}

// MessageOf returns the id of the message of a queue entry: entries of one message
// have a number behind it.
func MessageOf(entry string) string {
	id, _, _ := strings.Cut(entry, "-")
	return id
}
