package contentline

import "strings"

// Text decodes a value of type TEXT (RFC 5545 3.3.11, RFC 6350 3.4). A backslash before
// any other character stands for that character, as readers in the field do.
func Text(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\' || i+1 == len(s):
			b.WriteByte(s[i])
		case s[i+1] == 'n' || s[i+1] == 'N':
			b.WriteByte('\n')
			i++
		default:
			i++
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// EscapeText writes a value of type TEXT.
func EscapeText(s string) string {
	return strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\r\n", `\n`, "\n", `\n`, "\r", `\n`).Replace(s)
}

// Split cuts a value at the separators that no backslash stands before; the parts stay
// encoded. It returns at least one part.
func Split(s string, separator byte) []string {
	var parts []string
	begin := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case separator:
			parts = append(parts, s[begin:i])
			begin = i + 1
		}
	}
	return append(parts, s[begin:])
}

// SplitText decodes a list of TEXT values, those of CATEGORIES for example.
func SplitText(s string) []string {
	parts := Split(s, ',')
	for i, p := range parts {
		parts[i] = Text(p)
	}
	return parts
}

// JoinText writes a list of TEXT values.
func JoinText(values []string) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = EscapeText(v)
	}
	return strings.Join(parts, ",")
}
