package message

import (
	"strings"

	"facteur/server/hook"
)

// Is tells what kind of message it is, by its header and its parts.
func (c *Content) Is() hook.Nature { return c.nature() }

func (c *Content) readNature() hook.Nature {
	list := c.isList()
	n := hook.Nature{List: list, Auto: c.isAuto(), Bulk: list || c.isBulk(), Encrypted: c.isArmored()}
	for i, e := range c.entities() {
		switch e.Type {
		case "multipart":
			n.Bounce = n.Bounce || i == 0 && e.Subtype == "report"               // RFC 6522 3
			n.Encrypted = n.Encrypted || !e.enclosed && e.Subtype == "encrypted" // RFC 3156 4
		case "message":
			n.Bounce = n.Bounce || !e.enclosed && (e.Subtype == "delivery-status" || e.Subtype == "global-delivery-status")
		case "application":
			n.Encrypted = n.Encrypted || !e.enclosed && c.isEnveloped(i, e.Subtype)
		case "text":
			n.Calendar = n.Calendar || !e.enclosed && e.Subtype == "calendar" // RFC 6047 2.4
		}
	}
	return n
}

// isList tells whether there is a field of mailing lists (RFC 2369, RFC 2919).
func (h *Header) isList() bool {
	const prefix = "List-"
	for _, f := range h.fields {
		if int(f.name) > len(prefix) && strings.EqualFold(string(h.raw[f.start:f.start+int32(len(prefix))]), prefix) {
			return true
		}
	}
	return false
}

// isAuto tells whether a program made the message (RFC 3834 5).
func (h *Header) isAuto() bool {
	word := firstWord(h.first("Auto-Submitted"))
	return word != "" && word != "no"
}

func (h *Header) isBulk() bool {
	switch firstWord(h.first("Precedence")) {
	case "bulk", "junk", "list":
		return true
	}
	return false
}

// firstWord returns the token that a value begins with, in lower case.
func firstWord(v string) string {
	b := skipComments([]byte(v), " \t")
	for i, c := range b {
		if c <= ' ' || c == ';' || c == '(' {
			b = b[:i]
			break
		}
	}
	return strings.ToLower(string(b))
}

// isEnveloped tells whether a part is S/MIME that is encrypted, not only signed (RFC 8551
// 3.2.2).
func (c *Content) isEnveloped(part int, subtype string) bool {
	if subtype != "pkcs7-mime" && subtype != "x-pkcs7-mime" {
		return false
	}
	h := c.partHeader(part)
	if h == nil {
		return true
	}
	_, params := parseParams([]byte(h.first("Content-Type")), nil)
	switch strings.ToLower(string(find(params, "smime-type"))) {
	case "signed-data", "certs-only", "compressed-data":
		return false
	}
	return true
}

// isArmored tells whether the text is an OpenPGP message (RFC 9580 6.2), as programs wrote
// it before there was multipart/encrypted.
func (c *Content) isArmored() bool {
	const armor = "-----BEGIN PGP MESSAGE-----"
	for _, e := range c.entities() {
		if e.shown() && e.Subtype == "plain" {
			return strings.HasPrefix(strings.TrimSpace(readText(e.textReader(c.body), 2*len(armor))), armor)
		}
	}
	return false
}
