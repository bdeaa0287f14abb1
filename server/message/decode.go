package message

import (
	"errors"
	"io"

	"golang.org/x/text/transform"
)

// Decoded returns the body of p, in the message that r reads, without its
// content-transfer-encoding (RFC 2045 6; BINARY of RFC 3516). What does not belong
// there is passed over, as RFC 2045 6.7 and 6.8 say. ok is false when the encoding
// is unknown; body is then as it came.
func (p *Part) Decoded(r io.ReaderAt) (body io.Reader, ok bool) {
	raw := io.NewSectionReader(r, p.Body, p.End-p.Body)
	t, ok := decoderOf(p.Encoding)
	if t == nil || p.Multipart() || p.Encapsulates() { // RFC 2045 6.4: these are not encoded
		return raw, ok
	}
	return transform.NewReader(raw, t), true
}

// Encoded tells whether Decoded gives other octets than the body's.
func (p *Part) Encoded() bool {
	t, _ := decoderOf(p.Encoding)
	return t != nil && !p.Multipart() && !p.Encapsulates()
}

// DecodedSize returns how many octets Decoded gives; it reads an encoded body for
// that, and holds none of it. ok is false when the encoding is unknown.
func (p *Part) DecodedSize(r io.ReaderAt) (size int64, ok bool, err error) {
	body, ok := p.Decoded(r)
	if !ok || !p.Encoded() {
		return p.End - p.Body, ok, nil
	}
	size, err = io.Copy(io.Discard, body)
	return size, true, err
}

// decoderOf returns what undoes an encoding, nil when there is nothing to do.
func decoderOf(encoding string) (t transform.Transformer, known bool) {
	switch encoding {
	case "7bit", "8bit", "binary":
		return nil, true
	case "base64":
		return new(base64Decoder), true
	case "quoted-printable":
		return qpDecoder{}, true
	}
	return nil, false
}

// base64Decoder decodes base64 (RFC 2045 6.8). Other characters are ignored; padding
// ends a group, and decoding goes on behind it, for some programs join texts.
type base64Decoder struct {
	bits  uint32
	count int // characters in bits
}

func (d *base64Decoder) Reset() { *d = base64Decoder{} }

func (d *base64Decoder) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		if len(dst)-nDst < 3 {
			return nDst, nSrc, transform.ErrShortDst
		}
		if d.count == 0 { // whole groups
			n, m := decodeGroups(dst[nDst:], src[nSrc:])
			nDst, nSrc = nDst+n, nSrc+m
			if nSrc == len(src) || len(dst)-nDst < 3 {
				continue
			}
		}
		c := src[nSrc]
		nSrc++
		if c == '=' {
			nDst += d.flush(dst[nDst:])
			continue
		}
		v := base64Values[c]
		if v > 63 {
			continue
		}
		d.bits = d.bits<<6 | uint32(v)
		if d.count++; d.count == 4 {
			dst[nDst], dst[nDst+1], dst[nDst+2] = byte(d.bits>>16), byte(d.bits>>8), byte(d.bits)
			nDst += 3
			d.bits, d.count = 0, 0
		}
	}
	if atEOF {
		if len(dst)-nDst < 3 && d.count > 1 {
			return nDst, nSrc, transform.ErrShortDst
		}
		nDst += d.flush(dst[nDst:])
	}
	return nDst, nSrc, nil
}

// decodeGroups decodes groups of four characters up to the first other one.
func decodeGroups(dst, src []byte) (nDst, nSrc int) {
	for len(src)-nSrc >= 4 && len(dst)-nDst >= 3 {
		g := src[nSrc : nSrc+4]
		a, b, c, e := base64Values[g[0]], base64Values[g[1]], base64Values[g[2]], base64Values[g[3]]
		if a|b|c|e > 63 {
			break
		}
		dst[nDst], dst[nDst+1], dst[nDst+2] = a<<2|b>>4, b<<4|c>>2, c<<6|e
		nDst, nSrc = nDst+3, nSrc+4
	}
	return nDst, nSrc
}

// flush writes what an incomplete group holds.
func (d *base64Decoder) flush(dst []byte) int {
	n := 0
	switch d.count {
	case 2:
		dst[0], n = byte(d.bits>>4), 1
	case 3:
		dst[0], dst[1], n = byte(d.bits>>10), byte(d.bits>>2), 2
	}
	d.bits, d.count = 0, 0
	return n
}

// base64Values are the values of the characters, 0xff for what is none.
var base64Values = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = byte(i)
	}
	return t
}()

// qpDecoder decodes quoted-printable (RFC 2045 6.7): a "=" that encodes nothing
// stays, white space at the end of a line goes.
type qpDecoder struct{ transform.NopResetter }

// maxBlanks bounds the white space that is looked through for a line end; a line has
// at most 76 octets.
const maxBlanks = 80

func (qpDecoder) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		if nDst == len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		n := 0
		switch c := src[nSrc]; c {
		case '=':
			var b byte
			var out bool
			b, out, n = qpEscape(src[nSrc:], atEOF)
			if n > 0 && out {
				dst[nDst] = b
				nDst++
			}
		case ' ', '\t':
			var blank bool
			if blank, n = qpBlank(src[nSrc:], atEOF); n > 0 && blank {
				dst[nDst] = c
				nDst++
			}
		default:
			dst[nDst], n = c, 1
			nDst++
		}
		if n == 0 {
			return nDst, nSrc, transform.ErrShortSrc
		}
		nSrc += n
	}
	return nDst, nSrc, nil
}

// qpEscape reads what begins with "=": n octets, 0 when more is needed. out tells
// whether they mean b, or nothing.
func qpEscape(v []byte, atEOF bool) (b byte, out bool, n int) {
	if len(v) >= 3 {
		if hi, lo := unhex(v[1]), unhex(v[2]); hi >= 0 && lo >= 0 {
			return byte(hi<<4 | lo), true, 3
		}
	}
	i := 1
	for i < len(v) && i < maxBlanks && isWSP(v[i]) {
		i++
	}
	rest := v[i:]
	switch {
	case i < maxBlanks && lineEnd(rest) > 0: // a soft line break
		return 0, false, i + lineEnd(rest)
	case !atEOF && (len(v) < 3 || i < maxBlanks && len(rest) < 2):
		return 0, false, 0
	case len(rest) == 0 && i < maxBlanks:
		return 0, false, i
	}
	return '=', true, 1
}

// qpBlank reads white space: one octet that stands for itself, or all up to a line
// end; n is 0 when more is needed.
func qpBlank(v []byte, atEOF bool) (keep bool, n int) {
	i := 1
	for i < len(v) && i < maxBlanks && isWSP(v[i]) {
		i++
	}
	rest := v[i:]
	switch {
	case i < maxBlanks && (lineEnd(rest) > 0 || len(rest) == 0 && atEOF):
		return false, i
	case !atEOF && i < maxBlanks && (len(rest) == 0 || len(rest) == 1 && rest[0] == '\r'):
		return false, 0
	}
	return true, 1
}

// decodeAll decodes what is in memory; encodings that are not known stay.
func decodeAll(encoding string, src []byte) []byte {
	t, _ := decoderOf(encoding)
	if t == nil {
		return src
	}
	dst := make([]byte, len(src)+3)
	n, _, err := t.Transform(dst, src, true)
	if err != nil && !errors.Is(err, transform.ErrShortDst) {
		return src
	}
	return dst[:n]
}
