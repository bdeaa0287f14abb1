package itip

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"facteur/server/ical"
)

// text is what people read of a mail.
type text struct{ subject, body string }

// The bounds of what is taken over into a text.
const (
	maxSubject     = 200
	maxDescription = 8 << 10
	maxNamed       = 30
	maxDates       = 10
)

// text writes what people read.
func (m Mail) text() text {
	w := english()
	if strings.HasPrefix(strings.ToLower(m.Language), "fr") {
		w = french()
	}
	o := readObject(m.Message.Calendar, m.Zone)
	p, ok := m.main(o)
	if !ok {
		return text{string(m.Message.Method), string(m.Message.Method) + "\n"}
	}
	summary := oneLine(p.Text("SUMMARY"))
	if summary == "" {
		summary = w.untitled
	}
	who := oneLine(m.Name)
	if who == "" {
		who = m.From.String()
	}
	s := w.of(m.Message.Method, o, p)
	var b strings.Builder
	if c := strings.TrimSpace(clip(m.Comment, maxComment)); c != "" {
		b.WriteString(plain(c) + "\n\n")
	}
	fmt.Fprintf(&b, s.sentence+"\n\n", who, summary)
	row := func(name, value string) {
		if value != "" {
			b.WriteString(name + " " + value + "\n")
		}
	}
	b.WriteString(m.dates(w, o, p))
	row(w.where, oneLine(p.Text("LOCATION")))
	if m.Message.Method.FromOrganizer() {
		row(w.who, names(o, p))
	}
	if c := strings.TrimSpace(clip(p.Text("COMMENT"), maxComment)); c != "" && c != strings.TrimSpace(m.Comment) {
		b.WriteString("\n" + plain(c) + "\n")
	}
	if d := strings.TrimSpace(clip(p.Text("DESCRIPTION"), maxDescription)); d != "" && m.Message.Method.FromOrganizer() {
		b.WriteString("\n" + plain(d) + "\n")
	}
	if len(m.Left) > 0 {
		b.WriteString("\n" + w.left + " " + strings.Join(clipped(m.Left), ", ") + "\n")
	}
	if m.Message.Method == Request {
		b.WriteString("\n" + w.how + "\n")
	}
	return text{fmt.Sprintf(s.subject, summary), b.String()}
}

// dates writes when it is, each component in a row of its own.
func (m Mail) dates(w words, o *object, main part) string {
	var b strings.Builder
	for i, q := range o.parts {
		if i == maxDates {
			b.WriteString("...\n")
			break
		}
		zone := m.zoneFor(q.Component)
		at := w.time(o.when(q.Component), zone)
		if at == "" {
			continue
		}
		name := w.when
		if m.Message.Method == Reply && partStatIn(q.Component) == declined && partStatIn(main.Component) != declined {
			name = w.except // an instance of what is accepted
		}
		b.WriteString(name + " " + at + w.repeats(q.Component, zone) + "\n")
	}
	return b.String()
}

// main is the component that tells most. Of an answer what is declined is told as an exception.
func (m Mail) main(o *object) (part, bool) {
	p, ok := o.main()
	if m.Message.Method != Reply || !ok || partStatIn(p.Component) != declined {
		return p, ok
	}
	if i := slices.IndexFunc(o.parts, func(p part) bool { return partStatIn(p.Component) != declined }); i >= 0 {
		p = o.parts[i]
	}
	return p, true
}

// names tells who is invited.
func names(o *object, p part) string {
	var list []string
	for _, u := range o.attendees(p.Component) {
		if len(list) == maxNamed {
			list = append(list, "...")
			break
		}
		name := oneLine(u.Name)
		if name == "" {
			name = u.Mailbox().String()
		}
		if name == "" {
			continue
		}
		list = append(list, name)
	}
	return strings.Join(list, ", ")
}

// clipped are some names, each in one line.
func clipped(names []string) (out []string) {
	for _, n := range names[:min(len(names), maxNamed)] {
		out = append(out, oneLine(n))
	}
	return out
}

// oneLine is a text in one line, without what can't stand in a header field.
func oneLine(s string) string {
	return strings.Join(strings.Fields(plain(clip(s, maxSubject))), " ")
}

// plain is a text without control characters.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069':
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// say is how a message is told: with who sends it, and what it is about.
type say struct{ subject, sentence string }

// words are those of a language.
type words struct {
	when, except, where, who string
	how, left, untitled      string
	allDay, from, to         string
	days, months             []string
	each                     map[ical.Frequency][2]string // each one, each so many
	times, until, several    string
	date                     func(w words, t time.Time) string

	invite, update, cancel, uninvite, added, published say
	accepted, declined, tentative, delegated, other    say
	refresh, counter, refused                          say
}

// of returns how a message is told.
func (w words) of(method Method, o *object, p part) say {
	switch method {
	case Request:
		if n, _ := sequence(p.Component); n > 0 {
			return w.update
		}
		return w.invite
	case Cancel:
		if isCancelled(p.Component) {
			return w.cancel
		}
		return w.uninvite
	case Add:
		return w.added
	case Publish:
		return w.published
	case Refresh:
		return w.refresh
	case Counter:
		return w.counter
	case DeclineCounter:
		return w.refused
	}
	return w.reply(p.Component)
}

// reply returns how an answer is told.
func (w words) reply(c *ical.Component) say {
	switch partStatIn(c) {
	case "ACCEPTED":
		return w.accepted
	case declined:
		return w.declined
	case "TENTATIVE":
		return w.tentative
	case "DELEGATED":
		return w.delegated
	}
	return w.other
}

// partStatIn returns what the one attendee of a reply answers in a component.
func partStatIn(c *ical.Component) string {
	line, _ := c.Prop("ATTENDEE")
	return partStat(line)
}

// time tells a time in the zone of the event; in the given one where that is UTC, which
// says nothing to people.
func (w words) time(t when, zone *time.Location) string {
	if t.start.IsZero() {
		return ""
	}
	if t.allDay {
		last := t.end.AddDate(0, 0, -1)
		if !last.After(t.start) {
			return w.date(w, t.start) + w.allDay
		}
		return w.date(w, t.start) + " – " + w.date(w, last)
	}
	if zone != nil && t.start.Location() == time.UTC {
		t.start, t.end = t.start.In(zone), t.end.In(zone)
	}
	s := w.date(w, t.start) + w.from + t.start.Format("15:04")
	name := t.start.Location().String()
	if t.start.Location() == time.Local { // that of the machine, whose name Go does not know
		name, _ = t.start.Zone()
	}
	name = " (" + name + ")"
	switch {
	case t.end.Equal(t.start):
		return s + name
	case t.end.Format("20060102") == t.start.Format("20060102"):
		return s + w.to + t.end.Format("15:04") + name
	}
	return s + " – " + w.date(w, t.end) + w.from + t.end.Format("15:04") + name
}

func english() words {
	return words{
		when: "When:", except: "Not:", where: "Where:", who: "Who:", untitled: "(no title)", allDay: ", all day", from: ", ", to: " – ",
		left: "Not sent with this:",
		how:  "Answer with the buttons that your mail program shows, or open the attached file in your calendar.",
		days: []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
		each: map[ical.Frequency][2]string{
			ical.Daily: {"every day", "every %d days"}, ical.Weekly: {"every week", "every %d weeks"},
			ical.Monthly: {"every month", "every %d months"}, ical.Yearly: {"every year", "every %d years"},
		},
		times: ", %d times", until: ", until ", several: ", and on other dates",
		date: func(_ words, t time.Time) string {
			return t.Format("Monday 2 January 2006")
		},
		invite:    say{"Invitation: %s", "%s invites you: %s"},
		update:    say{"Updated invitation: %s", "%s has changed an invitation: %s"},
		cancel:    say{"Cancelled: %s", "%s has cancelled this: %s"},
		uninvite:  say{"Cancelled: %s", "%s takes back your invitation to this: %s"},
		added:     say{"Invitation: %s", "%s invites you to one more date: %s"},
		published: say{"%s", "%s sends you this: %s"},
		accepted:  say{"Accepted: %s", "%s has accepted this invitation: %s"},
		declined:  say{"Declined: %s", "%s has declined this invitation: %s"},
		tentative: say{"Tentative: %s", "%s may come: %s"},
		delegated: say{"Delegated: %s", "%s sends somebody else: %s"},
		other:     say{"Answer: %s", "%s has answered this invitation: %s"},
		refresh:   say{"Question: %s", "%s asks for the newest version of this: %s"},
		counter:   say{"Proposal: %s", "%s proposes another time for this: %s"},
		refused:   say{"Proposal declined: %s", "%s has declined what you proposed for this: %s"},
	}
}

func french() words {
	return words{
		when: "Quand :", except: "Sauf :", where: "Où :", who: "Qui :", untitled: "(sans titre)", allDay: ", toute la journée", from: ", ", to: " – ",
		left:   "Pas joint à ce message :",
		how:    "Répondez avec les boutons qu'affiche votre messagerie, ou ouvrez le fichier joint dans votre agenda.",
		days:   []string{"dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"},
		months: []string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"},
		each: map[ical.Frequency][2]string{
			ical.Daily: {"chaque jour", "tous les %d jours"}, ical.Weekly: {"chaque semaine", "toutes les %d semaines"},
			ical.Monthly: {"chaque mois", "tous les %d mois"}, ical.Yearly: {"chaque année", "tous les %d ans"},
		},
		times: ", %d fois", until: ", jusqu'au ", several: ", et à d'autres dates",
		date: func(w words, t time.Time) string {
			day := fmt.Sprint(t.Day())
			if t.Day() == 1 {
				day = "1er"
			}
			return fmt.Sprintf("%s %s %s %d", w.days[t.Weekday()], day, w.months[t.Month()-1], t.Year())
		},
		invite:    say{"Invitation : %s", "%s vous invite : %s"},
		update:    say{"Invitation modifiée : %s", "%s a modifié une invitation : %s"},
		cancel:    say{"Annulé : %s", "%s a annulé ceci : %s"},
		uninvite:  say{"Annulé : %s", "%s retire votre invitation à ceci : %s"},
		added:     say{"Invitation : %s", "%s vous invite à une date de plus : %s"},
		published: say{"%s", "%s vous envoie ceci : %s"},
		accepted:  say{"Accepté : %s", "%s a accepté cette invitation : %s"},
		declined:  say{"Refusé : %s", "%s a refusé cette invitation : %s"},
		tentative: say{"Peut-être : %s", "%s viendra peut-être : %s"},
		delegated: say{"Délégué : %s", "%s envoie quelqu'un d'autre : %s"},
		other:     say{"Réponse : %s", "%s a répondu à cette invitation : %s"},
		refresh:   say{"Question : %s", "%s demande la dernière version de ceci : %s"},
		counter:   say{"Proposition : %s", "%s propose un autre moment pour ceci : %s"},
		refused:   say{"Proposition refusée : %s", "%s a refusé ce que vous proposiez pour ceci : %s"},
	}
}
