package vcard

import (
	"encoding/base64"
	"slices"
	"strings"

	"facteur/server/contentline"
)

// Convert returns the card in version 3.0 or 4.0, as an address-data element with that
// version asks for it (RFC 6352 5.1.1); itself, where it has that version already.
func (c *Card) Convert(version string) (*Card, error) {
	switch from := c.Version(); {
	case from == version:
		return c, nil
	case from == "3.0" && version == "4.0":
		out := c.convert(version, to4)
		out.joinLabels()
		if order := c.Value("SORT-STRING"); order != "" {
			for i, p := range out.Props {
				if p.Name == "N" {
					out.Props[i] = with(p, "SORT-AS", contentline.Text(order))
				}
			}
		}
		return out, nil
	case from == "4.0" && version == "3.0":
		out := c.convert(version, to3)
		if len(out.All("N")) == 0 { // RFC 2426 3.1.2: it has to be there
			out.Props = append(out.Props, Prop{Name: "N", Value: contentline.EscapeText(contentline.Text(c.Value("FN"))) + ";;;;"})
		}
		return out, nil
	}
	return nil, failed(ErrVersion, c.Line, "a vCard %s can't be made a %s", contentline.Clip(c.Version()), contentline.Clip(version))
}

// convert makes each property what it is in another version, which may be several, or none.
func (c *Card) convert(version string, each func(Prop) []Prop) *Card {
	out := &Card{Line: c.Line, Props: []Prop{{Name: "VERSION", Value: version}}}
	for _, p := range c.Props {
		if p.Name != "VERSION" {
			p.Params = slices.Clone(p.Params)
			out.Props = append(out.Props, each(p)...)
		}
	}
	return out
}

// noAddress says whether nothing stands in an ADR.
func noAddress(p Prop) bool { return p.Name == "ADR" && strings.Trim(p.Value, ";, ") == "" }

// joinLabels gives each label that was a property in 3.0 to the address of its types, where there is one
// (RFC 6350 6.3.1): an address of its own, with nothing in it, would come back as one more each time that
// a card is changed in the other version.
func (c *Card) joinLabels() {
	types := func(p Prop) string { return strings.Join(slices.Sorted(slices.Values(Types(p))), ",") }
	without := make(map[string][]int) // a label, by the types of the address
	for i, p := range c.Props {
		if p.Name == "ADR" && !noAddress(p) && p.Param("LABEL") == "" {
			without[types(p)] = append(without[types(p)], i)
		}
	}
	gone := make(map[int]bool)
	for i, p := range c.Props {
		label := p.Param("LABEL")
		if label == "" || !noAddress(p) {
			continue
		}
		if list := without[types(p)]; len(list) > 0 {
			c.Props[list[0]] = with(c.Props[list[0]], "LABEL", label)
			without[types(p)], gone[i] = list[1:], true
		}
	}
	if len(gone) == 0 {
		return
	}
	left := c.Props[:0]
	for i, p := range c.Props {
		if !gone[i] {
			left = append(left, p)
		}
	}
	c.Props = left
}

// names are properties that 4.0 has, and the names under which clients write them in 3.0.
func names() [][2]string {
	return [][2]string{
		{"KIND", "X-ADDRESSBOOKSERVER-KIND"}, {"MEMBER", "X-ADDRESSBOOKSERVER-MEMBER"}, {"ANNIVERSARY", "X-ANNIVERSARY"},
		{"GENDER", "X-GENDER"}, {"RELATED", "X-RELATED"}, {"LANG", "X-LANG"},
	}
}

// to4 makes a property of 3.0 one of 4.0 (RFC 6350 appendix A).
func to4(p Prop) []Prop {
	for _, n := range names() {
		if p.Name == n[1] {
			p.Name = n[0]
		}
	}
	p = p.Without("CHARSET")
	types := Types(p)
	p = p.Without("TYPE")
	if i := slices.Index(types, "pref"); i >= 0 {
		types = slices.Delete(types, i, i+1)
		p = with(p, "PREF", "1")
	}
	switch p.Name {
	case "PROFILE", "NAME", "SORT-STRING": // the last is a parameter of N
		return nil
	case "PHOTO", "LOGO", "SOUND", "KEY":
		return []Prop{dataURI(p, types)}
	case "EMAIL":
		types = slices.DeleteFunc(types, func(t string) bool { return t == "internet" })
	case "BDAY", "ANNIVERSARY", "REV":
		p = basicDate(p)
	case "GEO":
		if lat, lon, ok := strings.Cut(p.Value, ";"); ok {
			p.Value = "geo:" + lat + "," + lon
		}
	case "TZ":
		if v := p.Value; len(v) == 6 && (v[0] == '+' || v[0] == '-') && v[3] == ':' {
			p = with(p.Without("VALUE"), "VALUE", "utc-offset")
			p.Value = v[:3] + v[4:]
		}
	case "UID":
		if !strings.Contains(p.Value, ":") && p.Param("VALUE") == "" {
			p = with(p, "VALUE", "text") // RFC 6350 6.7.6: else it is a URI
		}
	case "LABEL": // RFC 6350 6.3.1: a parameter of ADR
		p = with(Prop{Group: p.Group, Name: "ADR", Params: p.Params, Value: ";;;;;;"}, "LABEL", contentline.Text(p.Value))
	case "RELATED":
		if !strings.Contains(p.Value, ":") && p.Param("VALUE") == "" {
			p = with(p, "VALUE", "text") // RFC 6350 6.6.6: likewise
		}
	case "X-ABSHOWAS": // Apple's programs have no other kind of an organization
		if strings.EqualFold(p.Value, "COMPANY") {
			p.Name, p.Value = "KIND", "org"
		}
	case "AGENT":
		p.Name, types = "RELATED", append(types, "agent")
		if p.Param("VALUE") == "" {
			p = with(p, "VALUE", "text")
		}
	case "MAILER", "CLASS":
		p.Name = "X-" + p.Name
	}
	if len(types) > 0 {
		p = with(p, "TYPE", types...)
	}
	return []Prop{p}
}

// to3 makes a property of 4.0 one of 3.0.
func to3(p Prop) []Prop {
	types := Types(p)
	if p.Param("PREF") == "1" {
		types = append(types, "pref")
	}
	label, sortAs := p.Param("LABEL"), p.Param("SORT-AS")
	kind := strings.ToLower(p.Param("VALUE"))
	p = p.Without("TYPE", "PREF", "LABEL", "SORT-AS", "ALTID", "PID", "CALSCALE", "GEO", "TZ")
	if kind == "text" || kind == "utc-offset" || kind == "date-and-or-time" {
		p = p.Without("VALUE")
	}
	var more []Prop
	switch p.Name {
	case "CLIENTPIDMAP", "XML":
		return nil
	case "KIND":
		switch strings.ToLower(p.Value) {
		case "individual": // as all that say nothing
			return nil
		case "org":
			p.Name, p.Value = "X-ABSHOWAS", "COMPANY"
		}
	case "PHOTO", "LOGO", "SOUND", "KEY":
		return []Prop{inline(p)}
	case "BDAY", "ANNIVERSARY", "REV":
		p = extendedDate(p)
	case "GEO":
		if at, ok := strings.CutPrefix(p.Value, "geo:"); ok {
			p.Value = strings.Replace(at, ",", ";", 1)
		}
	case "TZ":
		if v := p.Value; kind == "utc-offset" && len(v) == 5 {
			p.Value = v[:3] + ":" + v[3:]
		}
	case "TEL":
		if number, ok := strings.CutPrefix(p.Value, "tel:"); ok {
			p.Value = strings.ReplaceAll(number, ";", `\;`)
			p = p.Without("VALUE")
		}
	case "ADR":
		if label != "" {
			// RFC 6350 6.3.1 writes \n for the end of a line in it, RFC 6868 ^n.
			l := Prop{Group: p.Group, Name: "LABEL", Value: contentline.EscapeText(strings.NewReplacer(`\n`, "\n", `\N`, "\n").Replace(label))}
			if len(types) > 0 {
				l = with(l, "TYPE", types...)
			}
			if noAddress(p) {
				return []Prop{l}
			}
			more = append(more, l)
		}
	case "N":
		if sortAs != "" {
			more = append(more, Prop{Name: "SORT-STRING", Value: contentline.EscapeText(sortAs)})
		}
	}
	for _, n := range names() {
		if p.Name == n[0] {
			p.Name = n[1]
		}
	}
	if len(types) > 0 {
		p = with(p, "TYPE", types...)
	}
	return append([]Prop{p}, more...)
}

func with(p Prop, name string, values ...string) Prop {
	p.Params = append(slices.Clone(p.Params), contentline.Param{Name: name, Values: values})
	return p
}

// media are the types of RFC 2426 with their media types.
func media() [][2]string {
	return [][2]string{
		{"jpeg", "image/jpeg"}, {"png", "image/png"}, {"gif", "image/gif"}, {"webp", "image/webp"}, {"svg+xml", "image/svg+xml"},
		{"basic", "audio/basic"}, {"ogg", "audio/ogg"}, {"pgp", "application/pgp-keys"}, {"x509", "application/pkix-cert"},
	}
}

// dataURI makes data within a card a URI (RFC 6350 6.2.4).
func dataURI(p Prop, types []string) Prop {
	mediaType := ""
	for _, t := range types {
		if t == "jpg" {
			t = "jpeg"
		}
		for _, m := range media() {
			if t == m[0] || t == m[1] {
				mediaType = m[1]
			}
		}
	}
	encoding := strings.ToLower(p.Param("ENCODING"))
	if encoding != "b" && encoding != "base64" {
		if mediaType != "" {
			p = with(p, "MEDIATYPE", mediaType)
		}
		return p
	}
	if mediaType == "" {
		mediaType = sniff(p.Value)
	}
	p = p.Without("ENCODING", "VALUE")
	p.Value = "data:" + mediaType + ";base64," + strings.Join(strings.Fields(p.Value), "")
	return p
}

// sniff returns the media type of data whose type is not told.
func sniff(value string) string {
	head, _ := base64.StdEncoding.DecodeString(value[:min(len(value), 12)])
	switch {
	case strings.HasPrefix(string(head), "\xff\xd8\xff"):
		return "image/jpeg"
	case strings.HasPrefix(string(head), "\x89PNG"):
		return "image/png"
	case strings.HasPrefix(string(head), "GIF8"):
		return "image/gif"
	}
	return "application/octet-stream"
}

// inline makes a data URI data within a card (RFC 2426 3.1.4).
func inline(p Prop) Prop {
	mediaType := p.Param("MEDIATYPE")
	p = p.Without("MEDIATYPE")
	rest, isData := strings.CutPrefix(p.Value, "data:")
	head, data, ok := strings.Cut(rest, ",")
	if head, isBase64 := strings.CutSuffix(head, ";base64"); isData && ok && isBase64 {
		p.Value, mediaType = data, head
		p = with(p.Without("VALUE"), "ENCODING", "b")
	} else if p.Param("VALUE") == "" {
		p = with(p, "VALUE", "uri")
	}
	for _, m := range media() {
		if m[1] == mediaType {
			p = with(p, "TYPE", strings.ToUpper(m[0]))
		}
	}
	return p
}

// noYear is the year that Apple's programs write where none is known.
const noYear = "1604"

// basicDate makes 1996-04-15T10:20:30Z the 19960415T102030Z of 4.0 (RFC 6350 4.3).
func basicDate(p Prop) Prop {
	date, clock, timed := strings.Cut(p.Value, "T")
	if len(date) != 10 || date[4] != '-' || date[7] != '-' {
		return p
	}
	p = p.Without("VALUE")
	p.Value = date[:4] + date[5:7] + date[8:]
	if p.Param("X-APPLE-OMIT-YEAR") == date[:4] {
		p = p.Without("X-APPLE-OMIT-YEAR")
		p.Value = "--" + date[5:7] + date[8:]
	}
	if timed {
		clock = strings.ReplaceAll(clock, ":", "")
		if whole, fraction, ok := strings.Cut(clock, "."); ok { // 4.0 has whole seconds only
			clock = whole + strings.TrimLeft(fraction, "0123456789")
		}
		p.Value += "T" + clock
	}
	return p
}

// extendedDate is the other way. What has no year gets the one that Apple's programs know;
// other parts of dates stay as they are.
func extendedDate(p Prop) Prop {
	date, clock, timed := strings.Cut(p.Value, "T")
	if rest, ok := strings.CutPrefix(date, "--"); ok && len(rest) == 4 && !timed {
		p = with(p, "X-APPLE-OMIT-YEAR", noYear)
		date = noYear + rest
	}
	if len(date) != 8 || strings.Trim(date, "0123456789") != "" {
		return p
	}
	p.Value = date[:4] + "-" + date[4:6] + "-" + date[6:]
	if timed && len(clock) >= 6 {
		p.Value += "T" + clock[:2] + ":" + clock[2:4] + ":" + clock[4:]
	}
	return p
}
