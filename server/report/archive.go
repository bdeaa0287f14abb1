package report

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"facteur/server/envelope"
	"facteur/server/message"
)

// The bounds of what is unpacked.
const (
	maxPacked   = 10 << 20 // octets of an attachment
	maxUnpacked = 32 << 20 // octets of the file in it: a report is read as it comes, and not held
	maxEntries  = 20       // of a zip file
	maxParts    = 20       // of a message
)

// errNone: a message, or a file, holds no report.
var errNone = errors.New("there is no report in it")

// Parsed is a report that was read: one of the two is set.
type Parsed struct {
	DMARC *Feedback
	TLS   *TLSReport
}

// ReadMessage finds the report in a message and reads it: in an attachment, packed
// with gzip or zip or not at all, or as the whole body.
func ReadMessage(b envelope.Body) (Parsed, error) {
	top, err := message.ReadParts(b, b.Size())
	if err != nil {
		return Parsed{}, err
	}
	failed := errNone
	for _, p := range leaves(nil, top) {
		if !mayHold(p) {
			continue
		}
		r, err := readPart(b, p)
		if err == nil {
			return r, nil
		}
		if !errors.Is(err, errNone) {
			failed = err
		}
	}
	return Parsed{}, failed
}

// leaves lists the parts that hold no others. What is in an enclosed message was not
// sent to us.
func leaves(out []*message.Part, p *message.Part) []*message.Part {
	if p.Encapsulates() || len(out) == maxParts {
		return out
	}
	if !p.Multipart() {
		return append(out, p)
	}
	for _, c := range p.Children {
		out = leaves(out, c)
	}
	return out
}

// mayHold tells whether a part is of a type in which reports come. Of types that say
// nothing the name of the file decides.
func mayHold(p *message.Part) bool {
	switch p.Type + "/" + p.Subtype {
	case "application/gzip", "application/x-gzip", "application/zip", "application/x-zip", "application/x-zip-compressed",
		"application/xml", "text/xml", "application/json", "application/tlsrpt+gzip", "application/tlsrpt+json":
		return true
	}
	name := strings.ToLower(p.FileName)
	for _, end := range []string{".gz", ".gzip", ".zip", ".xml", ".json"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// readPart reads the report in one part.
func readPart(b envelope.Body, p *message.Part) (Parsed, error) {
	var r io.Reader = io.NewSectionReader(b, p.Body, p.End-p.Body)
	switch p.Encoding {
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, r)
	case "quoted-printable":
		r = quotedprintable.NewReader(r)
	}
	return readFile(r)
}

// readFile reads a report, packed or not: what it begins with decides, for types and
// names are often wrong.
func readFile(r io.Reader) (Parsed, error) {
	packed := bufio.NewReader(&limited{r, maxPacked})
	head, _ := packed.Peek(4) // an error comes again below
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}): // RFC 1952 2.3.1
		plain, err := gzip.NewReader(packed)
		if err != nil {
			return Parsed{}, fmt.Errorf("the gzip file is damaged: %w", err)
		}
		return readPlain(plain)
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return readZip(packed)
	}
	return readPlain(packed)
}

// readZip reads the first file of a zip file that holds a report.
func readZip(r io.Reader) (Parsed, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return Parsed{}, err
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return Parsed{}, fmt.Errorf("the zip file is damaged: %w", err)
	}
	failed := errNone
	for _, f := range z.File[:min(len(z.File), maxEntries)] {
		plain, err := f.Open()
		if err != nil {
			failed = err
			continue
		}
		p, err := readPlain(plain)
		plain.Close()
		if err == nil {
			return p, nil
		}
		failed = err
	}
	return Parsed{}, failed
}

// readPlain reads XML or JSON, in UTF-8 or (with its mark) UTF-16.
func readPlain(r io.Reader) (Parsed, error) {
	utf8 := unicode.BOMOverride(transform.Nop)
	plain := bufio.NewReader(transform.NewReader(&limited{r, maxUnpacked}, utf8))
	switch first, err := firstLetter(plain); {
	case err != nil:
		return Parsed{}, err
	case first == '<':
		f, err := ReadFeedback(plain)
		return Parsed{DMARC: f}, err
	case first == '{':
		t, err := ReadTLS(plain)
		return Parsed{TLS: t}, err
	}
	return Parsed{}, errNone
}

// firstLetter skips white space and returns what comes then, without taking it.
func firstLetter(r *bufio.Reader) (byte, error) {
	for {
		c, err := r.ReadByte()
		if err == io.EOF {
			return 0, errNone
		}
		if err != nil {
			return 0, err
		}
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c, r.UnreadByte()
		}
	}
}

// charsetReader decodes XML that is declared to be in another charset. UTF-16 was
// decoded already.
func charsetReader(label string, r io.Reader) (io.Reader, error) {
	if strings.HasPrefix(strings.ToLower(label), "utf-16") {
		return r, nil
	}
	enc, err := htmlindex.Get(label)
	if err != nil {
		return nil, fmt.Errorf("the charset %.40q is not known", label)
	}
	return enc.NewDecoder().Reader(r), nil
}

// limited fails, rather than ends, when more than left octets are read.
type limited struct {
	r    io.Reader
	left int64
}

var errTooLarge = errors.New("the file is larger than it may be")

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		var one [1]byte
		if n, err := l.r.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, errTooLarge
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}
