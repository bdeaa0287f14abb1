package smtpd

import (
	"strings"
	"unicode/utf8"

	"facteur/server/envelope"
	"facteur/server/fault"
)

// mailParam reads a parameter of MAIL.
func mailParam(out *envelope.Sender, p param, o offered) *fault.Fault {
	ok := false
	switch p.key {
	case "SIZE":
		out.Size, ok = parseSize(p.value)
	case "BODY":
		out.Body = strings.ToUpper(p.value)
		ok = out.Body == "7BIT" || out.Body == "8BITMIME" // RFC 6152 2
	case "SMTPUTF8":
		out.SMTPUTF8 = true
		ok = !p.has // RFC 6531 3.4
	case "RET":
		out.Ret = strings.ToUpper(p.value)
		ok = out.Ret == "FULL" || out.Ret == "HDRS" // RFC 3461 4.3
	case "ENVID":
		// RFC 3461 4.4: at most 100 octets of xtext, printable when decoded.
		out.EnvID, ok = unxtext(p.value)
		ok = ok && len(p.value) <= 100
	case "AUTH":
		// RFC 4954 5. The value is kept and not trusted.
		out.Auth, ok = unxtext(p.value)
	case "REQUIRETLS", "HOLDFOR", "HOLDUNTIL":
		return o.mailParam(out, p)
	default:
		return unknownParam(p)
	}
	if !ok {
		return badValue(p)
	}
	return nil
}

// rcptParam reads a parameter of RCPT.
func rcptParam(out *envelope.Recipient, p param, utf8 bool) *fault.Fault {
	ok := false
	switch p.key {
	case "NOTIFY":
		out.Notify, ok = parseNotify(p.value)
	case "ORCPT":
		out.ORcpt, ok = parseORcpt(p.value, utf8)
	default:
		return unknownParam(p)
	}
	if !ok {
		return badValue(p)
	}
	return nil
}

// parseNotify reads NEVER, or a list of SUCCESS, FAILURE and DELAY (RFC 3461 4.1).
func parseNotify(s string) (envelope.Notify, bool) {
	var set envelope.Notify
	for word := range strings.SplitSeq(s, ",") {
		var n envelope.Notify
		switch strings.ToUpper(word) {
		case "NEVER":
			n = envelope.NotifyNever
		case "SUCCESS":
			n = envelope.NotifySuccess
		case "FAILURE":
			n = envelope.NotifyFailure
		case "DELAY":
			n = envelope.NotifyDelay
		}
		if n == 0 || set&n != 0 {
			return 0, false
		}
		set |= n
	}
	if set&envelope.NotifyNever != 0 && set != envelope.NotifyNever {
		return 0, false
	}
	return set, true
}

// parseORcpt reads "addr-type;xtext" (RFC 3461 4.2), at most 500 octets, and
// decodes it. The address of type utf-8 (RFC 6533 3) may hold UTF-8 where
// SMTPUTF8 was given; its \x{...} forms stay as they are.
func parseORcpt(s string, utf8OK bool) (string, bool) {
	kind, addr, ok := strings.Cut(s, ";")
	if !ok || len(s) > 500 || !validKeyword(strings.ToUpper(kind)) {
		return "", false
	}
	if utf8OK && strings.EqualFold(kind, "utf-8") && !ascii(addr) {
		return s, utf8.ValidString(s) && !strings.ContainsAny(addr, "+=")
	}
	addr, ok = unxtext(addr)
	return kind + ";" + addr, ok && addr != ""
}

// unxtext decodes xtext (RFC 3461 4). What it stands for must be printable
// ASCII: it ends up in header fields.
func unxtext(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '+' {
			if i+2 >= len(s) {
				return "", false
			}
			hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2])
			if hi < 0 || lo < 0 {
				return "", false
			}
			c = byte(hi<<4 | lo)
			i += 2
		} else if c == ' ' || c == '=' {
			return "", false
		}
		if c < ' ' || c > '~' {
			return "", false
		}
		b.WriteByte(c)
	}
	return b.String(), true
}

// hexDigit returns the value of an upper case hexadecimal digit, or -1.
func hexDigit(c byte) int { return strings.IndexByte("0123456789ABCDEF", c) }
