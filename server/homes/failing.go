package homes

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/fault"
)

// Reason is why a calendar that somebody subscribed to can't be fetched.
type Reason string

// The reasons. Failing.Detail has the error as text for all of them.
const (
	NotAllowed  Reason = "not allowed" // mail.toml does not name the host
	LeadsAway   Reason = "leads away"  // likewise the host of a redirect
	Gone        Reason = "gone"        // 404 or 410
	Denied      Reason = "denied"      // 401 or 403
	BadStatus   Reason = "status"      // any other but 200
	NoCalendar  Reason = "no calendar" // what came can't be read
	TooLarge    Reason = "too large"
	Certificate Reason = "certificate" // of the host, or it speaks no TLS
	Unreachable Reason = "unreachable" // no such host, no answer
	NotKept     Reason = "not kept"    // it came, and could not be written here
)

// Failing is a calendar that is subscribed to and can't be fetched. What was fetched last
// stays in it.
type Failing struct {
	Owner       address.Address
	Collection  string // its last segment
	DisplayName string // "" for none
	Host        string // that publishes it
	Since       time.Time
	Reason      Reason
	Detail      string
	told        bool
}

// tellAfter is how long a calendar can't be fetched before its owner is told.
const tellAfter = 24 * time.Hour

// fetched is what the last fetch of a source found.
type fetched struct {
	Source       string
	ETag         string `json:",omitempty"`
	LastModified string `json:",omitempty"`
	Next         time.Time
	// of failures since the last success
	Failures int       `json:",omitempty"`
	Since    time.Time `json:",omitzero"` // the first
	Reason   Reason    `json:",omitempty"`
	Detail   string    `json:",omitempty"`
	Told     bool      `json:",omitempty"` // the owner was
}

// readFetched reads what is known of a source; nothing when it was another one.
func readFetched(p collection.Props, source string) fetched {
	var last fetched
	if json.Unmarshal([]byte(p.Other[fetchedName]), &last) != nil || last.Source != source {
		return fetched{Source: source}
	}
	return last
}

func writeFetched(c *collection.Collection, f fetched) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return c.SetProps(func(p *collection.Props) error {
		p.Other[fetchedName] = string(b)
		return nil
	})
}

// waits tells whether it is not yet time to ask again. allowed: mail.toml names the host.
// When that is another answer than last time, it is time.
func (f fetched) waits(now time.Time, allowed bool) bool {
	return now.Before(f.Next) && f.Next.Sub(now) <= retryMost && allowed == (f.Reason != NotAllowed)
}

// failed notes a failure. It is tried again later and later, and once more before the owner
// is told.
func (f fetched) failed(now time.Time, err error) fetched {
	f.Failures++
	if f.Since.IsZero() {
		f.Since = now
	}
	f.Reason, f.Detail = reasonOf(err), detailOf(plainError(err))
	f.Next = now.Add(min(retryAfter<<min(f.Failures-1, 8), retryMost))
	if tell := f.Since.Add(tellAfter); now.Before(tell) && f.Next.After(tell) {
		f.Next = tell
	}
	return f
}

// worked notes a success.
func (f fetched) worked(now time.Time) fetched {
	return fetched{Source: f.Source, ETag: f.ETag, LastModified: f.LastModified, Next: now.Add(fetchEvery)}
}

// maxDetail bounds the text of an error, which may be from the other server, in octets.
const maxDetail = 300

// detailOf is the text of an error for people: without the codes of a fault.
func detailOf(err error) string {
	s := err.Error()
	var f *fault.Fault
	if errors.As(err, &f) && f.Text != "" {
		s = f.Text
	}
	if len(s) > maxDetail {
		s = strings.ToValidUTF8(s[:maxDetail], "") + "..."
	}
	return s
}

// statusError is an answer that is no calendar.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("the answer was %d", int(e)) }

// contentError is an answer that can't be used.
type contentError struct {
	reason Reason
	err    error
}

func (e contentError) Error() string { return e.err.Error() }
func (e contentError) Unwrap() error { return e.err }

// reasonOf sorts an error of a fetch.
func reasonOf(err error) Reason {
	var (
		status  statusError
		content contentError
		request *url.Error // of http.Client.Do
	)
	switch {
	case errors.As(err, &status):
		switch status {
		case http.StatusNotFound, http.StatusGone:
			return Gone
		case http.StatusUnauthorized, http.StatusForbidden:
			return Denied
		}
		return BadStatus
	case errors.As(err, &content):
		return content.reason
	case errors.As(err, &request):
		switch {
		case fault.Is(err, fault.Policy):
			return LeadsAway
		case isTLS(err):
			return Certificate
		}
		return Unreachable
	case fault.Is(err, fault.Policy):
		return NotAllowed
	}
	return NotKept
}

// isTLS tells whether an error is about the certificate of a host, or its TLS.
func isTLS(err error) bool {
	var (
		verify *tls.CertificateVerificationError
		record tls.RecordHeaderError
		alert  tls.AlertError
		name   x509.HostnameError
	)
	return errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &verify) || errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &name)
}

// Failing returns the calendars that can't be fetched, by owner and name.
func (h *Homes) Failing() []Failing {
	if h.feeds.client == nil {
		return nil
	}
	var out []Failing
	for _, f := range h.shares.allFeeds(h) {
		failing, err := h.failing(f)
		if err != nil && !fault.Is(err, fault.NotFound) {
			h.opt.Log.Warn("homes.subscription", "owner", f.owner, "collection", f.name, "err", err)
		}
		if failing != nil {
			out = append(out, *failing)
		}
	}
	return out
}

// failing returns nil for a calendar that is well, and for what is not there.
func (h *Homes) failing(f feed) (*Failing, error) {
	if _, ok := h.opt.Directory().Box(f.owner); !ok {
		return nil, nil
	}
	_, made, err := openProps(h.opt.Derived, f.owner, feedName(f.name))
	if err != nil {
		return nil, err
	}
	last := readFetched(made, f.source)
	if last.Reason == "" {
		return nil, nil
	}
	_, kept, err := openProps(h.opt.Store, f.owner, f.name)
	if err != nil {
		return nil, err
	}
	out := &Failing{
		Owner: f.owner, Collection: f.name, DisplayName: kept.DisplayName, Since: last.Since, Reason: last.Reason, Detail: last.Detail, told: last.Told,
	}
	if u, err := url.Parse(f.source); err == nil {
		out.Host = u.Host
	}
	return out, nil
}

func openProps(s *collection.Store, owner address.Address, name string) (*collection.Collection, collection.Props, error) {
	home, err := s.Home(owner)
	if err != nil {
		return nil, collection.Props{}, err
	}
	c, err := home.Open(name)
	if err != nil {
		return nil, collection.Props{}, err
	}
	p, err := c.Props()
	return c, p, err
}

// tellFailing has owners told what could not be fetched for a day, each once for all of
// it, and then not again until it could be.
func (h *Homes) tellFailing() {
	if h.opt.Tell == nil {
		return
	}
	due := make(map[address.Key][]Failing)
	for _, f := range h.Failing() {
		if !f.told && h.opt.Now().Sub(f.Since) >= tellAfter {
			due[f.Owner.Key()] = append(due[f.Owner.Key()], f)
		}
	}
	for _, owner := range sortedKeys(due) {
		if !h.opt.Tell(due[owner]) {
			continue // it is due in a minute too
		}
		for _, f := range due[owner] {
			if err := h.noteTold(f); err != nil && !fault.Is(err, fault.NotFound) {
				h.opt.Log.Warn("homes.subscription", "owner", f.Owner, "collection", f.Collection, "err", err)
			}
		}
	}
}

func (h *Homes) noteTold(f Failing) error {
	c, p, err := openProps(h.opt.Derived, f.Owner, feedName(f.Collection))
	if err != nil {
		return err
	}
	var last fetched
	if err := json.Unmarshal([]byte(p.Other[fetchedName]), &last); err != nil {
		return err
	}
	last.Told = true
	return writeFetched(c, last)
}
