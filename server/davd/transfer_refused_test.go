package davd

import (
	"net/http"
	"strings"
	"testing"

	"facteur/server/davxml"
	"facteur/server/fault"
)

// calledOff says whether bob was told that a meeting is off.
func (s *server) calledOff() bool {
	s.t.Helper()
	for _, path := range s.objects("/dav/bob@example.org/inbox/", "bob@example.org") {
		if strings.Contains(s.ask("GET", path, "", "user: bob@example.org").want(http.StatusOK).body, "METHOD:CANCEL") {
			return true
		}
	}
	return false
}

// TestTransferWithoutRoom: a COPY or MOVE for which there is no room leaves the meeting in whose place it
// would have been, and nobody is told that it is off; when there is room, it is.
func TestTransferWithoutRoom(t *testing.T) {
	const me, office = "/dav/alice@example.org/", "/dav/office@example.org/calendar/"
	long := "DESCRIPTION:" + strings.Repeat("x", 1000) + "\r\nEND:VEVENT"
	plain := strings.Replace(event("x"), "END:VEVENT", long, 1)
	fromGuest := strings.NewReplacer("m1", "m2", "END:VEVENT", long, "ORGANIZER:mailto:alice@example.org", "ORGANIZER:mailto:guest@example.com").Replace(invite)
	for _, c := range []struct{ name, method, from, data string }{
		{"a copy within a home", "COPY", me + "second/x.ics", plain},
		{"a copy from another home", "COPY", office + "x.ics", plain},
		{"a move from another home", "MOVE", office + "x.ics", plain},
		{"a copy of a meeting", "COPY", office + "x.ics", fromGuest},
		{"a move of a meeting", "MOVE", office + "x.ics", fromGuest},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScheduling(t)
			const at = me + "calendar/m.ics"
			s.ask("PUT", at, invite).want(http.StatusCreated)
			s.ask("MKCALENDAR", me+"second/", "").want(http.StatusCreated)
			s.ask("PUT", c.from, c.data).want(http.StatusCreated)
			s.room = fault.New(fault.OverQuota, "The mailbox is full")
			s.ask(c.method, c.from, "", "Destination: "+at).condition(http.StatusInsufficientStorage, davxml.D("quota-not-exceeded"))
			if body := s.ask("GET", at, "").want(http.StatusOK).body; !strings.Contains(body, "UID:m1") {
				t.Errorf("in its place is %s", body)
			}
			s.ask("GET", c.from, "").want(http.StatusOK)
			if s.calledOff() {
				t.Error("bob is told that it is off")
			}
			s.room = nil
			s.ask(c.method, c.from, "", "Destination: "+at).want(http.StatusNoContent)
			if body := s.ask("GET", at, "").want(http.StatusOK).body; strings.Contains(body, "UID:m1") {
				t.Errorf("in its place is still %s", body)
			}
			if !s.calledOff() {
				t.Error("bob is not told that it is off")
			}
		})
	}
}

// TestTransferAttachedWithoutRoom: what is copied with its attachments leaves what is there when there is no room for them.
func TestTransferAttachedWithoutRoom(t *testing.T) {
	s := newAttaching(t)
	const office, at = "/dav/office@example.org/calendar/", calendarPath + "m.ics"
	s.ask("PUT", office+"x.ics", event("x")).want(http.StatusCreated)
	s.add(office+"x.ics", "a.txt", "agenda")
	for _, c := range []struct{ name, there string }{{"an event", event("e")}, {"a meeting", invite}} {
		s.ask("PUT", at, c.there).want(http.StatusCreated)
		for _, full := range []*error{&s.full, &s.room} {
			*full = fault.New(fault.OverQuota, "The mailbox is full")
			for _, method := range []string{"COPY", "MOVE"} {
				s.ask(method, office+"x.ics", "", "Destination: "+at).want(http.StatusInsufficientStorage)
				if body := s.ask("GET", at, "").want(http.StatusOK).body; strings.Contains(body, "UID:x") || s.calledOff() {
					t.Errorf("%s of %s: called off %v, in its place is %s", method, c.name, s.calledOff(), body)
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
	if s.calledOff() {
		t.Error("bob is told that it is off")
	}
}
