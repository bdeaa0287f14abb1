package itip

import (
	"slices"
	"strings"

	"facteur/server/ical"
)

// own is the parameter of a line that an attendee has added to his copy of what the organizer
// wrote, so that the organizer's next update leaves it. It stays in the attendee's object.
const own = "X-FACTEUR-OWN"

// isOwn says whether an attendee has added a line.
func isOwn(p ical.Prop) bool { return p.Param(own) != "" }

// ofOwner are properties that each has for himself, or that are about the writing of a
// component: nobody is told when they change.
func ofOwner(name string) bool {
	switch name {
	case "TRANSP", "COLOR", "REQUEST-STATUS", "ACKNOWLEDGED",
		"X-APPLE-DEFAULT-ALARM", "X-APPLE-LOCAL-DEFAULT-ALARM", "X-APPLE-NEEDS-REPLY", "X-APPLE-EWS-BUSYSTATUS", "X-APPLE-SORT-ORDER",
		"X-MICROSOFT-CDO-BUSYSTATUS", "X-MICROSOFT-CDO-INTENDEDSTATUS", "X-MICROSOFT-CDO-OWNER-CRITICAL-CHANGE",
		"X-MICROSOFT-CDO-ATTENDEE-CRITICAL-CHANGE", "X-MICROSOFT-CDO-APPT-SEQUENCE":
		return true
	}
	return ofVersion(name) || slices.ContainsFunc([]string{
		"X-MOZ-", "X-LIC-", "X-EVOLUTION-", "X-KDE-", "X-CALENDARSERVER-", "X-FACTEUR-", "X-APPLE-TRAVEL-", "X-APPLE-SUGGESTION-INFO-",
	}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// ofVersion are properties about the writing of a component.
func ofVersion(name string) bool {
	switch name {
	case "DTSTAMP", "LAST-MODIFIED", "CREATED", "SEQUENCE":
		return true
	}
	return false
}

// ownKind says whether a property is the attendee's, whatever the organizer has of it.
func ownKind(name string) bool { return ofOwner(name) && !ofVersion(name) }

// added says whether an attendee has added a line. The dates that he took out are looked at apart.
func added(p ical.Prop) bool { return isOwn(p) && p.Name != "EXDATE" }

// instead are properties of which an attendee's own take the place of the organizer's.
func instead(name string) bool { return name == "CLASS" || name == "CATEGORIES" }

// beside are properties of which an attendee may have more than the organizer. What tells the
// description or the place in another form is the organizer's.
func beside(name string) bool {
	switch name {
	case "ATTACH", "COMMENT", "RELATED-TO":
		return true
	case "X-ALT-DESC", "X-APPLE-STRUCTURED-LOCATION", "X-APPLE-MAPKIT-HANDLE", "X-MICROSOFT-LOCATIONS":
		return false
	}
	return strings.HasPrefix(name, "X-") && !ofOwner(name)
}

// claim marks what an attendee has in a component that was not there before, and what was marked.
func (a *attending) claim(out, was *ical.Component) {
	marks := marksOf(was)
	his := make(map[string]bool)
	for _, name := range []string{"CLASS", "CATEGORIES"} {
		his[name] = marks.own[name] || !slices.Equal(wordsOf(out, name), wordsOf(was, name))
	}
	for i, p := range out.Props {
		is := false
		switch {
		case instead(p.Name):
			is = his[p.Name]
		case beside(p.Name):
			is = marks.ofLine(p)
		default:
			continue
		}
		out.Props[i] = setParam(p, own, map[bool]string{true: "TRUE"}[is])
	}
	a.claimDates(out, was)
}

// marks are which properties of a component an attendee has added.
type marks struct {
	lines      map[string]bool // by name and value: it is his
	own, other map[string]bool // by name: there are such of his, of the organizer's
}

func marksOf(c *ical.Component) marks {
	m := marks{lines: make(map[string]bool), own: make(map[string]bool), other: make(map[string]bool)}
	for _, p := range c.Props {
		if !instead(p.Name) && !beside(p.Name) {
			continue
		}
		is, id := isOwn(p), p.Name+" "+plainText(p.Value)
		if _, twice := m.lines[id]; !twice {
			m.lines[id] = is
		}
		if is {
			m.own[p.Name] = true
		} else {
			m.other[p.Name] = true
		}
	}
	return m
}

// ofLine says whether a line that may stand beside others is the attendee's: it was, or is new. An X-
// property that the organizer has, too, is not.
func (m marks) ofLine(p ical.Prop) bool {
	if is, known := m.lines[p.Name+" "+plainText(p.Value)]; known {
		return is
	}
	return !strings.HasPrefix(p.Name, "X-") || !m.other[p.Name]
}

// wordsOf returns the values of a property that may have several in a line or in several, sorted.
func wordsOf(c *ical.Component, name string) []string {
	var list []string
	for _, p := range c.All(name) {
		for s := range strings.SplitSeq(p.Value, ",") {
			list = append(list, plainText(s))
		}
	}
	slices.Sort(list)
	return list
}

// ownIn tells what of a component is the attendee's, in a form to compare.
func ownIn(c *ical.Component) string {
	var lines []string
	for _, p := range c.Props {
		if ownKind(p.Name) || added(p) {
			lines = append(lines, p.Name+" "+p.Value)
		}
	}
	for _, child := range c.Children {
		if child.Name == "VALARM" {
			lines = append(lines, string(child.Append(nil)))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// withOwn puts what is the attendee's of an old component into a new one, in the place of what is
// there of such things: alarms, whether it blocks his time, colours, labels, notes and files.
func withOwn(c, old *ical.Component) *ical.Component {
	out, had := *c, marksOf(old)
	out.Props = slices.DeleteFunc(slices.Clone(c.Props), func(p ical.Prop) bool {
		return ownKind(p.Name) || added(p) || instead(p.Name) && had.own[p.Name]
	})
	now := marksOf(&out) // the organizer's
	for _, p := range old.Props {
		_, same := now.lines[p.Name+" "+plainText(p.Value)]
		same = same || strings.HasPrefix(p.Name, "X-") && now.other[p.Name]
		if ownKind(p.Name) || added(p) && !same {
			out.Props = append(out.Props, p)
		}
	}
	alarm := func(child *ical.Component) bool { return child.Name == "VALARM" }
	out.Children = slices.DeleteFunc(slices.Clone(c.Children), alarm)
	for _, child := range old.Children {
		if alarm(child) {
			out.Children = append(out.Children, child)
		}
	}
	return &out
}

// personal puts what is the attendee's own into a component; and when nothing was rescheduled, what
// he answered. Who schedules stays between a client and its server (RFC 6638 7.1).
func (a *applying) personal(c *ical.Component, o *object, old *ical.Component, answer bool) *ical.Component {
	out := withOwn(c, old)
	if was, ok := old.Prop("ORGANIZER"); ok {
		if now, ok := out.Prop("ORGANIZER"); ok {
			now = setParam(now, "SCHEDULE-AGENT", was.Param("SCHEDULE-AGENT"))
			if answer {
				now = setParam(now, "SCHEDULE-STATUS", was.Param("SCHEDULE-STATUS"))
			}
			setProp(out, now)
		}
	}
	if !answer {
		return out
	}
	if old.Name == "VTODO" {
		a.progressed(out, old)
	}
	n, m := a.message.attendee(out, a.Self), o.attendee(old, a.Self)
	if n < 0 || m < 0 {
		return out
	}
	if was := old.Props[m]; partStat(was) != needsAction {
		out.Props[n] = setParam(out.Props[n], "PARTSTAT", was.Param("PARTSTAT"))
	}
	return out
}

// progressed keeps how far the attendee is with a task.
func (a *applying) progressed(out, old *ical.Component) {
	for _, name := range []string{"PERCENT-COMPLETE", "COMPLETED", "STATUS"} {
		if p, ok := old.Prop(name); ok && !(name == "STATUS" && isCancelled(out)) {
			setProp(out, p)
		}
	}
}
