package senderauth

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// spfRecord is an SPF record (RFC 7208 4.6). All of it was read before any of it is
// acted on: a mistake anywhere makes it void (4.6).
type spfRecord struct {
	terms    []spfTerm
	redirect string
}

// spfTerm is a directive.
type spfTerm struct {
	result    Result // of its qualifier
	mechanism string
	domain    string       // domain-spec, "" when absent
	network   netip.Prefix // of ip4 and ip6
	bits4     int          // dual-cidr-length of a and mx
	bits6     int
}

var errSPF = errors.New("malformed SPF record")

// isSPF tells whether a TXT record is one of this version (RFC 7208 4.5).
func isSPF(record string) bool {
	const version = "v=spf1"
	return len(record) >= len(version) && strings.EqualFold(record[:len(version)], version) &&
		(len(record) == len(version) || record[len(version)] == ' ')
}

// parseSPF reads a record that isSPF.
func parseSPF(record string) (spfRecord, error) {
	var r spfRecord
	explained := false
	for _, text := range strings.Split(record, " ")[1:] {
		if text == "" {
			continue
		}
		name, value, isModifier := cutModifier(text)
		if !isModifier {
			term, err := parseTerm(text)
			if err != nil {
				return r, err
			}
			r.terms = append(r.terms, term)
			continue
		}
		known := strings.ToLower(name)
		again := known == "redirect" && r.redirect != "" || known == "exp" && explained // RFC 7208 6
		if again || !validMacros(value, known == "redirect" || known == "exp") {
			return r, errSPF
		}
		switch known {
		case "redirect":
			r.redirect = value
		case "exp":
			explained = true // its text is the sender's, so nobody is told it
		}
	}
	return r, nil
}

// cutModifier splits name=value; ok is false when the term is a directive.
func cutModifier(term string) (name, value string, ok bool) {
	name, value, found := strings.Cut(term, "=")
	if !found || name == "" || !isAlpha(name[0]) {
		return "", "", false
	}
	for i := range len(name) {
		if c := name[i]; !isAlpha(c) && !isDigit(c) && c != '-' && c != '_' && c != '.' {
			return "", "", false
		}
	}
	return name, value, true
}

func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// parseTerm reads a directive (RFC 7208 4.6.2 and 5).
func parseTerm(s string) (spfTerm, error) {
	t := spfTerm{result: Pass, bits4: 32, bits6: 128}
	switch s[0] {
	case '+':
		s = s[1:]
	case '-':
		t.result, s = Fail, s[1:]
	case '~':
		t.result, s = SoftFail, s[1:]
	case '?':
		t.result, s = Neutral, s[1:]
	}
	end := strings.IndexAny(s, ":/")
	if end < 0 {
		end = len(s)
	}
	t.mechanism = strings.ToLower(s[:end])
	rest := s[end:]
	ok := false
	switch t.mechanism {
	case "all":
		ok = rest == ""
	case "include", "exists":
		ok = t.takeDomain(rest, true)
	case "ptr":
		ok = rest == "" || t.takeDomain(rest, true)
	case "a", "mx":
		if rest, ok = t.takeBits(rest); ok {
			ok = rest == "" || t.takeDomain(rest, true)
		}
	case "ip4", "ip6":
		ok = t.takeNetwork(rest)
	}
	if !ok {
		return t, errSPF
	}
	return t, nil
}

func (t *spfTerm) takeDomain(s string, end bool) bool {
	domain, found := strings.CutPrefix(s, ":")
	t.domain = domain
	return found && domain != "" && validMacros(domain, end)
}

// takeBits takes the dual-cidr-length off the end (RFC 7208 5.6).
func (t *spfTerm) takeBits(s string) (rest string, ok bool) {
	if i := strings.LastIndex(s, "//"); i >= 0 && digits(s[i+2:]) {
		if t.bits6, ok = parseBits(s[i+2:], 128); !ok {
			return s, false
		}
		s = s[:i]
	}
	if i := strings.LastIndexByte(s, '/'); i >= 0 && digits(s[i+1:]) {
		if t.bits4, ok = parseBits(s[i+1:], 32); !ok {
			return s, false
		}
		s = s[:i]
	}
	return s, true
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// parseBits reads a length without leading zeros.
func parseBits(s string, most int) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && digits(s) && n <= most && (len(s) == 1 || s[0] != '0')
}

func (t *spfTerm) takeNetwork(s string) bool {
	text, found := strings.CutPrefix(s, ":")
	host, length, hasLength := strings.Cut(text, "/")
	ip, err := netip.ParseAddr(host)
	if !found || err != nil || ip.Zone() != "" || ip.Is4() != (t.mechanism == "ip4") {
		return false
	}
	bits := ip.BitLen()
	if hasLength {
		var ok bool
		if bits, ok = parseBits(length, ip.BitLen()); !ok {
			return false
		}
	}
	t.network = netip.PrefixFrom(ip, bits).Masked()
	return true
}

// validMacros tells whether s is a macro-string, and, with end, a domain-spec (RFC 7208
// 7.1).
func validMacros(s string, end bool) bool {
	tail := 0 // behind the last macro
	for i := 0; i < len(s); {
		if s[i] != '%' {
			if s[i] <= ' ' || s[i] > '~' {
				return false
			}
			i++
			continue
		}
		_, n := cutMacro(s[i:])
		if n == 0 {
			return false
		}
		i += n
		tail = i
	}
	if !end {
		return true
	}
	literal := s[tail:]
	if literal == "" { // domain-end is a macro-expand; "%%", "%_" and "%-" are some, too
		return tail > 0
	}
	literal = strings.TrimSuffix(literal, ".")
	dot := strings.LastIndexByte(literal, '.')
	return dot >= 0 && validTop(literal[dot+1:])
}

// validTop tells whether s is a toplabel: letters, digits and hyphens, not digits alone.
func validTop(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if !isAlpha(s[i]) && !isDigit(s[i]) && s[i] != '-' {
			return false
		}
	}
	return !digits(s)
}

// macro is a macro-expand.
type macro struct {
	letter     byte // '%', '_' and '-' stand for themselves
	parts      int  // how many parts from the right, 0: all
	reverse    bool
	delimiters string
	literal    bool
}

// cutMacro reads the macro that s begins with and returns its length, 0 when it is none.
// The letters c, r and t may stand in explanations only, which are not read here.
func cutMacro(s string) (macro, int) {
	if len(s) < 2 {
		return macro{}, 0
	}
	switch s[1] {
	case '%', '_', '-':
		return macro{letter: s[1], literal: true}, 2
	case '{':
	default:
		return macro{}, 0
	}
	end := strings.IndexByte(s, '}')
	if end < 3 || strings.IndexByte("slodiphv", s[2]|0x20) < 0 {
		return macro{}, 0
	}
	m := macro{letter: s[2], delimiters: "."}
	rest := s[3:end]
	number := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
	if number != "" {
		n, err := strconv.Atoi(number)
		if err != nil || n == 0 {
			return macro{}, 0
		}
		m.parts = n
	}
	rest = rest[len(number):]
	if rest != "" && rest[0]|0x20 == 'r' {
		m.reverse, rest = true, rest[1:]
	}
	if strings.Trim(rest, ".-+,/_=") != "" {
		return macro{}, 0
	}
	if rest != "" {
		m.delimiters = rest
	}
	return m, end + 1
}
