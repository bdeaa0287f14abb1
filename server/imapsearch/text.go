package imapsearch

import (
	"errors"
	"strings"

	"facteur/server/imapwire"
)

// ParseText reads search keys (RFC 9051 6.4.4) that stand alone, in UTF-8, such as
// `UNSEEN SINCE 1-Nov-2026 FROM "ann@example.org"`. The error names the mistake.
func ParseText(query string) (*Program, error) {
	if strings.ContainsAny(query, "\r\n\x00") {
		return nil, errors.New("search keys stand on one line")
	}
	d := imapwire.NewDecoder(strings.NewReader("x "+query+"\r\n"), imapwire.Options{
		Continue: func(string) error { return errors.New("search keys have no literals") },
	})
	p := parser{d: d}
	d.Tag()
	d.SP()
	program := p.program()
	d.CRLF()
	if err := d.Err(); err != nil {
		return nil, err
	}
	return program, nil
}

// Texts tells whether BODY or TEXT is among the keys, for which messages are read.
func (p *Program) Texts() bool { return p.uses.texts }
