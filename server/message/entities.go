package message

import (
	"io"

	"facteur/server/hook"
)

// entity is a Part with its place in the message.
type entity struct {
	*Part
	depth    int
	enclosed bool // in a message within the message
}

// readEntities returns the parts of the message in their order, itself first.
func (c *Content) readEntities() []entity {
	s := newScanner(c.body, c.body.Size())
	s.bare = true
	root, err := readParts(s)
	if err != nil {
		return nil
	}
	return appendEntities(nil, entity{Part: root})
}

func appendEntities(all []entity, e entity) []entity {
	all = append(all, e)
	for _, child := range e.Children {
		all = appendEntities(all, entity{child, e.depth + 1, e.enclosed || e.Encapsulates()})
	}
	return all
}

// shown tells whether a part is text that a mail client shows.
func (e *entity) shown() bool {
	return e.Type == "text" && e.Disposition != "attachment" && !e.enclosed
}

// textReader returns the body of p without its transfer encoding and in UTF-8, as far
// as its charset is known.
func (p *Part) textReader(r io.ReaderAt) io.Reader {
	body, _ := p.Decoded(r)
	if isUnicode(p.Charset) {
		return body
	}
	converted, err := charsetReader(p.Charset, body)
	if err != nil {
		return body
	}
	return converted
}

// Parts lists the parts of the message, itself first, also those of enclosed messages;
// what is over the limits of ReadParts is not in it.
func (c *Content) Parts() []hook.Part {
	var parts []hook.Part
	for i, e := range c.entities() {
		p := hook.Part{
			Type: e.Type + "/" + e.Subtype, Name: e.FileName, Disposition: e.Disposition, Charset: e.Charset,
			Size: e.End - e.Body, Depth: e.depth,
		}
		if h := c.partHeader(i); h != nil {
			p.ContentID = h.first("Content-ID")
		}
		parts = append(parts, p)
	}
	return parts
}

// PartText returns the decoded body of a part, at most limit octets: text in UTF-8 with
// LF line ends, anything else as it is. "" for a multipart, and when there is no such
// part.
func (c *Content) PartText(part, limit int) string {
	all := c.entities()
	if part < 0 || part >= len(all) || limit <= 0 || all[part].Multipart() {
		return ""
	}
	limit = min(limit, maxText)
	if all[part].Type == "text" {
		return readText(all[part].textReader(c.body), limit)
	}
	body, _ := all[part].Decoded(c.body)
	b, _ := io.ReadAll(io.LimitReader(body, int64(limit))) // what was read before an error counts
	return string(b)
}

// PartHeader returns the decoded value of the first field of that name in the header of a
// part, "" when there is none.
func (c *Content) PartHeader(part int, name string) string {
	if h := c.partHeader(part); h != nil {
		return DecodeText(h.first(name))
	}
	return ""
}

// partHeader is the header of a part.
type partHeader struct {
	part   int
	header *Header
}

// partHeader returns the header of a part, nil when there is none or it is over a limit.
func (c *Content) partHeader(part int) *Header {
	if part == 0 {
		return c.Header
	}
	if last := c.part.Load(); last != nil && last.part == part {
		return last.header
	}
	all := c.entities()
	if part < 0 || part >= len(all) {
		return nil
	}
	e := all[part]
	h, err := ReadHeader(io.NewSectionReader(c.body, e.Start, e.Body-e.Start))
	if err != nil {
		h = nil
	}
	c.part.Store(&partHeader{part, h})
	return h
}
