package transfer

import (
	"encoding/base64"
	"errors"
	"io"
	"mime/quotedprintable"
	"slices"
	"strings"

	"facteur/server/contentline"
	"facteur/server/vcard"
)

// readOld reads a card by the rules of vCard 2.1 (versit, 18 September 1996), which are
// those of 3.0 with types without a name, quoted-printable, character sets, and no escape
// but that of the semicolon. The card has version 3.0. With another version the values are
// escaped as that version has it, and only all else is as in 2.1.
func readOld(lines []line, begin int, version string) (*vcard.Card, error) {
	escaped := version != "" && version != "2.1"
	if !escaped {
		version = "3.0"
	}
	card := &vcard.Card{Line: begin, Props: []vcard.Prop{{Name: "VERSION", Value: version}}}
	for i := 0; i < len(lines); {
		if strings.TrimSpace(lines[i].text) == "" {
			i++
			continue
		}
		l, next := oldLine(lines, i)
		if mark, _ := marks(l.text); mark != "" {
			i = next
			continue // the ends of an AGENT, which agentOf took
		}
		p, err := oldProp(l, escaped)
		if err != nil {
			return nil, err
		}
		if p.Name == "AGENT" && strings.TrimSpace(p.Value) == "" {
			p.Value, next = agentOf(lines, next)
		}
		if p.Name != "VERSION" {
			card.Props = append(card.Props, p)
		}
		i = next
	}
	return card, nil
}

// oldLine joins what belongs to the line at an index, and returns the index after it:
// lines that begin with white space, what follows the soft line break of quoted-printable,
// and base64 up to an empty line.
func oldLine(lines []line, i int) (line, int) {
	l := lines[i]
	encoding := encodingOf(l.text)
	quoted, binary := encoding == "QUOTED-PRINTABLE", encoding == "BASE64" || encoding == "B"
	var b strings.Builder
	last := l.text
	for i++; i < len(lines); i++ {
		next := lines[i].text
		switch {
		case quoted && strings.HasSuffix(last, "="):
			b.WriteString(strings.TrimSuffix(last, "="))
		case binary && (folds(next) || next != "" && !strings.ContainsAny(next, ":;")):
			b.WriteString(last)
			next = strings.TrimSpace(next)
		case folds(next) && strings.TrimSpace(next) != "":
			b.WriteString(last)
			next = next[1:]
		default:
			b.WriteString(last)
			return line{b.String(), l.number}, i
		}
		last = next
	}
	b.WriteString(last)
	return line{b.String(), l.number}, i
}

// encodingOf returns how the value of a line is encoded, in upper case.
func encodingOf(text string) string {
	head, _, _ := cutHead(text)
	for _, one := range strings.Split(head, ";")[1:] {
		name, value, named := strings.Cut(strings.TrimSpace(one), "=")
		if !named {
			name, value = kindOfParam(name)
		}
		if strings.EqualFold(strings.TrimSpace(name), "ENCODING") {
			return strings.ToUpper(strings.Trim(value, `"`))
		}
	}
	return ""
}

// oldProp reads a line.
func oldProp(l line, escaped bool) (p vcard.Prop, err error) {
	head, value, ok := cutHead(l.text)
	if !ok {
		return p, contentline.Errorf(l.number, "there is no name of a property with a colon in %q", contentline.Clip(decode(l.text, "")))
	}
	params := strings.Split(decode(head, ""), ";")
	p = vcard.Prop{Name: strings.TrimSpace(params[0]), Number: l.number}
	if group, name, ok := strings.Cut(p.Name, "."); ok {
		p.Group, p.Name = group, name
	}
	p.Name = strings.ToUpper(p.Name)
	if p.Name == "BEGIN" || p.Name == "END" || !isName(p.Name) || p.Group != "" && !isName(p.Group) {
		return p, contentline.Errorf(l.number, "%q is no name of a property", contentline.Clip(p.Name))
	}
	encoding, charset := encodingOf(l.text), ""
	var types []string
	for _, one := range params[1:] {
		name, v, named := strings.Cut(strings.TrimSpace(one), "=")
		if !named {
			name, v = kindOfParam(name)
		}
		v = strings.Trim(cleaned(v), `"`)
		switch name = strings.ToUpper(strings.TrimSpace(name)); {
		case name == "ENCODING":
		case name == "CHARSET":
			charset = v
		case name == "TYPE":
			types = append(types, strings.Split(v, ",")...)
		case isName(name):
			p.Params = append(p.Params, param(name, v))
		}
	}
	if len(types) > 0 {
		p.Params = append(p.Params, contentline.Param{Name: "TYPE", Values: types})
	}
	err = setValue(&p, value, encoding, charset, escaped)
	return p, err
}

// cutHead cuts at the first colon that is in no quotes.
func cutHead(s string) (head, value string, ok bool) {
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ':' && !quoted:
			return s[:i], s[i+1:], true
		}
	}
	return strings.Cut(s, ":") // quotes that do not close
}

func isName(s string) bool {
	return s != "" && strings.Trim(strings.ToUpper(s), "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

func param(name, value string) contentline.Param {
	return contentline.Param{Name: name, Values: []string{value}}
}

// kindOfParam tells of which parameter a value is that stands without a name.
func kindOfParam(v string) (name, value string) {
	switch strings.ToUpper(v) {
	case "QUOTED-PRINTABLE", "BASE64", "8BIT", "7BIT":
		return "ENCODING", v
	case "INLINE", "URL", "CONTENT-ID", "CID":
		return "VALUE", v
	}
	return "TYPE", v
}

// setValue decodes a value and writes it as 3.0 has it.
func setValue(p *vcard.Prop, value, encoding, charset string, escaped bool) error {
	switch encoding {
	case "BASE64", "B":
		data := strings.Join(strings.Fields(value), "")
		if _, err := base64.StdEncoding.DecodeString(data); err != nil {
			return contentline.Errorf(p.Number, "the base64 of %s is damaged", p.Name)
		}
		p.Params = append(p.Params, param("ENCODING", "b"))
		p.Value = data
		return nil
	case "QUOTED-PRINTABLE":
		octets, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(value)))
		if err != nil {
			return contentline.Errorf(p.Number, "the quoted-printable of %s is damaged: %v", p.Name, errors.Unwrap(err))
		}
		value = string(octets)
	}
	value = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(decode(value, charset))
	if escaped {
		p.Value = cleaned(strings.ReplaceAll(value, "\n", `\n`))
		return nil
	}
	p.Value = escapeOld(p.Name, value)
	return nil
}

// escapeOld escapes a value of 2.1 (where the escape of a semicolon is the only one) as
// RFC 2426 2.4.2 wants it.
func escapeOld(name, value string) string {
	if slices.Contains([]string{"GEO", "PHOTO", "LOGO", "SOUND", "KEY", "REV", "BDAY", "TZ", "URL"}, name) {
		return cleaned(strings.ReplaceAll(value, "\n", ""))
	}
	parts := []string{value}
	if structured := slices.Contains([]string{"N", "ADR", "ORG"}, name) || strings.HasPrefix(name, "X-"); structured {
		parts = contentline.Split(value, ';')
	}
	for i, part := range parts {
		part = strings.NewReplacer(`\;`, ";", `\:`, ":").Replace(part)
		if name == "CATEGORIES" {
			parts[i] = strings.NewReplacer(`\`, `\\`, "\n", `\n`, ";", ",").Replace(part)
		} else {
			parts[i] = contentline.EscapeText(part)
		}
		parts[i] = cleaned(parts[i])
	}
	return strings.Join(parts, ";")
}

// agentOf takes the card that follows AGENT, as the value that 3.0 has for it (RFC 2426
// 3.5.4), and returns the index after it.
func agentOf(lines []line, from int) (value string, end int) {
	var text []string
	for i := from; i < len(lines); i++ {
		text = append(text, cleaned(decode(lines[i].text, "")))
		if mark, of := marks(lines[i].text); mark == "END" && of == Card {
			return contentline.EscapeText(strings.Join(text, "\n")), i + 1
		}
	}
	return "", from
}

// moved gives an error of a parser the line of the whole text.
func moved(err error, at func(int) int) error {
	var e *contentline.Error
	if errors.As(err, &e) {
		return &contentline.Error{Line: at(e.Line), Text: e.Text, Err: e.Err}
	}
	return err
}
