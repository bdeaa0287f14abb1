package smtpd

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/fault"
)

// Postmaster is the forward-path of RCPT TO:<postmaster>, the one that may
// have no domain (RFC 5321 4.5.1).
const Postmaster = "postmaster"

// parseMail reads what follows MAIL (RFC 5321 4.1.1.2).
func parseMail(args string, o offered) (envelope.Sender, *fault.Fault) {
	var out envelope.Sender
	path, rest, ok := cutPath(args, "FROM:")
	if !ok {
		return out, badSyntax("Syntax: MAIL FROM:<address>")
	}
	if f := eachParam(rest, func(p param) *fault.Fault { return mailParam(&out, p, o) }); f != nil {
		return out, f
	}
	if path == "" { // RFC 5321 4.5.5: the null reverse-path
		return out, nil
	}
	a, f := parsePath(path, out.SMTPUTF8, "1.7")
	out.ReversePath = a
	return out, f
}

// parseRcpt reads what follows RCPT (RFC 5321 4.1.1.3). utf8 tells whether
// MAIL said SMTPUTF8.
func parseRcpt(args string, utf8 bool) (envelope.Recipient, *fault.Fault) {
	var out envelope.Recipient
	path, rest, ok := cutPath(args, "TO:")
	if !ok || path == "" {
		return out, badSyntax("Syntax: RCPT TO:<address>")
	}
	if f := eachParam(rest, func(p param) *fault.Fault { return rcptParam(&out, p, utf8) }); f != nil {
		return out, f
	}
	if strings.EqualFold(path, Postmaster) {
		out.ForwardPath = address.Address{Local: path}
		return out, nil
	}
	a, f := parsePath(path, utf8, "1.3")
	out.ForwardPath = a
	return out, f
}

func badSyntax(text string) *fault.Fault { return fault.Reply(fault.Malformed, 501, "5.5.4", text) }

// cutPath splits `FROM:<path> parameters`. Blanks before the path are common
// enough to be let pass; the angle brackets are required.
func cutPath(s, keyword string) (path, rest string, ok bool) {
	if len(s) < len(keyword) || !strings.EqualFold(s[:len(keyword)], keyword) {
		return "", "", false
	}
	s = strings.TrimLeft(s[len(keyword):], " ")
	if s == "" || s[0] != '<' {
		return "", "", false
	}
	end := closingBracket(s)
	if end < 0 {
		return "", "", false
	}
	path, rest = s[1:end], s[end+1:]
	return path, rest, rest == "" || rest[0] == ' '
}

// closingBracket returns the index of the ">" that ends the path s begins with;
// one in a quoted local-part doesn't.
func closingBracket(s string) int {
	quoted := false
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '>' && !quoted:
			return i
		}
	}
	return -1
}

// parsePath reads the inside of a path. status is that of the reply when it is bad.
func parsePath(path string, utf8 bool, status string) (address.Address, *fault.Fault) {
	bad := func(err error) (address.Address, *fault.Fault) {
		return address.Address{}, fault.Reply(fault.Malformed, 501, "5."+status, "Bad address: "+err.Error())
	}
	if !utf8 && !ascii(path) {
		// RFC 6531 3.5
		return address.Address{}, fault.Reply(fault.Malformed, 553, "5.6.7", "An address with UTF-8 needs the parameter SMTPUTF8")
	}
	mailbox, err := dropRoute(path)
	if err != nil {
		return bad(err)
	}
	a, err := address.Parse(mailbox)
	if err != nil {
		return bad(err)
	}
	return a, nil
}

// dropRoute takes a source route off: "@a,@b:user@domain" (RFC 5321 appendix C).
func dropRoute(path string) (string, error) {
	if !strings.HasPrefix(path, "@") {
		return path, nil
	}
	route, mailbox, ok := strings.Cut(path, ":")
	if !ok {
		return "", errors.New("the source route has no end")
	}
	for hop := range strings.SplitSeq(route, ",") {
		domain, ok := strings.CutPrefix(hop, "@")
		if !ok {
			return "", errors.New("the source route is malformed")
		}
		if _, err := address.ParseDomain(domain); err != nil {
			return "", err
		}
	}
	return mailbox, nil
}

// param is one parameter of MAIL or RCPT (RFC 5321 4.1.2).
type param struct {
	key   string // upper case
	value string
	has   bool // there was a "="
}

// eachParam calls f for each parameter in s, in order.
func eachParam(s string, f func(param) *fault.Fault) *fault.Fault {
	seen := make([]string, 0, 8)
	for word := range strings.SplitSeq(s, " ") {
		if word == "" {
			continue
		}
		key, value, has := strings.Cut(word, "=")
		p := param{strings.ToUpper(key), value, has}
		if !validKeyword(p.key) || has && !validValue(value) {
			return badSyntax("A malformed parameter")
		}
		for _, k := range seen {
			if k == p.key {
				return badSyntax("The parameter " + p.key + " is given twice")
			}
		}
		seen = append(seen, p.key)
		if err := f(p); err != nil {
			return err
		}
	}
	return nil
}

// validKeyword is esmtp-keyword of RFC 5321 4.1.2, in upper case.
func validKeyword(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' && i > 0) {
			return false
		}
	}
	return s != ""
}

// validValue is esmtp-value of RFC 5321 4.1.2, with the UTF-8 of RFC 6531 3.3.
func validValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c == '=' || c == 0x7f {
			return false
		}
	}
	return s != ""
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func unknownParam(p param) *fault.Fault {
	// RFC 5321 4.1.1.11
	return fault.Reply(fault.Malformed, 555, "5.5.4", fmt.Sprintf("The parameter %.40s is not supported here", p.key))
}

func badValue(p param) *fault.Fault {
	return badSyntax("The value of " + p.key + " is not valid")
}

// parseSize reads size-value of RFC 1870 6: up to 20 digits.
func parseSize(s string) (int64, bool) {
	if len(s) > 20 || strings.Trim(s, "0123456789") != "" || s == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		n = 1<<63 - 1 // more than any limit
	}
	return n, true
}
