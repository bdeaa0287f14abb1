package intake

import (
	"strings"

	"facteur/server/envelope"
	"facteur/server/message"
)

// complete puts right what mail clients leave to the server (RFC 6409 8): a Date and a
// Message-ID where there is none, and no Bcc (RFC 5322 3.6.3). Raw UTF-8 in a header that
// came without SMTPUTF8 becomes encoded words, where that can be, for the next server need
// not take it; a message that is signed already is not touched so. All other octets stay.
// Mail of others is left alone.
func (tx *Transaction) complete(live *Settings, env envelope.Envelope, h *message.Header, body envelope.Body) (*message.Header, envelope.Body, error) {
	if tx.account.IsZero() {
		return h, body, nil
	}
	var edits message.Edits
	drop := map[string]bool{"bcc": true, "resent-bcc": true}
	if isMissing(h, "Date") { // RFC 6409 8.2
		drop["date"] = true
		edits.Prepend = append(edits.Prepend, "Date: "+env.Received.In(live.Location).Format(message.DateFormat)+"\r\n"...)
	}
	if isMissing(h, "Message-ID") { // RFC 6409 8.3
		drop["message-id"] = true
		edits.Prepend = append(edits.Prepend, "Message-ID: <"+env.ID+"@"+string(tx.account.Domain)+">\r\n"...)
	}
	if !tx.sender.SMTPUTF8 && h.Count("DKIM-Signature") == 0 {
		edits.Replace = inASCII(h)
	}
	if edits.Prepend == nil && edits.Replace == nil && h.Count("Bcc")+h.Count("Resent-Bcc") == 0 {
		return h, body, nil
	}
	edits.Drop = func(_ int, name string) bool { return drop[strings.ToLower(name)] }
	body = message.Edit(body, h, edits)
	h, err := message.ReadHeader(body)
	return h, body, err
}

// inASCII returns the fields with raw UTF-8 that can do without, by their places; nil when
// there are none.
func inASCII(h *message.Header) map[int][]byte {
	var fields map[int][]byte
	for i := range h.Len() {
		name, raw := h.Field(i)
		if strings.EqualFold(name, "Bcc") || strings.EqualFold(name, "Resent-Bcc") {
			continue // goes as a whole
		}
		if field, ok := message.ASCIIField(name, raw); ok {
			if fields == nil {
				fields = make(map[int][]byte)
			}
			fields[i] = field
		}
	}
	return fields
}

// isMissing tells whether there is no field of that name, or only empty ones.
func isMissing(h *message.Header, name string) bool {
	return strings.Join(h.RawValues(name), "") == ""
}
