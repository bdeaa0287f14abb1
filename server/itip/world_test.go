package itip

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/ical"
)

// now is when everything in these tests happens.
var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// person is the Person of mail addresses.
func person(list ...string) Person {
	var addresses []address.Address
	for _, s := range list {
		addresses = append(addresses, address.MustParse(s))
	}
	return Addresses(addresses...)
}

// event makes an object of the lines of its components, which "--" separates. Those that
// all have are added: UID, DTSTAMP and what an event is without.
func event(t *testing.T, lines string) *ical.Calendar {
	t.Helper()
	return calendarOf(t, "", "VEVENT", lines)
}

// arriving makes a message in the same way.
func arriving(t *testing.T, method Method, lines string) *Message {
	t.Helper()
	m, err := Read(calendarOf(t, string(method), "VEVENT", lines))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func calendarOf(t *testing.T, method, kind, lines string) *ical.Calendar {
	t.Helper()
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\n")
	if method != "" {
		b.WriteString("METHOD:" + method + "\n")
	}
	for part := range strings.SplitSeq(lines, "--\n") {
		b.WriteString("BEGIN:" + kind + "\n")
		has := func(name string) bool { return strings.Contains("\n"+part, "\n"+name) }
		if !has("UID:") {
			b.WriteString("UID:e1\n")
		}
		if !has("DTSTAMP:") {
			b.WriteString("DTSTAMP:20260301T000000Z\n")
		}
		if !has("DTSTART") && kind == "VEVENT" {
			b.WriteString("DTSTART:20260401T100000Z\nDTEND:20260401T110000Z\n")
		}
		if !has("ORGANIZER") && !has("NOBODY") {
			b.WriteString("ORGANIZER:mailto:org@example.org\n")
		}
		b.WriteString(strings.ReplaceAll(part, "NOBODY\n", ""))
		b.WriteString("END:" + kind + "\n")
	}
	b.WriteString("END:VCALENDAR\n")
	return parse(t, b.String())
}

func parse(t *testing.T, text string) *ical.Calendar {
	t.Helper()
	c, err := ical.ParseBytes([]byte(strings.ReplaceAll(text, "\n", "\r\n")))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return c
}

// short tells a component in a line: what these tests look at.
func short(c *ical.Component) string {
	var b strings.Builder
	for _, name := range []string{"RECURRENCE-ID", "SEQUENCE", "DTSTART", "DTEND", "DUE", "DURATION", "RRULE", "RDATE", "EXDATE", "SUMMARY", "STATUS", "TRANSP", "COMMENT", "PERCENT-COMPLETE", "CLASS", "CATEGORIES", "COLOR", "ATTACH", "X-A", "X-MOZ-A", "X-ALT-DESC"} {
		for _, p := range c.All(name) {
			key := map[string]string{"RECURRENCE-ID": "id", "SEQUENCE": "seq"}[name]
			if key == "" {
				key = strings.ToLower(name)
			}
			fmt.Fprintf(&b, " %s=%s%s", key, p.Value, map[bool]string{true: "(own)"}[isOwn(p)])
		}
	}
	for _, p := range c.All("ATTENDEE") {
		fmt.Fprintf(&b, " %s:%s", strings.TrimSuffix(strings.TrimPrefix(strings.ToLower(p.Value), "mailto:"), "@example.org"), partStat(p))
		for _, name := range []string{"SCHEDULE-STATUS", "SCHEDULE-FORCE-SEND", "SCHEDULE-AGENT", "DELEGATED-TO", "DELEGATED-FROM"} {
			if v := p.Param(name); v != "" {
				fmt.Fprintf(&b, "(%s)", v)
			}
		}
	}
	for _, child := range c.Children {
		b.WriteString(" +" + child.Name)
	}
	return strings.TrimSpace(b.String())
}

// shortAll tells an object, a line a component.
func shortAll(c *ical.Calendar) string {
	if c == nil {
		return "nothing"
	}
	var lines []string
	for _, child := range c.Children {
		if isPart(child) {
			lines = append(lines, short(child))
		}
	}
	return strings.Join(lines, "\n")
}

// told tells messages: to whom, and what.
func told(list []Outgoing) string {
	var b strings.Builder
	for _, o := range list {
		for _, m := range []*Message{o.First, o.Message} {
			if m == nil {
				continue
			}
			fmt.Fprintf(&b, "%s -> %s: %s\n", name(o.From), name(o.To), m.Method)
			for line := range strings.SplitSeq(shortAll(m.Calendar), "\n") {
				b.WriteString("  " + line + "\n")
			}
		}
	}
	return strings.TrimSpace(b.String())
}

func name(u User) string { return strings.TrimSuffix(u.Address.String(), "@example.org") }

// wellFormed checks what RFC 5546 3.2 and RFC 6638 7 ask of every message.
func wellFormed(t *testing.T, list []Outgoing) {
	t.Helper()
	for _, o := range list {
		text := string(o.Message.Octets())
		c, err := ical.ParseBytes([]byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		m, err := Read(c)
		if err != nil || m.Method != o.Message.Method || m.UID != o.Message.UID {
			t.Fatalf("%+v %v\n%s", m, err, text)
		}
		for _, bad := range []string{"SCHEDULE-", replied, own, "VALARM", "X-MOZ"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s in\n%s", bad, text)
			}
		}
		for _, p := range c.Children {
			if !isPart(p) {
				continue
			}
			for _, name := range []string{"UID", "DTSTAMP", "ORGANIZER"} {
				if len(p.All(name)) != 1 {
					t.Errorf("%d %s in\n%s", len(p.All(name)), name, text)
				}
			}
			if !stamp(p).Equal(now) {
				t.Errorf("DTSTAMP in\n%s", text)
			}
			if _, ok := sequence(p); !ok && m.Method != Refresh {
				t.Errorf("no SEQUENCE in\n%s", text)
			}
		}
		out := *c
		out.Props = slices.DeleteFunc(slices.Clone(c.Props), func(p ical.Prop) bool { return p.Name == "METHOD" })
		if m.Method == Request {
			if err := out.Check(); err != nil {
				t.Errorf("%v in\n%s", err, text)
			}
		}
	}
}
