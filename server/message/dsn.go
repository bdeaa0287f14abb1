package message

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"
	"time"
	"unicode/utf8"

	"facteur/server/address"
	"facteur/server/envelope"
)

// Action is what became of a recipient (RFC 3464 2.3.3).
type Action string

// The actions.
const (
	Failed    Action = "failed"
	Delayed   Action = "delayed"
	Delivered Action = "delivered"
	Relayed   Action = "relayed" // to a server that does not tell of success
)

// Report is what a delivery status notification (DSN) tells.
type Report struct {
	ID       string          // of the notification
	Hostname string          // of this server
	Date     time.Time       // now; the zone is that of all dates for people
	To       address.Address // the reverse-path of the message that it is about
	UTF8     bool            // that message came with SMTPUTF8, so its sender takes UTF-8
	EnvID    string          // RFC 3461 4.4, decoded
	Full     bool            // return the whole message, not only its header (RFC 3461 4.3)
	Arrival  time.Time       // when the message was accepted
	// HoldUntil is when its sender wanted it to be released (RFC 4865), zero: at once.
	HoldUntil time.Time
	Message   envelope.Body // that message
	// Recipients are those it tells of. All have the same Action.
	Recipients []ReportRecipient
}

// ReportRecipient is the fate of one recipient.
type ReportRecipient struct {
	Address    address.Address
	ORcpt      string // RFC 3461 4.2, decoded: "rfc822;alice@example.org", or ""
	Action     Action
	Status     string    // enhanced code (RFC 3463)
	Remote     string    // name of the server that answered, "" for this one
	Reply      string    // its answer: "550 5.1.1 No such user"; or what happened here
	Attempted  time.Time // the last time
	GaveUp     bool      // the time was up; Reply is a temporary failure
	RetryUntil time.Time // of Delayed
	Forwarded  bool      // Address leads to another one, of which its sender knows nothing
}

// DSN is a delivery status notification, ready to be sent with the null
// reverse-path.
type DSN struct {
	envelope.Body
	SMTPUTF8  bool // its header holds UTF-8 (RFC 6533): it needs SMTPUTF8
	EightBits bool // it needs 8BITMIME
}

// FormatDSN writes a delivery status notification: a multipart/report (RFC 6522)
// with a text for people, the status for programs (RFC 3464), and the message or
// its header. It keeps r.Message. The error is that of reading r.Message.
func FormatDSN(r Report) (*DSN, error) {
	if len(r.Recipients) == 0 {
		return nil, errors.New("a delivery status notification without recipients")
	}
	// A message whose header can't be read is told of without it.
	header, err := ReadHeader(r.Message)
	if err != nil {
		header = &Header{}
	}
	returned, err := r.returned(header)
	if err != nil {
		return nil, err
	}
	w := dsnWriter{Report: r, header: header, boundary: "=_" + r.ID}
	w.utf8 = r.UTF8 && (!ascii(header.raw) || r.To.NeedsUTF8() || r.recipientsNeedUTF8())
	text, status := w.text(), w.status()
	w.eightBits = !ascii(status) || returned.eightBits || r.To.NeedsUTF8()

	w.top()
	w.textPart(text)
	w.part(w.global("message/delivery-status"), "Delivery report", eightBit(!ascii(status)))
	w.Write(status)
	tail := "\r\n--" + w.boundary + "--\r\n"
	if returned.Size() == 0 {
		w.WriteString(tail)
		return &DSN{Body: envelope.Bytes(w.Bytes()), SMTPUTF8: w.utf8, EightBits: w.eightBits}, nil
	}
	w.part(w.global(returned.mediaType), "Message", eightBit(returned.eightBits))
	body := joined{envelope.Bytes(w.Bytes()), returned, envelope.Bytes(tail)}
	return &DSN{Body: body, SMTPUTF8: w.utf8, EightBits: w.eightBits}, nil
}

func (r *Report) recipientsNeedUTF8() bool {
	for _, rcpt := range r.Recipients {
		if rcpt.Address.NeedsUTF8() {
			return true
		}
	}
	return false
}

// returned is the third part of a report.
type returned struct {
	envelope.Body
	mediaType string
	eightBits bool
}

// returned chooses between message and header. Only a failure returns the message
// (RFC 3461 4.3).
func (r *Report) returned(h *Header) (returned, error) {
	if !r.Full || r.Recipients[0].Action != Failed {
		return returned{envelope.Bytes(h.raw), "text/rfc822-headers", !ascii(h.raw)}, nil
	}
	eight, err := hasEightBits(r.Message)
	return returned{r.Message, "message/rfc822", eight}, err
}

func hasEightBits(b envelope.Body) (bool, error) {
	r := envelope.NewReader(b)
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		if !ascii(buf[:n]) {
			return true, nil
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("reading the message for a delivery report: %w", err)
		}
	}
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// dsnWriter writes a report.
type dsnWriter struct {
	bytes.Buffer
	Report
	header    *Header
	boundary  string
	utf8      bool
	eightBits bool
}

// global returns the media type's counterpart for UTF-8 (RFC 6533 4).
func (w *dsnWriter) global(mediaType string) string {
	if !w.utf8 {
		return mediaType
	}
	return map[string]string{
		"message/delivery-status": "message/global-delivery-status",
		"message/rfc822":          "message/global",
		"text/rfc822-headers":     "message/global-headers",
	}[mediaType]
}

// top writes the header of the notification. Auto-Submitted is that of RFC 3834 5.
func (w *dsnWriter) top() {
	subject := subjects[w.Recipients[0].Action]
	if about := strings.Map(unprintable, w.header.Subject()); about != "" {
		subject += ": " + about
	}
	w.field("From", "Mail Delivery System <mailer-daemon@"+traceName(w.Hostname)+">")
	fmt.Fprintf(w, "To: <%s>\r\n", w.To)
	if field, err := FormatField("Subject", clipBytes(subject, 500)); err == nil {
		w.Write(field)
	}
	w.field("Date", w.Date.Format(DateFormat))
	w.field("Message-ID", "<"+w.ID+"@"+traceName(w.Hostname)+">")
	if id := w.header.first("Message-ID"); id != "" && len(id) < hardLine-softLine {
		w.field("In-Reply-To", id)
		w.field("References", id)
	}
	w.field("Auto-Submitted", "auto-replied")
	w.field("MIME-Version", "1.0")
	fmt.Fprintf(w, "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"%s\"\r\n", w.boundary)
	if w.eightBits {
		w.field("Content-Transfer-Encoding", "8bit")
	}
}

var subjects = map[Action]string{Failed: "Undelivered", Delayed: "Delayed", Delivered: "Delivered", Relayed: "Relayed"}

// part begins a part with a Content-Transfer-Encoding (RFC 2045 6).
func (w *dsnWriter) part(mediaType, description, encoding string) {
	fmt.Fprintf(w, "\r\n--%s\r\nContent-Type: %s\r\nContent-Description: %s\r\n", w.boundary, mediaType, description)
	fmt.Fprintf(w, "Content-Transfer-Encoding: %s\r\n\r\n", encoding)
}

func eightBit(yes bool) string {
	if yes {
		return "8bit"
	}
	return "7bit"
}

// textPart writes the part for people so that it can travel everywhere.
func (w *dsnWriter) textPart(text []byte) {
	const mediaType, description = "text/plain; charset=utf-8", "Notification"
	if ascii(text) {
		w.part(mediaType, description, "7bit")
		w.Write(text)
		return
	}
	w.part(mediaType, description, "quoted-printable")
	q := quotedprintable.NewWriter(w)
	q.Write(text) // into memory: neither fails
	q.Close()
}

func (w *dsnWriter) field(name, value string) { writeField(&w.Buffer, name, value, false) }

// writeField writes a structured field. Peers choose some of the values, so
// what can't be in one becomes "?".
func writeField(b *bytes.Buffer, name, value string, allowUTF8 bool) {
	value = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= utf8.RuneSelf && !allowUTF8 {
			return '?'
		}
		return r
	}, clipBytes(value, 800))
	b.Write(fold(name, splitWords(strings.TrimSpace(value))))
}

// clipBytes cuts a value at a character.
func clipBytes(s string, limit int) string {
	if len(s) > limit {
		s = trimPartial(s[:limit])
	}
	return strings.ToValidUTF8(s, "?")
}

func unprintable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}

// status writes the part for programs (RFC 3464 2).
func (w *dsnWriter) status() []byte {
	var b bytes.Buffer
	field := func(name, value string) { writeField(&b, name, value, w.utf8) }
	field("Reporting-MTA", "dns; "+w.Hostname)
	if w.EnvID != "" {
		field("Original-Envelope-Id", w.EnvID)
	}
	if !w.Arrival.IsZero() {
		field("Arrival-Date", w.Arrival.In(w.Date.Location()).Format(DateFormat))
	}
	if !w.HoldUntil.IsZero() { // RFC 4865
		field("Future-Release-Request", "until;"+w.HoldUntil.UTC().Format(time.RFC3339))
	}
	for _, r := range w.Recipients {
		b.WriteString("\r\n")
		if kind, addr, ok := strings.Cut(r.ORcpt, ";"); ok {
			if strings.EqualFold(kind, "utf-8") && !w.utf8 {
				addr = utf8Xtext(addr)
			}
			field("Original-Recipient", kind+"; "+addr)
		}
		field("Final-Recipient", w.typedAddress(r.Address))
		field("Action", string(r.Action))
		field("Status", r.Status)
		if r.Remote != "" {
			field("Remote-MTA", "dns; "+r.Remote)
			field("Diagnostic-Code", "smtp; "+r.Reply)
		}
		if !r.Attempted.IsZero() {
			field("Last-Attempt-Date", r.Attempted.In(w.Date.Location()).Format(DateFormat))
		}
		if !r.RetryUntil.IsZero() {
			field("Will-Retry-Until", r.RetryUntil.In(w.Date.Location()).Format(DateFormat))
		}
	}
	return b.Bytes()
}

// typedAddress is an address with its type (RFC 3464 2.1.2). Where UTF-8 can't
// stand it is written as utf-8-addr-xtext (RFC 6533 3).
func (w *dsnWriter) typedAddress(a address.Address) string {
	if !a.NeedsUTF8() {
		return "rfc822; " + a.String()
	}
	if w.utf8 {
		return "utf-8; " + a.String()
	}
	return "utf-8; " + utf8Xtext(strings.ReplaceAll(a.String(), `\`, `\x{5C}`))
}

// utf8Xtext writes what is not ASCII as utf-8-addr-xtext (RFC 6533 3).
func utf8Xtext(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r >= utf8.RuneSelf {
			fmt.Fprintf(&b, `\x{%X}`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// joined is a Body of several, one after the other.
type joined []envelope.Body

func (j joined) Size() int64 {
	var n int64
	for _, b := range j {
		n += b.Size()
	}
	return n
}

func (j joined) ReadAt(p []byte, off int64) (n int, err error) {
	for _, b := range j {
		size := b.Size()
		if off >= size {
			off -= size
			continue
		}
		m, err := b.ReadAt(p[n:min(int64(len(p)), int64(n)+size-off)], off)
		n += m
		if err != nil && err != io.EOF {
			return n, err
		}
		if n == len(p) {
			return n, nil
		}
		if off+int64(m) < size {
			return n, io.ErrUnexpectedEOF
		}
		off = 0
	}
	return n, io.EOF
}
