package message

import (
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/hook"
)

// maxText bounds what is decoded of a message for one question.
const maxText = 16 << 20

// Content is a message as scripts see it (hook.Content): its header, and its body
// when asked for. What is costly to find is found once; it must not be changed. All
// methods may be used by several at once. When the body can't be read, it counts as
// empty.
type Content struct {
	*Header
	body envelope.Body

	entities    func() []entity
	attachments func() []hook.Attachment
	urls        func() []string
	nature      func() hook.Nature

	text, html atomic.Pointer[excerpt] // what was asked for last
	part       atomic.Pointer[partHeader]

	mu        sync.Mutex
	addresses map[string][]address.Address // those of some fields
}

// maxCachedFields bounds the fields whose addresses are kept.
const maxCachedFields = 16

// NewContent returns the Content of a whole message with its header.
func NewContent(h *Header, b envelope.Body) *Content {
	c := &Content{Header: h, body: b}
	c.entities = sync.OnceValue(c.readEntities)
	c.attachments = sync.OnceValue(c.readAttachments)
	c.urls = sync.OnceValue(c.readURLs)
	c.nature = sync.OnceValue(c.readNature)
	return c
}

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

// Raw copies the whole message.
func (c *Content) Raw() io.Reader { return envelope.NewReader(c.body) }

// Addresses returns the addresses in all fields of that name, as far as they can
// be read. They must not be changed.
func (c *Content) Addresses(name string) []address.Address {
	c.mu.Lock()
	known, ok := c.addresses[name]
	c.mu.Unlock()
	if ok {
		return known
	}
	addresses, _ := c.Header.Addresses(name)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.addresses == nil {
		c.addresses = make(map[string][]address.Address)
	}
	if len(c.addresses) < maxCachedFields {
		c.addresses[name] = addresses
	}
	return addresses
}

// Text returns the text of the message in UTF-8 with LF line ends, at most limit
// octets: the first text/plain part that is not empty, or the first text/html part
// without its markup. Attachments and enclosed messages are not looked into.
func (c *Content) Text(limit int) string {
	return cached(&c.text, limit, func(limit int) string {
		var markup *Part
		for _, e := range c.entities() {
			switch {
			case !e.shown():
			case e.Subtype == "plain":
				if text := readText(e.textReader(c.body), limit); text != "" {
					return text
				}
			case e.Subtype == "html" && markup == nil:
				markup = e.Part
			}
		}
		if markup == nil {
			return ""
		}
		return htmlText(markup.textReader(c.body), limit)
	})
}

// HTML returns the first text/html part in UTF-8 with LF line ends, at most limit
// octets; attachments and enclosed messages are not looked into.
func (c *Content) HTML(limit int) string {
	return cached(&c.html, limit, func(limit int) string {
		for _, e := range c.entities() {
			if e.shown() && e.Subtype == "html" {
				return readText(e.textReader(c.body), limit)
			}
		}
		return ""
	})
}

// excerpt is the beginning of a text.
type excerpt struct {
	limit int
	text  string
}

// cached returns at most limit octets of what read gives, and remembers it. Scripts ask
// more than once, mostly for the same.
func cached(last *atomic.Pointer[excerpt], limit int, read func(limit int) string) string {
	if limit <= 0 {
		return ""
	}
	limit = min(limit, maxText)
	if e := last.Load(); e != nil && (limit <= e.limit || len(e.text) < e.limit-utf8Max) {
		return clip(e.text, limit)
	}
	e := &excerpt{limit, read(limit)}
	last.Store(e)
	return e.text
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
