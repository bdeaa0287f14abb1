package message

import (
	"mime"
	"slices"
	"strings"
	"unicode/utf8"

	"facteur/server/address"
)

// ASCIIField returns a field whose value holds raw UTF-8 in the form that needs no
// SMTPUTF8 (RFC 6531): text and display names as encoded words (RFC 2047). raw is the
// field with its line end, as Header.Field returns it. ok is false when the field may not
// be changed so: it has no UTF-8, or other 8-bit text; it is neither text nor a list of
// addresses; an address itself needs UTF-8; or the list can be read in several ways.
// Comments in a list of addresses are left out.
func ASCIIField(name string, raw []byte) (field []byte, ok bool) {
	if ascii(raw) || !utf8.Valid(raw) || len(raw) <= len(name) {
		return nil, false
	}
	value := unfold(raw[strings.IndexByte(string(raw), ':')+1:])
	lowered := strings.ToLower(name)
	switch {
	case lowered == "subject", lowered == "comments", lowered == "organization", lowered == "content-description", strings.HasPrefix(lowered, "x-"):
		field, err := FormatField(name, value)
		return field, err == nil
	case slices.Contains([]string{"from", "sender", "reply-to", "to", "cc"}, strings.TrimPrefix(lowered, "resent-")):
		return asciiAddresses(name, value)
	}
	return nil, false
}

// asciiAddresses writes a list of addresses anew, without comments and groups' white space.
func asciiAddresses(name, value string) ([]byte, bool) {
	before, ok := ParseAddresses(value)
	if !ok {
		return nil, false
	}
	var out strings.Builder
	out.WriteString(name + ": ")
	p := mailboxParser{text: []byte(value)}
	for sep := ""; p.next(); {
		switch p.found {
		case groupStart:
			out.WriteString(sep + Phrase(string(p.name)) + ":")
			sep = " "
		case groupEnd:
			out.WriteString(";")
			sep = ",\r\n "
		default:
			a, err := asciiMailbox(string(p.name), string(p.local), string(p.host))
			if err != nil || a == "" {
				return nil, false
			}
			out.WriteString(sep + a)
			sep = ",\r\n "
		}
	}
	out.WriteString("\r\n")
	field := []byte(out.String())
	after, ok := ParseAddresses(unfold(field[len(name)+1:]))
	return field, ok && slices.Equal(before, after) && ascii(field)
}

func asciiMailbox(name, local, host string) (string, error) {
	domain, err := address.ParseDomain(host)
	if err != nil {
		return "", err
	}
	spec := address.Address{Local: local, Domain: domain}.String()
	if name == "" {
		return spec, nil
	}
	return Phrase(DecodeText(name)) + " <" + spec + ">", nil
}

// Phrase writes a display name (RFC 5322 3.2.5): as a quoted-string, or where it is not
// ASCII as encoded words, each on a line. Base64 has no character that may not stand in a
// phrase (RFC 2047 5). Control characters become spaces, and what looks like an encoded
// word is none any more: many readers decode it in a quoted-string, too.
func Phrase(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(name, "\uFFFD"))
	name = strings.ReplaceAll(name, "=?", "= ?")
	if !ascii([]byte(name)) {
		return strings.ReplaceAll(mime.BEncoding.Encode("utf-8", name), "?= =?", "?=\r\n =?")
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}
