package message

import (
	"crypto/sha256"
	"hash"
	"io"
	"sync"
)

// Summary is what an index keeps of a message.
type Summary struct {
	// Size is the number of octets.
	Size int64
	// EmailID is the first half of the SHA-256 of the octets (RFC 8474 4).
	EmailID [16]byte
	// SentDate is the Date field in seconds since 1970, 0 when there is none that
	// can be read.
	SentDate int64
	// SentZone is the zone of the Date field, in minutes east of UTC.
	SentZone int16
	// Envelope is ENVELOPE, with its parentheses (RFC 9051 7.5.2).
	Envelope []byte
	// BodyStructure is BODYSTRUCTURE, with its parentheses.
	BodyStructure []byte
	// Fields holds the listed fields of the header, as they came and in their order.
	Fields []byte
	// FieldsOmitted tells that the listed fields are too long to be kept: the header
	// must be read instead.
	FieldsOmitted bool
	// Preview is the beginning of the text (RFC 8970): at most 256 characters of
	// UTF-8, with its white space collapsed.
	Preview []byte
	// Attachments tells whether a part is an attachment or has a file name.
	Attachments bool
}

// hashes are those not in use.
var hashes = sync.Pool{New: func() any { return sha256.New() }}

// Summarize reads a message once, through a window of bounded size, and returns its
// Summary, whose memory is its own. The message has CRLF line ends. The error is that
// of reading.
func Summarize(r io.ReaderAt, size int64) (Summary, error) {
	sum := Summary{Size: size}
	s := newScanner(r, size)
	defer s.release()
	s.summary = &summarizer{sum: &sum}
	s.hash = hashes.Get().(hash.Hash)
	defer hashes.Put(s.hash)
	s.hash.Reset()
	root, _ := s.entity("text/plain", 0, true)
	if s.err != nil {
		return Summary{}, s.err
	}
	var digest [sha256.Size]byte
	copy(sum.EmailID[:], s.hash.Sum(digest[:0]))
	sum.Envelope = root.envelope
	sum.BodyStructure = root.AppendBodyStructure(make([]byte, 0, s.wire+64*s.entities))
	sum.Attachments = root.hasAttachment()
	return sum, nil
}

// hasAttachment tells whether p or a part in it is an Attachment.
func (p *Part) hasAttachment() bool {
	if p.Attachment() {
		return true
	}
	for _, c := range p.Children {
		if c.hasAttachment() {
			return true
		}
	}
	return false
}

// summarizer takes what a Summary needs while a message is scanned.
type summarizer struct {
	sum   *Summary
	room  int    // octets of the part that are still taken
	raw   []byte // what was taken
	tries int    // parts
}

// header takes the header of the message, which has size octets.
func (m *summarizer) header(h *Header, kinds []fieldKind, size int64) {
	omitted := int64(len(h.raw)) != size // it is over a limit
	if !omitted {
		var ok bool
		m.sum.Fields, ok = appendListed(make([]byte, 0, min(len(h.raw), maxListedFields)), h, kinds)
		omitted = !ok
	}
	if omitted {
		m.sum.Fields, m.sum.FieldsOmitted = nil, true
	}
	for i, f := range h.fields {
		if kinds[i] != kindDate {
			continue
		}
		if seconds, zone, ok := parseDate(h.raw[f.value:f.end]); ok {
			m.sum.SentDate, m.sum.SentZone = seconds, zone
		}
		break
	}
}

// How much of a part the preview is made of, and of how many parts.
const (
	maxPreviewText = 8 << 10
	maxPreviewHTML = 64 << 10
	maxPreviews    = 8
)

// begin is called before the body of a leaf is read.
func (m *summarizer) begin(p *Part) {
	if p.Type != "text" || p.Disposition == "attachment" || len(m.sum.Preview) > 0 || m.tries == maxPreviews {
		return
	}
	m.tries++
	m.raw = m.raw[:0]
	if m.room = maxPreviewText; p.Subtype == "html" {
		m.room = maxPreviewHTML
	}
}

// capture is called with each piece of a body.
func (m *summarizer) capture(piece []byte) {
	if m.room == 0 {
		return
	}
	n := min(m.room, len(piece))
	m.raw = append(m.raw, piece[:n]...)
	m.room -= n
}

// finish is called behind the body of a leaf.
func (m *summarizer) finish(p *Part) {
	if len(m.raw) > 0 && len(m.sum.Preview) == 0 {
		m.sum.Preview = previewOf(p, m.raw)
	}
	m.room, m.raw = 0, m.raw[:0]
}
