package message

import (
	"io"
	"mime"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"
	"golang.org/x/text/encoding/charmap"
)

// Values returns the values of all fields of that name, in order, unfolded, with
// their encoded words (RFC 2047) decoded to UTF-8. What can't be decoded stays as
// it is. Raw octets that are not UTF-8 are read as Windows-1252, which is what
// programs that send them mostly mean.
func (h *Header) Values(name string) []string {
	values := h.RawValues(name)
	for i, v := range values {
		values[i] = DecodeText(v)
	}
	return values
}

// Subject returns the decoded Subject, "" when there is none.
func (h *Header) Subject() string { return DecodeText(h.first("Subject")) }

// Date returns the first Date field (RFC 5322 3.3), zero when it is absent or malformed.
func (h *Header) Date() time.Time {
	for i, f := range h.fields {
		if !h.is(i, "Date") {
			continue
		}
		seconds, zone, ok := parseDate(h.raw[f.value:f.end])
		if !ok {
			return time.Time{}
		}
		return time.Unix(seconds, 0).In(time.FixedZone("", 60*int(zone)))
	}
	return time.Time{}
}

// DecodeText decodes the encoded words (RFC 2047) of an unstructured value to
// UTF-8.
func DecodeText(v string) string {
	v = toUTF8(v)
	if !strings.Contains(v, "=?") {
		return v
	}
	decoder := mime.WordDecoder{CharsetReader: charsetReader}
	text, err := decoder.DecodeHeader(v)
	if err != nil {
		return v
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// toUTF8 returns raw 8-bit text as UTF-8.
func toUTF8(v string) string {
	if utf8.ValidString(v) {
		return v
	}
	text, err := charmap.Windows1252.NewDecoder().String(v)
	if err != nil {
		return strings.ToValidUTF8(v, "\uFFFD")
	}
	return text
}

// charsetReader converts a charset to UTF-8. What is in an unknown one is passed
// on, so that its ASCII can be read.
func charsetReader(name string, r io.Reader) (io.Reader, error) {
	converted, err := charset.Reader(name, r)
	if err != nil {
		return r, nil
	}
	return converted, nil
}
