package message

// MaxAuthors bounds what Authors returns: when it returns so many, there may be more.
const MaxAuthors = 100

// Authors returns the mailboxes in all From fields as mail programs show them: an
// address that only stands in a display name or in a comment is not among them. It is
// what DMARC is about (RFC 7489 6.6.1); for the right to send as somebody, see Addresses.
func (h *Header) Authors() []Mailbox {
	var all []Mailbox
	for i, f := range h.fields {
		if !h.is(i, "From") {
			continue
		}
		p := mailboxParser{text: unfolded(h.raw[f.value:f.end])}
		for p.next() && len(all) < MaxAuthors {
			if p.found == oneMailbox {
				all = append(all, Mailbox{string(p.name), string(p.local), string(p.host)})
			}
		}
	}
	return all
}
