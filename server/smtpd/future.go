package smtpd

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"facteur/server/envelope"
	"facteur/server/fault"
)

// maxHold is how far ahead a message may be released (RFC 4865). Its signature is made
// now, with a key whose record stays longer than that (senderauth.KeepRetired).
const maxHold = 30 * 24 * time.Hour

// offered is what a session offers beyond what all do, for the parameters of MAIL.
type offered struct {
	requireTLS    bool // RFC 8689 2: only under TLS
	futureRelease bool // RFC 4865: only to our own users
	now           time.Time
}

func (s *session) offered() offered {
	return offered{requireTLS: s.Info.TLS(), futureRelease: s.takesLogins() && s.LoggedIn(), now: time.Now()}
}

// extensions returns the EHLO lines of what is offered. FUTURERELEASE has the longest
// time in seconds and the last date (RFC 4865).
func (o offered) extensions() (lines []string) {
	if o.requireTLS {
		lines = append(lines, "REQUIRETLS")
	}
	if o.futureRelease {
		last := o.now.Add(maxHold).UTC().Format(time.RFC3339)
		lines = append(lines, "FUTURERELEASE "+strconv.Itoa(int(maxHold/time.Second))+" "+last)
	}
	return lines
}

// mailParam reads a parameter that is not offered in all sessions.
func (o offered) mailParam(out *envelope.Sender, p param) *fault.Fault {
	switch {
	case p.key == "REQUIRETLS" && !o.requireTLS:
		return fault.Reply(fault.EncryptionNeeded, 530, "5.7.10", "REQUIRETLS needs a session with TLS")
	case p.key == "REQUIRETLS":
		if p.has { // RFC 8689 2
			return badValue(p)
		}
		out.RequireTLS = true
		return nil
	case !o.futureRelease:
		return unknownParam(p)
	case !out.HoldUntil.IsZero():
		return badSyntax("HOLDFOR and HOLDUNTIL exclude each other") // RFC 4865
	}
	until, ok := o.holdUntil(p)
	switch {
	case !ok:
		return badValue(p)
	case until.Before(o.now):
		return badSyntax("The time of " + p.key + " is over")
	case until.After(o.now.Add(maxHold)):
		return badSyntax(fmt.Sprintf("The time of %s is more than %d days from now", p.key, maxHold/(24*time.Hour)))
	}
	out.HoldUntil = until
	return nil
}

// holdUntil reads HOLDFOR, at most nine digits, or HOLDUNTIL, a date and time in UTC
// (RFC 4865).
func (o offered) holdUntil(p param) (time.Time, bool) {
	if p.key == "HOLDUNTIL" {
		t, err := time.Parse(time.RFC3339, p.value)
		return t, err == nil && strings.HasSuffix(p.value, "Z")
	}
	if len(p.value) > 9 || strings.Trim(p.value, "0123456789") != "" {
		return time.Time{}, false
	}
	n, err := strconv.Atoi(p.value)
	return o.now.Add(time.Duration(n) * time.Second), err == nil
}
