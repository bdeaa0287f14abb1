// Package vcard knows vCards as CardDAV keeps and queries them: version 4.0 (RFC 6350) and
// 3.0 (RFC 2426), the rules for address object resources (RFC 6352 5.1), filters and
// partial retrieval (RFC 6352 10.4, 10.5).
//
// Parse reads a Card, which keeps everything unknown; Check says whether it may be kept.
// Errors name the line. Convert makes the other version of it, as far as the two have the
// same to say: what only one has is kept under the X- names that clients use, where there
// are such.
//
// vCard 2.1 is not read. Nothing here has state.
package vcard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"facteur/server/contentline"
)

// Prop is a property: a content line.
type Prop = contentline.Line

// Card is one vCard.
type Card struct {
	Line  int    // where it begins
	Props []Prop // all between BEGIN and END
}

// What Check finds beside data that are wrong in themselves (the precondition
// valid-address-data): an error wraps one of these.
var (
	// ErrResource is that of data that RFC 6352 5.1 does not let be an object.
	ErrResource = errors.New("it is no address object resource")
	// ErrVersion is that of a version other than 3.0 and 4.0: the precondition
	// supported-address-data.
	ErrVersion = errors.New("only versions 3.0 and 4.0 are known")
)

func failed(cause error, line int, format string, args ...any) error {
	return &contentline.Error{Line: line, Text: fmt.Sprintf(format, args...), Err: cause}
}

// Parse reads one card, and nothing after it. The error is a *contentline.Error, or that
// of r.
func Parse(r io.Reader) (*Card, error) {
	var card *Card
	for c, err := range All(r, contentline.Limits{}) {
		if err != nil {
			return nil, err
		}
		if card != nil {
			return nil, failed(ErrResource, c.Line, "a second vCard begins")
		}
		card = c
	}
	if card == nil {
		return nil, contentline.Errorf(0, "there is no vCard")
	}
	return card, nil
}

// ParseBytes is Parse of octets in memory.
func ParseBytes(text []byte) (*Card, error) { return Parse(bytes.NewReader(text)) }

// All yields the cards of a text, as an export of an address book has them. The first
// error ends it.
func All(r io.Reader, limits contentline.Limits) iter.Seq2[*Card, error] {
	return func(yield func(*Card, error) bool) {
		var card *Card
		last := 0
		for l, err := range contentline.Parse(r, limits) {
			isCard := strings.EqualFold(strings.TrimSpace(l.Value), "VCARD")
			switch {
			case err != nil:
			case l.Name == "BEGIN" && card == nil && isCard:
				card = &Card{Line: l.Number}
			case l.Name == "BEGIN":
				err = contentline.Errorf(l.Number, "BEGIN:%s, where no such thing begins", contentline.Clip(l.Value))
			case card == nil:
				err = contentline.Errorf(l.Number, "%s stands outside of VCARD", contentline.Clip(l.Name))
			case l.Name == "END" && !isCard:
				err = contentline.Errorf(l.Number, "END:%s, but the VCARD of line %d is open", contentline.Clip(l.Value), card.Line)
			case l.Name == "END":
				if !yield(card, nil) {
					return
				}
				card = nil
			default:
				card.Props = append(card.Props, l)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			last = l.Number
		}
		if card != nil {
			yield(nil, contentline.Errorf(last, "the text ends within the VCARD of line %d", card.Line))
		}
	}
}

// Check says whether a card may be kept as an address object resource (RFC 6352 5.1): a
// known version, one UID, and a name. The error is a *contentline.Error. It takes what is
// common and does no harm: a 3.0 without N, a name that is empty.
func (c *Card) Check() error {
	versions, uids := c.All("VERSION"), c.All("UID")
	switch {
	case len(versions) == 0:
		return contentline.Errorf(c.Line, "the vCard has no VERSION")
	case len(versions) > 1:
		return contentline.Errorf(versions[1].Number, "VERSION stands twice, first in line %d", versions[0].Number)
	case c.Version() != "3.0" && c.Version() != "4.0":
		return failed(ErrVersion, versions[0].Number, "there is no VERSION:%s here, only 3.0 and 4.0", contentline.Clip(c.Version()))
	case len(uids) == 0 || strings.TrimSpace(uids[0].Value) == "":
		return failed(ErrResource, c.Line, "the vCard has no UID")
	case len(uids) > 1:
		return failed(ErrResource, uids[1].Number, "UID stands twice, first in line %d", uids[0].Number)
	case len(c.All("FN")) == 0:
		return contentline.Errorf(c.Line, "the vCard has no FN")
	}
	return nil
}

// Version returns the value of VERSION.
func (c *Card) Version() string { return strings.TrimSpace(c.Value("VERSION")) }

// UID returns the value of UID, decoded.
func (c *Card) UID() string { return contentline.Text(c.Value("UID")) }

// Value returns the value of the first property of a name, as it stands; "": none.
func (c *Card) Value(name string) string {
	for _, p := range c.Props {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// All returns the properties of a name in upper case.
func (c *Card) All(name string) []Prop {
	var all []Prop
	for _, p := range c.Props {
		if p.Name == name {
			all = append(all, p)
		}
	}
	return all
}

// Write writes the card, each line folded anew.
func (c *Card) Write(w io.Writer) error {
	_, err := w.Write(c.Append(nil))
	return err
}

// Append appends what Write writes.
func (c *Card) Append(dst []byte) []byte {
	dst = append(dst, "BEGIN:VCARD\r\n"...)
	for _, p := range c.Props {
		dst = contentline.Append(dst, p)
	}
	return append(dst, "END:VCARD\r\n"...)
}

// SelectedProp is a property that a REPORT asks for (RFC 6352 10.4.2).
type SelectedProp struct {
	Name    string // in upper case
	NoValue bool   // its value is left empty
}

// Select returns a card with some properties; VERSION is always one of them.
func (c *Card) Select(props []SelectedProp) *Card {
	out := &Card{Line: c.Line}
	for _, p := range c.Props {
		i := slices.IndexFunc(props, func(s SelectedProp) bool { return s.Name == p.Name })
		if i < 0 && p.Name != "VERSION" {
			continue
		}
		if i >= 0 && props[i].NoValue {
			p.Value = ""
		}
		out.Props = append(out.Props, p)
	}
	return out
}

// Types returns the values of TYPE in lower case, also those that 4.0 has in one quoted
// value.
func Types(p Prop) []string {
	var types []string
	for _, q := range p.Params {
		if q.Name != "TYPE" {
			continue
		}
		for _, v := range q.Values {
			for s := range strings.SplitSeq(strings.ToLower(v), ",") {
				if s = strings.TrimSpace(s); s != "" && !slices.Contains(types, s) {
					types = append(types, s)
				}
			}
		}
	}
	return types
}
