package message

import (
	"bytes"
	"io"
	"unicode"
	"unicode/utf8"
)

// maxPreview is the length of a preview in characters (RFC 8970 3.1).
const maxPreview = 256

// previewOf returns the preview of a text part from the beginning of its body.
func previewOf(p *Part, raw []byte) []byte {
	text := decodeAll(p.Encoding, raw)
	if !isUnicode(p.Charset) {
		text = convert(p.Charset, text)
	}
	if p.Subtype == "html" {
		if len(raw) >= maxPreviewHTML {
			text = wholeMarkup(text)
		}
		text = []byte(htmlText(bytes.NewReader(text), utf8Max*maxPreview))
	} else if len(text) > 2*utf8Max*maxPreview && isUnicode(p.Charset) {
		text = text[:2*utf8Max*maxPreview]
	}
	if !utf8.Valid(text) {
		text = []byte(toUTF8(trimPartial(string(text))))
	}
	return collapse(text)
}

// maxEntity is more than the longest character reference of HTML has.
const maxEntity = 40

// wholeMarkup cuts the tag or the character reference off that HTML ends in the
// midst of: half of one would be taken for text.
func wholeMarkup(text []byte) []byte {
	if i := bytes.LastIndexByte(text, '<'); i >= 0 && bytes.IndexByte(text[i:], '>') < 0 {
		text = text[:i]
	}
	if i := bytes.LastIndexByte(text, '&'); i >= 0 && len(text)-i <= maxEntity && bytes.IndexByte(text[i:], ';') < 0 {
		text = text[:i]
	}
	return text
}

// isUnicode tells whether text of that charset is UTF-8, or may be taken for it.
func isUnicode(charset string) bool {
	return charset == "" || charset == "utf-8" || charset == "us-ascii" || charset == "utf8" || charset == "ascii"
}

// convert converts text to UTF-8, as far as it goes.
func convert(charset string, text []byte) []byte {
	r, err := charsetReader(charset, bytes.NewReader(text))
	if err != nil {
		return text
	}
	converted, _ := io.ReadAll(r) // what came before an error counts
	return converted
}

// collapse makes one space of white space and control characters, leaves out what
// has no width (senders pad with it), and cuts after maxPreview characters.
func collapse(text []byte) []byte {
	out := make([]byte, 0, min(len(text), 2*maxPreview))
	space := false
	for n := 0; len(text) > 0 && n < maxPreview; {
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		switch {
		case r <= ' ' || r >= 0x7f && (unicode.IsSpace(r) || unicode.IsControl(r)):
			space = len(out) > 0
			continue
		case invisible(r):
			continue
		}
		if space {
			if n++; n == maxPreview {
				break
			}
			out, space = append(out, ' '), false
		}
		out = utf8.AppendRune(out, r)
		n++
	}
	return out
}

// invisible tells whether a character has no width of its own and may be left out.
func invisible(r rune) bool {
	switch {
	case r == 0xad, r == 0x34f, 0x200b <= r && r <= 0x200f, 0x2060 <= r && r <= 0x2064, r == 0xfeff:
		return true
	}
	return false
}
