package senderauth

import (
	"slices"
	"strings"
)

// maxExpanded bounds what macros may become before it is cut to a domain name.
const maxExpanded = 4096

// expand replaces the macros of a domain-spec (RFC 7208 7). domain is whose record is
// evaluated.
func (q *spfQuery) expand(spec, domain string) (string, *spfError) {
	var out strings.Builder
	for i := 0; i < len(spec); {
		if spec[i] != '%' {
			out.WriteByte(spec[i])
			i++
			continue
		}
		m, n := cutMacro(spec[i:])
		i += n // not 0: the record was checked
		value, err := q.value(m, domain)
		if err != nil {
			return "", err
		}
		out.WriteString(value)
		if out.Len() > maxExpanded {
			return "", &spfError{PermError, "a macro expands to too much"}
		}
	}
	return shorten(out.String()), nil
}

// shorten removes labels from the left until 253 octets are left (RFC 7208 7.3).
func shorten(name string) string {
	for len(strings.TrimSuffix(name, ".")) > 253 {
		_, rest, found := strings.Cut(name, ".")
		if !found {
			return name
		}
		name = rest
	}
	return name
}

// value is what a macro stands for.
func (q *spfQuery) value(m macro, domain string) (string, *spfError) {
	if m.literal {
		return map[byte]string{'%': "%", '_': " ", '-': "%20"}[m.letter], nil
	}
	var s string
	switch m.letter | 0x20 {
	case 's':
		s = q.local + "@" + q.domain
	case 'l':
		s = q.local
	case 'o':
		s = q.domain
	case 'd':
		s = domain
	case 'i':
		s = q.dottedIP()
	case 'p':
		name, err := q.clientName(domain)
		if err != nil {
			return "", err
		}
		s = name
	case 'h':
		s = q.helo
	case 'v':
		s = "ip6"
		if q.ip.Is4() {
			s = "in-addr"
		}
	}
	s = m.transform(s)
	if m.letter < 'a' { // upper case: RFC 7208 7.3
		s = escapeURL(s)
	}
	return s, nil
}

func (m macro) transform(s string) string {
	if m.parts == 0 && !m.reverse && m.delimiters == "." {
		return s
	}
	parts := splitAny(s, m.delimiters)
	if m.reverse {
		slices.Reverse(parts)
	}
	if m.parts > 0 && m.parts < len(parts) {
		parts = parts[len(parts)-m.parts:]
	}
	return strings.Join(parts, ".")
}

// splitAny splits s at each octet of delimiters and keeps empty parts.
func splitAny(s, delimiters string) []string {
	var parts []string
	for {
		i := strings.IndexAny(s, delimiters)
		if i < 0 {
			return append(parts, s)
		}
		parts = append(parts, s[:i])
		s = s[i+1:]
	}
}

// dottedIP is the macro i: IPv6 as nibbles.
func (q *spfQuery) dottedIP() string {
	if q.ip.Is4() {
		return q.ip.String()
	}
	const hex = "0123456789abcdef"
	var out []byte
	for _, b := range q.ip.As16() {
		out = append(out, hex[b>>4], '.', hex[b&15], '.')
	}
	return string(out[:len(out)-1])
}

// clientName is the macro p: a verified name, best of the domain itself or below it.
func (q *spfQuery) clientName(domain string) (string, *spfError) {
	names, err := q.verifiedNames()
	if err != nil {
		return "", err
	}
	best := "unknown"
	domain = strings.ToLower(domain)
	for _, name := range names {
		switch {
		case name == domain:
			return name, nil
		case best == "unknown", within(name, domain) && !within(best, domain):
			best = name
		}
	}
	return best, nil
}

// escapeURL escapes what is not unreserved (RFC 3986 2.3).
func escapeURL(s string) string {
	const hex = "0123456789ABCDEF"
	var out strings.Builder
	for i := range len(s) {
		if c := s[i]; isAlpha(c) || isDigit(c) || strings.IndexByte("-._~", c) >= 0 {
			out.WriteByte(c)
			continue
		}
		out.Write([]byte{'%', hex[s[i]>>4], hex[s[i]&15]})
	}
	return out.String()
}
