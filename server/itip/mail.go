package itip

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"mime/quotedprintable"
	"slices"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/message"
)

// Mail is a message as mail (RFC 6047).
type Mail struct {
	Message  *Message
	From, To address.Address
	Name     string         // of who From is
	ID       string         // of the mail
	About    string         // Message-ID of what it answers, with its brackets; "": unknown
	Comment  string         // for people, before the rest
	Files    []File         // which the message names (FileURI); REPLY and REFRESH have none
	Left     []string       // the names of files that do not go with it
	Language string         // of the text: "fr", else English
	Zone     *time.Location // in which times in UTC are told; nil: in UTC
	Now      time.Time      // in the zone of the Date field
	// Automatic: no person asked for it, as when a room answers (RFC 3834 5). The
	// reverse-path is null then.
	Automatic bool
}

// Write makes the mail: text for people, the calendar for programs, and the same as a file
// for those that only know files.
func (m Mail) Write() (envelope.Envelope, envelope.Bytes, error) {
	if m.From.IsZero() || m.To.IsZero() {
		return envelope.Envelope{}, nil, errors.New("who sends a message and who gets it need mail addresses")
	}
	body := m.body()
	utf8 := m.From.NeedsUTF8() || m.To.NeedsUTF8()
	env := envelope.Envelope{
		ID: m.ID, Received: m.Now, Sender: envelope.Sender{ReversePath: m.From, Size: int64(len(body)), SMTPUTF8: utf8},
		Recipients: []envelope.Recipient{{ForwardPath: m.To}},
	}
	if m.Automatic {
		env.Sender.ReversePath, env.Recipients[0].Notify = address.Address{}, envelope.NotifyNever
	}
	if utf8 {
		env.Sender.Body = "8BITMIME"
	}
	return env, body, nil
}

// body writes the mail.
func (m Mail) body() envelope.Bytes {
	t := m.text()
	var b bytes.Buffer
	from := fmt.Sprintf("<%s>", m.From)
	if m.Name != "" {
		from = message.Phrase(clip(m.Name, 200)) + " " + from
	}
	fmt.Fprintf(&b, "From: %s\r\nTo: <%s>\r\n", from, m.To)
	field, err := message.FormatField("Subject", t.subject)
	if err != nil {
		field = []byte("Subject: " + string(m.Message.Method) + "\r\n")
	}
	b.Write(field)
	fmt.Fprintf(&b, "Date: %s\r\nMessage-ID: <%s@%s>\r\n", m.Now.Format(message.DateFormat), m.ID, m.From.Domain)
	if m.About != "" {
		fmt.Fprintf(&b, "In-Reply-To: %[1]s\r\nReferences: %[1]s\r\n", m.About)
	}
	if m.Automatic {
		kind := "auto-generated"
		if m.Message.Method == Reply {
			kind = "auto-replied"
		}
		fmt.Fprintf(&b, "Auto-Submitted: %s\r\nX-Auto-Response-Suppress: All\r\n", kind)
	}
	b.WriteString("MIME-Version: 1.0\r\n")
	if m.Message.Method == Reply || m.Message.Method == Refresh {
		m.alternative(&b, t.body)
		return b.Bytes()
	}
	// A calendar beside its text is shown with buttons by most programs; others offer the file.
	outer := "=_" + m.ID + ".m" // "=_" can't stand in quoted-printable (RFC 2045 6.7)
	fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n--%s\r\n", outer, outer)
	m.alternative(&b, t.body)
	fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: application/ics; name=\"invite.ics\"\r\n"+
		"Content-Disposition: attachment; filename=\"invite.ics\"\r\nContent-Transfer-Encoding: base64\r\n\r\n", outer)
	writeBase64(&b, m.Message.Octets())
	for _, f := range m.Files {
		f.write(&b, outer)
	}
	fmt.Fprintf(&b, "--%s--\r\n", outer)
	return b.Bytes()
}

// alternative writes the text for people, and the same for programs.
func (m Mail) alternative(b *bytes.Buffer, text string) {
	boundary := "=_" + m.ID + ".a"
	fmt.Fprintf(b, "Content-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n", boundary)
	fmt.Fprintf(b, "--%s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", boundary)
	text = strings.ReplaceAll(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n", "\r\n")
	qp := quotedprintable.NewWriter(b)
	qp.Write([]byte(text)) // into memory
	qp.Close()
	// The parameter method is that of the object (RFC 6047 2.4).
	fmt.Fprintf(b, "\r\n--%s\r\nContent-Type: text/calendar; charset=utf-8; method=%s; component=%s\r\n"+
		"Content-Transfer-Encoding: base64\r\n\r\n", boundary, m.Message.Method, m.Message.Kind)
	writeBase64(b, m.Message.Octets())
	fmt.Fprintf(b, "--%s--\r\n", boundary)
}

func writeBase64(b *bytes.Buffer, data []byte) {
	text := base64.StdEncoding.EncodeToString(data)
	for line := range slices.Chunk([]byte(text), 76) {
		b.Write(line)
		b.WriteString("\r\n")
	}
}
