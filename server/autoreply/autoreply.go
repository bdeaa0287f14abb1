// Package autoreply answers mail on behalf of a mailbox: vacation notices (RFC 5230),
// replies that scripts ask for, and notifications about a message (RFC 5435, RFC 5436).
// It has one implementation for scripts and for mail.toml, in three parts that know
// nothing of each other:
//
//   - Judge decides, of a message, a mailbox and the options, whether there is a reply,
//     and if not why. It is pure.
//   - Memory remembers who was answered, and how much a mailbox has sent. A Claim is
//     durable before the reply is queued; of any number of deliveries at once, one gets it.
//   - Write makes the message.
//
// The rules, in the order in which Judge looks at them (RFC 3834 2 has the reasons):
//
//  1. A vacation has a first and a last day, both included, by the local calendar.
//  2. A reply goes to the reverse-path, and to no other address. There is none when that
//     is null, an own address, or by its local part a program.
//  3. None when a field of the header says that the message is of a list or a program, or
//     that no reply is wanted.
//  4. None to spam, to what fails DMARC, or to mail from outside that neither SPF nor DKIM
//     vouches for. Mail that a program brings over LMTP was not verified here, so it
//     counts as that.
//  5. None unless an own address stands in To, Cc, Bcc, Resent-To or Resent-Cc.
//  6. Once for each sender and handle in so many days, and 100 in 24 hours a mailbox.
//
// Own addresses are those that lead to the mailbox alone, and the addresses of the options.
//
// It has no lock and no goroutine: the database puts claims in order. It does not send
// (package deliver).
package autoreply

import (
	"crypto/sha256"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/message"
)

// Request is a message that might be answered.
type Request struct {
	Kind    hook.Kind // hook.Vacation or hook.Reply
	Options hook.AutoReply
	Message Message
	Box     Box
	Now     time.Time
	Zone    *time.Location // of the dates; nil: UTC
}

// Message is what came.
type Message struct {
	ReversePath address.Address
	ForwardPath address.Address // the RCPT that led here
	Header      *message.Header
	Body        envelope.Body // the whole message
	// Fingerprint tells the message from all others; for a reply to each message.
	Fingerprint []byte
	Auth        *hook.Authenticity // nil: nothing was verified
	Submitted   bool               // by a login here
	Junk        bool               // it is spam, or lies in the folder for it
	Virus       string
}

// Box is whose mail it is.
type Box struct {
	Address address.Address
	Name    string // of the person; may be ""
	// Own tells whether an address leads to this mailbox alone.
	Own func(address.Address) bool
	// MaySend tells whether an address may stand in From.
	MaySend func(address.Address) bool
}

// Reason is why there is no reply; "": there is one.
type Reason string

// The reasons.
const (
	TooEarly     Reason = "its first day has not come"
	Ended        Reason = "its last day is over"
	Empty        Reason = "it has no text"
	TooLong      Reason = "its text is too long"
	NullPath     Reason = "the reverse-path is null"
	OwnAddress   Reason = "the reverse-path is an own address"
	Program      Reason = "the reverse-path is that of a program or a list"
	ListMail     Reason = "a List field: it is of a mailing list"
	AutoMail     Reason = "Auto-Submitted: a program wrote it"
	BulkMail     Reason = "Precedence: it is bulk mail"
	Suppressed   Reason = "X-Auto-Response-Suppress: no reply is wanted"
	ReportMail   Reason = "it is a report"
	CalendarMail Reason = "it is the answer to an invitation"
	Looping      Reason = "it has 50 or more Received fields"
	Junk         Reason = "it is spam"
	Infected     Reason = "it holds a virus"
	Forged       Reason = "it fails DMARC"
	Unverified   Reason = "neither SPF nor DKIM passes"
	NotAddressed Reason = "no own address stands in To or Cc"
	Answered     Reason = "the sender was answered before"
	Over         Reason = "the limit of what the mailbox may send by itself"
	Notified     Reason = "the message is a notification or a reply of a program"
)

// The bounds of what the options say.
const (
	MaxText      = 64 << 10 // octets of Text, and of HTML
	MaxDays      = 60
	vacationDays = 7
	replyDays    = 1
	day          = 24 * time.Hour
)

// Reply is what is to be sent.
type Reply struct {
	Kind     hook.Kind
	From, To address.Address
	Name     string // in From
	Options  hook.AutoReply
	About    *message.Header // of the message that is answered
	Claim    Claim
}

// Judge decides whether a message is answered, but for what Memory knows.
func Judge(r Request) (Reply, Reason) {
	for _, rule := range []func(*Request) Reason{
		(*Request).when, (*Request).text, (*Request).sender, (*Request).header, (*Request).trust,
	} {
		if why := rule(&r); why != "" {
			return Reply{}, why
		}
	}
	written, ok := r.writtenTo()
	if !ok {
		return Reply{}, NotAddressed
	}
	if why := r.structure(); why != "" { // last, for it reads the body
		return Reply{}, why
	}
	from := r.from(written)
	reply := Reply{Kind: r.Kind, From: from, To: r.Message.ReversePath, Options: r.Options, About: r.Message.Header, Claim: r.claim()}
	if from.Key() == r.Box.Address.Key() { // an alias need not tell who is behind it
		reply.Name = r.Box.Name
	}
	return reply, ""
}

// when looks at the dates (RFC 5230 has none; scripts use those of RFC 5260).
func (r *Request) when() Reason {
	zone := r.Zone
	if zone == nil {
		zone = time.UTC
	}
	y, m, d := r.Now.In(zone).Date()
	today := hook.Date{Year: y, Month: int(m), Day: d}.String() // dates in this form are in order
	switch {
	case r.Kind != hook.Vacation:
	case !r.Options.Start.IsZero() && today < r.Options.Start.String():
		return TooEarly
	case !r.Options.Stop.IsZero() && today > r.Options.Stop.String():
		return Ended
	}
	return ""
}

func (r *Request) text() Reason {
	switch {
	case r.Options.Text == "" && r.Options.HTML == "":
		return Empty
	case len(r.Options.Text) > MaxText || len(r.Options.HTML) > MaxText:
		return TooLong
	}
	return ""
}

// trust keeps replies from those whose address somebody else wrote there.
func (r *Request) trust() Reason {
	m := r.Message
	switch {
	case m.Virus != "":
		return Infected
	case m.Junk:
		return Junk
	}
	return Genuine(m.Auth, m.Submitted)
}

// Genuine tells whether the reverse-path is that of who sent the message, as far as can be
// known: a login here sent it, or SPF or DKIM passes, and DMARC does not fail. auth is nil
// when nothing was verified.
func Genuine(auth *hook.Authenticity, submitted bool) Reason {
	switch {
	case submitted:
		return ""
	case auth == nil:
		return Unverified
	case auth.DMARC == "fail":
		return Forged
	case auth.SPF != "pass" && auth.DKIM != "pass":
		return Unverified
	}
	return ""
}

// own tells whether an address is of the mailbox, as far as replies go.
func (r *Request) own(a address.Address) bool {
	for _, other := range r.Options.Addresses {
		if other.Key() == a.Key() {
			return true
		}
	}
	return a.Key() == r.Box.Address.Key() || r.Box.Own(a)
}

// writtenTo returns the own address that the author wrote to (RFC 5230 4.5): that of the
// RCPT when it is one of several. There may be none: the message came by a list, or as a
// blind copy.
func (r *Request) writtenTo() (first address.Address, ok bool) {
	for _, name := range []string{"To", "Cc", "Bcc", "Resent-To", "Resent-Cc"} {
		list, _ := r.Message.Header.Addresses(name)
		for _, a := range list {
			switch {
			case !r.own(a):
			case a.Key() == r.Message.ForwardPath.Key():
				return a, true
			case !ok:
				first, ok = a, true
			}
		}
	}
	return first, ok
}

// from returns the From of the reply: the one that was chosen, else the address that was
// written to, where this server may speak for it; else that of the mailbox.
func (r *Request) from(written address.Address) address.Address {
	for _, a := range []address.Address{r.Options.From, written} {
		if !a.IsZero() && (a.Key() == r.Box.Address.Key() || r.Box.MaySend(a)) {
			return a
		}
	}
	return r.Box.Address
}

// claim is what makes the reply one of a kind.
func (r *Request) claim() Claim {
	c := Claim{Sort: Replies, Box: r.Box.Address, To: r.Message.ReversePath, Handle: r.handle(), Period: time.Duration(r.days()) * day}
	if c.Period == 0 { // to each message, and yet once to each
		c.Handle = digest("message", string(c.Handle), string(r.Message.Fingerprint))
		c.Period = day
	}
	return c
}

func (r *Request) days() int {
	d := r.Options.Days
	switch {
	case d < 0 && r.Kind == hook.Vacation:
		return vacationDays // RFC 5230 4.1
	case d < 0:
		return replyDays
	case d == 0 && r.Kind == hook.Vacation:
		return 1
	}
	return min(d, MaxDays)
}

// handle tells what the reply says (RFC 5230 4.2): a new text starts anew.
func (r *Request) handle() []byte {
	if r.Options.Handle != "" {
		return digest(string(r.Kind), "handle", r.Options.Handle)
	}
	return digest(string(r.Kind), "text", r.Options.Text, r.Options.HTML)
}

// digest makes a short key of several texts.
func digest(texts ...string) []byte {
	sum := sha256.New()
	for _, s := range texts {
		one := sha256.Sum256([]byte(s))
		sum.Write(one[:])
	}
	return sum.Sum(nil)[:16]
}
