package safefile

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape returns a name for a file or directory from any octets, which leads back to
// them (Unescape): what is not printable UTF-8, "/", "\", "%" and a leading dot are
// written %XX. So it is never "." or "..", nor hidden. Its length is for the caller.
func Escape(s string) string {
	if isPlain(s) {
		return s
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		plain := unicode.IsPrint(r) && (r != utf8.RuneError || n > 1)
		if plain && r != '/' && r != '%' && r != '\\' && (r != '.' || i > 0) {
			b.WriteString(s[i : i+n])
		} else {
			for _, c := range []byte(s[i : i+n]) {
				b.Write([]byte{'%', hex[c>>4], hex[c&15]})
			}
		}
		i += n
	}
	return b.String()
}

// isPlain tells quickly that most names need no escape.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c > '~' || c == '/' || c == '%' || c == '\\' || c == '.' && i == 0 {
			return false
		}
	}
	return true
}

// Unescape returns what a name was made from. ok is false for what Escape never makes.
func Unescape(s string) (name string, ok bool) {
	if strings.IndexByte(s, '%') < 0 {
		return s, Escape(s) == s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2])
		if hi < 0 || lo < 0 {
			return "", false
		}
		b.WriteByte(byte(hi<<4 | lo))
		i += 2
	}
	return b.String(), Escape(b.String()) == s
}

// hexDigit is negative for what is none. Small letters are none: an escape has one form.
func hexDigit(c byte) int {
	return strings.IndexByte("0123456789ABCDEF", c)
}

// Globbed quotes a path for filepath.Glob, in which it stands for itself.
func Globbed(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
