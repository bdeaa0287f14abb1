package autoreply

import (
	"bytes"
	"cmp"
	"fmt"
	"mime/quotedprintable"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/message"
)

// Stamp is what a message of ours needs beside its content.
type Stamp struct {
	ID   string    // of the new message
	Date time.Time // in the zone in which it is shown
}

// Write makes the message (RFC 3834 3): with the null reverse-path, and a header that
// shows every program that no answer is wanted. It never holds the message that it
// answers.
func (r Reply) Write(s Stamp) (envelope.Envelope, envelope.Bytes) {
	w := writer{env: outgoing(s, r.From, r.To)}
	auto := "auto-replied" // RFC 3834 5
	if r.Kind == hook.Vacation {
		auto = "auto-replied (vacation)"
	}
	w.top(s, r.From, r.Name, r.To)
	w.field("Subject", r.subject())
	w.thread(r.About)
	w.field("Auto-Submitted", auto)
	w.field("X-Auto-Response-Suppress", "All")
	w.body(s, r.Options.Text, r.Options.HTML)
	return w.env, envelope.Bytes(w.Bytes())
}

// Notification is a small mail about a message (RFC 5436), or about nothing but the time.
type Notification struct {
	Box   Box
	Said  hook.Notification
	About *message.Header // nil: no message
	// Fingerprint is that of the message, or what else tells the occasion from others.
	Fingerprint []byte
}

// Target is who gets it.
func (n Notification) Target() address.Address {
	if n.Said.To.IsZero() {
		return n.Box.Address
	}
	return n.Said.To
}

// Judge decides whether it is sent, but for what Memory knows (RFC 5436 2.7.1: a
// notification about a notification would never end).
func (n Notification) Judge() (Claim, Reason) {
	if n.About != nil {
		for _, v := range n.About.RawValues("Auto-Submitted") {
			switch keyword(v) {
			case "auto-notified", "auto-replied":
				return Claim{}, Notified
			}
		}
		if n.About.Count("Received") >= maxReceived {
			return Claim{}, Looping
		}
	}
	if len(n.Said.Text) > MaxText {
		return Claim{}, TooLong
	}
	return Claim{
		Sort: Notices, Box: n.Box.Address, To: n.Target(), Period: day,
		Handle: digest("notice", n.Said.Subject, n.Said.Text, string(n.Fingerprint)),
	}, ""
}

// Write makes the message.
func (n Notification) Write(s Stamp) (envelope.Envelope, envelope.Bytes) {
	w := writer{env: outgoing(s, n.Box.Address, n.Target())}
	subject := n.Said.Subject
	if subject == "" && n.About != nil {
		subject = "New mail: " + original(n.About)
	}
	w.top(s, n.Box.Address, n.Box.Name, n.Target())
	w.field("Subject", cmp.Or(subject, "A notification"))
	w.field("Auto-Submitted", "auto-notified") // RFC 5436 2.7.1
	w.field("X-Auto-Response-Suppress", "All")
	w.body(s, n.Said.Text, "")
	return w.env, envelope.Bytes(w.Bytes())
}

// outgoing is the envelope of a message that nobody is told the fate of.
func outgoing(s Stamp, from, to address.Address) envelope.Envelope {
	return envelope.Envelope{
		ID: s.ID, Received: s.Date,
		// RFC 6531 3.4: only where an address can't do without.
		Sender:     envelope.Sender{SMTPUTF8: from.NeedsUTF8() || to.NeedsUTF8()},
		Recipients: []envelope.Recipient{{ForwardPath: to, Notify: envelope.NotifyNever}},
	}
}

// writer writes a message.
type writer struct {
	bytes.Buffer
	env envelope.Envelope
}

// field writes a field; a value that can't stand in one is left out.
func (w *writer) field(name, value string) {
	if f, err := message.FormatField(name, strings.Map(printable, strings.ToValidUTF8(value, "\uFFFD"))); err == nil {
		w.Write(f)
	}
}

func printable(c rune) rune {
	if c < ' ' || c == 0x7f {
		return ' '
	}
	return c
}

// top writes the fields that all messages have.
func (w *writer) top(s Stamp, from address.Address, name string, to address.Address) {
	author := "<" + from.String() + ">"
	if name != "" {
		author = message.Phrase(name) + " " + author
	}
	fmt.Fprintf(w, "From: %s\r\nTo: <%s>\r\n", author, to)
	fmt.Fprintf(w, "Date: %s\r\nMessage-ID: <%s@%s>\r\n", s.Date.Format(message.DateFormat), s.ID, from.Domain)
}

// maxSubject bounds what is taken over of a subject, in octets.
const maxSubject = 200

// subject is the given one, or that of the message behind "Auto: " (RFC 5230 4.3).
func (r Reply) subject() string {
	if r.Options.Subject != "" {
		return r.Options.Subject
	}
	if s := original(r.About); s != "" {
		return "Auto: " + s
	}
	return "Automated reply"
}

func original(h *message.Header) string {
	s := strings.TrimSpace(strings.Map(printable, strings.ToValidUTF8(h.Subject(), "\uFFFD")))
	if len(s) > maxSubject {
		s = strings.ToValidUTF8(s[:maxSubject], "") + "…"
	}
	return s
}

// maxReferences bounds the ids in References: the first begins the thread, the last are
// the nearest.
const maxReferences = 20

// thread writes In-Reply-To and References (RFC 5322 3.6.4).
func (w *writer) thread(h *message.Header) {
	own := messageIDs(h, "Message-ID")
	if len(own) == 0 {
		return
	}
	parent := own[:1]
	before := messageIDs(h, "References")
	if replied := messageIDs(h, "In-Reply-To"); len(before) == 0 && len(replied) == 1 {
		before = replied
	}
	all := append(slices.Clone(before), parent...)
	if len(all) > maxReferences {
		all = append(all[:1:1], all[len(all)-maxReferences+1:]...)
	}
	w.WriteString("In-Reply-To: " + parent[0] + "\r\n")
	w.WriteString("References: " + strings.Join(all, "\r\n ") + "\r\n")
}

// maxID bounds a message id, so that its line is not too long (RFC 5322 2.1.1).
const maxID = 900

// messageIDs returns the ids in a field as they stand, with their brackets. What a line of
// ours can't hold is left out.
func messageIDs(h *message.Header, name string) []string {
	var ids []string
	for _, v := range h.RawValues(name) {
		for {
			begin := strings.IndexByte(v, '<')
			if begin < 0 {
				break
			}
			v = v[begin:]
			end := strings.IndexByte(v, '>')
			if end < 0 {
				break
			}
			if id := v[:end+1]; len(id) <= maxID && len(id) > 2 && !strings.ContainsFunc(id, notInID) && strings.LastIndexByte(id, '<') == 0 {
				ids = append(ids, id)
			}
			v = v[end+1:]
		}
	}
	return ids
}

func notInID(c rune) bool { return c <= ' ' || c >= 0x7f }

// body writes text, or both forms of it (RFC 2046 5.1.4). It is in 7 bits, so that no
// server on its way has to change what is signed.
func (w *writer) body(s Stamp, text, html string) {
	w.WriteString("MIME-Version: 1.0\r\n")
	if html == "" {
		w.part("text/plain", text)
		return
	}
	if text == "" {
		text = withoutMarkup(html)
	}
	boundary := "=_" + s.ID // "=_" can't stand in quoted-printable (RFC 2045 6.7)
	fmt.Fprintf(w, "Content-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n--%s\r\n", boundary, boundary)
	w.part("text/plain", text)
	fmt.Fprintf(w, "\r\n--%s\r\n", boundary)
	w.part("text/html", html)
	fmt.Fprintf(w, "\r\n--%s--\r\n", boundary)
}

// part writes a text with its fields.
func (w *writer) part(mediaType, text string) {
	text = strings.ToValidUTF8(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\uFFFD")
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	text = strings.ReplaceAll(text, "\n", "\r\n")
	if isPlain(text) {
		fmt.Fprintf(w, "Content-Type: %s; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n%s", mediaType, text)
		return
	}
	fmt.Fprintf(w, "Content-Type: %s; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", mediaType)
	q := quotedprintable.NewWriter(w)
	q.Write([]byte(text)) // into memory
	q.Close()
}

// isPlain tells whether text needs no encoding: ASCII in short lines (RFC 5322 2.1.1),
// none of which some server changes.
func isPlain(text string) bool {
	for line := range strings.SplitSeq(text, "\r\n") {
		if len(line) > 78 || strings.HasPrefix(line, "From ") || strings.HasPrefix(line, "--=_") || strings.HasSuffix(line, " ") || strings.HasSuffix(line, "\t") {
			return false
		}
		for i := range len(line) {
			if c := line[i]; c >= utf8.RuneSelf || c < ' ' && c != '\t' || c == 0x7f {
				return false
			}
		}
	}
	return true
}

// withoutMarkup returns the text of HTML.
func withoutMarkup(html string) string {
	c, err := message.ReadContent(envelope.Bytes("Content-Type: text/html; charset=utf-8\r\n\r\n" + html))
	if err != nil {
		return ""
	}
	return c.Text(MaxText)
}
