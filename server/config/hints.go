package config

import (
	"fmt"
	"regexp"
	"strings"
)

// What people write where TOML wants quotes.
var (
	bareHeader = regexp.MustCompile(`^\s*\[\s*(domains|accounts|shared)\s*\.\s*([^"'\]\s]+)\s*\]?`)
	openHeader = regexp.MustCompile(`^\s*\[[^\]]*$`)
	bareKey    = regexp.MustCompile(`^\s*([^"'=\s#\[]+@[^"'=\s]+)\s*=`)
	bareValue  = regexp.MustCompile(`^\s*(?:[A-Za-z0-9_.-]+|"[^"]*")\s*=\s*(?:[^"'\[{0-9\s]|[0-9.]+\s*[A-Za-z])`)
	openQuote  = regexp.MustCompile(`^[^"#]*"[^"]*$`)
)

// syntaxHint guesses what a line with a syntax error should be. It never
// repeats a value: it may be a password.
func syntaxHint(line string, atEnd bool) string {
	if m := bareHeader.FindStringSubmatch(line); m != nil {
		return fmt.Sprintf("write [%s.%q]", m[1], m[2])
	}
	if m := bareKey.FindStringSubmatch(line); m != nil {
		return fmt.Sprintf("an address needs quotes: write %q = ...", m[1])
	}
	switch {
	case strings.ContainsAny(line, "“”„«»‘’"):
		return `write straight quotes: "`
	case openQuote.MatchString(line):
		return `a closing " is missing in this line`
	case openHeader.MatchString(line):
		return "a closing ] is missing in this line"
	case bareValue.MatchString(line):
		return `a text needs quotes: write name = "value"`
	case strings.Contains(line, `\`):
		return `write \\ for a backslash in a text`
	case atEnd:
		return "the file ends here: was it saved half-way?"
	}
	return ""
}
