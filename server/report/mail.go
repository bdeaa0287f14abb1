package report

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/message"
)

// Identity is who sends reports.
type Identity struct {
	Organization address.Domain  // the name under which this server reports
	Contact      address.Address // whom to ask; also the From of the messages
	Hostname     string
}

// letter is a message that carries a report.
type letter struct {
	Identity
	kind   Kind
	domain string // that it is about
	id     string // of the report and of the message
	begin  int64  // seconds since 1970
	end    int64
	date   time.Time
	to     []address.Address
	file   []byte // XML or JSON
}

// format writes the message: multipart/mixed with the file for DMARC (RFC 7489
// 7.2.1.1), multipart/report for TLS (RFC 8460 5.3).
func (l *letter) format() ([]byte, error) {
	packed, err := pack(l.file)
	if err != nil {
		return nil, err
	}
	container, fileType, name := "multipart/mixed", "application/gzip", "xml.gz"
	if l.kind == TLS {
		container, fileType, name = "multipart/report; report-type=\"tlsrpt\"", "application/tlsrpt+gzip", "json.gz"
	}
	name = fmt.Sprintf("%s!%s!%d!%d!%s.%s", l.Organization, l.domain, l.begin, l.end, l.id, name)
	boundary := "=_" + l.id
	var w bytes.Buffer
	l.top(&w)
	fmt.Fprintf(&w, "Content-Type: %s;\r\n\tboundary=\"%s\"\r\n", container, boundary)
	fmt.Fprintf(&w, "\r\n--%s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s", boundary, l.text())
	fmt.Fprintf(&w, "\r\n--%s\r\nContent-Type: %s;\r\n\tname=\"%s\"\r\n", boundary, fileType, name)
	fmt.Fprintf(&w, "Content-Disposition: attachment;\r\n\tfilename=\"%s\"\r\nContent-Transfer-Encoding: base64\r\n\r\n", name)
	writeBase64(&w, packed)
	fmt.Fprintf(&w, "\r\n--%s--\r\n", boundary)
	return w.Bytes(), nil
}

// top writes the fields that all these messages have.
func (l *letter) top(w *bytes.Buffer) {
	l.field(w, "From", "<"+l.Contact.String()+">")
	to := make([]string, len(l.to))
	for i, a := range l.to {
		to[i] = "<" + a.String() + ">"
	}
	fmt.Fprintf(w, "To: %s\r\n", strings.Join(to, ",\r\n\t"))
	l.field(w, "Subject", fmt.Sprintf("Report Domain: %s Submitter: %s Report-ID: <%s@%s>", l.domain, l.Organization, l.id, l.Hostname))
	l.field(w, "Date", l.date.Format(message.DateFormat))
	l.field(w, "Message-ID", "<"+l.id+"@"+l.Hostname+">")
	l.field(w, "Auto-Submitted", "auto-generated") // RFC 3834 5: no answers, please
	if l.kind == TLS {
		l.field(w, "TLS-Report-Domain", l.domain) // RFC 8460 5.3
		l.field(w, "TLS-Report-Submitter", string(l.Organization))
		l.field(w, "TLS-Required", "No") // RFC 8460 3: it is sent in spite of what it tells; RFC 8689 5
	}
	l.field(w, "MIME-Version", "1.0")
}

// field writes a field. Its value is ours, or a domain: FormatField takes it.
func (l *letter) field(w *bytes.Buffer, name, value string) {
	if f, err := message.FormatField(name, value); err == nil {
		w.Write(f)
	}
}

// text is the part for people.
func (l *letter) text() string {
	what := "how mail with senders at %[1]s arrived here (DMARC, RFC 7489)"
	if l.kind == TLS {
		what = "how mail from here to %[1]s was encrypted (RFC 8460)"
	}
	from, to := time.Unix(l.begin, 0).UTC(), time.Unix(l.end, 0).UTC()
	return crlf(fmt.Sprintf("This is a report for programs on "+what+",\nfrom %[2]s to %[3]s.\n\nIt was made by %[4]s because %[1]s asks for it in the DNS.\nQuestions: %[5]s\n",
		l.domain, from.Format(time.DateTime), to.Format(time.DateTime+" MST"), l.Hostname, l.Contact))
}

// tooLarge writes the message that tells of a report over all size limits (RFC 7489
// 7.2.2).
func (l *letter) tooLarge(size int) []byte {
	var w bytes.Buffer
	l.top(&w)
	l.field(&w, "Content-Type", "text/plain; charset=utf-8")
	uris := make([]string, len(l.to))
	for i, a := range l.to {
		uris[i] = "mailto:" + a.String()
	}
	fmt.Fprintf(&w, "\r\nReport-Date: %s\r\nReport-Domain: %s\r\nReport-ID: %s\r\nReport-Size: %d\r\nSubmitter: %s\r\nSubmitting-URI: %s\r\n\r\nThe report is larger than each of these places takes.\r\n",
		l.date.Format(message.DateFormat), l.domain, l.id, size, l.Organization, strings.Join(uris, ","))
	return w.Bytes()
}

// pack compresses a file (RFC 1952).
func pack(file []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(file); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// writeBase64 writes lines of 76 octets (RFC 2045 6.8).
func writeBase64(w *bytes.Buffer, b []byte) {
	const line = 57
	for len(b) > 0 {
		n := min(len(b), line)
		w.WriteString(base64.StdEncoding.EncodeToString(b[:n]) + "\r\n")
		b = b[n:]
	}
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
