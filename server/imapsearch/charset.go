package imapsearch

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"
)

// charsets are some of those that searches may be in, for BADCHARSET. Many more
// are known.
const charsets = "US-ASCII UTF-8 ISO-8859-1 ISO-8859-2 ISO-8859-5 ISO-8859-7 ISO-8859-9 ISO-8859-15 WINDOWS-1250 WINDOWS-1251 WINDOWS-1252 " +
	"KOI8-R KOI8-U GB2312 GBK GB18030 BIG5 ISO-2022-JP EUC-JP SHIFT_JIS EUC-KR"

// CharsetError is the error of a CHARSET that nobody here knows: NO with the
// response code Code (RFC 9051 6.4.4).
type CharsetError struct{ Name string }

// Error is the text for the peer.
func (e *CharsetError) Error() string { return "The charset is not known here" }

// Code is the response code, without its brackets.
func (e *CharsetError) Code() string { return "BADCHARSET (" + charsets + ")" }

// decoder converts the strings of a search to UTF-8. That of "" takes UTF-8 as
// it is.
type decoder string

// charset notes the CHARSET of the strings that follow.
func (p *parser) charset(name string) {
	if p.d.Err() != nil {
		return
	}
	switch strings.ToUpper(name) {
	case "UTF-8", "US-ASCII", "UTF8", "ASCII":
		return
	}
	if _, err := charset.Reader(name, strings.NewReader("")); err != nil {
		p.d.FailWith(&CharsetError{Name: clip(name)})
		return
	}
	p.decoder = decoder(name)
}

// decode returns s in UTF-8; ok is false when s is not in the charset.
func (c decoder) decode(s string) (string, bool) {
	if c == "" {
		return s, utf8.ValidString(s)
	}
	r, err := charset.Reader(string(c), strings.NewReader(s))
	if err != nil {
		return "", false
	}
	b, err := io.ReadAll(r)
	return string(b), err == nil && !strings.ContainsRune(string(b), utf8.RuneError)
}
