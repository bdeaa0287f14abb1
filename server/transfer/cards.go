package transfer

import (
	"bytes"
	"slices"
	"strings"

	"facteur/server/contentline"
	"facteur/server/vcard"
)

// Cards cuts a text of vCards into objects. Cards of version 3.0 and 4.0 stay as they are;
// those of 2.1, and those that only its rules can read, become 3.0 (RFC 2426). A card
// without a name gets that of its organization, nickname, e-mail address or telephone.
//
// Of several cards with one UID the one with the newest REV counts, or else the first.
func Cards(text []byte) ([]Object, []Problem) {
	var r cardReader
	r.read(physical(plain(text)))
	return r.objects(), r.problems.sorted()
}

type cardReader struct {
	problems problems
	cards    []*vcard.Card
}

// read cuts at BEGIN and END.
func (r *cardReader) read(lines []line) {
	outside := 0
	for i := 0; i < len(lines); {
		if mark, of := marks(lines[i].text); mark == "BEGIN" && of == Card {
			end, ok := endOfCard(lines, i)
			switch {
			case ok:
				r.card(lines[i+1:end-1], lines[i].number)
			case end == len(lines):
				r.problems.add(lines[i].number, "the vCard is left out: the text ends within it")
			default:
				r.problems.add(lines[i].number, "the vCard is left out: it is not closed before line %d", lines[end].number)
			}
			i, outside = end, 0
			continue
		} else if mark == "BEGIN" && of == "VLIST" { // SOGo's, of members that are cards
			end, _ := endOfCard(lines, i)
			r.problems.add(lines[i].number, "a list of SOGo is left out, for no other program knows these: people write to an alias of mail.toml, or programs group by CATEGORIES")
			i, outside = end, 0
			continue
		}
		if s := decode(lines[i].text, ""); strings.TrimSpace(s) != "" {
			if outside == 0 {
				r.problems.add(lines[i].number, "%q stands outside of a vCard", contentline.Clip(s))
			}
			outside++
		}
		i++
	}
}

// endOfCard returns the index after the END of a card that begins at a line, where one that
// stands in it (AGENT) counts; or where a card without one ends.
func endOfCard(lines []line, from int) (end int, ok bool) {
	depth, agent := 1, false
	for i := from + 1; i < len(lines); i++ {
		name, rest := cut(lines[i].text)
		mark, of := marks(lines[i].text)
		switch {
		case mark == "BEGIN" && of == Card && !agent:
			return i, false
		case mark == "BEGIN":
			depth++
		case mark == "END":
			if depth--; depth == 0 {
				return i + 1, true
			}
		}
		if strings.TrimSpace(lines[i].text) != "" {
			_, value, _ := strings.Cut(rest, ":")
			agent = name == "AGENT" && strings.TrimSpace(value) == ""
		}
	}
	return len(lines), false
}

// card reads what stands between BEGIN and END.
func (r *cardReader) card(lines []line, begin int) {
	card, err := readCard(lines, begin)
	if err != nil {
		r.problems.failed(err, nil, begin, "vCard")
		return
	}
	complete(card)
	if err := card.Check(); err != nil {
		r.problems.failed(err, nil, begin, "vCard")
		return
	}
	r.cards = append(r.cards, card)
}

// readCard reads by the rules of 3.0 and 4.0, or those of 2.1. The lines of an error are
// those of the whole text.
func readCard(lines []line, begin int) (*vcard.Card, error) {
	version := versionOf(lines)
	if version != "" && version != "2.1" && !quotedPrintable(lines) {
		text, numbers := joined(unfolded(lines))
		text = append(append([]byte("BEGIN:VCARD\r\n"), text...), "END:VCARD\r\n"...)
		at := places(append([]int{begin}, numbers...))
		var err error
		for card, wrong := range vcard.All(bytes.NewReader(text), contentline.Limits{Line: maxLine}) {
			if err = wrong; err == nil {
				card.Line = begin
				for i := range card.Props {
					card.Props[i].Number = at(card.Props[i].Number)
				}
				return card, nil
			}
		}
		if card, old := readOld(lines, begin, version); old == nil {
			return card, nil
		}
		return nil, moved(err, at)
	}
	return readOld(lines, begin, version)
}

func versionOf(lines []line) string {
	for _, l := range lines {
		if name, rest := cut(l.text); name == "VERSION" && rest != "" {
			return strings.TrimSpace(rest[1:])
		}
	}
	return ""
}

func quotedPrintable(lines []line) bool {
	return slices.ContainsFunc(lines, func(l line) bool { return encodingOf(l.text) == "QUOTED-PRINTABLE" })
}

// complete gives a card the name and the UID that it has to have (RFC 6352 5.1).
func complete(c *vcard.Card) {
	if strings.TrimSpace(c.Value("FN")) == "" { // Google writes an empty one
		if name := nameFor(c); name != "" {
			c.Props = slices.DeleteFunc(c.Props, func(p vcard.Prop) bool { return p.Name == "FN" })
			c.Props = slices.Insert(c.Props, min(1, len(c.Props)), vcard.Prop{Name: "FN", Value: contentline.EscapeText(name)})
		}
	}
	if strings.TrimSpace(c.Value("UID")) != "" {
		return
	}
	c.Props = slices.DeleteFunc(c.Props, func(p vcard.Prop) bool { return p.Name == "UID" })
	uid := derivedUID(canonicalCard(c))
	c.Props = slices.Insert(c.Props, min(1, len(c.Props)), vcard.Prop{Name: "UID", Value: uid})
}

// nameFor makes a name to show of what there is.
func nameFor(c *vcard.Card) string {
	n := contentline.Split(c.Value("N"), ';')
	for len(n) < 5 {
		n = append(n, "")
	}
	var words []string
	for _, part := range []string{n[1], n[2], n[0], n[4]} {
		if part = strings.TrimSpace(strings.Join(contentline.SplitText(part), " ")); part != "" {
			words = append(words, part)
		}
	}
	if len(words) > 0 {
		return strings.Join(words, " ")
	}
	for _, name := range []string{"NICKNAME", "ORG", "EMAIL", "TEL", "IMPP", "URL", "NOTE"} {
		value := contentline.Text(contentline.Split(c.Value(name), ';')[0])
		if value, _, _ = strings.Cut(strings.TrimSpace(value), "\n"); value != "" {
			return value
		}
	}
	return ""
}

// canonicalCard is a card without what differs from export to export.
func canonicalCard(c *vcard.Card) []byte {
	same := vcard.Card{Props: slices.DeleteFunc(slices.Clone(c.Props), func(p vcard.Prop) bool {
		return p.Name == "REV" || p.Name == "PRODID"
	})}
	return same.Append(nil)
}

// objects leaves one card of a UID.
func (r *cardReader) objects() []Object {
	at := make(map[string]int)
	var kept []*vcard.Card
	for _, c := range r.cards {
		i, ok := at[c.UID()]
		switch {
		case !ok:
			at[c.UID()] = len(kept)
			kept = append(kept, c)
		case bytes.Equal(canonicalCard(c), canonicalCard(kept[i])):
		default:
			loser, winner := c, kept[i]
			if c.Value("REV") > kept[i].Value("REV") {
				loser, winner = kept[i], c
			}
			kept[i] = winner
			r.problems.add(loser.Line, "the vCard is left out: line %d has another one with its UID %q, which is no older", winner.Line, contentline.Clip(c.UID()))
		}
	}
	var out []Object
	for _, c := range kept {
		data := c.Append(nil)
		if len(data) > maxObject {
			r.problems.add(c.Line, "the vCard is left out: it has more than %d octets", maxObject)
			continue
		}
		out = append(out, Object{Kind: Card, UID: c.UID(), Data: data, Line: c.Line})
	}
	return out
}
