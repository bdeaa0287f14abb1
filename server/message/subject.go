package message

import (
	"strings"
	"unicode"
)

// maxSubject bounds what is looked at of a subject.
const maxSubject = 4 << 10

// BaseSubject returns the base subject (RFC 5256 2.1) of a subject that was decoded
// (DecodeHeader), and whether it is that of a reply or forward. Only the first 4 KiB
// of a subject count.
func BaseSubject(s string) (base string, replyOrForward bool) {
	if len(s) > maxSubject {
		s = trimPartial(s[:maxSubject])
	}
	s = strings.Join(strings.FieldsFunc(s, isSubjectSpace), " ") // step 1
	for {
		s = trimTrailers(s, &replyOrForward) // step 2
		for {
			before := s
			s = trimLeader(s, &replyOrForward) // step 3
			if _, rest, ok := cutBlob(s); ok && rest != "" {
				s = rest // step 4
			}
			if s == before { // step 5
				break
			}
		}
		inner, ok := cutForward(s) // step 6
		if !ok {
			return s, replyOrForward
		}
		s, replyOrForward = inner, true
	}
}

func isSubjectSpace(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' }

// trimTrailers removes all subj-trailer: "(fwd)" and white space.
func trimTrailers(s string, found *bool) string {
	for {
		s = strings.TrimRight(s, " ")
		rest, ok := cutSuffixFold(s, "(fwd)")
		if !ok {
			return s
		}
		s, *found = rest, true
	}
}

// trimLeader removes subj-leader: white space, or blobs and "re", "fw" or "fwd" with
// perhaps a blob, and a colon.
func trimLeader(s string, found *bool) string {
	s = strings.TrimLeft(s, " ")
	rest := s
	for {
		_, after, ok := cutBlob(rest)
		if !ok {
			break
		}
		rest = after
	}
	refwd, ok := cutPrefixFold(rest, "fwd")
	if !ok {
		if refwd, ok = cutPrefixFold(rest, "fw"); !ok {
			refwd, ok = cutPrefixFold(rest, "re")
		}
	}
	if !ok {
		return s
	}
	refwd = strings.TrimLeft(refwd, " ")
	if _, after, ok := cutBlob(refwd); ok {
		refwd = after
	}
	if refwd, ok = strings.CutPrefix(refwd, ":"); !ok {
		return s
	}
	*found = true
	return refwd
}

// cutBlob cuts subj-blob: "[" *BLOBCHAR "]" *WSP, where a BLOBCHAR is no bracket.
func cutBlob(s string) (blob, rest string, ok bool) {
	if !strings.HasPrefix(s, "[") {
		return "", s, false
	}
	end := strings.IndexAny(s[1:], "[]") + 1
	if end == 0 || s[end] == '[' {
		return "", s, false
	}
	return s[:end+1], strings.TrimLeft(s[end+1:], " "), true
}

// cutForward takes "[fwd:" and "]" away from around a subject.
func cutForward(s string) (inner string, ok bool) {
	inner, ok = cutPrefixFold(s, "[fwd:")
	if !ok {
		return s, false
	}
	return strings.CutSuffix(inner, "]")
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

func cutSuffixFold(s, suffix string) (string, bool) {
	at := len(s) - len(suffix)
	if at < 0 || !strings.EqualFold(s[at:], suffix) {
		return s, false
	}
	return s[:at], true
}

// DecodeHeader returns the value of a header field as text: unfolded (RFC 5322
// 2.2.3), its encoded words (RFC 2047) decoded to UTF-8.
func DecodeHeader(raw []byte) string { return DecodeText(unfold(raw)) }

// These bound what MessageIDs returns.
const (
	maxMessageIDs = 1000
	maxMessageID  = 1000 // octets of one
)

// MessageIDs returns the message ids in a raw value of Message-ID, In-Reply-To or
// References (RFC 5322 3.6.4) in the form in which THREAD compares them (RFC 5256
// 2.2): without angle brackets, white space, comments and needless quotes. What is
// not in angle brackets is no id. Of more than maxMessageIDs the last are
// returned: those are the nearest.
func MessageIDs(value []byte) []string {
	var ids []string
	v := string(value)
	for {
		_, rest, ok := strings.Cut(v, "<")
		if !ok {
			return ids[max(0, len(ids)-maxMessageIDs):]
		}
		id, n := messageID(rest[:min(len(rest), maxMessageID)])
		if v = rest[n:]; id == "" {
			continue
		}
		if len(ids) == 2*maxMessageIDs {
			ids = append(ids[:0], ids[maxMessageIDs:]...)
		}
		ids = append(ids, id)
	}
}

// messageID reads an id behind its "<", and returns how many octets it took. It is
// "" when there is none.
func messageID(s string) (id string, n int) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '>':
			return b.String(), i + 1
		case c == '<': // a new one begins
			return "", i
		case c == '"':
			end := delimitedLen(s[i:], '"')
			if end < 0 {
				b.WriteByte(c)
				continue
			}
			writeUnquoted(&b, s[i+1:i+end-1])
			i += end - 1
		case c > ' ' && !unicode.IsControl(rune(c)) || c >= 0x80:
			b.WriteByte(c)
		}
	}
	return "", len(s)
}

func writeUnquoted(b *strings.Builder, s string) {
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
}
