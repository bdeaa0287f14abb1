package homes

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"facteur/server/collection"
	"facteur/server/contentline"
	"facteur/server/ical"
	"facteur/server/vcard"
)

// IndexVersion changes with what Index tells, for collection.Options.
const IndexVersion = 4

// The forms of Facts.Props.
const (
	// TagPrefix stands before the schedule tag (RFC 6638 3.2.10) of a calendar object that
	// has an ORGANIZER.
	TagPrefix = "tag="
	// MoreTerms says that an object has values that are not among its terms, so that a search
	// has to look into the object itself.
	MoreTerms   = "*"
	emailPrefix = "EMAIL="
	// namePrefix stands before the name of a card with an address, as it is spelled.
	namePrefix = "name="
)

// The bounds of the terms of an object, in octets: of one, and of all.
const (
	maxTerm  = 256
	maxTerms = 2 << 10
)

// Index reads an object for the index of a collection, as collection.Options.Index has it.
// The error is that of ical.Check or vcard.Check: a *contentline.Error.
//
// Facts.Props has the terms that calendar-query and addressbook-query look at first (Term), and
// of a calendar object with an ORGANIZER, TagPrefix with the schedule tag, and the ids of its
// managed attachments (AttachedIn). With an error it has what may be such (NamesAttached).
func Index(kind collection.Kind, data []byte) (collection.Facts, error) {
	if kind == collection.AddressBook {
		return indexCard(data)
	}
	return indexCalendar(data)
}

func indexCalendar(data []byte) (f collection.Facts, err error) {
	c, err := ical.ParseBytes(data)
	if err == nil {
		err = c.Check()
	}
	if err != nil {
		return perhapsAttached(data), err
	}
	o, err := ical.NewObject(c)
	if err != nil {
		return perhapsAttached(data), err
	}
	f.UID, f.Kind = o.UID, o.Kind
	if f.First, f.Last, f.Infinite = span(o); f.Last.IsZero() || !occurs(o) {
		f.First, f.Last = time.Time{}, time.Time{} // so that a query looks at it itself
	}
	f.Props = calendarTerms(c, o.Kind)
	if tag := scheduleTag(c); tag != "" {
		f.Props = append(f.Props, TagPrefix+tag)
	}
	f.Props = appendAttached(f.Props, c)
	return f, nil
}

// occurs says whether an object has an instance: EXDATE may leave none.
func occurs(o *ical.Object) bool {
	excludes := slices.ContainsFunc(o.Calendar().Children, func(c *ical.Component) bool {
		_, some := c.Prop("EXDATE")
		return some
	})
	if !excludes {
		return true
	}
	list, truncated, err := o.Instances(time.Time{}, time.Time{}, nil, 1)
	return len(list) > 0 || truncated && err == nil
}

// span bounds an object in every time zone, for what floats may be in any: those from UTC+14
// to UTC-12 are in use.
func span(o *ical.Object) (first, last time.Time, infinite bool) {
	first, last, infinite = o.Span(time.FixedZone("", 14*3600))
	lateFirst, lateLast, lateInfinite := o.Span(time.FixedZone("", -12*3600))
	if !first.IsZero() && (lateFirst.IsZero() || lateFirst.Before(first)) {
		first = lateFirst
	}
	if lateLast.After(last) {
		last = lateLast
	}
	return first, last, infinite || lateInfinite
}

// scheduleTag returns a hash of what the people of a meeting have agreed on: it stays the
// same when only the answers of attendees change (RFC 6638 3.2.10). "": nobody organizes it.
func scheduleTag(c *ical.Calendar) string {
	organized := false
	for _, child := range c.Children {
		if _, ok := child.Prop("ORGANIZER"); ok {
			organized = true
		}
	}
	if !organized {
		return ""
	}
	var text []byte
	for _, child := range c.Children {
		text = appendAgreed(text, child)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:12])
}

func appendAgreed(text []byte, c *ical.Component) []byte {
	text = append(append(text, "BEGIN:"...), c.Name...)
	for _, p := range c.Props {
		switch p.Name {
		case "DTSTAMP", "LAST-MODIFIED", "REQUEST-STATUS":
			continue // they come with each answer
		case "ATTENDEE":
			p = p.Without("PARTSTAT", "SCHEDULE-STATUS", "RSVP", "SCHEDULE-FORCE-SEND", "X-FACTEUR-REPLIED") // the last is package itip's
		case "ORGANIZER":
			p = p.Without("SCHEDULE-STATUS", "SCHEDULE-FORCE-SEND")
		}
		text = contentline.Append(text, p)
	}
	for _, child := range c.Children {
		text = appendAgreed(text, child)
	}
	return append(text, "END\n"...)
}

// ScheduleTag returns the schedule tag that the index has of an object, without quotes.
func ScheduleTag(f collection.Facts) (string, bool) {
	for _, p := range f.Props {
		if tag, ok := strings.CutPrefix(p, TagPrefix); ok {
			return tag, true
		}
	}
	return "", false
}

func indexCard(data []byte) (f collection.Facts, err error) {
	c, err := vcard.ParseBytes(data)
	if err != nil {
		return f, err
	}
	if err := c.Check(); err != nil {
		return f, err
	}
	f.UID, f.Kind = c.UID(), "VCARD"
	f.Props = terms(collection.AddressBook, c.Props)
	if name := fullName(c); name != "" && len(name) <= maxTerm && len(c.All("EMAIL")) > 0 {
		f.Props = append(f.Props, namePrefix+name)
	}
	return f, nil
}

// calendarTerms are the terms of an object of one component. Of several, one has to meet all
// conditions of a query, which terms that are not apart can't tell.
func calendarTerms(c *ical.Calendar, kind string) []string {
	var only *ical.Component
	for _, child := range c.Children {
		switch {
		case child.Name != kind:
		case only != nil:
			return []string{MoreTerms}
		default:
			only = child
		}
	}
	if only == nil {
		return []string{MoreTerms}
	}
	return terms(collection.Calendar, only.Props)
}

func terms(kind collection.Kind, props []contentline.Line) (list []string) {
	octets, more := 0, false
	for _, p := range props {
		if !HasTerms(kind, p.Name) {
			continue
		}
		value := contentline.Text(p.Value)
		if p.Name == "EMAIL" && value != strings.TrimSpace(value) {
			more = true // Contact compares terms as they are
		}
		term := Term(p.Name, value)
		if octets += len(term); len(term) > maxTerm || octets > maxTerms {
			more = true
			continue
		}
		list = append(list, term)
	}
	if more {
		list = append(list, MoreTerms)
	}
	return list
}

// HasTerms says whether the values of a property, by its name in upper case, are among the
// terms that the index has of cards or of calendar objects.
func HasTerms(kind collection.Kind, name string) bool {
	if kind == collection.Calendar {
		switch name {
		case "SUMMARY", "LOCATION", "CATEGORIES", "STATUS", "COMPLETED":
			return true
		}
		return false
	}
	switch name {
	case "FN", "N", "NICKNAME", "EMAIL", "TEL", "ORG", "BDAY", "KIND", "X-ADDRESSBOOKSERVER-KIND", "CATEGORIES":
		return true
	}
	return false
}

// Term is how the index has a decoded value of a property: NAME, "=" and contentline.Fold of
// the value. A text is in a value only when its folded form is in that of the value.
func Term(name, value string) string {
	return name + "=" + contentline.Fold(value)
}

// Components is the property of collection.Props.Other that names the components a calendar
// keeps, in upper case with commas between; without it a calendar keeps all (RFC 4791 5.2.3).
const Components = "{urn:ietf:params:xml:ns:caldav}supported-calendar-component-set"

// Defaults are the collections that a new home has, for collection.Options.
func Defaults() []collection.Default {
	return []collection.Default{
		{Name: "calendar", Kind: collection.Calendar, Props: collection.Props{DisplayName: "Calendar", Other: map[string]string{Components: "VEVENT"}}},
		{Name: "tasks", Kind: collection.Calendar, Props: collection.Props{DisplayName: "Tasks", Other: map[string]string{Components: "VTODO"}}},
		{Name: "contacts", Kind: collection.AddressBook, Props: collection.Props{DisplayName: "Contacts"}},
	}
}
