package follow

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/address"
	"facteur/server/deliver"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/senderauth"
)

const invitation = `From: Ann <ann@example.com>
To: alice@example.org
Subject: Plan
Message-ID: <inv1@example.com>
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain

Plan, tomorrow at ten
--b
Content-Type: text/calendar; method=REQUEST; charset=utf-8

BEGIN:VCALENDAR
METHOD:REQUEST
BEGIN:VEVENT
UID:u1
SEQUENCE:0
DTSTART:20260701T100000Z
SUMMARY:Plan
ORGANIZER:mailto:ann@example.com
ATTENDEE:mailto:ann@example.com
ATTENDEE;RSVP=TRUE:mailto:alice@example.org
END:VEVENT
END:VCALENDAR
--b--
`

// passing is a message whose author is known.
func passing(m *deliver.Message) {
	m.Auth.DMARC.Result, m.Auth.SPF.Result = senderauth.Pass, senderauth.Pass
}

// TestInvitations: an invitation is answered when its organizer is known to have sent it,
// the mailbox is invited, and only once.
func TestInvitations(t *testing.T) {
	accept := []hook.Action{{Kind: hook.Accept, Text: "I come"}}
	in := func(from, to string) string { return strings.ReplaceAll(invitation, from, to) }
	for _, c := range []struct {
		name    string
		raw     string
		account string
		change  func(*deliver.Message)
		deliver []hook.Action
		actions []hook.Action // of calendar
		runs    bool
		answer  string // its PARTSTAT; "": none
	}{
		{"accepted", invitation, "", passing, nil, accept, true, "ACCEPTED"},
		{"declined", invitation, "", passing, nil, []hook.Action{{Kind: hook.Decline}}, true, "DECLINED"},
		{"rejected", invitation, "", passing, nil, []hook.Action{{Kind: hook.Reject, Text: "No"}}, true, "DECLINED"},
		{"looked at", invitation, "", passing, nil, nil, true, ""},
		{"by deliver", invitation, "", passing, accept, []hook.Action{{Kind: hook.Decline}}, true, "ACCEPTED"},
		{"of an account here", in("ann@example.com", "bob@example.org"), "bob@example.org", nil, nil, accept, true, "ACCEPTED"},
		{"not authenticated", invitation, "", nil, nil, accept, false, ""},
		{"junk", invitation, "", func(m *deliver.Message) { passing(m); m.Junk = true }, nil, accept, false, ""},
		{"filed into Junk", invitation, "", passing, []hook.Action{{Kind: hook.FileInto, Folder: "Junk"}}, accept, false, ""},
		{"not kept", invitation, "", passing, []hook.Action{{Kind: hook.Accept}, {Kind: hook.Discard}}, accept, false, ""},
		{"not of the organizer", in("From: Ann <ann@example.com>", "From: <eve@example.com>"), "", passing, nil, accept, false, ""},
		{"not invited", in("mailto:alice@", "mailto:all@"), "", passing, nil, accept, false, ""},
		{"cancelled", in("METHOD:REQUEST", "METHOD:CANCEL"), "", passing, nil, accept, false, ""},
		{"a reply", in("METHOD:REQUEST", "METHOD:REPLY"), "", passing, nil, accept, false, ""},
		{"no calendar", in("text/calendar", "text/plain"), "", passing, nil, accept, false, ""},
		{"one part", in(invitation, ""), "", passing, nil, accept, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer func() { w.end() }()
				var event *hook.Invitation
				w.script("alice@example.org", func(call hook.Call) []hook.Action {
					if call.Stage == hook.Deliver {
						return c.deliver
					}
					event = call.Invitation
					return c.actions
				}, hook.Deliver, hook.Calendar)
				for range 2 { // the second one is the same invitation again
					w.send(c.raw, c.account, "alice@example.org", c.change)
					synctest.Wait()
				}
				if (event != nil) != c.runs || event != nil && (event.UID != "u1" || event.Summary != "Plan") {
					t.Errorf("the script saw %+v", event)
				}
				want := 1
				if c.answer == "" {
					want = 0
				}
				if len(w.answered()) != want {
					t.Fatalf("%d answers: %s", len(w.answered()), w.log.String())
				}
				if want == 1 {
					checkAnswer(t, w.answered()[0], c.answer)
				}
			})
		})
	}
}

func checkAnswer(t *testing.T, s sent, status string) {
	t.Helper()
	if !s.env.Sender.ReversePath.IsZero() || !strings.Contains(s.raw, "From: <alice@example.org>\r\n") ||
		!strings.Contains(s.raw, "In-Reply-To: <inv1@example.com>\r\n") || !strings.Contains(s.raw, "method=REPLY") || !strings.HasSuffix(s.to, "@example.com") && s.to != "bob@example.org" {
		t.Errorf("to %s: %s", s.to, s.raw)
	}
	word := map[string]string{"ACCEPTED": "Accepted", "DECLINED": "Declined"}[status]
	if !strings.Contains(s.raw, "Subject: "+word+": Plan\r\n") {
		t.Errorf("not %s: %s", status, s.raw)
	}
}

// TestInvitationUnsent: an answer that can't be sent is sent later.
func TestInvitationUnsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer func() { w.end() }()
		w.script("alice@example.org", func(hook.Call) []hook.Action { return []hook.Action{{Kind: hook.Accept}} }, hook.Calendar)
		w.setDown(fmt.Errorf("busy"))
		w.send(invitation, "", "alice@example.org", passing)
		synctest.Wait()
		if len(w.answered()) != 0 {
			t.Errorf("%d answers", len(w.answered()))
		}
		w.setDown(nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if len(w.answered()) != 1 {
			t.Errorf("%d answers", len(w.answered()))
		}
	})
}

// TestLearnAtDelivery: what a script of deliver wants learned is learned, also when it
// dropped the message, and the message may have been moved meanwhile.
func TestLearnAtDelivery(t *testing.T) {
	learn := hook.Action{Kind: hook.Learn, Text: "spam"}
	for _, c := range []struct {
		name    string
		size    int
		actions []hook.Action
		want    int
	}{
		{"kept", 100, []hook.Action{learn}, 1},
		{"dropped", 100, []hook.Action{learn, {Kind: hook.Discard}}, 1},
		{"large, kept", maxCopy, []hook.Action{learn}, 1},
		{"large, dropped", maxCopy, []hook.Action{learn, {Kind: hook.Discard}}, 0},
		{"snoozed", 100, []hook.Action{learn, {Kind: hook.Snooze}}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer func() { w.end() }()
				var learned []string
				w.settings.Learn = func(_ context.Context, _ address.Address, verdict string, m envelope.Body) error {
					learned = append(learned, fmt.Sprint(verdict, strings.Contains(rawOf(m), "noon")))
					return nil
				}
				w.script("alice@example.org", func(hook.Call) []hook.Action { return c.actions }, hook.Deliver)
				w.send(letter+strings.Repeat("x", c.size)+"\n", "", "alice@example.org", nil)
				synctest.Wait()
				if len(learned) != c.want || c.want == 1 && learned[0] != "spamtrue" {
					t.Errorf("learned %q", learned)
				}
			})
		})
	}
}
