package schedule

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime/quotedprintable"
	"slices"
	"strconv"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/contentline"
	"facteur/server/envelope"
	"facteur/server/message"
)

// Answer is what one attendee answers to an invitation.
type Answer struct {
	Accept  bool
	Comment string
	From    address.Address // the attendee
	Name    string          // of the attendee; "": as the organizer wrote it
	// About is the Message-ID of the invitation, with its brackets; "": unknown.
	About string
	ID    string // of the message
	Now   time.Time
}

// maxComment bounds a comment, in octets.
const maxComment = 2 << 10

// Invited returns the attendee that is one of some addresses. false: none of them is.
func (in *Invitation) Invited(own []address.Address) (address.Address, bool) {
	for _, a := range in.attendees {
		if slices.ContainsFunc(own, func(o address.Address) bool { return o.Key() == a.address.Key() }) {
			return a.address, true
		}
	}
	return address.Address{}, false
}

// Reply makes the answer to an invitation: an iTIP REPLY (RFC 5546 3.2.3) in a message to
// the organizer (RFC 6047 2). Its reverse-path is null, and it says that no person sent it
// (RFC 3834 5), so nothing answers it.
func (in *Invitation) Reply(a Answer) (envelope.Envelope, envelope.Bytes) {
	a.Comment = clip(a.Comment, maxComment)
	who := in.attendee(a.From)
	if a.Name == "" {
		a.Name = who.name
	}
	utf8 := in.From.NeedsUTF8() || a.From.NeedsUTF8()
	body := in.message(a, who)
	env := envelope.Envelope{
		ID: a.ID, Received: a.Now, Sender: envelope.Sender{Size: int64(len(body)), SMTPUTF8: utf8},
		Recipients: []envelope.Recipient{{ForwardPath: in.From, Notify: envelope.NotifyNever}},
	}
	if utf8 {
		env.Sender.Body = "8BITMIME"
	}
	return env, body
}

// attendee returns who has an address.
func (in *Invitation) attendee(a address.Address) attendee {
	for _, who := range in.attendees {
		if who.address.Key() == a.Key() {
			return who
		}
	}
	return attendee{address: a, value: "mailto:" + a.String()}
}

// message writes the message: text for people, and the object (RFC 6047 2.4).
func (in *Invitation) message(a Answer, who attendee) envelope.Bytes {
	word := "Declined"
	if a.Accept {
		word = "Accepted"
	}
	summary := strings.Join(strings.Fields(clip(in.Summary, 200)), " ")
	boundary := "facteur-" + a.ID
	var b bytes.Buffer
	from := fmt.Sprintf("<%s>", a.From)
	if a.Name != "" {
		from = message.Phrase(clip(a.Name, 200)) + " " + from
	}
	fmt.Fprintf(&b, "From: %s\r\nTo: <%s>\r\n", from, in.From)
	field, err := message.FormatField("Subject", word+": "+summary)
	if err != nil {
		field = []byte("Subject: " + word + "\r\n")
	}
	b.Write(field)
	fmt.Fprintf(&b, "Date: %s\r\nMessage-ID: <%s@%s>\r\n", a.Now.Format(message.DateFormat), a.ID, a.From.Domain)
	if a.About != "" {
		fmt.Fprintf(&b, "In-Reply-To: %[1]s\r\nReferences: %[1]s\r\n", a.About)
	}
	fmt.Fprintf(&b, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=%q\r\n\r\n", boundary)
	fmt.Fprintf(&b, "--%s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", boundary)
	qp := quotedprintable.NewWriter(&b)
	fmt.Fprintf(qp, "%s has %s this invitation: %s\r\n", a.From, strings.ToLower(word), summary)
	if a.Comment != "" {
		fmt.Fprintf(qp, "\r\n%s\r\n", a.Comment)
	}
	qp.Close()
	// The parameter method is that of the object (RFC 6047 2.4).
	fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: text/calendar; method=REPLY; component=VEVENT; charset=utf-8\r\n"+
		"Content-Transfer-Encoding: base64\r\n\r\n", boundary)
	writeBase64(&b, in.object(a, who))
	fmt.Fprintf(&b, "--%s--\r\n", boundary)
	return b.Bytes()
}

func writeBase64(b *bytes.Buffer, data []byte) {
	text := base64.StdEncoding.EncodeToString(data)
	for line := range slices.Chunk([]byte(text), 76) {
		b.Write(line)
		b.WriteString("\r\n")
	}
}

// object writes the iTIP REPLY: the attendee alone, and what tells the event from others
// (RFC 5546 3.2.3).
func (in *Invitation) object(a Answer, who attendee) []byte {
	status := "DECLINED"
	if a.Accept {
		status = "ACCEPTED"
	}
	var b []byte
	add := func(lines ...string) {
		for _, line := range lines {
			b = contentline.AppendFolded(b, line)
		}
	}
	add("BEGIN:VCALENDAR", "PRODID:-//facteur//mail//EN", "VERSION:2.0", "METHOD:REPLY")
	add(in.zones...)
	add("BEGIN:VEVENT", "UID:"+in.UID, "DTSTAMP:"+a.Now.UTC().Format("20060102T150405Z"), "ORGANIZER:"+in.organizer)
	add("ATTENDEE" + parameter("CN", a.Name) + ";PARTSTAT=" + status + ":" + who.value)
	add("SEQUENCE:" + strconv.Itoa(in.Sequence))
	add(in.original...)
	if a.Comment != "" {
		add("COMMENT:" + encodeText(a.Comment))
	}
	add("END:VEVENT", "END:VCALENDAR")
	return b
}

// parameter writes a parameter (RFC 5545 3.2), in the words of RFC 6868; "" for no value.
func parameter(name, value string) string {
	value = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(clip(value, 200), ""))
	if value == "" {
		return ""
	}
	return ";" + name + `="` + strings.NewReplacer("^", "^^", `"`, "^'").Replace(value) + `"`
}

// clip cuts a text at a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
