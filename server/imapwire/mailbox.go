package imapwire

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// inbox is a name without case (RFC 9051 5.1).
const inbox = "INBOX"

// Mailbox reads a mailbox name, as UTF-8 in NFC. INBOX, also as the first level,
// is in upper case.
func (d *Decoder) Mailbox() string {
	s := d.AString()
	if d.err != nil {
		return ""
	}
	name, ok := d.name(s)
	if !ok {
		d.Fail("The mailbox name is neither UTF-8 nor modified UTF-7")
		return ""
	}
	return canonical(name)
}

// name decodes a mailbox name: UTF-8, or modified UTF-7 unless SetUTF8 is on.
func (d *Decoder) name(s string) (string, bool) {
	if !ascii(s) {
		return norm.NFC.String(s), utf8.ValidString(s)
	}
	if d.utf8 || strings.IndexByte(s, '&') < 0 {
		return s, true
	}
	name, ok := decodeUTF7(s)
	return norm.NFC.String(name), ok
}

func canonical(name string) string {
	if len(name) >= len(inbox) && strings.EqualFold(name[:len(inbox)], inbox) && (len(name) == len(inbox) || name[len(inbox)] == '/') {
		return inbox + name[len(inbox):]
	}
	return name
}

// ListMailbox reads a pattern of LIST (RFC 9051 9, list-mailbox), as UTF-8 in
// NFC.
func (d *Decoder) ListMailbox() string {
	var s string
	if c := d.Peek(); c == '"' || c == '{' {
		s = d.String()
	} else {
		s = d.word(d.run(listChar), "A pattern")
	}
	if d.err != nil {
		return ""
	}
	if name, ok := d.name(s); ok {
		return name
	}
	if !utf8.ValidString(s) {
		d.Fail("The pattern is no UTF-8")
		return ""
	}
	return s // as it is: a wildcard may stand inside of a shifted part
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// b64 is the base64 of RFC 3501 5.1.3: "," in place of "/", no padding.
var b64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").
	WithPadding(base64.NoPadding).Strict()

func direct(r rune) bool { return r >= 0x20 && r < 0x7f }

// EncodeUTF7 writes UTF-8 in modified UTF-7 (RFC 3501 5.1.3).
func EncodeUTF7(s string) string {
	if ascii(s) && strings.IndexByte(s, '&') < 0 {
		return s
	}
	var b strings.Builder
	for s != "" {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == '&':
			b.WriteString("&-")
		case direct(r):
			b.WriteRune(r)
		default:
			if size = strings.IndexFunc(s, direct); size < 0 {
				size = len(s)
			}
			var raw []byte
			for _, u := range utf16.Encode([]rune(s[:size])) {
				raw = append(raw, byte(u>>8), byte(u))
			}
			b.WriteString("&" + b64.EncodeToString(raw) + "-")
		}
		s = s[size:]
	}
	return b.String()
}

// decodeUTF7 reads modified UTF-7. Only the form that EncodeUTF7 writes is
// accepted, so that two names never mean the same.
func decodeUTF7(s string) (string, bool) {
	var b strings.Builder
	for rest := s; rest != ""; {
		amp := strings.IndexByte(rest, '&')
		if amp < 0 {
			b.WriteString(rest)
			break
		}
		b.WriteString(rest[:amp])
		shifted, after, ok := strings.Cut(rest[amp+1:], "-")
		if !ok {
			return "", false
		}
		if rest = after; shifted == "" {
			b.WriteByte('&')
		} else if !decodeShifted(&b, shifted) {
			return "", false
		}
	}
	out := b.String()
	return out, EncodeUTF7(out) == s
}

func decodeShifted(b *strings.Builder, s string) bool {
	raw, err := b64.DecodeString(s)
	if err != nil || len(raw)%2 != 0 {
		return false
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
	}
	for _, r := range utf16.Decode(units) {
		b.WriteRune(r) // a lone surrogate becomes U+FFFD, and the form no longer the same
	}
	return true
}
