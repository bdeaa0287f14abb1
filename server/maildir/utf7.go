package maildir

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// b64 is the base64 of RFC 3501 5.1.3: "," in place of "/", no padding.
var b64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").
	WithPadding(base64.NoPadding).Strict()

// encodeUTF7 writes valid UTF-8 in modified UTF-7 (RFC 3501 5.1.3).
func encodeUTF7(s string) string {
	var b strings.Builder
	for s != "" {
		r, size := utf8.DecodeRuneInString(s)
		if r == '&' {
			b.WriteString("&-")
		} else if r >= 0x20 && r < 0x7f {
			b.WriteRune(r)
		} else {
			size = strings.IndexFunc(s, func(r rune) bool { return r >= 0x20 && r < 0x7f })
			if size < 0 {
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

// decodeUTF7 reads modified UTF-7. Only the form that encodeUTF7 writes is
// accepted, so that two names never mean the same.
func decodeUTF7(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < 0x20 || c >= 0x7f {
			return "", false
		}
		if c != '&' {
			b.WriteByte(c)
			continue
		}
		end := strings.IndexByte(s[i:], '-')
		if end < 0 {
			return "", false
		}
		if end == 1 {
			b.WriteByte('&')
		} else if !decodeShifted(&b, s[i+1:i+end]) {
			return "", false
		}
		i += end
	}
	out := b.String()
	return out, encodeUTF7(out) == s
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
