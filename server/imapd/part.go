package imapd

import (
	"bufio"
	"bytes"
	"io"
	"mime"
	"strings"

	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/message"
)

// What a message may hold. What is deeper is served as one opaque part, parts
// beyond the limit are not numbered.
const (
	maxDepth = 50
	maxParts = 1000
)

// part is one entity of a message (RFC 2045 2.4): where its header and its body
// lie, as offsets into the message.
type part struct {
	start, body, end int64 // the header is [start, body), the body [body, end)
	lines            int64 // line ends in the body
	kind, subtype    string
	params           map[string]string
	header           *message.Header
	children         []*part // the parts of a multipart, or the message in a message/rfc822
}

func (p *part) multipart() bool { return p.kind == "multipart" }

// encapsulates tells whether the body of p is a message.
func (p *part) encapsulates() bool { return p.kind == "message" && len(p.children) == 1 }

// encoding returns the content-transfer-encoding in lower case (RFC 2045 6.1).
func (p *part) encoding() string {
	v, _, _ := strings.Cut(first(p.header, "Content-Transfer-Encoding"), ";")
	if v = strings.ToLower(strings.TrimSpace(v)); v != "" {
		return v
	}
	return "7bit"
}

// first returns the first value of that name, unfolded, "" when there is none.
func first(h *message.Header, name string) string {
	if v := h.RawValues(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// readHeader reads the header that lies at [from, to). One that is over the
// limits of message counts as empty: it can be fetched as text still.
func readHeader(b envelope.Body, from, to int64) (*message.Header, error) {
	h, err := message.ReadHeader(io.NewSectionReader(b, from, to-from))
	if fault.Is(err, fault.TooLarge) {
		return new(message.Header), nil
	}
	return h, err
}

// parseParts finds the parts of a message in one pass over it.
func parseParts(b envelope.Body) (*part, error) {
	s := &partScanner{b: b, r: bufio.NewReaderSize(envelope.NewReader(b), 32<<10)}
	p, _ := s.entity("text/plain", 0)
	return p, s.err
}

// partScanner reads a message line by line. Delimiters are looked for from the
// innermost multipart outwards, so one that was never closed ends with the one
// around it (RFC 2046 5.1.2).
type partScanner struct {
	b          envelope.Body
	r          *bufio.Reader
	pos        int64 // of the next line
	lines      int64 // line ends before pos
	lastEnd    int64 // where the last line ends without its line end
	middle     bool  // pos is within an over-long line
	blank      bool  // the last line was empty
	boundaries []string
	parts      int
	err        error
}

// delimiter is what ended a body: a delimiter line, or the end of the message.
type delimiter struct {
	level   int // index into boundaries, -1 at the end of the message
	closing bool
	end     int64 // of the body before it; the line end belongs to the delimiter (RFC 2046 5.1.1)
	lines   int64 // line ends before end
}

// line reads the next line, or a piece of one that is over-long. A delimiter
// line is told by d.level >= 0.
func (s *partScanner) line() (d delimiter, ok bool) {
	line, err := s.r.ReadSlice('\n')
	if err != nil && err != bufio.ErrBufferFull && err != io.EOF && s.err == nil {
		s.err = err
	}
	d = delimiter{level: -1, end: s.pos, lines: s.lines}
	if len(line) == 0 {
		return d, false
	}
	s.blank = false
	if !s.middle {
		s.blank = len(bytes.TrimRight(line, "\r\n")) == 0
		if d.level, d.closing = s.match(line); d.level >= 0 && s.lines > 0 {
			d.end, d.lines = s.lastEnd, s.lines-1
		}
	}
	s.pos += int64(len(line))
	s.middle = err == bufio.ErrBufferFull
	if err == nil {
		s.lines++
		s.lastEnd = s.pos - 1
		if bytes.HasSuffix(line, []byte("\r\n")) {
			s.lastEnd--
		}
	}
	return d, true
}

func (s *partScanner) match(line []byte) (level int, closing bool) {
	if !bytes.HasPrefix(line, []byte("--")) {
		return -1, false
	}
	text := string(bytes.TrimRight(line[2:], " \t\r\n"))
	for i := len(s.boundaries) - 1; i >= 0; i-- {
		if rest, ok := strings.CutPrefix(text, s.boundaries[i]); ok && (rest == "" || rest == "--") {
			return i, rest != ""
		}
	}
	return -1, false
}

// skip reads on to the next delimiter.
func (s *partScanner) skip() delimiter {
	for {
		if d, ok := s.line(); !ok || d.level >= 0 {
			return d
		}
	}
}

// entity reads one part and what ended it.
func (s *partScanner) entity(defaultType string, depth int) (*part, delimiter) {
	s.parts++
	p := &part{start: s.pos, header: new(message.Header)}
	for {
		d, ok := s.line()
		if !ok || d.level >= 0 { // a header without a body
			d.end = max(d.end, p.start)
			p.body, p.end = d.end, d.end
			s.readType(p, defaultType)
			return p, d
		}
		if s.blank {
			break
		}
	}
	p.body = s.pos
	bodyLines := s.lines
	s.readType(p, defaultType)
	d := s.content(p, depth)
	d.end = max(d.end, p.body)
	p.end = d.end
	p.lines = max(d.lines-bodyLines, 0)
	if p.multipart() && len(p.children) == 0 { // RFC 9051 9, body-type-mpart: 1*body
		p.children = []*part{{start: p.end, body: p.end, end: p.end, kind: "text", subtype: "plain", header: new(message.Header)}}
	}
	return p, d
}

// content reads the body of p.
func (s *partScanner) content(p *part, depth int) delimiter {
	container := p.multipart() || p.kind == "message" && (p.subtype == "rfc822" || p.subtype == "global")
	switch {
	case container && (depth >= maxDepth || s.parts >= maxParts):
		p.kind, p.subtype, p.params = "application", "octet-stream", nil
		return s.skip()
	case !container:
		return s.skip()
	case !p.multipart():
		child, d := s.entity("text/plain", depth+1)
		p.children = []*part{child}
		return d
	}
	defaultType := "text/plain"
	if p.subtype == "digest" { // RFC 2046 5.1.5
		defaultType = "message/rfc822"
	}
	level := len(s.boundaries)
	s.boundaries = append(s.boundaries, p.params["boundary"])
	d := s.skip() // the preamble
	for d.level == level && !d.closing {
		if s.parts >= maxParts {
			d = s.skip()
			continue
		}
		var child *part
		child, d = s.entity(defaultType, depth+1)
		p.children = append(p.children, child)
	}
	s.boundaries = s.boundaries[:level]
	if d.level == level {
		d = s.skip() // the epilogue
	}
	return d
}

// readType reads the header of p and its Content-Type. One that can't be read is
// text/plain (RFC 2045 5.2).
func (s *partScanner) readType(p *part, defaultType string) {
	h, err := readHeader(s.b, p.start, p.body)
	if err != nil {
		if s.err == nil {
			s.err = err
		}
		h = new(message.Header)
	}
	p.header = h
	value := first(h, "Content-Type")
	if value == "" {
		value = defaultType
	}
	kind, params := parseParams(value)
	major, minor, ok := strings.Cut(kind, "/")
	if !ok || major == "" || minor == "" || major == "multipart" && params["boundary"] == "" {
		major, minor, params = "text", "plain", nil
	}
	if len(params) == 0 && major == "text" {
		params = map[string]string{"charset": "us-ascii"}
	}
	p.kind, p.subtype, p.params = major, minor, params
}

// parseParams reads a value with parameters (RFC 2045 5.1, RFC 2231), leniently.
func parseParams(v string) (string, map[string]string) {
	value, params, err := mime.ParseMediaType(v)
	if err == nil {
		return value, params
	}
	fields := strings.Split(v, ";")
	for _, f := range fields[1:] {
		k, v, ok := strings.Cut(f, "=")
		if k = strings.ToLower(strings.TrimSpace(k)); !ok || k == "" || len(params) >= 100 {
			continue
		}
		if params == nil {
			params = make(map[string]string)
		}
		params[k] = strings.Trim(strings.TrimSpace(v), `"`)
	}
	return strings.ToLower(strings.TrimSpace(fields[0])), params
}
