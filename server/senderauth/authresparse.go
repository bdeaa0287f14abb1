package senderauth

import (
	"strings"

	"facteur/server/address"
	"facteur/server/message"
)

// pair is "name=value" of an Authentication-Results field, the name in lower case.
type pair struct{ name, value string }

// maxResults bounds what is read of one field.
const maxResults = 100

// parseResults reads the results behind the authserv-id (RFC 8601 2.2): of each method
// its result as the first pair, then its properties. What can't be read is left out.
func parseResults(s string) [][]pair {
	var all [][]pair
	for len(all) < maxResults {
		statement, rest, more := cutStatement(s)
		if pairs := parsePairs(statement); len(pairs) > 0 {
			all = append(all, pairs)
		}
		if !more {
			return all
		}
		s = rest
	}
	return all
}

// cutStatement cuts s at the first semicolon outside quotes and comments, and leaves
// the comments out.
func cutStatement(s string) (statement, rest string, more bool) {
	var out strings.Builder
	for i := 0; i < len(s); {
		switch s[i] {
		case ';':
			return out.String(), s[i+1:], true
		case '(':
			n := message.CommentLen(s[i:])
			if n < 0 {
				return out.String(), "", false
			}
			out.WriteByte(' ')
			i += n
			continue
		case '"':
			n := quotedLen(s[i:])
			if n < 0 {
				return out.String(), "", false
			}
			out.WriteString(s[i : i+n])
			i += n
			continue
		}
		out.WriteByte(s[i])
		i++
	}
	return out.String(), "", false
}

// quotedLen is message.CommentLen for a quoted-string.
func quotedLen(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// parsePairs reads "name = value" again and again; white space around "=" is allowed.
func parsePairs(s string) []pair {
	var pairs []pair
	for len(pairs) < maxResults {
		s = strings.TrimLeft(s, fws)
		end := strings.IndexAny(s, fws+"=")
		if end <= 0 {
			return pairs
		}
		name := strings.ToLower(s[:end])
		rest, found := strings.CutPrefix(strings.TrimLeft(s[end:], fws), "=")
		if !found {
			return pairs
		}
		var value string
		value, s = cutWord(strings.TrimLeft(rest, fws))
		pairs = append(pairs, pair{name, value})
	}
	return pairs
}

// cutWord takes a quoted-string, without its quotes, or what stands up to white space.
func cutWord(s string) (word, rest string) {
	if strings.HasPrefix(s, `"`) {
		if n := quotedLen(s); n > 0 {
			return unquote(s[1 : n-1]), s[n:]
		}
	}
	end := strings.IndexAny(s, fws)
	if end < 0 {
		return s, ""
	}
	return s[:end], s[end:]
}

func unquote(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		out = append(out, s[i])
	}
	return string(out)
}

// cutAuthServ takes the authserv-id off the value of a field; ok is false when there is
// none that can be read.
func cutAuthServ(value string) (id, rest string, ok bool) {
	for {
		value = strings.TrimLeft(value, fws)
		if !strings.HasPrefix(value, "(") {
			break
		}
		n := message.CommentLen(value)
		if n < 0 {
			return "", "", false
		}
		value = value[n:]
	}
	if strings.HasPrefix(value, `"`) {
		n := quotedLen(value)
		if n < 0 {
			return "", "", false
		}
		id, rest = unquote(value[1:n-1]), value[n:]
	} else {
		end := strings.IndexAny(value, fws+";(")
		if end < 0 {
			end = len(value)
		}
		id, rest = value[:end], value[end:]
	}
	return id, rest, id != ""
}

// Forged tells which fields of a header claim what only this server may say of a
// message: Authentication-Results in our name (RFC 8601 5), and the scores that scripts
// give here. ours tells whether a domain in lower case is our host name or one of our
// domains. The function is for message.Edits.
func Forged(h *message.Header, ours func(address.Domain) bool) func(i int, name string) bool {
	return func(i int, name string) bool {
		switch strings.ToLower(name) {
		case "x-spam-score":
			return true
		case "authentication-results":
			_, raw := h.Field(i)
			_, value, _ := strings.Cut(string(raw), ":")
			return claimsOurs(value, ours)
		}
		return false
	}
}

// claimsOurs tells whether the value of an Authentication-Results field names us. One
// that can't be read does: somebody downstream may read it as ours.
func claimsOurs(value string, ours func(address.Domain) bool) bool {
	id, _, ok := cutAuthServ(value)
	if !ok {
		return true
	}
	for _, form := range []string{id, message.DecodeText(id)} {
		name := strings.TrimFunc(form, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '.' || r == '"' })
		if end := strings.IndexAny(name, "/@:,;()<>[]?=\\ \t"); end >= 0 {
			name = name[:end]
		}
		d, err := address.ParseDomain(name)
		if err != nil { // no host of ours has such a name, but part of it may be one
			d = address.Domain(strings.ToLower(strings.Map(printable, name)))
		}
		if ours(d) {
			return true
		}
	}
	return false
}

// printable drops what can't stand in a domain.
func printable(r rune) rune {
	if r <= ' ' || r >= 0x7f {
		return -1
	}
	return r
}
