package trial

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"os"
	"slices"
	"strings"
	"time"

	"facteur/server/envelope"
)

// MaxMessage bounds the message of a dry run, in octets.
const MaxMessage = 64 << 20

// Draft is a message to be made.
type Draft struct {
	From, To, Cc string // header fields; "": none
	Subject      string
	Date         time.Time
	ID           string // of Message-ID, without <>
	Header       []Field
	Text, HTML   string
	Files        []File
}

// Field is a header field. Those that Draft has by itself are replaced by a field of
// the same name.
type Field struct {
	Name   string
	Values []string // none: the message has no such field
}

// File is an attachment.
type File struct {
	Name, Type string
	Data       []byte
}

// Bytes returns the message, with CRLF.
func (d Draft) Bytes() []byte {
	var b bytes.Buffer
	d.header(&b)
	inner := d.inner()
	if len(d.Files) == 0 {
		b.Write(inner)
		return crlf(b.Bytes())
	}
	const boundary = "=_files_"
	fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=%q\n\n--%s\n", boundary, boundary)
	b.Write(inner)
	for _, f := range d.Files {
		fmt.Fprintf(&b, "\n--%s\nContent-Type: %s\nContent-Disposition: %s\nContent-Transfer-Encoding: base64\n\n", boundary, f.Type,
			mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}))
		for line := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(f.Data)), 76) {
			b.Write(append(line, '\n'))
		}
	}
	fmt.Fprintf(&b, "\n--%s--\n", boundary)
	return crlf(b.Bytes())
}

// header writes the fields but for those about the content.
func (d Draft) header(b *bytes.Buffer) {
	id := ""
	if d.ID != "" {
		id = "<" + d.ID + ">"
	}
	date := ""
	if !d.Date.IsZero() {
		date = d.Date.Format(time.RFC1123Z)
	}
	own := []Field{
		{"From", []string{d.From}}, {"To", []string{d.To}}, {"Cc", []string{d.Cc}},
		{"Subject", []string{mime.QEncoding.Encode("utf-8", d.Subject)}}, {"Date", []string{date}},
		{"Message-ID", []string{id}}, {"MIME-Version", []string{"1.0"}},
	}
	for _, f := range own {
		given := slices.ContainsFunc(d.Header, func(g Field) bool { return strings.EqualFold(g.Name, f.Name) })
		if f.Values[0] != "" && !given {
			fmt.Fprintf(b, "%s: %s\n", f.Name, f.Values[0])
		}
	}
	for _, f := range d.Header {
		for _, v := range f.Values {
			fmt.Fprintf(b, "%s: %s\n", f.Name, v)
		}
	}
}

// inner is the text in its forms, with its Content-Type.
func (d Draft) inner() []byte {
	typed := slices.ContainsFunc(d.Header, func(f Field) bool { return strings.EqualFold(f.Name, "Content-Type") })
	switch {
	case typed:
		return []byte("\n" + d.Text + "\n")
	case d.HTML == "":
		return textPart("plain", d.Text)
	case d.Text == "":
		return textPart("html", d.HTML)
	}
	const boundary = "=_forms_"
	var b bytes.Buffer
	fmt.Fprintf(&b, "Content-Type: multipart/alternative; boundary=%q\n", boundary)
	fmt.Fprintf(&b, "\n--%s\n%s\n--%s\n%s\n--%s--\n", boundary, textPart("plain", d.Text), boundary, textPart("html", d.HTML), boundary)
	return b.Bytes()
}

func textPart(kind, text string) []byte {
	return []byte("Content-Type: text/" + kind + "; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n" + text + "\n")
}

// crlf gives each line the end that it has on the way (RFC 5322 2.1).
func crlf(raw []byte) []byte {
	raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))
}

// readMessage reads a message of at most limit octets; bare line feeds, as editors
// leave them, become CRLF. name is for errors.
func readMessage(name string, r io.Reader, limit int64) (envelope.Body, error) {
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("%s is larger than %d MB", name, limit>>20)
	}
	return envelope.Bytes(crlf(raw)), nil
}

// OpenMessage reads a message file.
func OpenMessage(path string) (envelope.Body, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readMessage(path, f, MaxMessage)
}
