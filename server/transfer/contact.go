package transfer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"facteur/server/contentline"
	"facteur/server/vcard"
)

// contact is a row that becomes a card.
type contact struct {
	name  [5]string
	org   [2]string
	bday  [3]string
	props []vcard.Prop
	many  map[string]*gathered
	order []string
	notes []string
	extra []string // columns that are not known

	dayFirst bool
}

// gathered are the columns of one address, number or mailbox.
type gathered struct {
	name  string
	types []string
	parts [7]string
	label string // an address as a whole, for where there are no parts
}

func (c *contact) add(f field, header, value string) {
	text := contentline.EscapeText(value)
	switch {
	case f.name == ignored, f.name == unlessDefault && defaultValue(value):
	case f.name == "" || f.name == unlessDefault:
		c.extra = append(c.extra, header+": "+value)
	case f.name == "N":
		c.name[f.part] = join(c.name[f.part], value, " ")
	case f.name == "ORG":
		c.org[f.part] = join(c.org[f.part], value, ", ")
	case f.name == "BDAY" && f.part > 0:
		c.bday[f.part-1] = value
	case f.name == "NOTE":
		c.notes = append(c.notes, value)
	case f.name == "CATEGORIES":
		if list := categories(value); len(list) > 0 { // all of Google's are in "* myContacts"
			c.props = append(c.props, vcard.Prop{Name: "CATEGORIES", Value: contentline.JoinText(list)})
		}
	case f.name == "BDAY" || f.name == "X-ANNIVERSARY":
		date, ok := parseDate(value, c.dayFirst)
		switch {
		case ok:
			c.props = append(c.props, vcard.Prop{Name: f.name, Value: date})
		case !defaultValue(value):
			c.extra = append(c.extra, header+": "+value)
		}
	case f.name == "FN":
		c.full(text)
	case f.of != "":
		c.gather(f, value)
	default:
		p := vcard.Prop{Name: f.name, Value: text}
		if f.kind != "" {
			p.Params = []contentline.Param{{Name: "TYPE", Values: strings.Split(f.kind, ",")}}
		}
		c.props = append(c.props, p)
	}
}

// full takes the name to show, of which a card has one. Zimbra's fileAs is the number of a
// rule that makes it of the other columns, or "8:" and the name.
func (c *contact) full(text string) {
	text = strings.TrimPrefix(text, "8:")
	rule := len(text) == 1 && text[0] >= '1' && text[0] <= '8'
	if !rule && !slices.ContainsFunc(c.props, func(p vcard.Prop) bool { return p.Name == "FN" }) {
		c.props = append(c.props, vcard.Prop{Name: "FN", Value: text})
	}
}

func join(a, b, between string) string {
	if a == "" {
		return b
	}
	return a + between + b
}

// gather adds a column to those that make one property.
func (c *contact) gather(f field, value string) {
	g := c.many[f.of]
	if g == nil {
		if c.many == nil {
			c.many = make(map[string]*gathered)
		}
		g = &gathered{}
		c.many[f.of] = g
		c.order = append(c.order, f.of)
	}
	switch {
	case f.name == ":":
		g.types = typesOf(value)
		return
	case f.name == "LABEL":
		g.label = value
		return
	case f.name == "ADR" && f.kind != "" && f.kind != "OTHER":
		g.types = []string{f.kind}
	}
	g.name = f.name
	g.parts[f.part] = join(g.parts[f.part], value, "\n")
}

// typesOf are those of 3.0 for the label of Google's: "* Home", "Work Fax", "Mobile".
func typesOf(label string) (types []string) {
	known := map[string]string{
		"home": "HOME", "domicile": "HOME", "work": "WORK", "bureau": "WORK", "professionnel": "WORK",
		"mobile": "CELL", "fax": "FAX", "pager": "PAGER", "main": "PREF", "*": "PREF",
	}
	for _, word := range strings.Fields(strings.ToLower(label)) {
		if t := known[word]; t != "" && !slices.Contains(types, t) {
			types = append(types, t)
		}
	}
	return types
}

func categories(value string) (out []string) {
	value = strings.ReplaceAll(value, ":::", ";")
	for _, one := range strings.FieldsFunc(value, func(r rune) bool { return r == ';' || r == ',' }) {
		one = strings.TrimSpace(one)
		if one != "" && !strings.HasPrefix(one, "* ") { // of Google itself: "* myContacts"
			out = append(out, one)
		}
	}
	return out
}

// parseDate reads the dates of tables. 3/8/1970 is the 8th of March in some and the 3rd of
// August in others, which those in French are (dayFirst); elsewhere only what can be one
// alone is read.
func parseDate(v string, dayFirst bool) (string, bool) {
	if rest, ok := strings.CutPrefix(v, "--"); ok { // Google: --03-08, without a year
		for _, layout := range []string{"2006-01-02", "2006-0102"} {
			if t, err := time.Parse(layout, "2000-"+rest); err == nil {
				return t.Format("--01-02"), true
			}
		}
	}
	for _, layout := range []string{"2006-01-02", "20060102", "2006/01/02", "02.01.2006", "2006-01-02T15:04:05Z07:00"} {
		if t, err := time.Parse(layout, v); err == nil {
			return t.Format("2006-01-02"), true
		}
	}
	a, errA := time.Parse("1/2/2006", v)
	b, errB := time.Parse("2/1/2006", v)
	switch {
	case errB == nil && dayFirst:
		return b.Format("2006-01-02"), true
	case errA == nil && (errB != nil || a.Equal(b)):
		return a.Format("2006-01-02"), true
	case errB == nil && errA != nil:
		return b.Format("2006-01-02"), true
	}
	return "", false
}

// card makes a card; nil: the row is empty.
func (c *contact) card(number int) *vcard.Card {
	card := &vcard.Card{Line: number, Props: []vcard.Prop{{Name: "VERSION", Value: "3.0"}}}
	add := func(name string, parts []string, types ...string) {
		if strings.Join(parts, "") == "" { // of Google's address that has a type only too
			return
		}
		p := vcard.Prop{Name: name}
		for i, part := range parts {
			parts[i] = contentline.EscapeText(part)
		}
		p.Value = strings.Join(parts, ";")
		if len(types) > 0 {
			p.Params = []contentline.Param{{Name: "TYPE", Values: types}}
		}
		card.Props = append(card.Props, p)
	}
	add("N", c.name[:])
	add("ORG", c.org[:])
	card.Props = append(card.Props, c.props...)
	for _, of := range c.order {
		c.many[of].write(add)
	}
	c.birthday(card)
	if len(c.notes)+len(c.extra) > 0 {
		add("NOTE", []string{strings.Join(append(c.notes, c.extra...), "\n")})
	}
	if len(card.Props) == 1 {
		return nil
	}
	for i := range card.Props {
		card.Props[i].Value = cleaned(card.Props[i].Value)
	}
	return card
}

// write adds the property, or for several values of Google's, several of it.
func (g *gathered) write(add func(name string, parts []string, types ...string)) {
	switch {
	case g.parts == [7]string{}:
		add("ADR", []string{"", "", g.label, "", "", "", ""}, g.types...)
	case g.name == "ADR":
		add("ADR", g.parts[:], g.types...)
	default:
		for _, value := range strings.Split(g.parts[0], ":::") {
			if value = strings.TrimSpace(value); value != "" {
				add(g.name, []string{value}, g.types...)
			}
		}
	}
}

// birthday is that of three columns.
func (c *contact) birthday(card *vcard.Card) {
	if c.bday == [3]string{} {
		return
	}
	text := fmt.Sprintf("%s-%02s-%02s", c.bday[0], c.bday[1], c.bday[2])
	if c.bday[0] == "" {
		text = fmt.Sprintf("--%02s-%02s", c.bday[1], c.bday[2])
	}
	if date, ok := parseDate(text, false); ok {
		card.Props = append(card.Props, vcard.Prop{Name: "BDAY", Value: date})
		return
	}
	c.extra = append(c.extra, "Birthday: "+strings.Trim(strings.Join(c.bday[:], "-"), "-"))
}

// defaultValue tells whether a program writes a value where it has none.
func defaultValue(v string) bool {
	return slices.Contains([]string{"0/0/00", "00/00/00", "Unspecified", "Non spécifié", "Normal", "Normale", "False", "Faux", "FALSE", "FAUX"}, v)
}
