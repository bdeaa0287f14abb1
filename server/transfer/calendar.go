package transfer

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"facteur/server/contentline"
	"facteur/server/ical"
)

// Calendar cuts a text of one or several VCALENDAR into objects: all components of a kind
// with the same UID make one, with the time zones that they name. METHOD, and what is of
// the calendar as a whole, is in none of them; the first name and colour are in Info.
//
// Of components for the same instances the one with the greater SEQUENCE counts, then the
// one that was changed last; where they differ in more than when they were exported, the
// other one is a Problem.
func Calendar(text []byte) ([]Object, Info, []Problem) {
	var r calendarReader
	r.read(unfolded(physical(plain(text))))
	return r.objects(), r.info, r.problems.sorted()
}

// calendarReader is a text that is read.
type calendarReader struct {
	problems problems
	info     Info
	head     []line           // of the VCALENDAR that is open
	zones    map[string]*part // and its time zones
	parts    []*part
}

// part is a component right below VCALENDAR.
type part struct {
	*ical.Component
	head   []line
	zones  map[string]*part
	canon  []byte // what makes it the same as another
	number int
}

func (r *calendarReader) read(lines []line) {
	outside, vcalendar := 0, 0 // lines of what is open; 0: nothing
	for i := 0; i < len(lines); {
		l := lines[i]
		mark, of := marks(l.text)
		switch {
		case mark == "BEGIN" && of == "VCALENDAR":
			if vcalendar > 0 {
				r.problems.add(vcalendar, "the VCALENDAR is not closed")
			}
			vcalendar, r.head, r.zones = l.number, nil, make(map[string]*part)
		case vcalendar == 0:
			if outside == 0 {
				r.problems.add(l.number, "%q stands outside of VCALENDAR", contentline.Clip(l.text))
			}
			outside = l.number
			i++
			continue
		case mark == "END" && of == "VCALENDAR":
			vcalendar = 0
		case mark == "BEGIN":
			i = r.component(lines, i, of)
			continue
		case mark == "END":
			r.problems.add(l.number, "END:%s, where no such thing is open", contentline.Clip(of))
		default:
			r.headLine(l)
		}
		outside = 0
		i++
	}
	if vcalendar > 0 {
		r.problems.add(vcalendar, "the text ends within the VCALENDAR")
	}
}

// headLine takes a property of VCALENDAR.
func (r *calendarReader) headLine(l line) {
	name, rest := cut(l.text)
	_, value, _ := strings.Cut(rest, ":")
	switch name {
	case "VERSION", "PRODID", "CALSCALE":
		r.head = append(r.head, l)
	case "NAME", "X-WR-CALNAME":
		if r.info.Name == "" {
			r.info.Name = strings.TrimSpace(contentline.Text(value))
		}
	case "COLOR", "X-APPLE-CALENDAR-COLOR":
		if r.info.Color == "" || name != "COLOR" {
			r.info.Color = strings.TrimSpace(value)
		}
	}
}

// component reads what begins at a line, and returns where to go on.
func (r *calendarReader) component(lines []line, from int, kind string) int {
	open := []string{kind}
	end := from + 1
	for ; end < len(lines) && len(open) > 0; end++ {
		mark, of := marks(lines[end].text)
		// What can stand in no component shows that its end is missing.
		top := of == "VCALENDAR" || mark == "BEGIN" && slices.Contains([]string{"VEVENT", "VTODO", "VJOURNAL", "VTIMEZONE"}, of)
		if mark != "" && top || mark == "END" && of != open[len(open)-1] {
			r.problems.add(lines[from].number, "the %s is left out: it is still open in line %d, which has %s:%s",
				contentline.Clip(kind), lines[end].number, mark, contentline.Clip(of))
			if !top {
				end++
			}
			return end
		}
		switch mark {
		case "BEGIN":
			open = append(open, of)
		case "END":
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		r.problems.add(lines[from].number, "the %s is left out: the text ends within it", contentline.Clip(kind))
		return end
	}
	r.parsed(lines[from:end], kind)
	return end
}

// parsed takes a whole component.
func (r *calendarReader) parsed(lines []line, kind string) {
	number := lines[0].number
	text, numbers := joined(lines)
	if len(text) > maxObject {
		r.problems.add(number, "the %s is left out: it has more than %d octets", kind, maxObject)
		return
	}
	text = append(append([]byte("BEGIN:VCALENDAR\r\n"), text...), "END:VCALENDAR\r\n"...)
	numbers = append([]int{number}, numbers...)
	c, err := ical.ParseLimited(bytes.NewReader(text), contentline.Limits{Line: maxLine})
	if err != nil {
		r.problems.failed(err, places(numbers), number, kind)
		return
	}
	p := &part{Component: c.Children[0], head: r.head, zones: r.zones, number: number}
	renumber(p.Component, places(numbers))
	if kind == "VTIMEZONE" {
		if id := p.Value("TZID"); r.zones[id] == nil {
			r.zones[id] = p
		}
		return
	}
	Mend(p.Component)
	p.canon = canonical(p.Component)
	if strings.TrimSpace(p.Value("UID")) == "" {
		p.Props = slices.DeleteFunc(p.Props, func(p ical.Prop) bool { return p.Name == "UID" })
		p.Props = append([]ical.Prop{{Name: "UID", Value: derivedUID(p.canon)}}, p.Props...)
		p.canon = canonical(p.Component)
	}
	r.parts = append(r.parts, p)
}

// renumber gives all that was read the lines of the whole text.
func renumber(c *ical.Component, at func(line int) int) {
	c.Line = at(c.Line)
	for i := range c.Props {
		c.Props[i].Number = at(c.Props[i].Number)
	}
	for _, child := range c.Children {
		renumber(child, at)
	}
}

// canonical is a component without what differs from export to export.
func canonical(c *ical.Component) []byte {
	same := *c
	same.Props = slices.DeleteFunc(slices.Clone(c.Props), func(p ical.Prop) bool { return p.Name == "DTSTAMP" })
	return same.Append(nil)
}

// objects puts together what has the same UID.
func (r *calendarReader) objects() []Object {
	groups := make(map[string][]*part)
	var order []string
	for _, p := range r.parts {
		key := p.Name + " " + p.Value("UID")
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], p)
	}
	var out []Object
	for _, key := range order {
		group := groups[key]
		if len(group) > 1 { // what can't be kept takes no other's place
			group = slices.DeleteFunc(group, func(p *part) bool { return !r.good([]*part{p}) })
			group = r.distinct(group)
		}
		if len(group) > 0 && r.good(group) {
			out = r.append(out, group)
		}
	}
	return out
}

// distinct leaves one component for the same instances.
func (r *calendarReader) distinct(group []*part) []*part {
	at := make(map[string]int) // RECURRENCE-ID, and its place in out
	var out []*part
	for _, p := range group {
		id := p.Value("RECURRENCE-ID")
		i, ok := at[id]
		if !ok {
			at[id] = len(out)
			out = append(out, p)
			continue
		}
		if bytes.Equal(out[i].canon, p.canon) {
			continue
		}
		loser, winner := p, out[i]
		if newer(p, out[i]) {
			loser, winner = out[i], p
		}
		out[i] = winner
		r.problems.add(loser.number, "the %s is left out: line %d has another one with its UID %q, which is no older",
			loser.Name, winner.number, contentline.Clip(p.Value("UID")))
	}
	return out
}

// newer compares by SEQUENCE (RFC 5545 3.8.7.4), then by when they were changed.
func newer(a, b *part) bool {
	number := func(p *part) string { // so that shorter numbers are smaller
		digits := strings.TrimLeft(strings.TrimSpace(p.Value("SEQUENCE")), "0")
		return strings.Repeat("0", max(0, 12-len(digits))) + digits
	}
	if c := cmp.Compare(number(a), number(b)); c != 0 {
		return c > 0
	}
	for _, name := range []string{"LAST-MODIFIED", "DTSTAMP"} {
		if c := cmp.Compare(a.Value(name), b.Value(name)); c != 0 {
			return c > 0
		}
	}
	return false
}

// good says whether components can be kept as an object.
func (r *calendarReader) good(group []*part) bool {
	err := calendarOfParts(group).Check()
	if err != nil {
		r.problems.failed(err, nil, group[0].number, group[0].Name)
	}
	return err == nil
}

// append makes an object of components.
func (r *calendarReader) append(out []Object, group []*part) []Object {
	first := group[0]
	data := calendarOfParts(group).Append(nil)
	if len(data) > maxObject {
		r.problems.add(first.number, "the %s is left out: it has more than %d octets", first.Name, maxObject)
		return out
	}
	return append(out, Object{Kind: first.Name, UID: first.Text("UID"), Data: data, Line: first.number})
}

// calendarOfParts puts components into a calendar, that for all instances first, with the
// time zones that they name.
func calendarOfParts(group []*part) *ical.Calendar {
	first := group[0]
	group = slices.SortedStableFunc(slices.Values(group), func(a, b *part) int {
		return cmp.Compare(a.Value("RECURRENCE-ID"), b.Value("RECURRENCE-ID"))
	})
	c := &ical.Calendar{Component: ical.Component{Name: "VCALENDAR", Line: first.number, Props: headProps(first.head)}}
	seen := make(map[string]bool)
	for _, p := range group {
		p.eachZone(func(id string) {
			if z := p.zones[id]; z != nil && !seen[id] {
				c.Children = append(c.Children, z.Component)
			}
			seen[id] = true
		})
	}
	for _, p := range group {
		c.Children = append(c.Children, p.Component)
	}
	return c
}

// eachZone calls f with each name of a time zone in a component.
func (p *part) eachZone(f func(id string)) {
	var walk func(c *ical.Component)
	walk = func(c *ical.Component) {
		for _, prop := range c.Props {
			if id := prop.Param("TZID"); id != "" {
				f(id)
			}
		}
		for _, child := range c.Children {
			walk(child)
		}
	}
	walk(p.Component)
}

// headProps are those of a VCALENDAR, VERSION among them in any case.
func headProps(head []line) []ical.Prop {
	var props []ical.Prop
	has := make(map[string]bool)
	for _, l := range head {
		name, rest := cut(l.text)
		_, value, _ := strings.Cut(rest, ":")
		if !has[name] {
			has[name] = true
			props = append(props, ical.Prop{Name: name, Value: value, Number: l.number})
		}
	}
	if !has["VERSION"] {
		props = append([]ical.Prop{{Name: "VERSION", Value: "2.0"}}, props...)
	}
	if !has["PRODID"] {
		props = append(props, ical.Prop{Name: "PRODID", Value: "-//facteur//facteur//EN"})
	}
	return props
}
