package transfer

import (
	"bytes"
	"strings"
	"testing"
)

// TestCalendarsOfPrograms: what these programs write, from knowledge of their ways and not
// recorded, comes in whole.
func TestCalendarsOfPrograms(t *testing.T) {
	vcalendar := func(head string, parts ...string) string {
		return "BEGIN:VCALENDAR\r\n" + strings.ReplaceAll(head+strings.Join(parts, ""), "\n", "\r\n") + "END:VCALENDAR\r\n"
	}
	tests := []struct {
		name, text, want, calendar, color string
		has                               []string // in the first object
	}{
		{"Google", vcalendar("PRODID:-//Google Inc//Google Calendar 70.9054//EN\nVERSION:2.0\nCALSCALE:GREGORIAN\nMETHOD:PUBLISH\nX-WR-CALNAME:Choir\nX-WR-TIMEZONE:Europe/Paris\nX-WR-CALDESC:\n",
			"BEGIN:VTIMEZONE\nTZID:Europe/Paris\nX-LIC-LOCATION:Europe/Paris\nBEGIN:DAYLIGHT\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nTZNAME:CEST\nDTSTART:19700329T020000\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\nEND:DAYLIGHT\n"+
				"BEGIN:STANDARD\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nTZNAME:CET\nDTSTART:19701025T030000\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\nEND:STANDARD\nEND:VTIMEZONE\n",
			// the exception first, far from its series
			"BEGIN:VEVENT\nDTSTART;TZID=Europe/Paris:20260108T200000\nDTEND;TZID=Europe/Paris:20260108T220000\nDTSTAMP:20260301T000000Z\nUID:a@google.com\nRECURRENCE-ID;TZID=Europe/Paris:20260108T190000\n"+
				"CREATED:00001231T000000Z\nLAST-MODIFIED:20260101T000000Z\nSEQUENCE:1\nSTATUS:CONFIRMED\nSUMMARY:Rehearsal\nTRANSP:OPAQUE\nEND:VEVENT\n",
			"BEGIN:VEVENT\nDTSTART;VALUE=DATE:20260501\nDTEND;VALUE=DATE:20260502\nRRULE:FREQ=YEARLY;UNTIL=20300501\nDTSTAMP:20260301T000000Z\nUID:b@google.com\nCLASS:PRIVATE\nDESCRIPTION:\nLOCATION:\nSUMMARY:Holiday\nTRANSP:TRANSPARENT\nEND:VEVENT\n",
			"BEGIN:VEVENT\nDTSTART;TZID=Europe/Paris:20260101T190000\nDTEND;TZID=Europe/Paris:20260101T210000\nRRULE:FREQ=WEEKLY;WKST=MO;BYDAY=TH\nEXDATE;TZID=Europe/Paris:20260115T190000\nDTSTAMP:20260301T000000Z\nORGANIZER;CN=Choir:mailto:x@group.calendar.google.com\n"+
				"UID:a@google.com\nATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;CN=Al;X-NUM-GUESTS=0:mailto:al@example.org\nSUMMARY:Rehearsal\nEND:VEVENT\n"),
			"VEVENT a@google.com\nVEVENT b@google.com\n", "Choir", "", []string{"RECURRENCE-ID", "RRULE", "BEGIN:VTIMEZONE", "X-NUM-GUESTS=0"}},
		{"Apple", vcalendar("CALSCALE:GREGORIAN\nPRODID:-//Apple Inc.//macOS 14.5//EN\nVERSION:2.0\nX-APPLE-CALENDAR-COLOR:#FF2968FF\nX-WR-CALNAME:Privé\n",
			"BEGIN:VEVENT\nCREATED:20260101T000000Z\nDTSTAMP:20260101T000000Z\nDTSTART;VALUE=DATE:20260501\nDTEND;VALUE=DATE:20260502\nUID:5F1C\nSEQUENCE:0\nSUMMARY:Fête\n"+
				"X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-ADDRESS=\"1 Rue X\\nParis, France\";X-APPLE-MAPKIT-HANDLE=CAES;X-APPLE-RADIUS=70.58;X-TITLE=\"Salle \\\\\":geo:48.85,2.35\nX-APPLE-TRAVEL-ADVISORY-BEHAVIOR:AUTOMATIC\n"+
				"BEGIN:VALARM\nACTION:NONE\nTRIGGER;VALUE=DATE-TIME:19760401T005545Z\nX-WR-ALARMUID:1\nEND:VALARM\nBEGIN:VALARM\nACKNOWLEDGED:20260101T000000Z\nACTION:AUDIO\nATTACH;VALUE=URI:Basso\nTRIGGER:-PT15H\nX-APPLE-DEFAULT-ALARM:TRUE\nEND:VALARM\nEND:VEVENT\n"),
			"VEVENT 5F1C\n", "Privé", "#FF2968FF", []string{"X-APPLE-STRUCTURED-LOCATION", "ACTION:NONE"}},
		{"Outlook", vcalendar("PRODID:-//Microsoft Corporation//Outlook 16.0 MIMEDIR//EN\nVERSION:2.0\nMETHOD:PUBLISH\nX-CALSTART:20260101T090000Z\nX-WR-RELCALID:{0000002E}\nX-WR-CALNAME:Agenda\nX-PRIMARY-CALENDAR:TRUE\nX-OWNER;CN=\"Al\":mailto:al@example.org\nX-MS-OLK-WKHRSTART;TZID=\"Romance Standard Time\":080000\n",
			"BEGIN:VTIMEZONE\nTZID:Romance Standard Time\nBEGIN:STANDARD\nDTSTART:16011028T030000\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:16010325T020000\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nEND:DAYLIGHT\nEND:VTIMEZONE\n",
			"BEGIN:VEVENT\nCLASS:PUBLIC\nCREATED:20260101T000000Z\nDESCRIPTION:Line\\n\\n \\n\nDTEND;TZID=\"Romance Standard Time\":20260101T110000\nDTSTAMP:20260101T000000Z\nDTSTART;TZID=\"Romance Standard Time\":20260101T100000\nLAST-MODIFIED:20260101T000000Z\nPRIORITY:5\nSEQUENCE:0\nSUMMARY;LANGUAGE=fr:Réunion\nTRANSP:OPAQUE\n"+
				"UID:040000008200E00074C5B7101A82E00800000000B0\n\tF1A2\nX-ALT-DESC;FMTTYPE=text/html:<!DOCTYPE HTML>\\n<BODY>\\n; ,\\n</BODY>\nX-MICROSOFT-CDO-BUSYSTATUS:BUSY\nX-MICROSOFT-DISALLOW-COUNTER:FALSE\nX-MS-OLK-AUTOFILLLOCATION:FALSE\nBEGIN:VALARM\nTRIGGER:-PT15M\nACTION:DISPLAY\nDESCRIPTION:Reminder\nEND:VALARM\nEND:VEVENT\n"),
			"VEVENT 040000008200E00074C5B7101A82E00800000000B0F1A2\n", "Agenda", "", []string{"Romance Standard Time", "BEGIN:VTIMEZONE", "X-ALT-DESC"}},
		{"Outlook on the web", vcalendar("METHOD:PUBLISH\nPRODID:Microsoft Exchange Server 2010\nVERSION:2.0\nX-WR-CALNAME:Calendrier\n",
			"BEGIN:VTIMEZONE\nTZID:(UTC+01:00) Brussels\\, Paris\nBEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\nEND:VTIMEZONE\n",
			"BEGIN:VEVENT\nUID:w\nSUMMARY:Réunion\nDTSTART;TZID=W. Europe Standard Time:20260101T100000\nDTEND;TZID=W. Europe Standard Time:20260101T110000\nCLASS:PUBLIC\nPRIORITY:5\nDTSTAMP:20260101T000000Z\nTRANSP:OPAQUE\nSTATUS:CONFIRMED\nX-MICROSOFT-CDO-APPT-SEQUENCE:0\nEND:VEVENT\n"),
			"VEVENT w\n", "Calendrier", "", []string{"W. Europe Standard Time"}},
		{"Thunderbird", vcalendar("PRODID:-//Mozilla.org/NONSGML Mozilla Calendar V1.1//EN\nVERSION:2.0\n",
			"BEGIN:VTIMEZONE\nTZID:/mozilla.org/20070129_1/Europe/Brussels\nX-LIC-LOCATION:Europe/Brussels\nBEGIN:STANDARD\nDTSTART:19701025T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\n",
			"BEGIN:VEVENT\nCREATED:20260101T000000Z\nLAST-MODIFIED:20260101T000000Z\nDTSTAMP:20260101T000000Z\nUID:t\nSUMMARY:Réunion\nRRULE:FREQ=WEEKLY;UNTIL=20270101T090000Z\nEXDATE:20260108T090000Z\nDTSTART;TZID=/mozilla.org/20070129_1/Europe/Brussels:20260101T100000\n"+
				"DTEND;TZID=/mozilla.org/20070129_1/Europe/Brussels:20260101T110000\nX-MOZ-LASTACK:20260101T000000Z\nX-MOZ-GENERATION:2\nEND:VEVENT\n",
			"BEGIN:VTODO\nDTSTAMP:20260101T000000Z\nUID:todo\nSUMMARY:Faire\nSTATUS:COMPLETED\nCOMPLETED:20260102T000000Z\nPERCENT-COMPLETE:100\nEND:VTODO\n"),
			"VEVENT t\nVTODO todo\n", "", "", []string{"/mozilla.org/20070129_1/Europe/Brussels"}},
		{"Nextcloud", vcalendar("VERSION:2.0\nCALSCALE:GREGORIAN\nPRODID:-//SabreDAV//SabreDAV//EN\nX-WR-CALNAME:Personnel\nX-APPLE-CALENDAR-COLOR:#0082c9\nREFRESH-INTERVAL;VALUE=DURATION:PT4H\nX-PUBLISHED-TTL:PT4H\n",
			"BEGIN:VTODO\nUID:n\nCREATED:20260101T000000\nLAST-MODIFIED:20260101T000000\nDTSTAMP:20260101T000000\nSUMMARY:Tâche\nDUE;VALUE=DATE:20260301\nX-APPLE-SORT-ORDER:12\nX-OC-HIDESUBTASKS:1\nRELATED-TO:other\nEND:VTODO\n"),
			"VTODO n\n", "Personnel", "#0082c9", []string{"X-APPLE-SORT-ORDER:12"}},
		{"SOGo", vcalendar("PRODID:-//Inverse inc./SOGo 5.8.0//EN\nVERSION:2.0\nMETHOD:PUBLISH\nX-WR-CALNAME:Personal Calendar\n",
			"BEGIN:VEVENT\nUID:1A2B-4C5D-1-ABC\nSUMMARY:Réunion\nCLASS:PUBLIC\nCREATED:20260101T000000Z\nDTSTAMP:20260101T000000Z\nLAST-MODIFIED:20260101T000000Z\nDTSTART:20260101T100000Z\nDURATION:PT1H\nTRANSP:OPAQUE\nORGANIZER;CN=\"Al\":MAILTO:al@example.org\n"+
				"ATTENDEE;CN=Bo;PARTSTAT=NEEDS-ACTION;ROLE=REQ-PARTICIPANT;RSVP=TRUE:MAILTO:bo@example.org\nX-SOGO-SEND-APPOINTMENT-NOTIFICATIONS:NO\nEND:VEVENT\n"),
			"VEVENT 1A2B-4C5D-1-ABC\n", "Personal Calendar", "", []string{"RSVP=TRUE:MAILTO:bo@example.org"}},
		{"Zimbra", vcalendar("X-WR-CALNAME:Calendar\nX-WR-CALID:abc:10\nPRODID:Zimbra-Calendar-Provider\nVERSION:2.0\nMETHOD:PUBLISH\n",
			"BEGIN:VTIMEZONE\nTZID:Europe/Brussels\nBEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETTO:+0100\nTZOFFSETFROM:+0200\nRRULE:FREQ=YEARLY;WKST=MO;INTERVAL=1;BYMONTH=10;BYDAY=-1SU\nTZNAME:CET\nEND:STANDARD\nEND:VTIMEZONE\n",
			"BEGIN:VEVENT\nUID:z\nRRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=TH\nSUMMARY:Réunion\nDESCRIPTION:a\\, b\nX-ALT-DESC;FMTTYPE=text/html:<html></html>\nATTENDEE;CN=Bo;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bo@example.org\nORGANIZER:mailto:al@example.org\n"+
				"DTSTART;TZID=\"Europe/Brussels\":20260101T100000\nDTEND;TZID=\"Europe/Brussels\":20260101T110000\nEXDATE;TZID=\"Europe/Brussels\":20260108T100000\nSTATUS:CONFIRMED\nCLASS:PUBLIC\nX-MICROSOFT-CDO-INTENDEDSTATUS:BUSY\nTRANSP:OPAQUE\nLAST-MODIFIED:20260101T000000Z\nDTSTAMP:20260101T000000Z\nSEQUENCE:0\n"+
				"BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER;RELATED=START:-PT5M\nDESCRIPTION:Reminder\nEND:VALARM\nBEGIN:VALARM\nACTION:EMAIL\nTRIGGER;RELATED=START:-PT5M\nDESCRIPTION:Reminder\nEND:VALARM\nEND:VEVENT\n"),
			"VEVENT z\n", "Calendar", "", []string{"EXDATE", "BEGIN:VTIMEZONE"}},
		{"without what has to be there", vcalendar("PRODID:x\n", "BEGIN:VEVENT\nDTSTART;VALUE=DATE:20260101\nSUMMARY:No stamp, no UID\nRRULE:\nEXDATE:\nDTEND:\nURL:\nEND:VEVENT\n"), "VEVENT content-*\n", "", "", nil},
		{"a date without its VALUE", vcalendar("PRODID:x\nVERSION:2.0\n", "BEGIN:VEVENT\nUID:d\nDTSTAMP:20260101T000000Z\nDTSTART:20260101\nDTEND:20260102\nSUMMARY:All day\nEND:VEVENT\n"), "VEVENT d\n", "", "", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			objects, info, problems := Calendar([]byte(test.text))
			if got := shown(objects, problems); got != test.want {
				t.Fatalf("got\n%s, want\n%s", got, test.want)
			}
			if info.Name != test.calendar || info.Color != test.color {
				t.Errorf("the name is %q, the colour %q", info.Name, info.Color)
			}
			for _, o := range objects {
				checkObject(t, o)
			}
			for _, want := range test.has {
				if !bytes.Contains(bytes.ReplaceAll(objects[0].Data, []byte("\r\n "), nil), []byte(want)) {
					t.Errorf("there is no %q in\n%s", want, objects[0].Data)
				}
			}
		})
	}
}

// TestCardsOfPrograms is the same for contacts.
func TestCardsOfPrograms(t *testing.T) {
	vcard := func(lines ...string) string {
		return "BEGIN:VCARD\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VCARD\r\n"
	}
	tests := []struct {
		name, text, want string
		has              []string
	}{
		{"Google", vcard("VERSION:3.0", "FN:Jane Doe", "N:Doe;Jane;;;", "item1.EMAIL;TYPE=INTERNET:jane@example.org", "item1.X-ABLabel:Asso", "TEL;TYPE=CELL:+33 6", "item2.ADR:;;1 rue X;Paris;;75001;FR;1 rue X\\nParis",
			"item2.X-ABLabel:", "BDAY;VALUE=text:--0308", "PHOTO:https://lh3.googleusercontent.com/contacts/x", "NOTE:a\\nb", "CATEGORIES:myContacts,Choir"), "VCARD content-*\n", []string{"item1.X-ABLABEL:Asso", "CATEGORIES"}},
		{"Google, an address alone", vcard("VERSION:3.0", "FN:", "N:;;;;", "EMAIL;TYPE=INTERNET:x@example.org"), "VCARD content-*\n", []string{"FN:x@example.org"}},
		{"Apple", vcard("VERSION:3.0", "PRODID:-//Apple Inc.//macOS 14.5//EN", "N:Doe;Jane;;;", "FN:Jane Doe", "ORG:ACME;", "EMAIL;type=INTERNET;type=HOME;type=pref:jane@example.org",
			"item1.ADR;type=HOME;type=pref:;;1 rue X\\nBat B;Paris;;75001;France", "item1.X-ABADR:fr", "BDAY;X-APPLE-OMIT-YEAR=1604:1604-03-08", "X-ABShowAs:COMPANY", "PHOTO;ENCODING=b;TYPE=JPEG;X-ABCROP-RECTANGLE=ABClipRect_1&0&0&1&1&x==:AAAA", " BBBB", "X-ABUID:1:ABPerson", "UID:A-1"),
			"VCARD A-1\n", []string{"X-ABADR:fr", "X-APPLE-OMIT-YEAR=1604"}},
		{"Outlook", vcard("VERSION:2.1", "N;LANGUAGE=fr;CHARSET=Windows-1252:L\xe9vy;Zo\xe9", "FN;CHARSET=Windows-1252:Zo\xe9 L\xe9vy", "ORG:ACME;Sales", "TEL;WORK;VOICE:01", "ADR;WORK;PREF;ENCODING=QUOTED-PRINTABLE:;;1 rue X=0D=0A=", "Bat B;Paris;;75001;France",
			"X-MS-OL-DEFAULT-POSTAL-ADDRESS:2", "EMAIL;PREF;INTERNET:z@example.org", "PHOTO;TYPE=JPEG;ENCODING=BASE64:", " AAAA", " BBBB", "", "X-MS-OL-DESIGN;CHARSET=utf-8:<card xmlns=\"http://x/\" ver=\"1.0\"/>", "REV:20260101T000000Z"), "VCARD content-*\n",
			[]string{"FN:Zoé Lévy", "N;LANGUAGE=fr:Lévy;Zoé", "AAAABBBB"}},
		{"Thunderbird", vcard("VERSION:4.0", "EMAIL;PREF=1:bo@example.org", "FN:Bo", "N:;Bo;;;", "NICKNAME:B", "TEL;TYPE=cell;VALUE=TEXT:06", "X-CUSTOM1;VALUE=TEXT:x", "BDAY;VALUE=DATE:19700308", "UID:b4"), "VCARD b4\n", []string{"EMAIL;PREF=1"}},
		{"Nextcloud", vcard("VERSION:3.0", "PRODID:-//Sabre//Sabre VObject 4.5.4//EN", "UID:nc", "FN:Zoé", "X-SOCIALPROFILE;TYPE=facebook:zoe", "PHOTO;ENCODING=b;TYPE=PNG:AAAA", "REV;VALUE=DATE-AND-OR-TIME:20260101T000000Z", "CATEGORIES:Choir,Board"), "VCARD nc\n", []string{"X-SOCIALPROFILE"}},
		{"SOGo", vcard("UID:s.vcf", "CLASS:PUBLIC", "PROFILE:VCARD", "VERSION:3.0", "N:Doe;Jane", "FN:Jane Doe", "EMAIL;TYPE=work:jane@example.org", "X-AIM:"), "VCARD s.vcf\n", []string{"X-AIM"}},
		{"Zimbra", vcard("VERSION:3.0", "FN:Jane Doe", "N:Doe;Jane;;;", "EMAIL;TYPE=internet:jane@example.org", "X-ZIMBRA-CUSTOM1:x", "UID:abc:257", "REV:2026-01-01T00:00:00Z"), "VCARD abc:257\n", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			objects, problems := Cards([]byte(test.text))
			if got := shown(objects, problems); got != test.want {
				t.Fatalf("got\n%s, want\n%s", got, test.want)
			}
			checkObject(t, objects[0])
			for _, want := range test.has {
				if !bytes.Contains(bytes.ReplaceAll(objects[0].Data, []byte("\r\n "), nil), []byte(want)) {
					t.Errorf("there is no %q in\n%s", want, objects[0].Data)
				}
			}
		})
	}
}

// TestTablesOfPrograms is the same for tables of contacts.
func TestTablesOfPrograms(t *testing.T) {
	tests := []struct {
		name, text string
		has        []string
	}{
		{"Google, before 2023", "Name,Given Name,Additional Name,Family Name,Yomi Name,Group Membership,E-mail 1 - Type,E-mail 1 - Value,Phone 1 - Type,Phone 1 - Value,Organization 1 - Name,Organization 1 - Title\n" +
			"Ann Lee,Ann,,Lee,,* myContacts,* Home,ann@example.org,Mobile,06,Shop,Boss\n",
			[]string{"FN:Ann Lee", "N:Lee;Ann;;;", "EMAIL;TYPE=PREF,HOME:ann@example.org", "TEL;TYPE=CELL:06", "ORG:Shop;", "TITLE:Boss"}},
		{"Outlook on the web", "First Name,Middle Name,Last Name,Title,Suffix,Nickname,Given Yomi,Surname Yomi,E-mail Address,E-mail 2 Address,E-mail 3 Address,Home Phone,Mobile Phone,Birthday,Company,Job Title,Business Street,Business City,Personal Web Page,Notes\n" +
			"Ann,,Lee,,,,,,ann@example.org,a@example.org,,01,06,,Shop,Boss,1 Road,Ghent,https://ann.example/,\n",
			[]string{"N:Lee;Ann;;;", "EMAIL:ann@example.org", "EMAIL:a@example.org", "TEL;TYPE=HOME:01", "TEL;TYPE=CELL:06", "ADR;TYPE=WORK:;;1 Road;Ghent;;;"}},
		{"Zimbra", "\"email\",\"email2\",\"fileAs\",\"firstName\",\"fullName\",\"lastName\",\"workPhone\",\"mobilePhone\",\"homeStreet\",\"homeCity\",\"homePostalCode\",\"company\",\"jobTitle\",\"birthday\",\"notes\"\n" +
			"\"ann@example.org\",\"a@example.org\",\"1\",\"Ann\",\"Ann Lee\",\"Lee\",\"01\",\"06\",\"1 Road\",\"Ghent\",\"9000\",\"Shop\",\"Boss\",\"1970-03-08\",\"x\"\n",
			[]string{"FN:Ann Lee", "N:Lee;Ann;;;", "EMAIL:ann@example.org", "EMAIL:a@example.org", "TEL;TYPE=WORK:01", "TEL;TYPE=CELL:06", "ADR;TYPE=HOME:;;1 Road;Ghent;;9000;", "BDAY:1970-03-08", "NOTE:x"}},
		{"Zimbra, shown under another name", "\"email\",\"fileAs\",\"firstName\",\"lastName\"\n\"ann@example.org\",\"8:The chair\",\"Ann\",\"Lee\"\n", []string{"FN:The chair", "N:Lee;Ann;;;"}},
		{"Zimbra, by the number of a rule", "\"email\",\"fileAs\",\"firstName\",\"lastName\"\n\"ann@example.org\",\"2\",\"Ann\",\"Lee\"\n", []string{"FN:Ann Lee"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			checkTable(t, test.text, test.has)
		})
	}
}
