package imapd

import (
	"mime"
	"net/mail"
	"strings"

	"github.com/emersion/go-imap/v2"

	"facteur/server/message"
)

// envelopeOf returns the ENVELOPE of a message (RFC 9051 7.5.2).
func envelopeOf(h *message.Header) *imap.Envelope {
	return &imap.Envelope{
		Date:      h.Date(),
		Subject:   h.Subject(),
		From:      addressesOf(h, "From"),
		Sender:    addressesOf(h, "Sender"),
		ReplyTo:   addressesOf(h, "Reply-To"),
		To:        addressesOf(h, "To"),
		Cc:        addressesOf(h, "Cc"),
		Bcc:       addressesOf(h, "Bcc"),
		InReplyTo: messageIDs(first(h, "In-Reply-To")),
		MessageID: strings.Join(messageIDs(first(h, "Message-Id")), " "),
	}
}

// addressesOf reads an address list with its display names; of a malformed one,
// all that looks like an address.
func addressesOf(h *message.Header, name string) []imap.Address {
	var list []imap.Address
	parser := mail.AddressParser{WordDecoder: &mime.WordDecoder{CharsetReader: charsetReader}}
	for _, v := range h.RawValues(name) {
		parsed, err := parser.ParseList(v)
		for _, a := range parsed {
			at := strings.LastIndexByte(a.Address, '@')
			list = append(list, imap.Address{Name: a.Name, Mailbox: a.Address[:at], Host: a.Address[at+1:]})
		}
		if err == nil {
			continue
		}
		found, _ := message.ParseAddresses(v)
		for _, a := range found {
			list = append(list, imap.Address{Mailbox: a.Local, Host: string(a.Domain)})
		}
	}
	return list
}

// messageIDs returns what stands in angle brackets in v (RFC 5322 3.6.4).
func messageIDs(v string) []string {
	var ids []string
	for {
		_, rest, ok := strings.Cut(v, "<")
		id, after, closed := strings.Cut(rest, ">")
		if !ok || !closed {
			return ids
		}
		ids, v = append(ids, id), after
	}
}

// structureOf returns the BODYSTRUCTURE of a part (RFC 9051 7.5.2).
func structureOf(p *part) imap.BodyStructure {
	h := p.header
	disposition, language, location := dispositionOf(h), languagesOf(h), first(h, "Content-Location")
	if p.multipart() {
		bs := &imap.BodyStructureMultiPart{
			Subtype: p.subtype,
			Extended: &imap.BodyStructureMultiPartExt{
				Params: p.params, Disposition: disposition, Language: language, Location: location,
			},
		}
		for _, c := range p.children {
			bs.Children = append(bs.Children, structureOf(c))
		}
		return bs
	}
	bs := &imap.BodyStructureSinglePart{
		Type:        p.kind,
		Subtype:     p.subtype,
		Params:      p.params,
		ID:          first(h, "Content-Id"),
		Description: first(h, "Content-Description"),
		Encoding:    p.encoding(),
		Size:        uint32(p.end - p.body),
		Extended: &imap.BodyStructureSinglePartExt{
			Disposition: disposition, Language: language, Location: location,
		},
	}
	switch {
	case p.encapsulates():
		inner := p.children[0]
		bs.MessageRFC822 = &imap.BodyStructureMessageRFC822{
			Envelope:      envelopeOf(inner.header),
			BodyStructure: structureOf(inner),
			NumLines:      p.lines,
		}
	case p.kind == "text":
		bs.Text = &imap.BodyStructureText{NumLines: p.lines}
	}
	return bs
}

func dispositionOf(h *message.Header) *imap.BodyStructureDisposition {
	v := first(h, "Content-Disposition") // RFC 2183
	if v == "" {
		return nil
	}
	value, params := parseParams(v)
	return &imap.BodyStructureDisposition{Value: value, Params: params}
}

func languagesOf(h *message.Header) []string {
	v := first(h, "Content-Language") // RFC 3282
	if v == "" {
		return nil
	}
	langs := strings.Split(v, ",")
	for i := range langs {
		langs[i] = strings.TrimSpace(langs[i])
	}
	return langs
}
