package relay

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime/quotedprintable"
	"strings"
	"unicode/utf8"

	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/message"
)

// maxConverted is the size, in octets, up to which a message is converted: it is done
// in memory.
const maxConverted = 32 << 20

// seven is a message without 8-bit content, made when the first server wants it.
type seven struct {
	made  bool
	body  envelope.Body // nil: the message has no 8-bit content
	fault *fault.Fault  // it can't be converted
}

// convertible tells why a server can't get the message for its 8-bit content, or nil.
func (t *transaction) convertible(c *client) *fault.Fault {
	if c.offers("8BITMIME") {
		return nil
	}
	if !t.seven.made {
		t.seven = makeSeven(t.msg.Body)
	}
	return t.seven.fault
}

// body is the message as a server gets it. It must be convertible.
func (t *transaction) body(c *client) envelope.Body {
	if c.offers("8BITMIME") || t.seven.body == nil {
		return t.msg.Body
	}
	return t.seven.body
}

// makeSeven converts a message, if there is anything to convert.
func makeSeven(b envelope.Body) seven {
	eight, err := hasEightBits(b)
	if err != nil {
		return seven{made: true, fault: fault.Wrap(fault.Internal, "The message could not be read", err)}
	}
	if !eight {
		return seven{made: true}
	}
	converted, err := convert(b)
	if err != nil {
		// RFC 3463 3.7: X.6.3 conversion required but not supported
		f := fault.Reply(fault.Unsupported, 554, "5.6.3", "The next server takes plain ASCII only (no 8BITMIME), and this message can't be converted: "+err.Error())
		return seven{made: true, fault: f}
	}
	return seven{made: true, body: converted}
}

// hasEightBits tells whether there is 8-bit content behind the header.
func hasEightBits(b envelope.Body) (bool, error) {
	skip := int64(0)
	if h, err := message.ReadHeader(b); err == nil {
		skip = h.Size()
	}
	r := io.NewSectionReader(b, skip, b.Size()-skip)
	block := make([]byte, 32<<10)
	for {
		n, err := r.Read(block)
		if !isASCII(block[:n]) {
			return true, nil
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// converter writes a message anew in 7 bits (RFC 6152 3, RFC 2045 6): texts in
// quoted-printable, other content in base64. What has no 8-bit content stays as it is,
// to the octet.
type converter struct {
	raw []byte
	out bytes.Buffer
}

// convert returns a message without 8-bit content. Its header is left alone, but for
// the fields that tell the encoding.
func convert(b envelope.Body) (envelope.Body, error) {
	if b.Size() > maxConverted {
		return nil, errors.New("it is too large for that")
	}
	raw, err := io.ReadAll(envelope.NewReader(b))
	if err != nil {
		return nil, errors.New("it could not be read")
	}
	top, err := message.ReadParts(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, errors.New("it could not be read")
	}
	c := &converter{raw: raw}
	if err := c.part(top, true); err != nil {
		return nil, err
	}
	return envelope.Bytes(c.out.Bytes()), nil
}

// part writes a part; top is the message itself.
func (c *converter) part(p *message.Part, top bool) error {
	head, body := c.raw[p.Start:p.Body], c.raw[p.Body:p.End]
	switch {
	case isASCII(body):
		c.out.Write(c.raw[p.Start:p.End])
		return nil
	case p.Multipart() && (p.Subtype == "signed" || p.Subtype == "encrypted"):
		return errors.New("a part of it is signed or encrypted, which would not survive it")
	case p.Multipart() && len(p.Children) > 0 && p.Children[0].Start < p.End: // it has a boundary
		c.header(head, "7bit", body, top)
		return c.children(p)
	case p.Encapsulates():
		c.header(head, "7bit", nil, top)
		return c.part(p.Children[0], true)
	case p.Multipart() || p.Type == "message":
		return errors.New("its structure is not clear")
	case p.Encoding != "7bit" && p.Encoding != "8bit" && p.Encoding != "binary":
		return errors.New("it says of itself to be encoded already, and is not")
	case p.Type == "text":
		c.header(head, "quoted-printable", body, top)
		w := quotedprintable.NewWriter(&c.out)
		w.Write(body) // a bytes.Buffer takes everything
		w.Close()
	default:
		c.header(head, "base64", body, top)
		c.base64(body)
	}
	return nil
}

// children writes the parts of a multipart, and what is around them.
func (c *converter) children(p *message.Part) error {
	at := p.Body
	for _, child := range p.Children {
		c.around(c.raw[at:child.Start])
		if err := c.part(child, false); err != nil {
			return err
		}
		at = child.End
	}
	c.around(c.raw[at:p.End])
	return nil
}

// around writes what nobody reads, between the parts.
func (c *converter) around(b []byte) {
	for _, o := range b {
		if o >= utf8.RuneSelf {
			o = '?'
		}
		c.out.WriteByte(o)
	}
}

func (c *converter) base64(body []byte) {
	const octets = 57 // a line of 76 characters
	for len(body) > 0 {
		n := min(octets, len(body))
		c.out.WriteString(base64.StdEncoding.EncodeToString(body[:n]))
		if body = body[n:]; len(body) > 0 {
			c.out.WriteString("\r\n")
		}
	}
}

// header writes a header with another encoding. A message that is no MIME yet becomes
// it; of what charset it is, only its content can tell (RFC 1428 3).
func (c *converter) header(head []byte, encoding string, body []byte, top bool) {
	mime, typed := false, false
	fields := bytes.TrimSuffix(head, []byte("\r\n"))
	for len(fields) > 0 {
		n := fieldLen(fields)
		name, _, _ := bytes.Cut(fields[:n], []byte(":"))
		switch strings.ToLower(string(bytes.TrimSpace(name))) {
		case "content-transfer-encoding":
			fields = fields[n:]
			continue
		case "mime-version":
			mime = true
		case "content-type":
			typed = true
		}
		c.out.Write(fields[:n])
		fields = fields[n:]
	}
	if top && !mime {
		c.out.WriteString("MIME-Version: 1.0\r\n")
	}
	if !typed && body != nil {
		charset := "unknown-8bit"
		if utf8.Valid(body) {
			charset = "utf-8"
		}
		c.out.WriteString("Content-Type: text/plain; charset=" + charset + "\r\n")
	}
	c.out.WriteString("Content-Transfer-Encoding: " + encoding + "\r\n\r\n")
}

// fieldLen is the length of the first field, its folded lines included.
func fieldLen(b []byte) int {
	n := 0
	for {
		end := bytes.IndexByte(b[n:], '\n')
		if end < 0 {
			return len(b)
		}
		n += end + 1
		if n == len(b) || b[n] != ' ' && b[n] != '\t' {
			return n
		}
	}
}
