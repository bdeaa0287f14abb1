package davd

import (
	"net/http"
	"strings"
	"testing"

	"facteur/server/davxml"
	"facteur/server/fault"
)

// told returns the messages that bob has in his inbox, and whether one calls a meeting off.
func (s *server) told() (n int, calledOff bool) {
	s.t.Helper()
	paths := s.objects("/dav/bob@example.org/inbox/", "bob@example.org")
	for _, path := range paths {
		if strings.Contains(s.ask("GET", path, "", "user: bob@example.org").want(http.StatusOK).body, "METHOD:CANCEL") {
			calledOff = true
		}
	}
	return len(paths), calledOff
}

// TestTransferConflict: nothing takes the place of an object with another UID, and nobody is told
// (RFC 4791 5.3.2.1, RFC 6352 6.3.2.1): the answer is that to a PUT there.
func TestTransferConflict(t *testing.T) {
	const me, office = "/dav/alice@example.org/", "/dav/office@example.org/"
	another := strings.NewReplacer("UID:m1", "UID:m2", "ORGANIZER:mailto:alice@example.org", "ORGANIZER:mailto:guest@example.com").Replace(invite)
	calendar, book := davxml.C("no-uid-conflict"), davxml.CR("no-uid-conflict")
	for _, c := range []struct {
		name, at, there, from, data string
		condition                   davxml.Name
	}{
		{"an event over an event", "calendar/m.ics", event("e"), "calendar/x.ics", event("x"), calendar},
		{"an event over a meeting", "calendar/m.ics", invite, "calendar/x.ics", event("x"), calendar},
		{"a meeting over an event", "calendar/m.ics", event("e"), "calendar/x.ics", another, calendar},
		{"a meeting over a meeting", "calendar/m.ics", invite, "calendar/x.ics", another, calendar},
		{"a card over a card", "contacts/m.vcf", card("m", "Mia"), "contacts/x.vcf", card("x", "Xi"), book},
	} {
		for _, from := range []string{me + c.from, me + strings.Replace(c.from, "/", "2/", 1), office + c.from} {
			for _, method := range []string{"COPY", "MOVE"} {
				t.Run(method+" "+c.name+" "+from, func(t *testing.T) {
					s := newScheduling(t)
					s.ask("MKCALENDAR", me+"calendar2/", "").want(http.StatusCreated)
					s.ask("MKCOL", me+"contacts2/", mkcolBook, xmlType).want(http.StatusCreated)
					at := me + c.at
					s.ask("PUT", at, c.there).want(http.StatusCreated)
					s.ask("PUT", from, c.data).want(http.StatusCreated)
					before, source := s.ask("GET", at, "").body, s.ask("GET", from, "").body
					heard, _ := s.told()
					s.ask("PUT", at, c.data).condition(http.StatusConflict, c.condition)
					status, condition, in := http.StatusConflict, c.condition, at
					if method == "COPY" && strings.HasPrefix(from, me) && c.data == another { // whatever is there
						status, condition, in = http.StatusForbidden, davxml.C("unique-scheduling-object-resource"), from
					}
					got := s.ask(method, from, "", "Destination: "+at).condition(status, condition)
					beside := method == "COPY" && from == me+c.from // then what is copied is in the way, too
					if got := short(got.xml().Child(condition)); got != "href("+in+")" && (!beside || got != "href("+from+")") {
						t.Errorf("in the way is %s", got)
					}
					if s.ask("GET", at, "").body != before || s.ask("GET", from, "").body != source {
						t.Error("an object has changed")
					}
					if n, _ := s.told(); n != heard {
						t.Errorf("bob was told %d more", n-heard)
					}
				})
			}
		}
	}
}

// TestTransferOver: what takes the place of an object with its UID is an update of that, told as
// that of a PUT; without room nothing is changed, and nothing told.
func TestTransferOver(t *testing.T) {
	const me, office, bobs = "/dav/alice@example.org/", "/dav/office@example.org/calendar/", "/dav/bob@example.org/calendar/"
	long := "DESCRIPTION:" + strings.Repeat("x", 1000) + "\r\nEND:VEVENT"
	plain, update := strings.Replace(event("m1"), "END:VEVENT", long, 1), strings.Replace(invite, "END:VEVENT", long, 1)
	for _, c := range []struct {
		name, method, from, there, data string
		told                            int // what bob hears
		off                             bool
	}{
		{"a copy of an event", "COPY", me + "second/x.ics", event("m1"), plain, 0, false},
		{"a move of an event", "MOVE", me + "second/x.ics", event("m1"), plain, 0, false},
		{"a copy of an event from another home", "COPY", office + "x.ics", event("m1"), plain, 0, false},
		{"a move of an event from another home", "MOVE", office + "x.ics", event("m1"), plain, 0, false},
		{"a move of a meeting", "MOVE", me + "second/x.ics", invite, update, 1, false},
		{"a copy of a meeting from another home", "COPY", office + "x.ics", invite, update, 1, false},
		{"a move of a meeting from another home", "MOVE", office + "x.ics", invite, update, 1, false},
		{"a copy of an event over a meeting", "COPY", me + "second/x.ics", invite, plain, 1, true},
		{"a move of an event over a meeting", "MOVE", me + "second/x.ics", invite, plain, 1, true},
		{"a move of an event over a meeting from another home", "MOVE", office + "x.ics", invite, plain, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScheduling(t)
			const at = me + "calendar/m.ics"
			s.ask("PUT", at, c.there).want(http.StatusCreated)
			s.ask("MKCALENDAR", me+"second/", "").want(http.StatusCreated)
			if strings.HasPrefix(c.from, office) {
				s.ask("PUT", c.from, c.data).want(http.StatusCreated)
			} else {
				s.keep("second", map[string]string{"x.ics": c.data}) // another program put it there
			}
			before := s.ask("GET", at, "").body
			heard, _ := s.told()
			s.room = fault.New(fault.OverQuota, "The mailbox is full")
			within := c.method == "MOVE" && strings.HasPrefix(c.from, me) && c.there != invite // needs none
			if !within {
				s.ask(c.method, c.from, "", "Destination: "+at).condition(http.StatusInsufficientStorage, davxml.D("quota-not-exceeded"))
				if s.ask("GET", at, "").want(http.StatusOK).body != before {
					t.Error("it has changed")
				}
				s.ask("GET", c.from, "").want(http.StatusOK)
				if n, _ := s.told(); n != heard {
					t.Error("bob is told of it")
				}
			}
			s.room = nil
			s.ask(c.method, c.from, "", "Destination: "+at).want(http.StatusNoContent)
			if body := s.ask("GET", at, "").want(http.StatusOK).body; !strings.Contains(body, "DESCRIPTION") {
				t.Errorf("in its place is still %s", body)
			}
			if left := s.ask("GET", c.from, "").status == http.StatusOK; left != (c.method == "COPY") {
				t.Errorf("it is where it was: %v", left)
			}
			if n, off := s.told(); n-heard != c.told || off != c.off {
				t.Errorf("bob is told %d more, that it is off: %v", n-heard, off)
			}
			if his := s.objects(bobs, "bob@example.org"); len(his) == 1 {
				if body := s.ask("GET", his[0], "", "user: bob@example.org").body; !strings.Contains(body, "DESCRIPTION") {
					t.Errorf("bob has %s", body)
				}
			}
		})
	}
}

// TestTransferAttachedWithoutRoom: what is copied with its attachments leaves what is there when there is no room for them.
func TestTransferAttachedWithoutRoom(t *testing.T) {
	s := newAttaching(t)
	const office, at = "/dav/office@example.org/calendar/", calendarPath + "m.ics"
	s.ask("PUT", office+"x.ics", event("m1")).want(http.StatusCreated)
	s.add(office+"x.ics", "a.txt", "agenda")
	for _, c := range []struct{ name, there string }{{"an event", event("m1")}, {"a meeting", invite}} {
		s.ask("PUT", at, c.there).want(http.StatusCreated)
		heard, _ := s.told()
		for _, full := range []*error{&s.full, &s.room} {
			*full = fault.New(fault.OverQuota, "The mailbox is full")
			for _, method := range []string{"COPY", "MOVE"} {
				s.ask(method, office+"x.ics", "", "Destination: "+at).want(http.StatusInsufficientStorage)
				if body := s.ask("GET", at, "").want(http.StatusOK).body; strings.Contains(body, "ATTACH") {
					t.Errorf("%s over %s: in its place is %s", method, c.name, body)
				}
				if n, _ := s.told(); n != heard {
					t.Errorf("%s over %s: bob is told", method, c.name)
				}
			}
			*full = nil
		}
		s.ask("DELETE", at, "", "Schedule-Reply: F").want(http.StatusNoContent)
	}
}

// TestTransferToItself: what has two paths is not removed when it is moved from one to the other.
func TestTransferToItself(t *testing.T) {
	s := newScheduling(t)
	const office, mounted, user = "/dav/office@example.org/calendar/", "/dav/bob@example.org/office@example.org~calendar/", "user: bob@example.org"
	s.ask("PUT", office+"m.ics", strings.Replace(invite, "ORGANIZER:mailto:alice", "ORGANIZER:mailto:office", 1), user).want(http.StatusCreated)
	for _, path := range []string{"", "m.ics"} {
		for _, method := range []string{"MOVE", "COPY"} {
			if got := s.ask(method, mounted+path, "", user, "Destination: "+office+path); got.status != http.StatusForbidden {
				t.Errorf("%s of %q: %d %s", method, path, got.status, got.body)
			}
		}
	}
	s.ask("GET", office+"m.ics", "", user).want(http.StatusOK)
	if _, off := s.told(); off {
		t.Error("bob is told that it is off")
	}
}
