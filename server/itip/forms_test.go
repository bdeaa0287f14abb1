package itip

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"
)

// forms are mails as other calendars send them. They are modelled on what these programs
// are known to write (headers, properties, their order and quirks); none was recorded.
func forms() []form {
	return []form{
		{
			name: "Google", from: "alice@gmail.com", start: "2026-04-01T10:00:00Z", method: Request, attendees: 2, alarms: 1,
			text: `From: Alice <alice@gmail.com>
To: bob@example.org
Subject: Invitation: Lunch @ Wed Apr 1, 2026 12pm - 1pm (CEST) (bob@example.org)
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="0000000000001"

--0000000000001
Content-Type: multipart/alternative; boundary="0000000000002"

--0000000000002
Content-Type: text/plain; charset="UTF-8"; format=flowed; delsp=yes

You have been invited.

--0000000000002
Content-Type: text/html; charset="UTF-8"

<p>You have been invited.</p>

--0000000000002
Content-Type: text/calendar; charset="UTF-8"; method=REQUEST
Content-Transfer-Encoding: 7bit

BEGIN:VCALENDAR
PRODID:-//Google Inc//Google Calendar 70.9054//EN
VERSION:2.0
CALSCALE:GREGORIAN
METHOD:REQUEST
BEGIN:VEVENT
DTSTART:20260401T100000Z
DTEND:20260401T110000Z
DTSTAMP:20260301T080000Z
ORGANIZER;CN=Alice:mailto:alice@gmail.com
UID:0123456789abcdefghijklmnop@google.com
ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;RSVP=TRUE
 ;CN=Alice;X-NUM-GUESTS=0:mailto:alice@gmail.com
ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=
 TRUE;CN=bob@example.org;X-NUM-GUESTS=0:mailto:bob@example.org
X-GOOGLE-CONFERENCE:https://meet.google.com/abc-defg-hij
X-MICROSOFT-CDO-OWNERAPPTID:-123456789
CREATED:20260301T075900Z
DESCRIPTION:Join with Google Meet: https://meet.google.com/abc-defg-hij\n\nL
 earn more
LAST-MODIFIED:20260301T080000Z
LOCATION:
SEQUENCE:0
STATUS:CONFIRMED
SUMMARY:Lunch
TRANSP:OPAQUE
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:This is an event reminder
TRIGGER:-P0DT0H30M0S
END:VALARM
END:VEVENT
END:VCALENDAR

--0000000000002--

--0000000000001
Content-Type: application/ics; name="invite.ics"
Content-Disposition: attachment; filename="invite.ics"
Content-Transfer-Encoding: base64

QkVHSU46VkNBTEVOREFSDQo=
--0000000000001--
`},
		{
			name: "Outlook and Exchange", from: "alice@contoso.com", start: "2026-04-01T10:00:00Z", method: Request, attendees: 1, alarms: 1,
			text: `From: Alice Martin <alice@contoso.com>
To: "bob@example.org" <bob@example.org>
Subject: Planning
Thread-Topic: Planning
X-MS-Has-Attach: yes
Content-Class: urn:content-classes:calendarmessage
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="_000_AM0PR0"

--_000_AM0PR0
Content-Type: text/plain; charset="iso-8859-1"
Content-Transfer-Encoding: quoted-printable

R=E9union
--_000_AM0PR0
Content-Type: text/calendar; charset="utf-8"; method=REQUEST
Content-Transfer-Encoding: quoted-printable

BEGIN:VCALENDAR
METHOD:REQUEST
PRODID:Microsoft Exchange Server 2010
VERSION:2.0
BEGIN:VTIMEZONE
TZID:Romance Standard Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=3DYEARLY;INTERVAL=3D1;BYDAY=3D-1SU;BYMONTH=3D10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=3DYEARLY;INTERVAL=3D1;BYDAY=3D-1SU;BYMONTH=3D3
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
ORGANIZER;CN=3DAlice Martin:mailto:alice@contoso.com
ATTENDEE;ROLE=3DREQ-PARTICIPANT;PARTSTAT=3DNEEDS-ACTION;RSVP=3DTRUE;CN=3Dbob@ex=
ample.org:mailto:bob@example.org
DESCRIPTION;LANGUAGE=3Dfr-BE:R=C3=A9union\n\n
UID:040000008200E00074C5B7101A82E00800000000B0A0A0A0A0A0DC01000000000000000
 0100000001234567890ABCDEF1234567890ABCDEF
SUMMARY;LANGUAGE=3Dfr-BE:Planning
DTSTART;TZID=3DRomance Standard Time:20260401T120000
DTEND;TZID=3DRomance Standard Time:20260401T130000
CLASS:PUBLIC
PRIORITY:5
DTSTAMP:20260301T080000Z
TRANSP:OPAQUE
STATUS:CONFIRMED
SEQUENCE:0
LOCATION;LANGUAGE=3Dfr-BE:Salle 7
X-MICROSOFT-CDO-APPT-SEQUENCE:0
X-MICROSOFT-CDO-OWNERAPPTID:2120000000
X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE
X-MICROSOFT-CDO-INTENDEDSTATUS:BUSY
X-MICROSOFT-CDO-ALLDAYEVENT:FALSE
X-MICROSOFT-CDO-IMPORTANCE:1
X-MICROSOFT-CDO-INSTTYPE:0
X-MICROSOFT-DONOTFORWARDMEETING:FALSE
X-MICROSOFT-DISALLOW-COUNTER:FALSE
BEGIN:VALARM
DESCRIPTION:REMINDER
TRIGGER;RELATED=3DSTART:-PT15M
ACTION:DISPLAY
END:VALARM
END:VEVENT
END:VCALENDAR

--_000_AM0PR0--
`},
		{ // the answer goes to the address of the ORGANIZER, whatever EMAIL says
			name: "Apple (iCloud)", from: "2_GE4DAMBQ@imip.me.com", start: "2026-04-01T10:00:00Z", method: Request, attendees: 2,
			text: `From: Alice <2_GE4DAMBQ@imip.me.com>
To: bob@example.org
Subject: Invitation: Walk
Mime-Version: 1.0
Content-Type: multipart/alternative; boundary="Apple-Mail-1"

--Apple-Mail-1
Content-Type: text/plain; charset=utf-8

Alice invited you
--Apple-Mail-1
Content-Type: text/calendar; charset=utf-8; name="invite.ics"; method="REQUEST"
Content-Disposition: attachment; filename="invite.ics"
Content-Transfer-Encoding: 8bit

BEGIN:VCALENDAR
VERSION:2.0
METHOD:REQUEST
PRODID:-//Apple Inc.//iPhone OS 17.4//EN
CALSCALE:GREGORIAN
BEGIN:VTIMEZONE
TZID:Europe/Brussels
BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
DTSTART:19810329T020000
TZNAME:CEST
TZOFFSETTO:+0200
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
DTSTART:19961027T030000
TZNAME:CET
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
CREATED:20260301T075900Z
UID:8E1B2C3D-0000-4000-8000-000000000001
DTEND;TZID=Europe/Brussels:20260401T130000
ATTENDEE;CUTYPE=INDIVIDUAL;PARTSTAT=ACCEPTED;ROLE=CHAIR;EMAIL=alice@icloud.com:mailto:2_GE4DAMBQ@imip.me.com
ATTENDEE;CUTYPE=INDIVIDUAL;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;EMAIL=bob@example.org:mailto:bob@example.org
SUMMARY:Walk 🥾
LAST-MODIFIED:20260301T080000Z
DTSTAMP:20260301T080000Z
DTSTART;TZID=Europe/Brussels:20260401T120000
SEQUENCE:0
X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-APPLE-RADIUS=100;X-TITLE="Forêt, nord":geo:50.8,4.4
ORGANIZER;CN="Alice";EMAIL=alice@icloud.com:mailto:2_GE4DAMBQ@imip.me.com
END:VEVENT
END:VCALENDAR
--Apple-Mail-1--
`},
		{
			name: "Zimbra", from: "alice@zimbra.example.com", start: "2026-04-01T10:00:00Z", method: Request, attendees: 1, alarms: 1,
			text: `From: Alice <alice@zimbra.example.com>
To: bob@example.org
Subject: Visit
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="=_zimbra"
X-Mailer: Zimbra 8.8.15_GA_3968 (ZimbraWebClient)

--=_zimbra
Content-Type: text/plain; charset=utf-8

The following is a new meeting request:
--=_zimbra
Content-Type: text/calendar; charset=utf-8; method=REQUEST; name=meeting.ics
Content-Transfer-Encoding: 7bit

BEGIN:VCALENDAR
PRODID:Zimbra-Calendar-Provider
VERSION:2.0
METHOD:REQUEST
BEGIN:VTIMEZONE
TZID:Europe/Brussels
BEGIN:STANDARD
DTSTART:16010101T000000
TZOFFSETTO:+0100
TZOFFSETFROM:+0200
RRULE:FREQ=YEARLY;WKST=MO;INTERVAL=1;BYMONTH=10;BYDAY=-1SU
TZNAME:CET
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T000000
TZOFFSETTO:+0200
TZOFFSETFROM:+0100
RRULE:FREQ=YEARLY;WKST=MO;INTERVAL=1;BYMONTH=3;BYDAY=-1SU
TZNAME:CEST
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
UID:12345678-1234-1234-1234-123456789012
SUMMARY:Visit
ATTENDEE;CN=Bob;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob@example.org
ORGANIZER;CN=Alice:mailto:alice@zimbra.example.com
DTSTART;TZID="Europe/Brussels":20260401T120000
DTEND;TZID="Europe/Brussels":20260401T130000
STATUS:CONFIRMED
CLASS:PUBLIC
X-MICROSOFT-CDO-INTENDEDSTATUS:BUSY
TRANSP:OPAQUE
LAST-MODIFIED:20260301T080000Z
DTSTAMP:20260301T080000Z
SEQUENCE:0
DESCRIPTION:x
BEGIN:VALARM
ACTION:DISPLAY
TRIGGER;RELATED=START:-PT5M
DESCRIPTION:Reminder
END:VALARM
END:VEVENT
END:VCALENDAR
--=_zimbra--
`},
		{
			name: "SOGo", from: "alice@sogo.example.com", start: "2026-04-01T10:00:00Z", method: Request, attendees: 1,
			text: `From: =?utf-8?q?Alice_Mart=C3=ADn?= <alice@sogo.example.com>
To: bob@example.org
Subject: Event Invitation: "Visit"
MIME-Version: 1.0
X-SOGo-Message-Type: calendar:invitation
Content-Type: multipart/mixed; boundary="----=_=-_OpenGroupware_org_NGMime-1-1"

------=_=-_OpenGroupware_org_NGMime-1-1
Content-Type: text/html; charset=utf-8

<p>Alice has invited you</p>
------=_=-_OpenGroupware_org_NGMime-1-1
Content-Type: text/calendar; method=request; charset=utf-8
Content-Transfer-Encoding: base64

` + inBase64(`BEGIN:VCALENDAR
PRODID:-//Inverse inc./SOGo 5.8.0//EN
VERSION:2.0
METHOD:REQUEST
BEGIN:VEVENT
UID:1A2B-5E000000-1-1
SUMMARY:Visit
CLASS:PUBLIC
TRANSP:OPAQUE
DTSTART;TZID=Europe/Brussels:20260401T120000
DTEND;TZID=Europe/Brussels:20260401T130000
CREATED:20260301T075900Z
DTSTAMP:20260301T080000Z
LAST-MODIFIED:20260301T080000Z
ORGANIZER;CN="Alice Martín":mailto:alice@sogo.example.com
ATTENDEE;PARTSTAT=NEEDS-ACTION;ROLE=REQ-PARTICIPANT;RSVP=TRUE;CN="Bob":mail
 to:bob@example.org
END:VEVENT
END:VCALENDAR
`) + `
------=_=-_OpenGroupware_org_NGMime-1-1--
`},
		{
			name: "a whole day in a file alone", from: "alice@example.net", start: "2026-04-01T00:00:00Z", method: Request, attendees: 1,
			text: `From: alice@example.net
To: bob@example.org
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

see the file
--b
Content-Type: application/octet-stream; name="Termin.ICS"
Content-Disposition: attachment; filename="Termin.ICS"

BEGIN:VCALENDAR
VERSION:2.0
METHOD:REQUEST
BEGIN:VEVENT
UID:9
DTSTART;VALUE=DATE:20260401
SUMMARY:Holiday
ORGANIZER:MAILTO:alice@example.net
ATTENDEE:MAILTO:bob@example.org
END:VEVENT
END:VCALENDAR
--b--
`},
	}
}

type form struct {
	name, from, start, text string
	method                  Method
	attendees, alarms       int
}

func inBase64(text string) string {
	var b strings.Builder
	for line := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString([]byte(text))), 76) {
		b.WriteString(string(line) + "\n")
	}
	return b.String()
}

// TestForms: invitations of other programs are found, kept, answered and cancelled.
func TestForms(t *testing.T) {
	for _, f := range forms() {
		t.Run(f.name, func(t *testing.T) {
			m, err := Find(content(t, []byte(strings.ReplaceAll(f.text, "\n", "\r\n"))))
			if err != nil {
				t.Fatal(err)
			}
			in, ok := m.Invitation(time.UTC)
			if !ok || m.Method != f.method || in.Start.UTC().Format(time.RFC3339) != f.start || len(in.Attendees) != f.attendees || in.Summary == "" {
				t.Fatalf("%+v", in)
			}
			d := Delivery{Message: m, Self: person("bob@example.org"), From: person(f.from), Now: now, Create: true}
			r := d.Apply()
			if r.Outcome != Applied || !r.Created || strings.Contains(string(r.Object.Append(nil)), "VALARM") {
				t.Fatalf("%s", result(r))
			}
			if bad := (Delivery{Message: m, Self: d.Self, From: person("mallory@example.net"), Now: now, Create: true}).Apply(); bad.Reason != NotOrganizer {
				t.Errorf("%s", result(bad))
			}
			if again := (Delivery{Message: m, Stored: r.Object, Self: d.Self, From: d.From, Now: now}).Apply(); again.Reason != Same {
				t.Errorf("%s", result(again))
			}
			after := Answer{Self: d.Self, PartStat: "ACCEPTED", Now: now}.Set(r.Object)
			plan, err := Change{Before: r.Object, After: after, Self: d.Self, Now: now}.Plan()
			if err != nil || len(plan.Messages) != 1 || plan.Messages[0].To.Key() != m.Organizer.Key() {
				t.Fatalf("%v %s", err, told(plan.Messages))
			}
			wellFormed(t, plan.Messages)
			if got := plan.Messages[0].To.Mailbox().String(); got != f.from {
				t.Errorf("the answer goes to %s", got)
			}
			direct, ok := Answer{Self: d.Self, PartStat: "DECLINED", Now: now}.Reply(m.Calendar)
			if !ok || direct.From.Address.String() != "bob@example.org" {
				t.Errorf("%+v", direct)
			}
		})
	}
}

// answersOfOthers are replies as other programs write them, modelled in the same way.
func answersOfOthers() map[string]string {
	return map[string]string{
		"Google": `PRODID:-//Google Inc//Google Calendar 70.9054//EN
VERSION:2.0
CALSCALE:GREGORIAN
METHOD:REPLY
BEGIN:VEVENT
DTSTART:20260401T100000Z
DTEND:20260401T110000Z
DTSTAMP:20260301T090000Z
ORGANIZER;CN=org@example.org:mailto:org@example.org
UID:e1
ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;CN=Bob;X-NUM-GUESTS=0:mailto:bob@example.org
CREATED:20260301T075900Z
DESCRIPTION:
LAST-MODIFIED:20260301T090000Z
LOCATION:
SEQUENCE:1
STATUS:CONFIRMED
SUMMARY:Plan
TRANSP:OPAQUE
END:VEVENT
`,
		"Outlook": `METHOD:REPLY
PRODID:Microsoft Exchange Server 2010
VERSION:2.0
BEGIN:VTIMEZONE
TZID:Romance Standard Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
ATTENDEE;PARTSTAT=ACCEPTED;CN=Bob:mailto:bob@example.org
COMMENT;LANGUAGE=en-US:See you\n
UID:e1
SUMMARY;LANGUAGE=en-US:Accepted: Plan
DTSTART;TZID=Romance Standard Time:20260401T120000
DTEND;TZID=Romance Standard Time:20260401T130000
CLASS:PUBLIC
PRIORITY:5
DTSTAMP:20260301T090000Z
TRANSP:OPAQUE
STATUS:CONFIRMED
SEQUENCE:0
LOCATION;LANGUAGE=en-US:
X-MICROSOFT-CDO-APPT-SEQUENCE:0
X-MICROSOFT-CDO-BUSYSTATUS:BUSY
END:VEVENT
`,
		"Apple": `VERSION:2.0
METHOD:REPLY
PRODID:-//Apple Inc.//macOS 14.4//EN
CALSCALE:GREGORIAN
BEGIN:VEVENT
UID:e1
DTSTART:20260401T100000Z
ATTENDEE;CN="Bob";CUTYPE=INDIVIDUAL;PARTSTAT=ACCEPTED;EMAIL="bob@example.org":mailto:bob@example.org
SEQUENCE:1
DTSTAMP:20260301T090000Z
ORGANIZER:mailto:org@example.org
REQUEST-STATUS:2.0;Success
END:VEVENT
`,
		"a poor one": "METHOD:REPLY\nBEGIN:VEVENT\nUID:e1\nATTENDEE;PARTSTAT=ACCEPTED:MAILTO:BOB@EXAMPLE.ORG\nEND:VEVENT\n",
	}
}

func TestAnswersOfOthers(t *testing.T) {
	for program, text := range answersOfOthers() {
		m, err := ParseMessage([]byte("BEGIN:VCALENDAR\n" + text + "END:VCALENDAR\n"))
		if err != nil {
			t.Fatalf("%s: %v", program, err)
		}
		r := Delivery{Message: m, Stored: event(t, "SEQUENCE:1\nSUMMARY:Plan\n"+self+bob), Self: person("org@example.org"), From: person("bob@example.org"), Now: now}.Apply()
		if !strings.Contains(result(r), "bob:ACCEPTED") {
			t.Errorf("%s: %s", program, result(r))
		}
	}
}
