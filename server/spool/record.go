package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/message"
)

const (
	recordVersion = 1 // of the format of a record
	maxHoldReason = 300
	maxDetail     = 300 // bounds what is kept of a cause
)

// record is what ID.env holds, and the end of ID.one until there is one.
type record struct {
	Version    int           `json:"version"`
	ID         string        `json:"id"` // of the message; the entry's may have a number behind it
	Received   time.Time     `json:"received"`
	Size       int64         `json:"size"`
	Sender     senderRecord  `json:"sender"`
	Session    sessionRecord `json:"session"`
	Saved      bool          `json:"-"` // there is an ID.env
	Hold       string        `json:"hold,omitempty"`
	Quarantine bool          `json:"quarantine,omitempty"` // what is held was held by a script
	Told       bool          `json:"told,omitempty"`       // its recipients know of it
	Spam       []spamRecord  `json:"spam,omitempty"`
	Virus      string        `json:"virus,omitempty"`
	NotBefore  time.Time     `json:"not_before,omitzero"` // counts as Received for all that takes long
	Recipients []rcptRecord  `json:"recipients"`          // their places never change
}

type senderRecord struct {
	ReversePath text      `json:"reverse_path"`
	Size        int64     `json:"size,omitempty"`
	Body        string    `json:"body,omitempty"`
	SMTPUTF8    bool      `json:"smtputf8,omitempty"`
	Ret         string    `json:"ret,omitempty"`
	EnvID       string    `json:"envid,omitempty"`
	Auth        string    `json:"auth,omitempty"`
	RequireTLS  bool      `json:"requiretls,omitempty"`
	HoldUntil   time.Time `json:"hold_until,omitzero"` // as it was asked for, for reports
}

type sessionRecord struct {
	ID         string         `json:"id,omitempty"`
	Listener   string         `json:"listener,omitempty"`
	Remote     netip.AddrPort `json:"remote,omitzero"`
	Local      netip.AddrPort `json:"local,omitzero"`
	RDNS       string         `json:"rdns,omitempty"`
	Helo       string         `json:"helo,omitempty"`
	ESMTP      bool           `json:"esmtp,omitempty"`
	TLSVersion string         `json:"tls_version,omitempty"`
	TLSCipher  string         `json:"tls_cipher,omitempty"`
	AuthcID    string         `json:"authcid,omitempty"`
	Account    text           `json:"account,omitzero"`
}

// rcptRecord is a recipient with its state.
type rcptRecord struct {
	Address   text            `json:"address"`
	Notify    envelope.Notify `json:"notify,omitempty"`
	ORcpt     string          `json:"orcpt,omitempty"`
	Local     bool            `json:"local,omitempty"`
	Forwarder text            `json:"forwarder,omitzero"`
	Via       string          `json:"via,omitempty"`

	Done     bool        `json:"done,omitempty"` // nothing more is tried
	Failed   bool        `json:"failed,omitempty"`
	Dropped  bool        `json:"dropped,omitempty"` // by the operator
	Delayed  bool        `json:"delayed,omitempty"` // the sender has been told, or need not be
	Attempts int         `json:"attempts,omitempty"`
	Next     time.Time   `json:"next,omitzero"` // when to try again, while not Done
	Last     *lastRecord `json:"last,omitempty"`
	// Report is the DSN that is owed, "" for none, and ReportID its id, so that it
	// has the same one after a crash.
	Report   message.Action `json:"report,omitempty"`
	ReportID string         `json:"report_id,omitempty"`
}

// lastRecord is what came of the last attempt.
type lastRecord struct {
	At     time.Time `json:"at"`
	Code   int       `json:"code,omitempty"`
	Status string    `json:"status,omitempty"` // enhanced code
	Text   string    `json:"text,omitempty"`
	Remote string    `json:"remote,omitempty"`
	Detail string    `json:"detail,omitempty"` // for the operator
}

// text is an address as it is kept.
type text address.Address

// MarshalText writes the address as on the wire.
func (t text) MarshalText() ([]byte, error) { return []byte(address.Address(t).String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (t *text) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*t = text{}
		return nil
	}
	if !strings.Contains(string(b), "@") { // <postmaster>, RFC 5321 4.5.1
		local, err := address.ParseLocal(string(b))
		*t = text{Local: local}
		return err
	}
	a, err := address.Parse(string(b))
	*t = text(a)
	return err
}

func (t text) IsZero() bool { return address.Address(t).IsZero() }

func (t text) String() string { return address.Address(t).String() }

// newRecord makes the record of a new entry.
func newRecord(e Entry, size int64, now time.Time) *record {
	env := e.Envelope
	r := &record{ID: env.ID, Received: env.Received, Size: size}
	if r.Received.IsZero() {
		r.Received = now
	}
	s := env.Sender
	r.Sender = senderRecord{text(s.ReversePath), s.Size, s.Body, s.SMTPUTF8, s.Ret, s.EnvID, s.Auth, s.RequireTLS, s.HoldUntil}
	r.Hold, r.Quarantine = clip(e.Hold, maxHoldReason), e.Quarantine && e.Hold != ""
	r.Spam, r.Virus = newSpam(e.Spam), clip(e.Virus, maxVirus)
	first := now
	for _, t := range []time.Time{e.NotBefore, s.HoldUntil} {
		if t.After(first) {
			r.NotBefore, first = t, t
		}
	}
	c := env.Session
	r.Session = sessionRecord{c.ID, c.Listener, c.Remote, c.Local, c.RDNS, c.Helo, c.ESMTP, c.TLSVersion, c.TLSCipher, c.AuthcID, text(c.Account)}
	reports := make(map[message.Action]string)
	for _, to := range e.Recipients {
		rcpt := rcptRecord{
			Address: text(to.ForwardPath), Notify: to.Notify, ORcpt: to.ORcpt, Local: to.Local, Forwarder: text(to.Forwarder), Via: to.Via, Next: first,
		}
		if to.Done != nil {
			rcpt.finish(r, *to.Done, reports, now)
		}
		r.Recipients = append(r.Recipients, rcpt)
	}
	return r
}

// finish notes the fate of a recipient for which nothing more is tried.
func (to *rcptRecord) finish(r *record, res Result, reports map[message.Action]string, now time.Time) {
	to.Done, to.Failed, to.Next = true, res.Fault != nil, time.Time{}
	to.Last = res.last(now)
	to.owe(r, res, reports)
}

// repeats tells whether other is a record of the same message for the same
// recipients.
func (r *record) repeats(other *record) bool {
	return r.ID == other.ID && slices.EqualFunc(r.Recipients, other.Recipients, func(a, b rcptRecord) bool {
		return a.Address == b.Address && a.Local == b.Local && a.Forwarder == b.Forwarder && a.Via == b.Via
	})
}

// encode writes a record.
func (r *record) encode() ([]byte, error) {
	r.Version = recordVersion
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write the record of %s: %w", r.ID, err)
	}
	return append(b, '\n'), nil
}

// decodeRecord reads a record. What a newer version may have written is an error.
func decodeRecord(b []byte) (*record, error) {
	r := new(record)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, err
	}
	switch {
	case r.Version != recordVersion:
		return nil, fmt.Errorf("version %d is not known", r.Version)
	case !validID(r.ID):
		return nil, errors.New("it has no id")
	case r.Size < 0:
		return nil, fmt.Errorf("its size is %d", r.Size)
	case len(r.Recipients) == 0 || len(r.Recipients) > maxRecipients:
		return nil, fmt.Errorf("it has %d recipients", len(r.Recipients))
	}
	for _, to := range r.Recipients {
		if to.Address.IsZero() {
			return nil, errors.New("a recipient has no address")
		}
	}
	return r, nil
}

// validID tells whether s may be the id of a message: it is part of file names.
func validID(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// clone returns a copy that shares nothing that changes.
func (r *record) clone() *record {
	c := *r
	c.Recipients = slices.Clone(r.Recipients)
	return &c
}

// finished tells whether nothing is left to do.
func (r *record) finished() bool {
	return !slices.ContainsFunc(r.Recipients, func(to rcptRecord) bool { return !to.Done || to.Report != "" })
}

// owesReports tells whether a DSN is owed.
func (r *record) owesReports() bool {
	return slices.ContainsFunc(r.Recipients, func(to rcptRecord) bool { return to.Report != "" })
}

// began is when the time began after which the message is given up, and its sender
// told of the delay.
func (r *record) began() time.Time {
	if r.NotBefore.After(r.Received) {
		return r.NotBefore
	}
	return r.Received
}

// open returns the number of recipients that are not done.
func (r *record) open() (n int) {
	for i := range r.Recipients {
		if !r.Recipients[i].Done {
			n++
		}
	}
	return n
}

// envelope returns the envelope, without recipients. HoldUntil is left out: it has
// become a NotBefore, and is not for the next server to keep too.
func (r *record) envelope() envelope.Envelope {
	s, c := r.Sender, r.Session
	return envelope.Envelope{
		ID: r.ID, Received: r.Received,
		Sender: envelope.Sender{
			ReversePath: address.Address(s.ReversePath), Size: s.Size, Body: s.Body, SMTPUTF8: s.SMTPUTF8, Ret: s.Ret, EnvID: s.EnvID, Auth: s.Auth,
			RequireTLS: s.RequireTLS,
		},
		Session: envelope.Session{
			ID: c.ID, Listener: c.Listener, Remote: c.Remote, Local: c.Local, RDNS: c.RDNS, Helo: c.Helo, ESMTP: c.ESMTP,
			TLSVersion: c.TLSVersion, TLSCipher: c.TLSCipher, AuthcID: c.AuthcID, Account: address.Address(c.Account),
		},
	}
}

// recipient returns a recipient as it was added.
func (to *rcptRecord) recipient() Recipient {
	return Recipient{
		Recipient: envelope.Recipient{ForwardPath: address.Address(to.Address), Notify: to.Notify, ORcpt: to.ORcpt},
		Local:     to.Local, Forwarder: address.Address(to.Forwarder), Via: to.Via,
	}
}

// destination is where recipients are tried together: the key of a box, the domain
// of other servers (and the server through which they are reached), or housekeeping.
type destination string

// housekeeping stands for what is to be done for the entry itself: the reports that
// it owes, and a record that could not be written.
const housekeeping destination = ""

func (to *rcptRecord) destination() destination {
	if to.Local {
		return destination(address.Address(to.Address).Key())
	}
	if to.Via != "" {
		return destination(string(to.Address.Domain) + " " + to.Via)
	}
	return destination(to.Address.Domain)
}

// waiting returns the places of the recipients of a destination that are not done.
func (r *record) waiting(d destination) []int {
	var places []int
	for i := range r.Recipients {
		if to := &r.Recipients[i]; !to.Done && to.destination() == d {
			places = append(places, i)
		}
	}
	return places
}

// last makes a lastRecord of a Result.
func (res Result) last(now time.Time) *lastRecord {
	l := &lastRecord{At: now, Remote: res.Remote}
	f := res.Fault
	if f == nil {
		l.Text = clip(res.Reply, maxDetail)
		return l
	}
	l.Code, l.Status, l.Text = f.Code, f.Enhanced(), f.Text
	if f.Cause != nil {
		l.Detail = clip(f.Cause.Error(), maxDetail)
	}
	return l
}

func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "?")
}

// reply is the answer as one line: "550 5.1.1 No such user".
func (l *lastRecord) reply() string {
	if l.Code == 0 || l.Remote == "" {
		return l.Text
	}
	return fmt.Sprintf("%d %s %s", l.Code, l.Status, l.Text)
}
