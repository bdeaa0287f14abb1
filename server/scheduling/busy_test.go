package scheduling

import (
	"context"
	"errors"
	"strings"
	"testing"

	"facteur/server/collection"
)

func question(organizer string, attendees ...string) string {
	lines := []string{"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example//EN", "METHOD:REQUEST", "BEGIN:VFREEBUSY", "UID:f1", "DTSTAMP:20260701T000000Z",
		"DTSTART:20260710T000000Z", "DTEND:20260711T000000Z", "ORGANIZER:mailto:" + organizer}
	for _, a := range attendees {
		lines = append(lines, "ATTENDEE:mailto:"+a)
	}
	return strings.Join(append(lines, "END:VFREEBUSY", "END:VCALENDAR", ""), "\r\n")
}

// ask asks when bob is busy, and returns the lines that say so.
func (w *world) busyBob() string {
	w.Helper()
	all, err := w.FreeBusy(context.Background(), addr("alice@example.org"), addr("alice@example.org"), []byte(question("alice@example.org", "bob@example.org")))
	if err != nil || len(all) != 1 || all[0].Status != requestDone || all[0].Recipient != "mailto:bob@example.org" {
		w.Fatalf("%+v %v", all, err)
	}
	var lines []string
	for line := range strings.SplitSeq(unfold(string(all[0].Data)), "\r\n") {
		if strings.HasPrefix(line, "FREEBUSY") {
			lines = append(lines, strings.TrimPrefix(line, "FREEBUSY"))
		}
	}
	return strings.Join(lines, " ")
}

// TestFreeBusy: what takes time, and what does not.
func TestFreeBusy(t *testing.T) {
	const when = "20260710T100000Z/"
	for _, c := range []struct{ name, event, want string }{
		{"nothing", "", ""},
		{"an event", meeting("e", ""), ":" + when},
		{"transparent", meeting("e", "", "TRANSP:TRANSPARENT"), ""},
		{"cancelled", meeting("e", "", "STATUS:CANCELLED"), ""},
		{"not sure", meeting("e", "", "STATUS:TENTATIVE"), ";FBTYPE=BUSY-TENTATIVE:" + when},
		{"not answered", meeting("e", "x@example.com", "bob@example.org"), ";FBTYPE=BUSY-TENTATIVE:" + when},
		{"accepted", meeting("e", "x@example.com", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.org"), ":" + when},
		{"declined", meeting("e", "x@example.com", "ATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.org"), ""},
		{"of his own", meeting("e", "bob@example.org", "x@example.com"), ":" + when},
		{"recurring", meeting("e", "", "DTSTART:20260601T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY"), ":" + when},
		{"another day", meeting("e", "", "DTSTART:20260709T100000Z", "DURATION:PT1H"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			if c.event != "" {
				if _, _, err := w.own("bob").Put("e.ics", []byte(c.event), collection.Condition{}); err != nil {
					t.Fatal(err)
				}
			}
			got := w.busyBob()
			if c.want == "" && got != "" || c.want != "" && !strings.HasPrefix(strings.Replace(got, ";FBTYPE=BUSY:", ":", 1), c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
			if err := w.own("bob").SetProps(func(p *collection.Props) error { p.Other[Transparency] = "transparent"; return nil }); err != nil {
				t.Fatal(err)
			}
			same(t, "a calendar that takes no time", w.busyBob(), "")
		})
	}
}

// TestFreeBusyRefused: what is no question, and whom nobody here knows.
func TestFreeBusyRefused(t *testing.T) {
	w := newWorld(t)
	ask := func(text string) ([]Response, error) {
		return w.FreeBusy(context.Background(), addr("alice@example.org"), addr("alice@example.org"), []byte(text))
	}
	good := question("alice@example.org", "bob@example.org")
	for name, text := range map[string]string{
		"valid-calendar-data":      "nonsense",
		"valid-scheduling-message": meeting("e", "alice@example.org"),
		"organizer-allowed":        question("bob@example.org", "carol@example.org"),
	} {
		_, err := ask(text)
		var p *Precondition
		if !errors.As(err, &p) || p.Name != caldav+name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ask(strings.Replace(good, "DTEND:2026", "DTEND:2036", 1)); err == nil {
		t.Error("ten years are answered")
	}
	all, err := ask(question("alice@example.org", "nobody@example.org", "x@example.com", "office@example.org"))
	if err != nil || len(all) != 3 || all[0].Status != requestUnknown || all[1].Status != requestUnknown || all[2].Status != requestDone {
		t.Errorf("%+v %v", all, err)
	}
}

// TestFreeBusyOfOthers: who is of another domain is told of nobody, unless there is something
// that both may see; and a person with many addresses is looked up once.
func TestFreeBusyOfOthers(t *testing.T) {
	w := newWorld(t)
	ask := func(who string, about ...string) (out []string) {
		t.Helper()
		all, err := w.FreeBusy(context.Background(), addr(who), addr(who), []byte(question(who, about...)))
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range all {
			out = append(out, a.Status[:3])
		}
		return out
	}
	same(t, "of another domain", strings.Join(ask("erin@example.edu", "alice@example.org", "boss@example.org", "erin@example.edu"), " "), "3.7 3.7 2.0")
	same(t, "the other way", strings.Join(ask("alice@example.org", "erin@example.edu"), " "), "3.7")
	same(t, "under another name of the domain", strings.Join(ask("alice@example.org", "bob@example.net", "bob+x@example.org"), " "), "2.0 2.0")
	if err := w.own("alice").Share(addr("erin@example.edu"), false); err != nil {
		t.Fatal(err)
	}
	same(t, "who shares with erin", strings.Join(ask("erin@example.edu", "alice@example.org", "bob@example.org"), " "), "2.0 3.7")
}

// TestAvailability: hours at which somebody can be met (RFC 7953), and those of a week off,
// which come first.
func TestAvailability(t *testing.T) {
	w := newWorld(t)
	set := func(text string) {
		t.Helper()
		if err := CheckAvailability(text); err != nil {
			t.Fatal(err)
		}
		home, err := w.homes.Own(addr("bob@example.org"))
		if err != nil {
			t.Fatal(err)
		}
		in, err := home.Inbox()
		if err != nil {
			t.Fatal(err)
		}
		if err := in.SetProps(func(p *collection.Props) error { p.Other[Availability] = text; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	const hours = "BEGIN:VAVAILABILITY\r\nUID:a1\r\nDTSTAMP:20260101T000000Z\r\nBEGIN:AVAILABLE\r\nUID:a2\r\nDTSTAMP:20260101T000000Z\r\n" +
		"DTSTART:20260101T090000Z\r\nDTEND:20260101T170000Z\r\nRRULE:FREQ=DAILY\r\nEND:AVAILABLE\r\nEND:VAVAILABILITY\r\n"
	const off = "BEGIN:VAVAILABILITY\r\nUID:b1\r\nDTSTAMP:20260101T000000Z\r\nPRIORITY:1\r\nBUSYTYPE:BUSY\r\nDTSTART:20260710T120000Z\r\nDURATION:P7D\r\nEND:VAVAILABILITY\r\n"
	all := func(s string) string {
		return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\n" + s + "END:VCALENDAR\r\n"
	}
	set(all(hours))
	got := w.busyBob()
	for _, want := range []string{"BUSY-UNAVAILABLE:20260710T000000Z/", "20260710T170000Z/"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	set(all(hours + off))
	if got := w.busyBob(); !strings.Contains(got, "20260710T120000Z/") || !strings.Contains(got, "BUSY-UNAVAILABLE:20260710T000000Z/") || strings.Contains(got, "20260710T170000Z/") {
		t.Errorf("%s", got)
	}
	for _, bad := range []string{"", "nonsense", all(""), all(strings.Replace(hours, "20260101T09", "nonsense", 1)), strings.Repeat("x", maxAvailability+1)} {
		if CheckAvailability(bad) == nil {
			t.Errorf("%.40q is taken", bad)
		}
	}
}
