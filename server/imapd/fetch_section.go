package imapd

import (
	"facteur/server/mailbox"
	"facteur/server/message"
)

// maxHeld bounds the header fields of a message that a FETCH makes up, in octets.
const maxHeld = 4 << 20

var (
	errUnknownCTE     = no("UNKNOWN-CTE", "The part can't be decoded") // RFC 3516 4.3
	errFetchesTooMuch = no("LIMIT", "This asks for too much at once: fetch it in several commands")
)

// prepare reads what the items ask for, up to the content of literals.
func (f *fetcher) prepare() error {
	if f.items.body {
		if _, err := f.parts(); err != nil {
			return err
		}
	}
	for i := range f.items.sections {
		p, err := f.piece(&f.items.sections[i])
		if err != nil {
			return err
		}
		f.pieces[i] = p
		if len(f.fields) > maxHeld {
			return errFetchesTooMuch
		}
	}
	if f.items.needsSummary() {
		return f.summary()
	}
	return nil
}

// summary looks the message up in the cache.
func (f *fetcher) summary() (err error) {
	if f.sum == nil {
		f.sum, err = f.cached().Summary(f.rec)
	}
	return err
}

func (f *fetcher) cached() *mailbox.Entries {
	if f.entries == nil {
		f.entries = f.s.sel.box.Entries()
	}
	return f.entries
}

// load opens the message.
func (f *fetcher) load() (err error) {
	switch {
	case f.content != nil:
	case f.sum == nil:
		f.content, err = f.cached().Open(f.rec)
	default: // the entry has to stay
		f.content, err = f.s.sel.box.Open(f.rec.UID)
	}
	return err
}

// header returns the message as a part without children.
func (f *fetcher) header() (*message.Part, error) {
	if f.root != nil {
		return f.root, nil
	}
	err := f.load()
	if err == nil && f.top == nil {
		f.top, err = message.ReadTop(f.content, f.content.Size())
	}
	return f.top, err
}

// parts returns the message with all its parts.
func (f *fetcher) parts() (*message.Part, error) {
	err := f.load()
	if err == nil && f.root == nil {
		f.root, err = message.ReadParts(f.content, f.content.Size())
	}
	return f.root, err
}

// piece finds the content of a section.
func (f *fetcher) piece(item *fetchSection) (piece, error) {
	var p piece
	var err error
	switch {
	case item.whole():
		if err = f.load(); err == nil {
			p = piece{source: fromContent, to: f.content.Size()}
		}
	case item.form != literalSection:
		p, err = f.decoded(item)
	case item.section.Kind == message.SectionFields || item.section.Kind == message.SectionFieldsNot:
		p, err = f.selected(item)
	default:
		p, err = f.ranged(item)
	}
	if item.partial && err == nil { // RFC 9051 6.4.5: what begins behind the end is empty
		p.from += min(item.offset, p.to-p.from)
		p.to = min(p.to, p.from+item.count)
	}
	return p, err
}

// ranged finds a section that stands in the message as it is.
func (f *fetcher) ranged(item *fetchSection) (p piece, err error) {
	var part *message.Part
	if len(item.section.Path) == 0 {
		part, err = f.header()
	} else {
		part, err = f.parts()
	}
	if err != nil {
		return p, err
	}
	from, to, ok := part.Range(item.section)
	if ok {
		p = piece{source: fromContent, from: from, to: to}
	}
	return p, nil
}

// selected makes up HEADER.FIELDS and HEADER.FIELDS.NOT, from the cache if it has
// the fields.
func (f *fetcher) selected(item *fetchSection) (p piece, err error) {
	from := len(f.fields)
	sec := item.section
	if len(sec.Path) == 0 && sec.Kind == message.SectionFields {
		if err := f.summary(); err != nil {
			return p, err
		}
		var ok bool
		if f.fields, ok = f.sum.AppendFields(f.fields, sec.Names); ok {
			return piece{source: fromFields, from: int64(from), to: int64(len(f.fields))}, nil
		}
		f.fields = f.fields[:from]
	}
	if p, err = f.ranged(item); err != nil || p.source == noPiece {
		return p, err
	}
	part := f.root
	if len(sec.Path) == 0 {
		part = f.top
		if part == nil {
			part = f.root
		}
	}
	f.fields, err = part.AppendSectionFields(f.fields, f.content, sec)
	return piece{source: fromFields, from: int64(from), to: int64(len(f.fields))}, err
}

// decoded finds BINARY[...] and BINARY.SIZE[...].
func (f *fetcher) decoded(item *fetchSection) (p piece, err error) {
	root, err := f.parts()
	if err != nil {
		return p, err
	}
	part := root.Find(item.section.Path)
	if part == nil {
		return p, nil
	}
	size, ok, err := part.DecodedSize(f.content)
	if err != nil {
		return p, err
	}
	if !ok {
		return p, errUnknownCTE
	}
	return piece{source: fromDecoded, to: size, part: part}, nil
}
