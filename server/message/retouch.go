package message

import (
	"slices"
	"strings"

	"facteur/server/address"
	"facteur/server/envelope"
)

// Retouch is what scripts change of a header.
type Retouch struct {
	Remove []string // all fields of these names, but for those that may not go (Removable)
	Prefix string   // stands before the subject, unless it does already; "": none
}

// Removable tells whether a field may be taken out of a message. Those may not by which
// others see where it has been and what was found out (RFC 5321 4.4, RFC 8601, RFC 6376,
// RFC 8617), the one that keeps mail from going in circles (RFC 3834), and those without
// which it can't be read (RFC 5322 3.6, RFC 2045).
func Removable(name string) bool {
	name = strings.ToLower(name)
	switch name {
	case "received", "return-path", "delivered-to", "authentication-results", "dkim-signature", "auto-submitted", "from", "mime-version":
		return false
	}
	return !strings.HasPrefix(name, "arc-") && !strings.HasPrefix(name, "content-")
}

// Apply returns a message with the changes, and its header then; b when there are none. signers are the
// domains whose signatures do not pass any more by it (RFC 6376 5.4), whether they did
// before or not.
func (r Retouch) Apply(b envelope.Body, h *Header) (_ envelope.Body, _ *Header, signers []address.Domain, err error) {
	var touched []string
	drop := make(map[string]bool)
	for _, name := range r.Remove {
		if Removable(name) && h.Count(name) > 0 {
			drop[strings.ToLower(name)] = true
			touched = append(touched, name)
		}
	}
	edits := Edits{Drop: func(_ int, name string) bool { return drop[strings.ToLower(name)] }}
	if r.Prefix != "" && !strings.HasPrefix(h.Subject(), r.Prefix) {
		field, err := FormatField("Subject", r.Prefix+h.Subject())
		if err != nil {
			return nil, nil, nil, err
		}
		edits.putSubject(h, field)
		touched = append(touched, "Subject")
	}
	if len(touched) == 0 {
		return b, h, nil, nil
	}
	b = Edit(b, h, edits)
	signers = signersOf(h, touched)
	h, err = ReadHeader(b)
	return b, h, signers, err
}

// putSubject puts a Subject in the place of the first one; others go.
func (e *Edits) putSubject(h *Header, field []byte) {
	e.Replace = make(map[int][]byte)
	for i := range h.Len() {
		if h.is(i, "Subject") {
			e.Replace[i] = field
			field = nil
		}
	}
	if field != nil {
		e.Prepend = field
	}
}

// signersOf returns the domains that signed one of the fields, also by its absence.
func signersOf(h *Header, touched []string) []address.Domain {
	var all []address.Domain
	for _, v := range h.RawValues("DKIM-Signature") {
		var signed, signer string
		for tag := range strings.SplitSeq(v, ";") {
			name, value, _ := strings.Cut(tag, "=")
			switch strings.TrimSpace(name) {
			case "h":
				signed = value
			case "d":
				signer = strings.TrimSpace(value)
			}
		}
		names := strings.FieldsFunc(signed, func(c rune) bool { return strings.ContainsRune(": \t\r\n", c) })
		breaks := slices.ContainsFunc(names, func(n string) bool {
			return slices.ContainsFunc(touched, func(t string) bool { return strings.EqualFold(n, t) })
		})
		if d, err := address.ParseDomain(signer); breaks && err == nil && !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	return all
}
