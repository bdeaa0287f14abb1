package homes

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"facteur/server/collection"
	"facteur/server/contentline"
	"facteur/server/fault"
	"facteur/server/ical"
	"facteur/server/vcard"
)

// cachedCard is what a card tells of a birthday, as long as it has this ETag.
type cachedCard struct {
	etag collection.ETag
	uid  string
	name string
	born birthday
	ok   bool
}

// birthday is a day of the year, and a year where it is known.
type birthday struct {
	year       int // 0: unknown
	month, day int
}

// maxYear is the last year of a birth that is believed.
const maxYear = 2999

// maxTitle bounds the name in the title of an event, in octets.
const maxTitle = 500

// maxCard bounds what is read of a card, in octets: photos are long.
const maxCard = 16 << 20

// birthdays returns the calendar of birthdays, made of the address books in the home when
// these are not as they were last time. The error is NotFound when there never was one.
func (h *Home) birthdays() (*collection.Collection, error) {
	home, err := h.homes.opt.Derived.Home(h.Owner)
	if err != nil {
		return nil, err
	}
	m := h.homes.makers.get("birthdays " + string(h.Owner.Key()))
	m.mu.Lock()
	defer m.mu.Unlock()
	c, openErr := home.Open(birthdaysName)
	books, tokens, err := h.books()
	if of, _ := m.of.(map[string]collection.SyncToken); err == nil && openErr == nil && m.current(c, maps.Equal(of, tokens)) {
		return c, nil
	}
	var want map[string][]byte
	if err == nil {
		want, err = m.birthdayEvents(books)
	}
	if err == nil && fault.Is(openErr, fault.NotFound) && len(want) > 0 {
		c, openErr = openOrMake(home, birthdaysName, collection.Calendar, collection.Props{Other: map[string]string{Components: "VEVENT"}})
	}
	if openErr != nil {
		return nil, openErr
	}
	if err == nil {
		err = m.reconcile(c, want)
	}
	if err != nil {
		h.homes.opt.Log.Warn("homes.birthdays", "owner", h.Owner, "err", err)
		return c, nil // it is tried again when somebody looks again
	}
	m.of = tokens
	return c, nil
}

// books returns the address books that the owner keeps, and their states.
func (h *Home) books() (map[string]*book, map[string]collection.SyncToken, error) {
	all, err := h.store.Collections()
	if err != nil {
		return nil, nil, err
	}
	books, tokens := make(map[string]*book), make(map[string]collection.SyncToken)
	for _, c := range all {
		if c.Kind() != collection.AddressBook {
			continue
		}
		s, err := c.Snapshot()
		if fault.Is(err, fault.NotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, nil, err
		}
		books[c.Name()], tokens[c.Name()] = &book{c, s}, s.Token()
	}
	return books, tokens, nil
}

// book is an address book at one moment.
type book struct {
	*collection.Collection
	snapshot *collection.Snapshot
}

// birthdayEvents returns an event for each card with a birthday. With mu held.
func (m *maker) birthdayEvents(books map[string]*book) (map[string][]byte, error) {
	cards := make(map[string]cachedCard)
	want := make(map[string][]byte)
	for _, name := range sortedKeys(books) {
		for e := range books[name].snapshot.All() {
			if e.Broken || !mayHaveBirthday(e.Facts.Props) {
				continue
			}
			key := name + "/" + e.Href
			card := m.cards[key]
			if card.etag != e.ETag {
				var err error
				if card, err = readBirthday(books[name].Collection, e.Href); err != nil {
					return nil, err
				}
			}
			if cards[key] = card; card.ok {
				id := madeID("birthday", card.uid)
				want[id+".ics"] = birthdayEvent(id, card)
			}
		}
	}
	m.cards = cards
	return want, nil
}

// mayHaveBirthday tells by the index.
func mayHaveBirthday(terms []string) bool {
	return slices.ContainsFunc(terms, func(t string) bool { return t == MoreTerms || strings.HasPrefix(t, "BDAY=") })
}

func readBirthday(c *collection.Collection, href string) (card cachedCard, err error) {
	r, e, err := c.Get(href)
	if fault.Is(err, fault.NotFound) {
		return card, nil // deleted meanwhile
	}
	if err != nil {
		return card, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxCard))
	if err != nil {
		return card, err
	}
	card.etag = e.ETag
	v, err := vcard.ParseBytes(data)
	if err != nil {
		return card, nil // another program is writing it
	}
	card.uid = v.UID()
	card.name = strings.TrimSpace(contentline.Text(v.Value("FN")))
	if card.name == "" {
		card.name = strings.Join(strings.FieldsFunc(contentline.Text(v.Value("N")), func(r rune) bool { return r == ';' || r == ' ' }), " ")
	}
	card.name = strings.ToValidUTF8(card.name[:min(len(card.name), maxTitle)], "")
	for _, p := range v.All("BDAY") {
		if card.born, card.ok = parseBirthday(p); card.ok {
			break
		}
	}
	card.ok = card.ok && card.name != "" && card.uid != ""
	return card, nil
}

// parseBirthday reads a BDAY (RFC 2426 3.1.5, RFC 6350 6.2.5). One without a month and a day
// is none: a year, a text.
func parseBirthday(p vcard.Prop) (b birthday, ok bool) {
	if strings.EqualFold(p.Param("VALUE"), "text") {
		return b, false
	}
	date, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(p.Value)), "T")
	layouts := []string{"2006-01-02", "20060102"}
	if rest, noYear := strings.CutPrefix(date, "--"); noYear { // --0229, and --02-29 of iOS
		date, layouts = "1604"+strings.ReplaceAll(rest, "-", ""), []string{"20060102"} // a leap year
	}
	for _, layout := range layouts {
		t, err := time.Parse(layout, date)
		if err != nil || t.Year() > maxYear {
			continue
		}
		b = birthday{t.Year(), int(t.Month()), t.Day()}
		// Apple has 1604 for a year that is not known, and says so in a parameter.
		if b.year == 1604 || p.Param("X-APPLE-OMIT-YEAR") != "" {
			b.year = 0
		}
		return b, true
	}
	return b, false
}

// birthdayEvent is a day in each year. Who was born on a 29th of February has it on the last
// day of that month. Nothing in it depends on when it is made.
func birthdayEvent(id string, c cachedCard) []byte {
	// Not before 1970, which some clients can't show: the title has the year.
	first := c.born.year
	if first < 1970 {
		first = 1970
	}
	rule := "FREQ=YEARLY"
	if c.born.month == 2 && c.born.day == 29 {
		rule += ";BYMONTH=2;BYMONTHDAY=-1"
		if first%4 != 0 || first%100 == 0 && first%400 != 0 {
			first = 1972
		}
	}
	title := "\U0001F382 " + c.name // a cake, in every language
	if c.born.year != 0 {
		title += fmt.Sprintf(" (%d)", c.born.year)
	}
	start := time.Date(first, time.Month(c.born.month), c.born.day, 0, 0, 0, 0, time.UTC)
	event := ical.Component{Name: "VEVENT", Props: []ical.Prop{
		{Name: "UID", Value: id},
		{Name: "DTSTAMP", Value: "19700101T000000Z"},
		{Name: "DTSTART", Params: dateValue(), Value: start.Format("20060102")},
		{Name: "DTEND", Params: dateValue(), Value: start.AddDate(0, 0, 1).Format("20060102")},
		{Name: "RRULE", Value: rule},
		{Name: "SUMMARY", Value: contentline.EscapeText(title)},
		{Name: "TRANSP", Value: "TRANSPARENT"},
	}}
	calendar := ical.Calendar{Component: ical.Component{Name: "VCALENDAR", Props: []ical.Prop{
		{Name: "VERSION", Value: "2.0"}, {Name: "PRODID", Value: product},
	}, Children: []*ical.Component{&event}}}
	return calendar.Append(nil)
}

func dateValue() []contentline.Param {
	return []contentline.Param{{Name: "VALUE", Values: []string{"DATE"}}}
}
