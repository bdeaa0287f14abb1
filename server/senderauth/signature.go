package senderauth

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/message"
)

// signature is what DKIM-Signature (RFC 6376 3.5), ARC-Message-Signature and ARC-Seal
// (RFC 8617 4.1) have in common.
type signature struct {
	field     []byte // the whole field
	tags      tagList
	algorithm string // "rsa-sha256" or "ed25519-sha256"
	domain    address.Domain
	selector  string
	mark      string
	value     []byte // b=

	// Not of an ARC-Seal:
	header   canon
	body     canon
	names    []string // h=, in lower case
	bodyHash []byte   // bh=
	limit    int64    // l=, -1 without
	sum      *bodySum
}

// problem is why a signature does not count, with the result that it has.
type problem struct {
	result Result
	text   string
}

func (p *problem) Error() string { return p.text }

func failed(r Result, text string) error { return &problem{r, text} }

// The bounds of what is taken from a signature.
const (
	maxSelector = 200
	maxNames    = 1000
	markLen     = 8
	// clockSkew is how much the clocks of two servers may differ.
	clockSkew = 5 * time.Minute
)

// parseSignature reads the parts that all signatures have. What it returns is good for
// a report even when there is an error.
func parseSignature(field []byte) (*signature, error) {
	s := &signature{field: field, limit: -1}
	_, value, _ := strings.Cut(string(field), ":")
	var err error
	if s.tags, err = parseTags(value); err != nil {
		return s, failed(Neutral, err.Error())
	}
	algorithm, _ := s.tags.get("a")
	s.algorithm = strings.ToLower(algorithm)
	if s.domain, err = signingDomain(s.tags); err != nil {
		return s, err
	}
	selector, _ := s.tags.get("s")
	if !validSelector(selector) {
		return s, failed(Neutral, "bad s=")
	}
	s.selector = selector
	b, ok := s.tags.get("b")
	b = compact(b)
	s.mark = b[:min(len(b), markLen)]
	if s.value, err = base64.StdEncoding.DecodeString(b); err != nil || !ok || len(s.value) == 0 {
		return s, failed(Neutral, "bad b=")
	}
	switch s.algorithm {
	case "rsa-sha256", "ed25519-sha256":
		return s, nil
	case "rsa-sha1":
		return s, failed(Policy, "SHA-1 is not safe") // RFC 8301 3.1
	}
	return s, failed(Neutral, "unknown algorithm")
}

func signingDomain(tags tagList) (address.Domain, error) {
	d, _ := tags.get("d")
	domain, err := address.ParseDomain(d) // U-labels too: RFC 8616 4
	if err != nil || strings.HasPrefix(string(domain), "[") {
		return "", failed(Neutral, "bad d=")
	}
	return domain, nil
}

// validSelector tells whether s may stand in a domain name.
func validSelector(s string) bool {
	for _, label := range strings.Split(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for i := range len(label) {
			if c := label[i]; (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return len(s) <= maxSelector
}

// parseCoverage reads which fields and how much of the body are signed.
func (s *signature) parseCoverage() error {
	names, ok := s.tags.get("h")
	// A name that was left empty stands for nothing.
	s.names = slices.DeleteFunc(splitList(names), func(name string) bool { return name == "" })
	if !ok || len(s.names) > maxNames || slices.ContainsFunc(s.names, notFieldName) {
		return failed(Neutral, "bad h=")
	}
	if !slices.Contains(s.names, "from") {
		return failed(PermError, "From is not signed") // RFC 6376 6.1.1
	}
	if c, has := s.tags.get("c"); has {
		if s.header, s.body, ok = parseCanon(c); !ok {
			return failed(Neutral, "unknown canonicalization")
		}
	}
	hash, _ := s.tags.get("bh")
	var err error
	if s.bodyHash, err = base64.StdEncoding.DecodeString(compact(hash)); err != nil || len(s.bodyHash) != sha256.Size {
		return failed(Neutral, "bad bh=")
	}
	if limit, ok := s.tags.get("l"); ok {
		if s.limit, ok = parseNumber(limit); !ok {
			return failed(Neutral, "bad l=")
		}
	}
	return nil
}

// notFieldName tells whether s can't name a field (RFC 5322 3.6.8).
func notFieldName(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// parseNumber reads a number of digits alone, as l=, t= and x= have them.
func parseNumber(s string) (int64, bool) {
	if s == "" || len(s) > 76 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return 1<<63 - 1, true // RFC 6376 3.5: up to 76 digits, infinite for us
	}
	return n, err == nil
}

// checkTimes checks the form of t= and x= (RFC 6376 3.5). A time of signing in the future
// is not held against a signature: it says only that a clock is wrong.
func (s *signature) checkTimes() error {
	signed, hasT := s.tags.get("t")
	expires, hasX := s.tags.get("x")
	t, okT := parseNumber(signed)
	x, okX := parseNumber(expires)
	switch {
	case hasT && !okT:
		return failed(Neutral, "bad t=")
	case hasX && !okX, hasX && hasT && x <= t:
		return failed(Neutral, "bad x=")
	}
	return nil
}

// checkExpiry checks x= against the clock.
func (s *signature) checkExpiry(now time.Time) error {
	expires, has := s.tags.get("x")
	if x, _ := parseNumber(expires); has && x < now.Add(-clockSkew).Unix() {
		return failed(Fail, "the signature has expired")
	}
	return nil
}

// unsigned returns the field with the value of b= deleted, canonical and without its
// line end: it ends what is signed (RFC 6376 3.7).
func (s *signature) unsigned(c canon) []byte {
	b, _ := s.tags.find("b")
	value := len(s.field) - s.valueLen()
	field := slices.Concat(s.field[:value+b.start], s.field[value+b.end:])
	out := appendField(nil, c, field)
	return out[:len(out)-len("\r\n")]
}

func (s *signature) valueLen() int {
	colon := slices.Index(s.field, ':')
	return len(s.field) - colon - 1
}

// fieldPlaces has the places of the fields of a header by name in lower case, the
// last first: the order in which signatures take them (RFC 6376 5.4.2).
type fieldPlaces map[string][]int

func placesOf(h *message.Header) fieldPlaces {
	places := make(fieldPlaces, h.Len())
	for i := h.Len() - 1; i >= 0; i-- {
		if name, _ := h.Field(i); name != "" {
			name = strings.ToLower(name)
			places[name] = append(places[name], i)
		}
	}
	return places
}

// appendSigned appends the fields with these names, canonical. Each name takes the next
// field from the bottom; one that is not there adds nothing.
func (p fieldPlaces) appendSigned(dst []byte, h *message.Header, c canon, names []string) []byte {
	taken := make(map[string]int, len(names))
	for _, name := range names {
		n := taken[name]
		if n < len(p[name]) {
			_, raw := h.Field(p[name][n])
			dst = appendField(dst, c, raw)
		}
		taken[name] = n + 1
	}
	return dst
}

// checkBody compares the hash of the body, which has been read.
func (s *signature) checkBody() error {
	if s.limit > s.sum.total {
		return failed(Neutral, "l= is more than the body")
	}
	if !slices.Equal(s.sum.sum, s.bodyHash) {
		return failed(Fail, "the body has changed")
	}
	return nil
}

// partial tells whether l= leaves some of the body unsigned.
func (s *signature) partial() bool { return s.limit >= 0 && s.sum != nil && s.limit < s.sum.total }
