package message

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxToken bounds one tag or run of text of HTML.
const maxToken = 1 << 20

// htmlText returns the text of HTML, at most limit octets: without markup, white
// space collapsed, a line for each block.
func htmlText(r io.Reader, limit int) string {
	z := html.NewTokenizer(r)
	z.SetMaxBuf(maxToken)
	t := textWriter{limit: limit}
	for len(t.out) < limit && t.token(z) {
	}
	return t.String()
}

// token adds the text of the next token; false at the end, and when a token is too
// long.
func (t *textWriter) token(z *html.Tokenizer) bool {
	switch z.Next() {
	case html.ErrorToken:
		return false
	case html.TextToken:
		if t.hidden == 0 {
			t.text(string(z.Text()))
		}
	case html.StartTagToken:
		name, _ := z.TagName()
		t.start(atom.Lookup(name))
	case html.SelfClosingTagToken:
		name, _ := z.TagName()
		t.block(atom.Lookup(name))
	case html.EndTagToken:
		name, _ := z.TagName()
		t.end(atom.Lookup(name))
	}
	return true
}

// textWriter collects the text of HTML.
type textWriter struct {
	out    []byte
	limit  int
	hidden atom.Atom // the element that we are in whose text is not shown
}

func (t *textWriter) String() string {
	return clip(toUTF8(strings.TrimSpace(string(t.out))), t.limit)
}

func (t *textWriter) start(tag atom.Atom) {
	switch tag {
	case atom.Script, atom.Style, atom.Title, atom.Template, atom.Noscript:
		if t.hidden == 0 {
			t.hidden = tag
		}
	}
	t.block(tag)
}

func (t *textWriter) end(tag atom.Atom) {
	if tag != 0 && tag == t.hidden {
		t.hidden = 0
	}
	t.block(tag)
}

// block begins a new line where a browser would.
func (t *textWriter) block(tag atom.Atom) {
	switch tag {
	case atom.Br, atom.P, atom.Div, atom.Tr, atom.Li, atom.Ul, atom.Ol, atom.Table, atom.Blockquote, atom.Pre, atom.Hr,
		atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Section, atom.Article, atom.Header, atom.Footer:
		t.newline()
	case atom.Td, atom.Th:
		t.space()
	}
}

func (t *textWriter) newline() {
	if n := len(t.out); n > 0 && t.out[n-1] == ' ' {
		t.out = t.out[:n-1]
	}
	if n := len(t.out); n > 0 && t.out[n-1] != '\n' {
		t.out = append(t.out, '\n')
	}
}

func (t *textWriter) space() {
	if n := len(t.out); n > 0 && t.out[n-1] != '\n' && t.out[n-1] != ' ' {
		t.out = append(t.out, ' ')
	}
}

// text adds text with its white space collapsed.
func (t *textWriter) text(s string) {
	for len(s) > 0 && len(t.out) < t.limit+utf8Max {
		i := strings.IndexAny(s, " \t\r\n\f")
		if i < 0 {
			i = len(s)
		}
		t.out = append(t.out, s[:i]...)
		if i == len(s) {
			return
		}
		t.space()
		s = strings.TrimLeft(s[i:], " \t\r\n\f")
	}
}

// maxWordToken bounds one tag or run of text of HTML that is read as a whole.
const maxWordToken = 256 << 10

// eachTokenizer calls run with a tokenizer of the HTML that r gives, until it has ended or
// run returns false. A tag that is too long is left out: run is called again for what is
// behind it.
func eachTokenizer(r io.Reader, run func(*html.Tokenizer) bool) {
	for {
		z := html.NewTokenizer(r)
		z.SetMaxBuf(maxWordToken)
		if !run(z) || !errors.Is(z.Err(), html.ErrBufferExceeded) {
			return
		}
		inTag := len(z.Raw()) > 0
		r = io.MultiReader(bytes.NewReader(bytes.Clone(z.Buffered())), r)
		if inTag {
			r = behindTag(r)
		}
	}
}

// behindTag returns r behind the next ">".
func behindTag(r io.Reader) io.Reader {
	block := make([]byte, readBlock)
	for {
		n, err := r.Read(block)
		if i := bytes.IndexByte(block[:n], '>'); i >= 0 {
			return io.MultiReader(bytes.NewReader(block[i+1:n]), r)
		}
		if err != nil {
			return bytes.NewReader(nil)
		}
	}
}
