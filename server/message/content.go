package message

import (
	"errors"
	"io"
	"strings"

	gomessage "github.com/emersion/go-message"

	"facteur/server/address"
	"facteur/server/envelope"
)

// The limits within which the text of a message is looked for.
const (
	maxDepth   = 20
	maxParts   = 1000
	maxScanned = 16 << 20 // octets of the message
)

// Content is a message as scripts see it: its header, and its body when asked for.
type Content struct {
	*Header
	body envelope.Body
}

// NewContent returns the Content of a whole message with its header.
func NewContent(h *Header, b envelope.Body) *Content { return &Content{Header: h, body: b} }

// ReadContent reads the header of a whole message.
func ReadContent(b envelope.Body) (*Content, error) {
	h, err := ReadHeader(b)
	if err != nil {
		return nil, err
	}
	return NewContent(h, b), nil
}

// Body returns the whole message.
func (c *Content) Body() envelope.Body { return c.body }

// Addresses returns the addresses in all fields of that name, as far as they can
// be read.
func (c *Content) Addresses(name string) []address.Address {
	addresses, _ := c.Header.Addresses(name)
	return addresses
}

// Text returns the text of the message in UTF-8 with LF line ends, at most limit
// octets: the first text/plain part, or the first text/html part without its
// markup. Attachments and enclosed messages are not looked into. "" when there is
// no text, or none within 16 MiB, 1,000 parts and 20 levels.
func (c *Content) Text(limit int) string {
	if limit <= 0 {
		return ""
	}
	limit = min(limit, maxScanned)
	rest := c.body.Size() - c.Size()
	body := io.NewSectionReader(c.body, c.Size(), min(rest, maxScanned))
	var header gomessage.Header
	for _, name := range []string{"Content-Type", "Content-Transfer-Encoding", "Content-Disposition"} {
		if v := c.first(name); v != "" {
			header.Set(name, v)
		}
	}
	w := textWalk{limit: limit}
	entity, err := gomessage.New(header, body)
	if usable(err) {
		w.entity(entity, 0)
	}
	if w.plain == "" {
		return w.html
	}
	return w.plain
}

// usable tells whether go-message returned an entity: it does for unknown
// charsets and encodings too.
func usable(err error) bool {
	return err == nil || gomessage.IsUnknownCharset(err) || gomessage.IsUnknownEncoding(err)
}

// errFound ends a walk.
var errFound = errors.New("found")

// textWalk looks for the text of a message.
type textWalk struct {
	limit       int
	parts       int
	plain, html string
}

func (w *textWalk) entity(e *gomessage.Entity, depth int) error {
	if w.parts++; w.parts > maxParts || depth > maxDepth {
		return errFound
	}
	if parts := e.MultipartReader(); parts != nil {
		return w.multipart(parts, depth)
	}
	if disposition, _, _ := e.Header.ContentDisposition(); disposition == "attachment" {
		return nil
	}
	mediaType, _, err := e.Header.ContentType()
	switch {
	case mediaType == "text/plain" || mediaType == "" || err != nil: // RFC 2045 5.2
		w.plain = readText(e.Body, w.limit)
		if w.plain != "" {
			return errFound
		}
	case mediaType == "text/html" && w.html == "":
		w.html = htmlText(e.Body, w.limit)
	}
	return nil
}

func (w *textWalk) multipart(parts gomessage.MultipartReader, depth int) error {
	for {
		part, err := parts.NextPart()
		if !usable(err) {
			return nil // the end, or malformed: what was found is what there is
		}
		if err := w.entity(part, depth+1); err != nil {
			return err
		}
	}
}

// readText reads at most limit octets of text; an error ends it.
func readText(r io.Reader, limit int) string {
	var b strings.Builder
	cut := 2*int64(limit) + utf8Max             // there may be a CR before each LF
	n, _ := io.Copy(&b, io.LimitReader(r, cut)) // what was read before an error counts
	text := b.String()
	if n == cut {
		text = trimPartial(text)
	}
	return clip(toUTF8(text), limit)
}

const utf8Max = 4

// clip gives text LF line ends and cuts it at a character.
func clip(s string, limit int) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	if len(s) > limit {
		s = trimPartial(s[:limit])
	}
	return s
}

// trimPartial drops a character that was cut at the end of s.
func trimPartial(s string) string {
	for i := len(s) - 1; i >= 0 && i >= len(s)-utf8Max; i-- {
		switch c := s[i]; {
		case c < 0x80:
			return s
		case c >= 0xc0: // the first octet of a character
			n := 2
			if c >= 0xe0 {
				n++
			}
			if c >= 0xf0 {
				n++
			}
			if len(s)-i < n {
				return s[:i]
			}
			return s
		}
	}
	return s
}
