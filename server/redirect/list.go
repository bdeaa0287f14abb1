package redirect

import (
	"bytes"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"facteur/server/address"
	"facteur/server/message"
)

// replaced are the fields of other lists that List does not leave beside its own. One
// that was unsubscribed from in one click (RFC 8058) is not this list.
var replaced = []string{"List-Id", "List-Unsubscribe", "List-Unsubscribe-Post"}

// List returns the changes to the header of a message that a list sends on in its own
// name, because the author's domain would have it refused otherwise (RFC 7489 6): From is
// the list, answers go to the author unless the message says otherwise already, and the
// list says who it is (RFC 2919) and how to leave it (RFC 2369 3.2). owner is who is
// asked to take a member out.
func List(h *message.Header, list, owner address.Address) message.Edits {
	e := message.Edits{Replace: make(map[int][]byte)}
	dropReply := hasOnlyEmpty(h, "Reply-To")
	replyTo := h.Count("Reply-To") == 0 || dropReply
	for i := range h.Len() {
		name, raw := h.Field(i)
		if !strings.EqualFold(name, "From") {
			continue
		}
		if len(e.Replace) > 0 { // a second From: nobody knows whose it is
			e.Replace[i] = nil
			continue
		}
		value := raw[len(name):]
		value = value[strings.IndexByte(string(value), ':')+1:]
		fields := fromList(value, list)
		if replyTo {
			fields = append(fields, replyField(value)...)
		}
		e.Replace[i] = append(fields, listFields(list, owner)...)
	}
	e.Drop = func(_ int, name string) bool {
		for _, r := range replaced {
			if strings.EqualFold(name, r) {
				return true
			}
		}
		return dropReply && strings.EqualFold(name, "Reply-To")
	}
	return e
}

func hasOnlyEmpty(h *message.Header, name string) bool {
	return h.Count(name) > 0 && strings.Join(h.RawValues(name), "") == ""
}

// replyField writes Reply-To with the value of From as it came.
func replyField(value []byte) []byte {
	field := []byte("Reply-To:")
	if first, _, _ := bytes.Cut(value, []byte("\n")); len(first) > 900 && (first[0] == ' ' || first[0] == '\t') {
		field = append(field, "\r\n"...) // RFC 5322 2.1.1: the longer name must not make the line too long
	}
	field = append(field, value...)
	if len(value) == 0 || value[len(value)-1] != '\n' { // a message without a body
		field = append(field, "\r\n"...)
	}
	return field
}

// maxName bounds the author's name, in characters.
const maxName = 60

// fromList writes From: "Alice Martin via board" <board@example.org>. value is the one
// that it replaces.
func fromList(value []byte, list address.Address) []byte {
	author, _ := message.FirstMailbox(value)
	name := printable(message.DecodeText(author.Name))
	if name == "" {
		name = printable(author.Local)
	}
	if cut := []rune(name); len(cut) > maxName {
		name = strings.TrimSpace(string(cut[:maxName]))
	}
	name = strings.TrimSpace(name + " via " + printable(list.Local))
	return []byte("From: " + message.Phrase(name) + "\r\n <" + list.String() + ">\r\n")
}

// printable makes text of others fit for one line.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// listFields writes List-Id and List-Unsubscribe.
func listFields(list, owner address.Address) []byte {
	id := strings.Map(func(r rune) rune { // a dot-atom-text (RFC 2919 2)
		if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-", r)) {
			return r
		}
		return '-'
	}, address.FoldLocal(list.Local))
	id = strings.ReplaceAll(strings.Trim(id, "."), "..", ".")
	// RFC 6068 2: what is no unreserved character is escaped.
	mailto := "mailto:" + escape(owner) + "?subject=" + url.PathEscape("unsubscribe "+list.String())
	return []byte("List-Id: <" + id + "." + string(list.Domain) + ">\r\n" +
		"List-Unsubscribe:\r\n <" + mailto + ">\r\n")
}

func escape(a address.Address) string {
	local := url.QueryEscape(address.Address{Local: a.Local}.String()) // with "+" for a space
	return strings.ReplaceAll(local, "+", "%20") + "@" + string(a.Domain)
}
