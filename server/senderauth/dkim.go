package senderauth

import (
	"errors"
	"slices"
	"strings"
	"time"

	"facteur/server/message"
)

// maxSignatures is how many signatures of a message are looked at; the RFC leaves it to
// us (RFC 6376 6.1). The rest have result "neutral".
const maxSignatures = 10

// maxListed is how many signatures stand in the results at all.
const maxListed = 20

// dkimCheck is one signature on its way to a result.
type dkimCheck struct {
	*signature
	err error
}

// dkimChecks finds the signatures of a message, top first, and asks for what is needed
// to check those that are well-formed.
func dkimChecks(h *message.Header, keys keyring, sums *bodySums, now time.Time) []dkimCheck {
	var all []dkimCheck
	examined := 0
	for i := range h.Len() {
		name, raw := h.Field(i)
		if !strings.EqualFold(name, "DKIM-Signature") || len(all) == maxListed {
			continue
		}
		s, err := parseSignature(raw)
		if err == nil {
			err = s.checkDKIM(now)
		}
		if err == nil {
			if examined++; examined > maxSignatures {
				err = failed(Neutral, "too many signatures")
			}
		}
		if err == nil {
			keys.want(s)
			s.sum = sums.want(s.body, s.limit)
		}
		all = append(all, dkimCheck{s, err})
	}
	return all
}

// checkDKIM checks what can be without the key and the body (RFC 6376 6.1.1).
func (s *signature) checkDKIM(now time.Time) error {
	if v, _ := s.tags.get("v"); v != "1" {
		return failed(Neutral, "unknown version")
	}
	if err := s.parseCoverage(); err != nil {
		return err
	}
	if q, ok := s.tags.get("q"); ok && !slices.Contains(splitList(q), "dns/txt") {
		return failed(Neutral, "unknown way to the key")
	}
	if i, ok := s.tags.get("i"); ok {
		_, domain, found := cutLast(i, "@")
		d, _ := s.tags.get("d")
		if !found || !within(strings.ToLower(domain), strings.ToLower(d)) {
			return failed(PermError, "i= is not within d=")
		}
	}
	if err := s.checkTimes(); err != nil {
		return err
	}
	return s.checkExpiry(now)
}

// within tells whether a domain is another one or below it.
func within(domain, above string) bool {
	return domain == above || strings.HasSuffix(domain, "."+above)
}

// result checks a signature against its key and the body, which were fetched.
func (c *dkimCheck) result(h *message.Header, places fieldPlaces, keys keyring) DKIM {
	d := DKIM{
		Domain: c.domain, Selector: c.selector, Algorithm: c.algorithm, Mark: c.mark, Partial: c.partial(),
	}
	d.Identity, _ = c.tags.get("i")
	err := c.err
	if err == nil {
		var key *publicKey
		if key, err = keys.get(c.signature); err == nil {
			d.Testing = key.testing
			err = c.check(h, places, key)
		}
	}
	d.Result, d.Reason = Pass, ""
	if err != nil {
		d.Result, d.Reason = PermError, err.Error()
		if p := (*problem)(nil); errors.As(err, &p) {
			d.Result = p.result
		}
	}
	return d
}

func (c *dkimCheck) check(h *message.Header, places fieldPlaces, key *publicKey) error {
	if i, ok := c.tags.get("i"); ok && key.strict { // RFC 6376 3.6.1, t=s
		d, _ := c.tags.get("d")
		if _, domain, _ := cutLast(i, "@"); !strings.EqualFold(domain, d) {
			return failed(PermError, "the key asks for i= to be d=")
		}
	}
	if err := c.checkBody(); err != nil {
		return err
	}
	data := places.appendSigned(nil, h, c.header, c.names)
	data = append(data, c.unsigned(c.header)...)
	if err := key.verify(c.signature, data); err != nil {
		return err
	}
	if c.partial() {
		// Whoever passes the message on could put anything below (RFC 6376 8.2).
		return failed(Policy, "l= leaves a part of the body unsigned")
	}
	return nil
}
