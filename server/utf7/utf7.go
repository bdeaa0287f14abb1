// Package utf7 is the modified UTF-7 in which IMAP4rev1 has the names of mailboxes (RFC 3501
// 5.1.3), and Maildir++ those of their directories.
package utf7

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// b64 is the base64 of RFC 3501 5.1.3: "," in place of "/", no padding.
var b64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").
	WithPadding(base64.NoPadding).Strict()

// direct tells whether a character stands for itself; "&" stands as "&-".
func direct(r rune) bool { return r >= 0x20 && r < 0x7f }

// Encode writes UTF-8 in modified UTF-7.
func Encode(s string) string {
	if isDirect(s) && strings.IndexByte(s, '&') < 0 {
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

func isDirect(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !direct(r) }) < 0
}

// Decode reads modified UTF-7. Only the form that Encode writes is accepted, so that two
// names never mean the same.
func Decode(s string) (string, bool) {
	if !isDirect(s) {
		return "", false
	}
	var b strings.Builder
	for rest := s; rest != ""; {
		before, shifted, found := strings.Cut(rest, "&")
		b.WriteString(before)
		if !found {
			break
		}
		if shifted, rest, found = strings.Cut(shifted, "-"); !found {
			return "", false
		}
		if shifted == "" {
			b.WriteByte('&')
		} else if !decodeShifted(&b, shifted) {
			return "", false
		}
	}
	out := b.String()
	return out, Encode(out) == s
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
