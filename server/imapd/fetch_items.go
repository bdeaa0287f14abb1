package imapd

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"facteur/server/imapwire"
	"facteur/server/message"
)

// What one FETCH may ask of each message: each section reads the message again.
const (
	maxSections   = 100
	maxFieldNames = 1000
	maxPartDepth  = 100
)

// fetchItems is what a FETCH asks of each message (RFC 9051 6.4.5).
type fetchItems struct {
	uid, flags, date, size  bool
	envelope, body, bodyExt bool // BODY, and BODYSTRUCTURE
	modseq                  bool // RFC 7162 3.1.5
	emailID, threadID       bool // RFC 8474 5.3
	saveDate, preview       bool // RFC 8514, RFC 8970
	sections                []fetchSection
	sectionNames, reads     int // field names in all; sections that set \Seen
}

type sectionForm uint8

const (
	literalSection sectionForm = iota // BODY[...]
	binarySection                     // BINARY[...] (RFC 3516 4.2)
	binarySize                        // BINARY.SIZE[...]
)

// fetchSection is an item whose answer is content of the message.
type fetchSection struct {
	form    sectionForm
	section message.Section
	label   string // as it stands in the response
	partial bool
	offset  int64 // octets; with partial
	count   int64
}

// whole tells that the section is the message as it is.
func (f *fetchSection) whole() bool {
	return len(f.section.Path) == 0 && f.section.Kind == message.SectionBody
}

// needsSummary tells that the cache's entry of a message is wanted.
func (f *fetchItems) needsSummary() bool {
	return f.envelope || f.bodyExt || f.emailID || f.preview
}

// parseFetchItems reads the items of a FETCH: a macro, an item or a list.
func parseFetchItems(d *imapwire.Decoder) *fetchItems {
	f := new(fetchItems)
	if d.Try('(') {
		f.parseList(d)
		return f
	}
	word := d.Keyword()
	switch word { // macros (RFC 9051 6.4.5) stand alone
	case "ALL":
		f.flags, f.date, f.size, f.envelope = true, true, true, true
	case "FAST":
		f.flags, f.date, f.size = true, true, true
	case "FULL":
		f.flags, f.date, f.size, f.envelope, f.body = true, true, true, true, true
	default:
		f.parseItem(d, word)
	}
	return f
}

// parseList reads items up to the closing parenthesis. Not by List: only what
// follows the space behind PREVIEW tells whether it has a modifier.
func (f *fetchItems) parseList(d *imapwire.Decoder) {
	for d.Err() == nil {
		word := d.Keyword()
		f.parseItem(d, word)
		if d.Try(')') {
			return
		}
		d.SP()
		if word == "PREVIEW" && d.Peek() == '(' {
			parsePreviewModifier(d)
			if d.Try(')') {
				return
			}
			d.SP()
		}
	}
}

func (f *fetchItems) parseItem(d *imapwire.Decoder, word string) {
	if flag := f.plain(word); flag != nil {
		*flag = true
		return
	}
	switch word {
	case "BODY", "BODY.PEEK":
		if d.Peek() != '[' {
			if word != "BODY" {
				d.Fail("BODY.PEEK needs a section")
			}
			f.body = true
			return
		}
		f.parseSection(d, literalSection, word)
	case "BINARY", "BINARY.PEEK":
		f.parseSection(d, binarySection, word)
	case "BINARY.SIZE":
		f.parseSection(d, binarySize, word)
	case "RFC822":
		f.addLegacy(d, word, message.SectionBody, true)
	case "RFC822.HEADER":
		f.addLegacy(d, word, message.SectionHeader, false)
	case "RFC822.TEXT":
		f.addLegacy(d, word, message.SectionText, true)
	default:
		d.Fail("%s is no FETCH item", word)
	}
}

// plain returns the switch of an item that is only a word.
func (f *fetchItems) plain(word string) *bool {
	switch word {
	case "UID":
		return &f.uid
	case "FLAGS":
		return &f.flags
	case "INTERNALDATE":
		return &f.date
	case "RFC822.SIZE":
		return &f.size
	case "ENVELOPE":
		return &f.envelope
	case "BODYSTRUCTURE":
		return &f.bodyExt
	case "MODSEQ":
		return &f.modseq
	case "EMAILID":
		return &f.emailID
	case "THREADID":
		return &f.threadID
	case "SAVEDATE":
		return &f.saveDate
	case "PREVIEW":
		return &f.preview
	}
	return nil
}

// addLegacy adds an item of RFC 3501 that stands for a section.
func (f *fetchItems) addLegacy(d *imapwire.Decoder, word string, kind message.SectionKind, reads bool) {
	f.add(d, fetchSection{section: message.Section{Kind: kind}, label: word}, reads)
}

func (f *fetchItems) add(d *imapwire.Decoder, section fetchSection, reads bool) {
	f.sections = append(f.sections, section)
	if reads {
		f.reads++
	}
	if len(f.sections) > maxSections {
		d.Fail("This asks for too many sections at once")
	}
}

// parsePreviewModifier reads "(LAZY)" (RFC 8970 4.1). Previews are made with the
// message, so being lazy changes nothing.
func parsePreviewModifier(d *imapwire.Decoder) {
	d.List(func() {
		if word := d.Keyword(); word != "LAZY" {
			d.Fail("%s is no modifier of PREVIEW", word)
		}
	})
}

// parseSection reads "[...]" and a partial range.
func (f *fetchItems) parseSection(d *imapwire.Decoder, form sectionForm, word string) {
	s := fetchSection{form: form}
	base, peek := strings.CutSuffix(word, ".PEEK")
	d.Expect('[')
	var spec string
	if form == literalSection {
		spec = f.parseSpec(d, &s.section)
	} else {
		s.section.Path, spec = parsePartNumber(d)
		if strings.HasSuffix(spec, ".") {
			d.Fail("A part number ends with a number")
		}
	}
	d.Expect(']')
	s.label = base + "[" + spec + "]"
	if form != binarySize && d.Try('<') {
		s.partial = true
		s.offset = int64(d.Number())
		d.Expect('.')
		s.count = int64(d.NzNumber())
		d.Expect('>')
		s.label += "<" + strconv.FormatInt(s.offset, 10) + ">"
	}
	f.add(d, s, !peek && form != binarySize)
}

// parsePartNumber reads a part number, and returns it as it is written too, with
// the dot behind it when one is there.
func parsePartNumber(d *imapwire.Decoder) (path []int, text string) {
	for isDigit(d.Peek()) {
		n := d.NzNumber()
		if n > math.MaxInt32 || len(path) == maxPartDepth {
			d.Fail("There is no such part")
			return nil, ""
		}
		path = append(path, int(n))
		text += strconv.Itoa(int(n))
		if !d.Try('.') {
			break
		}
		text += "."
	}
	return path, text
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// parseSpec reads section-spec (RFC 9051 9), and returns it as the response has it.
func (f *fetchItems) parseSpec(d *imapwire.Decoder, s *message.Section) string {
	path, text := parsePartNumber(d)
	s.Path = path
	if !strings.HasSuffix(text, ".") && (len(path) > 0 || d.Peek() == ']') {
		return text
	}
	word := d.Keyword()
	text += word
	switch word {
	case "HEADER":
		s.Kind = message.SectionHeader
	case "TEXT":
		s.Kind = message.SectionText
	case "MIME":
		if len(path) == 0 {
			d.Fail("MIME needs the number of a part")
		}
		s.Kind = message.SectionMIME
	case "HEADER.FIELDS", "HEADER.FIELDS.NOT":
		s.Kind = message.SectionFields
		if word == "HEADER.FIELDS.NOT" {
			s.Kind = message.SectionFieldsNot
		}
		d.SP()
		s.Names = f.parseNames(d)
		text += " (" + strings.Join(quotedNames(s.Names), " ") + ")"
	default:
		d.Fail("There is no such section")
	}
	return text
}

func (f *fetchItems) parseNames(d *imapwire.Decoder) []string {
	var names []string
	d.List(func() {
		name := d.AString()
		if f.sectionNames++; f.sectionNames > maxFieldNames {
			d.Fail("This asks for too many fields at once")
			return
		}
		if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
			d.Fail("This is no field name")
			return
		}
		names = append(names, name)
	})
	if len(names) == 0 {
		d.Fail("A list of fields must not be empty")
	}
	return names
}

// quotedNames returns field names as astrings (RFC 9051 9, header-fld-name).
func quotedNames(names []string) []string {
	out := slices.Clone(names)
	for i, n := range out {
		if n == "" || strings.ContainsAny(n, "(){%*\"\\ ]") {
			n = strings.ReplaceAll(n, `\`, `\\`)
			out[i] = `"` + strings.ReplaceAll(n, `"`, `\"`) + `"`
		}
	}
	return out
}
