package senderauth

import (
	"strings"

	"facteur/server/address"
)

// Field returns the Authentication-Results field (RFC 8601) with its line end. authserv
// is our host name. What peers chose in it can't break out of its place.
func (r Results) Field(authserv string) []byte {
	return []byte("Authentication-Results: " + r.payload(authserv) + "\r\n")
}

// payload is the value of the field, folded.
func (r Results) payload(authserv string) string {
	parts := []string{authserv}
	if r.SPF.Result != "" {
		parts = append(parts, r.SPF.text())
	}
	for _, d := range r.DKIM {
		parts = append(parts, d.text())
	}
	if r.SPF.Result != "" && len(r.DKIM) == 0 {
		parts = append(parts, "dkim=none")
	}
	if r.DMARC.Result != "" {
		parts = append(parts, r.DMARC.text())
	}
	if r.ARC.Result != "" {
		parts = append(parts, r.ARC.text())
	}
	if r.IPRev.Result != "" {
		parts = append(parts, r.IPRev.text())
	}
	if len(parts) == 1 {
		parts = append(parts, "none") // RFC 8601 2.2: no-result
	}
	return strings.Join(parts, ";\r\n\t")
}

func (s SPF) text() string {
	property := " smtp.mailfrom="
	if s.HELO {
		property = " smtp.helo="
	}
	out := "spf=" + string(s.Result) + reason(s.Reason)
	if s.Domain != "" {
		out += property + pvalue(string(s.Domain))
	}
	return out
}

func (d DKIM) text() string {
	out := "dkim=" + string(d.Result) + reason(d.Reason)
	if d.Domain != "" {
		out += " header.d=" + pvalue(string(d.Domain))
	}
	if d.Selector != "" {
		out += " header.s=" + pvalue(d.Selector)
	}
	if d.Algorithm != "" {
		out += " header.a=" + pvalue(d.Algorithm)
	}
	if d.Mark != "" {
		out += " header.b=" + pvalue(d.Mark) // RFC 6008 4
	}
	return out
}

func (d DMARC) text() string {
	out := "dmarc=" + string(d.Result)
	if d.Policy != "" {
		out += " (p=" + string(d.Policy)
		if d.Override != "" {
			out += " override=" + d.Override
		}
		out += ")"
	}
	out += reason(d.Reason)
	if d.Domain != "" {
		out += " header.from=" + pvalue(string(d.Domain))
	}
	if d.Policy != "" {
		out += " policy.dmarc=" + string(d.Disposition)
	}
	return out
}

func (a ARC) text() string {
	result := a.Result
	if result == TempError { // RFC 8617 10.2 knows none, pass and fail
		result = Fail
	}
	out := "arc=" + string(result)
	if a.Sealer != "" {
		out += " (i=" + itoa(a.Instance) + " d=" + comment(string(a.Sealer)) + ")"
	}
	return out + reason(a.Reason)
}

func (p IPRev) text() string {
	out := "iprev=" + string(p.Result)
	if p.Name != "" {
		out += " (" + comment(p.Name) + ")"
	}
	if p.IP.IsValid() {
		out += " policy.iprev=" + pvalue(p.IP.String())
	}
	return out
}

// reason is reasonspec; nothing when there is nothing to tell.
func reason(s string) string {
	if s == "" {
		return ""
	}
	return " reason=" + quote(s)
}

// maxValue bounds what is told of one thing, so that lines stay under 998 octets.
const maxValue = 255

// pvalue is a value as RFC 8601 2.2 has it: a token where it is one, else quoted.
func pvalue(s string) string {
	for i := range len(s) {
		if c := s[i]; !isAlpha(c) && !isDigit(c) && strings.IndexByte("-._+*@", c) < 0 {
			return quote(s)
		}
	}
	if s == "" || len(s) > maxValue {
		return quote(s)
	}
	return s
}

// quote makes a quoted-string of printable ASCII.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(s[:min(len(s), maxValue)]) {
		switch {
		case c < ' ' || c >= 0x7f:
			c = '?'
		case c == '"' || c == '\\':
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String() + `"`
}

// comment makes text safe within a comment.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune(`()\;"`, r) {
			return '?'
		}
		return r
	}, s[:min(len(s), maxValue)])
}

// sameDomain tells whether two names are one domain.
func sameDomain(name string, d address.Domain) bool {
	other, err := address.ParseDomain(strings.TrimSuffix(name, "."))
	return err == nil && other == d
}
