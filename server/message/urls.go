package message

import (
	"bufio"
	"errors"
	"io"
	"strings"

	"golang.org/x/net/html"
)

// The bounds of what URLs returns.
const (
	maxURLs = 1000
	maxURL  = 2048 // octets; a longer one is cut
)

// URLs lists the web addresses (http and https) in the text parts of the message and in
// the links, images and forms of its HTML, each once, in their order, at most 1,000.
// Attachments and enclosed messages are not looked into, nor is more than 16 MiB of text.
func (c *Content) URLs() []string { return c.urls() }

func (c *Content) readURLs() []string {
	f := urlFinder{seen: make(map[string]bool)}
	room := int64(maxText)
	for _, e := range c.entities() {
		if !e.shown() || f.full() || room == 0 {
			continue
		}
		r := &io.LimitedReader{R: e.textReader(c.body), N: room}
		if e.Subtype == "html" {
			f.markup(r)
		} else {
			size := e.End - e.Body
			if !isUnicode(e.Charset) { // it grows
				size *= utf8Max
			}
			f.lines(r, int(min(MaxPiece, size+1)))
		}
		room = r.N
	}
	return f.urls
}

// urlFinder collects web addresses.
type urlFinder struct {
	urls []string
	seen map[string]bool
}

func (f *urlFinder) full() bool { return len(f.urls) >= maxURLs }

func (f *urlFinder) add(url string) {
	if len(url) > maxURL {
		url = trimPartial(url[:maxURL])
	}
	url = toUTF8(url)
	if !f.full() && !f.seen[url] {
		f.seen[url] = true
		f.urls = append(f.urls, url)
	}
}

// lines adds the addresses in a text. A line is looked at in pieces of size octets; an
// address that lies across two is cut.
func (f *urlFinder) lines(r io.Reader, size int) {
	in := bufio.NewReaderSize(r, size)
	for !f.full() {
		line, err := in.ReadSlice('\n')
		f.text(string(line))
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// text adds the addresses in a piece of text.
func (f *urlFinder) text(s string) {
	for !f.full() {
		at := indexScheme(s)
		if at < 0 {
			return
		}
		s = s[at:]
		end := strings.IndexFunc(s, endsURL)
		if end < 0 {
			end = len(s)
		}
		if url := trimURL(s[:end]); !strings.HasSuffix(url, "//") {
			f.add(url)
		}
		s = s[end:]
	}
}

// indexScheme returns where "http://" or "https://" stands, -1: nowhere.
func indexScheme(s string) int {
	for from := 0; ; {
		i := strings.Index(s[from:], "://")
		if i < 0 {
			return -1
		}
		i += from
		for _, scheme := range []string{"https", "http"} {
			if start := i - len(scheme); start >= 0 && strings.EqualFold(s[start:i], scheme) {
				return start
			}
		}
		from = i + 3
	}
}

// endsURL tells whether a character can't be in an address that stands in a text (RFC 3986
// 2, appendix C).
func endsURL(r rune) bool {
	return r <= ' ' || r == 0x7f || r == 0xa0 || strings.ContainsRune("<>\"`{}|\\^", r)
}

// trimURL takes off what belongs to the sentence around an address: punctuation, and a
// closing bracket that was not opened within it.
func trimURL(s string) string {
	for len(s) > 0 {
		switch last := s[len(s)-1]; last {
		case '.', ',', ';', ':', '!', '?', '\'', '*', '_':
		case ')':
			if strings.Count(s, "(") >= strings.Count(s, ")") {
				return s
			}
		case ']':
			if strings.Count(s, "[") >= strings.Count(s, "]") {
				return s
			}
		default:
			return s
		}
		s = s[:len(s)-1]
	}
	return s
}

// markup adds the addresses in HTML: those of its attributes, and those that its text
// shows.
func (f *urlFinder) markup(r io.Reader) {
	eachTokenizer(r, func(z *html.Tokenizer) bool {
		for !f.full() {
			switch z.Next() {
			case html.ErrorToken:
				return true
			case html.TextToken:
				f.text(string(z.Text()))
			case html.StartTagToken, html.SelfClosingTagToken:
				f.tag(z)
			}
		}
		return false
	})
}

// tag adds the addresses in the attributes of a tag.
func (f *urlFinder) tag(z *html.Tokenizer) {
	_, more := z.TagName()
	for more {
		var name, value []byte
		name, value, more = z.TagAttr()
		switch string(name) {
		case "href", "src", "action", "formaction", "background", "poster", "data":
			f.attribute(string(value))
		}
	}
}

// attribute adds an address that is the value of an attribute. Browsers take white space
// around it off, and line ends and tabs out of it.
func (f *urlFinder) attribute(v string) {
	v = strings.TrimSpace(strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(v))
	if indexScheme(v) == 0 {
		f.add(v)
	}
}
