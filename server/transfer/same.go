package transfer

import (
	"bytes"
	"slices"

	"facteur/server/ical"
	"facteur/server/vcard"
)

// AsIs returns the object that a text is, when it is one that can be kept as it stands,
// with CRLF.
func AsIs(text []byte) (Object, bool) {
	if len(text) > maxObject {
		return Object{}, false
	}
	if bytes.Count(text, []byte("\n")) != bytes.Count(text, []byte("\r\n")) {
		text = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	}
	if card, err := vcard.ParseBytes(text); err == nil {
		return Object{Kind: Card, UID: card.UID(), Data: text, Line: 1}, card.Check() == nil
	}
	c, err := ical.ParseBytes(text)
	if err != nil || c.Check() != nil {
		return Object{}, false
	}
	for _, child := range c.Children {
		if child.Name != "VTIMEZONE" && child.Value("UID") != "" {
			return Object{Kind: child.Name, UID: child.Text("UID"), Data: text, Line: 1}, true
		}
	}
	return Object{}, false
}

// Same tells whether two texts of objects say the same: all but how lines are folded, when
// they were exported, by which program, and with which time zones that have the same names.
func Same(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, okX := essence(a)
	y, okY := essence(b)
	return okX && okY && slices.EqualFunc(x, y, bytes.Equal)
}

// essence is the parts of an object that matter, sorted.
func essence(text []byte) (parts [][]byte, ok bool) {
	if card, err := vcard.ParseBytes(text); err == nil {
		return [][]byte{canonicalCard(card)}, true
	}
	c, err := ical.ParseBytes(text)
	if err != nil {
		return nil, false
	}
	for _, child := range c.Children {
		if child.Name != "VTIMEZONE" {
			parts = append(parts, canonical(child))
		}
	}
	slices.SortFunc(parts, bytes.Compare)
	return parts, true
}
