package imapwire

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"facteur/server/utf7"
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
	name, ok := utf7.Decode(s)
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
