package imapd

import (
	"bytes"
	"io"
	"strconv"
	"time"

	"facteur/server/imapsearch"
	"facteur/server/imapwire"
	"facteur/server/mailbox"
	"facteur/server/message"
)

// fetcher writes the responses of one FETCH. All that may fail for a message is
// done before its response is begun.
type fetcher struct {
	s       *session
	items   *fetchItems
	entries *mailbox.Entries // nil until it is needed
	fields  []byte           // header fields of the message
	pieces  []piece          // one for each section

	// Of the message at hand.
	rec     *mailbox.Record
	sum     *message.Summary
	content *mailbox.Content
	top     *message.Part // with its header only
	root    *message.Part // with all parts
	reader  rangeReader
}

// piece is the content of a section.
type piece struct {
	source   pieceSource
	from, to int64 // octets of the message, or of fetcher.fields, or of the decoded part
	part     *message.Part
}

type pieceSource uint8

const (
	noPiece     pieceSource = iota // there is no such part: NIL
	fromContent                    // as the message has it
	fromFields                     // made up in fetcher.fields
	fromDecoded                    // a part without its transfer encoding
)

func newFetcher(s *session, items *fetchItems) *fetcher {
	return &fetcher{s: s, items: items, pieces: make([]piece, len(items.sections))}
}

func (f *fetcher) close() {
	f.drop()
	if f.entries != nil {
		f.entries.Close()
	}
}

// drop lets go of the message at hand.
func (f *fetcher) drop() {
	if f.content != nil {
		f.content.Close() // it was only read
	}
	f.sum, f.content, f.top, f.root, f.fields = nil, nil, nil, nil, f.fields[:0]
}

// fetch writes the response for one message.
func (f *fetcher) fetch(place int, r *mailbox.Record) error {
	f.rec = r
	if f.items.needsSummary() || f.items.body || len(f.items.sections) > 0 {
		defer f.drop()
		if err := f.prepare(); err != nil {
			return err
		}
	}
	enc := f.s.enc
	enc.Append(func(dst []byte) []byte {
		dst = f.appendPlain(f.s.appendFetch(dst, place, r))
		if f.items.body {
			dst = append(f.root.AppendBody(append(dst, "BODY "...)), ' ')
		}
		if len(f.items.sections) == 0 {
			dst = endFetch(dst)
		}
		return dst
	})
	for i := range f.items.sections {
		if i > 0 {
			enc.SP()
		}
		f.writeSection(&f.items.sections[i], f.pieces[i])
	}
	if len(f.items.sections) > 0 {
		enc.Raw(")\r\n")
	}
	return nil
}

// appendPlain appends the items that are no content.
func (f *fetcher) appendPlain(dst []byte) []byte {
	items, r, s := f.items, f.rec, f.s
	if items.uid {
		dst = appendNumber(append(dst, "UID "...), uint64(r.UID))
	}
	news := items.reads > 0 && r.ModSeq > s.sel.seen.HighestModSeq() && !s.sel.knows(r)
	if items.flags || news {
		dst = append(s.appendFlags(append(dst, "FLAGS ("...), r), ") "...)
		s.sel.note(r)
		delete(s.sel.held, r.UID)
	}
	if items.modseq || news && s.has(condstore) {
		dst = appendModSeq(dst, r.ModSeq)
	}
	if items.date {
		dst = appendTime(append(dst, "INTERNALDATE "...), r.InternalDate)
	}
	if items.size {
		dst = appendNumber(append(dst, "RFC822.SIZE "...), uint64(r.Size()))
	}
	if items.saveDate {
		dst = append(dst, "SAVEDATE "...)
		if r.SaveDate == 0 { // RFC 8514 4
			dst = append(dst, "NIL "...)
		} else {
			dst = appendTime(dst, r.SaveDate)
		}
	}
	if items.threadID {
		dst = append(dst, "THREADID NIL "...) // RFC 8474 5.3
	}
	if f.sum != nil {
		dst = f.appendSummary(dst)
	}
	return dst
}

func appendTime(dst []byte, seconds uint32) []byte {
	return append(imapwire.AppendDateTime(dst, time.Unix(int64(seconds), 0).UTC()), ' ')
}

// appendSummary appends the items that the cache has in wire form.
func (f *fetcher) appendSummary(dst []byte) []byte {
	if f.items.envelope {
		dst = append(append(append(dst, "ENVELOPE "...), f.sum.Envelope...), ' ')
	}
	if f.items.bodyExt {
		dst = append(append(append(dst, "BODYSTRUCTURE "...), f.sum.BodyStructure...), ' ')
	}
	if f.items.emailID {
		dst = append(dst, "EMAILID ("...)
		dst = append(append(dst, imapsearch.EmailID(f.sum.EmailID)...), ") "...)
	}
	if f.items.preview {
		dst = append(dst, "PREVIEW "...)
		dst = append(imapwire.AppendString(dst, string(f.sum.Preview), f.s.enc.UTF8()), ' ')
	}
	return dst
}

// writeSection writes an item with content.
func (f *fetcher) writeSection(item *fetchSection, p piece) {
	enc := f.s.enc
	enc.Raw(item.label)
	size := p.to - p.from
	switch {
	case item.form == binarySize:
		enc.SP().Number(uint64(size))
	case p.source == noPiece:
		enc.Raw(" NIL")
	case p.source == fromFields:
		enc.Append(func(dst []byte) []byte {
			dst = strconv.AppendInt(append(dst, " {"...), size, 10)
			dst = append(dst, "}\r\n"...)
			dst = append(dst, f.fields[p.from:p.to]...)
			noNUL(dst[len(dst)-int(size):])
			return dst
		})
	case item.form == binarySection: // it may hold NUL (RFC 3516 4.4)
		enc.SP().Literal8(size, f.open(p, true))
	default:
		enc.SP().Literal(size, f.open(p, false))
	}
}

// open returns the octets of a piece, with NUL only for binary. A file that is
// served as it is comes as such, so that the kernel may copy it.
func (f *fetcher) open(p piece, binary bool) io.Reader {
	if p.source == fromDecoded {
		body, _ := p.part.Decoded(f.content)
		f.reader = rangeReader{}
		if _, err := io.CopyN(io.Discard, body, p.from); err != nil {
			return errReader{err}
		}
		return body
	}
	f.reader = rangeReader{f.content, p.from, p.to, binary}
	const large = 64 << 10
	if file, ok := f.content.File(); ok && p.to-p.from > large && (binary || !f.hasNUL()) {
		if _, err := file.Seek(p.from, io.SeekStart); err == nil {
			return file
		}
	}
	return &f.reader
}

// hasNUL tells whether the range of f.reader has a NUL.
func (f *fetcher) hasNUL() bool {
	buf := make([]byte, 32<<10)
	for off := f.reader.from; off < f.reader.to; {
		n, err := f.content.ReadAt(buf[:min(int64(len(buf)), f.reader.to-off)], off)
		if bytes.IndexByte(buf[:n], 0) >= 0 {
			return true
		}
		if off += int64(n); err != nil {
			return false // reading it again tells what is wrong
		}
	}
	return false
}

// noNUL replaces NUL, which a literal must not hold (RFC 9051 9, CHAR8) and only
// a message has that came as a literal8 (RFC 3516) or from another program.
// BINARY[] has such messages as they are.
func noNUL(b []byte) {
	for i := bytes.IndexByte(b, 0); i >= 0; {
		b[i] = 0x80
		next := bytes.IndexByte(b[i:], 0)
		if next < 0 {
			return
		}
		i += next
	}
}

// rangeReader reads a range of a message, with NUL only when it is binary.
type rangeReader struct {
	content  io.ReaderAt
	from, to int64
	binary   bool
}

// Read is that of io.Reader.
func (r *rangeReader) Read(p []byte) (int, error) {
	if r.from >= r.to {
		return 0, io.EOF
	}
	n, err := r.content.ReadAt(p[:min(int64(len(p)), r.to-r.from)], r.from)
	if !r.binary {
		noNUL(p[:n])
	}
	r.from += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

// errReader only fails.
type errReader struct{ err error }

// Read is that of io.Reader.
func (r errReader) Read([]byte) (int, error) { return 0, r.err }
