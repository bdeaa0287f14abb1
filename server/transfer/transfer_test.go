package transfer

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf16"

	"facteur/server/ical"
	"facteur/server/vcard"
)

const zone = "BEGIN:VTIMEZONE\nTZID:Paris\nBEGIN:STANDARD\nDTSTART:19701025T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\n"

func calendarOf(parts ...string) string {
	return "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//y//EN\nMETHOD:PUBLISH\nX-WR-CALNAME:Choir\\, all\n" + strings.Join(parts, "") + "END:VCALENDAR\n"
}

func event(lines ...string) string {
	return "BEGIN:VEVENT\nDTSTAMP:20260101T000000Z\n" + strings.Join(lines, "\n") + "\nEND:VEVENT\n"
}

// shown is objects and problems as a test compares them.
func shown(objects []Object, problems []Problem) string {
	var b strings.Builder
	for _, o := range objects {
		uid := o.UID
		if strings.HasPrefix(uid, "content-") {
			uid = "content-*"
		}
		b.WriteString(o.Kind + " " + uid + "\n")
	}
	for _, p := range problems {
		b.WriteString("! " + p.String() + "\n")
	}
	return b.String()
}

func TestCalendar(t *testing.T) {
	a := event("UID:a", "DTSTART:20260101T100000Z", "SUMMARY:A")
	tests := []struct{ name, text, want string }{
		{"several", calendarOf(a, event("UID:b", "DTSTART:20260101T100000Z"), "BEGIN:VTODO\nUID:t\nSUMMARY:T\nEND:VTODO\n"),
			"VEVENT a\nVEVENT b\nVTODO t\n"},
		{"several calendars", calendarOf(a) + calendarOf(event("UID:b", "DTSTART:20260101T100000Z")), "VEVENT a\nVEVENT b\n"},
		{"the same twice", calendarOf(a) + calendarOf(strings.Replace(a, "20260101T000000Z", "20260202T000000Z", 1)), "VEVENT a\n"},
		{"older", calendarOf(a, event("UID:a", "SEQUENCE:1", "DTSTART:20260102T100000Z")),
			"VEVENT a\n! line 6: the VEVENT is left out: line 12 has another one with its UID \"a\", which is no older\n"},
		{"exception", calendarOf(event("UID:a", "RECURRENCE-ID:20260102T100000Z", "DTSTART:20260102T110000Z"),
			event("UID:a", "DTSTART:20260101T100000Z", "RRULE:FREQ=DAILY")), "VEVENT a\n"},
		{"without UID", calendarOf(event("DTSTART:20260101T100000Z"), event("DTSTART:20260101T100000Z"), event("DTSTART:20260102T100000Z")),
			"VEVENT content-*\nVEVENT content-*\n"},
		{"zone missing", calendarOf(event("UID:a", "DTSTART;TZID=Nowhere:20260101T100000"), a),
			"VEVENT a\n! line 9: the VEVENT of line 6 is left out: DTSTART: there is no VTIMEZONE \"Nowhere\", and no zone is known by that name\n"},
		{"bad date", calendarOf(event("UID:x", "DTSTART:yesterday"), a),
			"VEVENT a\n! line 9: the VEVENT of line 6 is left out: DTSTART: \"yesterday\" is no date or time\n"},
		{"bad line", calendarOf(event("UID:x", "DTSTART:20260101T100000Z", "no colon"), a),
			"VEVENT a\n! line 10: the VEVENT of line 6 is left out: there is no name of a property with a colon in \"no colon\"\n"},
		{"not closed", calendarOf("BEGIN:VEVENT\nUID:x\n", a),
			"VEVENT a\n! line 6: the VEVENT is left out: it is still open in line 8, which has BEGIN:VEVENT\n"},
		{"cut off", strings.TrimSuffix(calendarOf(a, a[:40]), "END:VCALENDAR\n"),
			"VEVENT a\n! line 1: the text ends within the VCALENDAR\n! line 12: the VEVENT is left out: the text ends within it\n"},
		{"nothing", "hello\nworld\n", "! line 1: \"hello\" stands outside of VCALENDAR\n"},
		{"carriage returns", strings.ReplaceAll(calendarOf(a), "\n", "\r"), "VEVENT a\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			objects, info, problems := Calendar([]byte(test.text))
			if got := shown(objects, problems); got != test.want {
				t.Errorf("got\n%s, want\n%s", got, test.want)
			}
			if len(objects) > 0 && info.Name != "Choir, all" {
				t.Errorf("the name is %q", info.Name)
			}
			for _, o := range objects {
				checkObject(t, o)
			}
		})
	}
}

func checkObject(t *testing.T, o Object) {
	t.Helper()
	if o.Kind == Card {
		c, err := vcard.ParseBytes(o.Data)
		if err == nil {
			err = c.Check()
		}
		if err != nil || c.UID() != o.UID {
			t.Errorf("%v: %q\n%s", err, o.UID, o.Data)
		}
		return
	}
	c, err := ical.ParseBytes(o.Data)
	if err == nil {
		err = c.Check()
	}
	if err != nil {
		t.Errorf("%v\n%s", err, o.Data)
	}
}

func TestCalendarZones(t *testing.T) {
	text := calendarOf(zone, event("UID:a", "DTSTART;TZID=Paris:20260101T100000", "DESCRIPTION:a very long line that is folded "+strings.Repeat("é", 60)),
		event("UID:b", "DTSTART:20260101T100000Z"))
	objects, _, problems := Calendar([]byte(text))
	if len(objects) != 2 || len(problems) > 0 {
		t.Fatal(shown(objects, problems))
	}
	if !bytes.Contains(objects[0].Data, []byte("BEGIN:VTIMEZONE")) || bytes.Contains(objects[1].Data, []byte("VTIMEZONE")) {
		t.Errorf("the time zone is not where it is used:\n%s%s", objects[0].Data, objects[1].Data)
	}
	if bytes.Contains(objects[0].Data, []byte("METHOD")) {
		t.Error("METHOD was kept")
	}
	again, _, problems := Calendar(objects[0].Data)
	if len(again) != 1 || !bytes.Equal(again[0].Data, objects[0].Data) {
		t.Errorf("read again it is another: %s", shown(again, problems))
	}
}

func TestCharsets(t *testing.T) {
	text := calendarOf(event("UID:a", "DTSTART:20260101T100000Z", "SUMMARY:Été \u20ac"))
	latin := strings.NewReplacer("É", "\xc9", "é", "\xe9", "\u20ac", "\x80").Replace(text)
	units := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text)) {
		units = append(units, byte(u), byte(u>>8))
	}
	for _, in := range []string{text, "\uFEFF" + text, latin, string(units)} {
		objects, _, problems := Calendar([]byte(in))
		if len(objects) != 1 || !bytes.Contains(objects[0].Data, []byte("SUMMARY:Été \u20ac")) {
			t.Errorf("%.20q: %s", in, shown(objects, problems))
		}
	}
}

func TestCards(t *testing.T) {
	const three = "BEGIN:VCARD\nVERSION:3.0\nUID:a\nFN:A\nEND:VCARD\n"
	tests := []struct{ name, text, want string }{
		{"two versions", three + "BEGIN:VCARD\nVERSION:4.0\nUID:b\nFN:B\nEND:VCARD\n", "VCARD a\nVCARD b\n"},
		{"without UID", "BEGIN:VCARD\nVERSION:3.0\nN:Doe;Jane;;;\nEND:VCARD\n", "VCARD content-*\n"},
		{"the same twice", three + three, "VCARD a\n"},
		{"two of a UID", three + strings.Replace(three, "FN:A", "FN:B\nREV:2026", 1),
			"VCARD a\n! line 1: the vCard is left out: line 6 has another one with its UID \"a\", which is no older\n"},
		{"not closed", "BEGIN:VCARD\nVERSION:3.0\n" + three, "VCARD a\n! line 1: the vCard is left out: it is not closed before line 3\n"},
		{"cut off", three + "BEGIN:VCARD\nVERSION:3.0\n", "VCARD a\n! line 6: the vCard is left out: the text ends within it\n"},
		{"no name", "BEGIN:VCARD\nVERSION:3.0\nUID:x\nEND:VCARD\n", "! line 1: the vCard is left out: the vCard has no FN\n"},
		{"bad line", "BEGIN:VCARD\nVERSION:3.0\nUID:x\nFN:X\nnothing\nEND:VCARD\n" + three,
			"VCARD a\n! line 5: the vCard of line 1 is left out: there is no name of a property with a colon in \"nothing\"\n"},
		{"a list of SOGo", "BEGIN:VLIST\nUID:l\nFN:Board\nCARD;EMAIL=a@example.org:a.vcf\nEND:VLIST\n" + three,
			"VCARD a\n! line 1: a list of SOGo is left out, for no other program knows these: people write to an alias of mail.toml, or programs group by CATEGORIES\n"},
		{"outside", "hello\n" + three, "VCARD a\n! line 1: \"hello\" stands outside of a vCard\n"},
		{"types without names", "BEGIN:VCARD\nVERSION:3.0\nUID:a\nFN:A\nTEL;HOME:1\nEND:VCARD\n", "VCARD a\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			objects, problems := Cards([]byte(test.text))
			if got := shown(objects, problems); got != test.want {
				t.Errorf("got\n%s, want\n%s", got, test.want)
			}
			for _, o := range objects {
				checkObject(t, o)
			}
		})
	}
}

func TestOldCard(t *testing.T) {
	text := "BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:M=FCller;J=F6rg\\;Jan\r\n" +
		"FN;CHARSET=UTF-8;QUOTED-PRINTABLE:J=C3=B6rg M=\r\n=C3=BCller\r\n" +
		"TEL;WORK;VOICE:+33 1, 2\r\nADR;HOME;ENCODING=QUOTED-PRINTABLE:;;1, rue X=0D=0ABat B;Paris;;75001;France\r\n" +
		"NOTE;ENCODING=QUOTED-PRINTABLE:a\\b=0D=0Ac; d\r\n" +
		"PHOTO;JPEG;ENCODING=BASE64:AAAA\r\n BBBB\r\nCCCC\r\n\r\nitem1.EMAIL;INTERNET;PREF:j@example.org\r\nEND:VCARD\r\n"
	objects, problems := Cards([]byte(text))
	if len(objects) != 1 || len(problems) > 0 {
		t.Fatal(shown(objects, problems))
	}
	checkObject(t, objects[0])
	for _, want := range []string{
		"VERSION:3.0\r\n", "N:Müller;Jörg\\;Jan\r\n", "FN:Jörg Müller\r\n", "TEL;TYPE=WORK,VOICE:+33 1\\, 2\r\n",
		"ADR;TYPE=HOME:;;1\\, rue X\\nBat B;Paris;;75001;France\r\n", "NOTE:a\\\\b\\nc\\; d\r\n",
		"PHOTO;TYPE=JPEG;ENCODING=b:AAAABBBBCCCC\r\n", "item1.EMAIL;TYPE=INTERNET,PREF:j@example.org\r\n",
	} {
		if !bytes.Contains(objects[0].Data, []byte(want)) {
			t.Errorf("there is no %q in\n%s", want, objects[0].Data)
		}
	}
}

func TestOldCardWrong(t *testing.T) {
	objects, problems := Cards([]byte("BEGIN:VCARD\nVERSION:2.1\nN:A\nPHOTO;BASE64:**\nEND:VCARD\nBEGIN:VCARD\nVERSION:2.1\nN:B\nAGENT:\nBEGIN:VCARD\nVERSION:2.1\nN:C\nEND:VCARD\nEND:VCARD\n"))
	want := "VCARD content-*\n! line 4: the vCard of line 1 is left out: the base64 of PHOTO is damaged\n"
	if got := shown(objects, problems); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	if len(objects) == 1 && !bytes.Contains(objects[0].Data, []byte("AGENT:BEGIN:VCARD\\n")) {
		t.Errorf("there is no AGENT in\n%s", objects[0].Data)
	}
}

func TestCSV(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"Outlook", "Title,First Name,Last Name,Company,Job Title,Business Street,Business Street 2,Business City,Business Phone,E-mail Address,E-mail Type,E-mail 2 Address,Birthday,Notes,Priority,User 1\r\n" +
			"Dr.,Jane,Doe,ACME,Boss,1 Road,Floor 2,Ghent,123,jane@example.org,SMTP,j@example.org,0/0/00,\"two\r\nlines\",Normal,x,\r\n",
			[]string{"N:Doe;Jane;;Dr.;", "ORG:ACME;", "TITLE:Boss", "ADR;TYPE=WORK:;;1 Road\\nFloor 2;Ghent;;;", "TEL;TYPE=WORK:123",
				"EMAIL:jane@example.org", "EMAIL:j@example.org", "NOTE:two\\nlines\\nUser 1: x", "FN:Jane Doe"}},
		{"Outlook in French", "Titre;Prénom;Nom;Société;Titre;Rue (bureau);Ville (domicile);Tél. mobile;Adresse de messagerie;Anniversaire\r\n" +
			"Mme;Zoé;Petit;ACME;Chef;1 rue X;Lyon;06;z@example.org;03/08/1970\r\n",
			[]string{"N:Petit;Zoé;;Mme;", "TITLE:Chef", "ADR;TYPE=WORK:;;1 rue X;;;;", "ADR;TYPE=HOME:;;;Lyon;;;", "TEL;TYPE=CELL:06", "BDAY:1970-08-03"}},
		{"Google", "First Name,Last Name,Labels,E-mail 1 - Label,E-mail 1 - Value,Phone 1 - Label,Phone 1 - Value,Address 1 - Label,Address 1 - Formatted,Address 1 - Street,Address 1 - City,Organization Name,Birthday,Custom Field 1 - Value\n" +
			"Ann,Lee,* myContacts ::: Friends,* Home,a@example.org ::: b@example.org,Mobile,77,Work,\"1 Road\nGhent\",1 Road,Ghent,Shop,--03-08,blue\n",
			[]string{"N:Lee;Ann;;;", "CATEGORIES:Friends", "EMAIL;TYPE=PREF,HOME:a@example.org", "EMAIL;TYPE=PREF,HOME:b@example.org", "TEL;TYPE=CELL:77",
				"ADR;TYPE=WORK:;;1 Road;Ghent;;;", "ORG:Shop;", "BDAY:--03-08", "NOTE:Custom Field 1 - Value: blue"}},
		{"Google, of no label", "First Name,Labels,E-mail 1 - Value\nAnn,* myContacts,a@example.org\n", []string{"N:;Ann;;;\r\nEMAIL:a@example.org"}},
		{"Thunderbird", "First Name,Last Name,Display Name,Primary Email,Home Address,Home City,Work Address,Work ZipCode,Birth Year,Birth Month,Birth Day\n" +
			"Bo,Ek,Bo E.,bo@example.org,1 Road,Ghent,2 Way,9000,1970,8,3\n",
			[]string{"FN:Bo E.", "ADR;TYPE=HOME:;;1 Road;Ghent;;;", "ADR;TYPE=WORK:;;2 Way;;;9000;", "BDAY:1970-08-03"}},
		{"Thunderbird in French", "Prénom,Nom de famille,Première adresse électronique,Tél. personnel,Adresse privée,Ville,Pays/État,Code postal,Région,Adresse professionnelle,Ville,Pays/État,Code postal,Région\n" +
			"Luc,Roy,l@example.org,1,2 rue Y,Metz,Grand Est,57000,France,3 quai Z,Nancy,,54000,France\n",
			[]string{"ADR;TYPE=HOME:;;2 rue Y;Metz;Grand Est;57000;France", "ADR;TYPE=WORK:;;3 quai Z;Nancy;;54000;France", "TEL;TYPE=HOME:1"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			checkTable(t, test.text, test.want)
		})
	}
}

func TestWriteCSV(t *testing.T) {
	cards := [][]byte{
		[]byte("BEGIN:VCARD\nVERSION:3.0\nUID:a\nFN:Jane D.\nN:Doe;Jane;;Dr.;\nORG:ACME\\, Inc.;Sales\nTITLE:Boss\nBDAY:1970-03-08\nCATEGORIES:A,B\nNOTE:two\\nlines\n" +
			"EMAIL;TYPE=HOME,PREF:j@example.org\nEMAIL;TYPE=WORK:w@example.org\nTEL;TYPE=CELL:+33 6\nTEL;TYPE=WORK,FAX:1\nADR;TYPE=WORK:;;1 Road\\, left;Ghent;;9000;BE\nPHOTO;ENCODING=b:AAAA\nEND:VCARD\n"),
		[]byte("BEGIN:VCARD\nVERSION:4.0\nUID:b\nFN:Bo\nBDAY:--0308\nTEL;VALUE=uri:tel:+1\nURL:https://bo.example/\nEND:VCARD\n"),
	}
	var table bytes.Buffer
	left, err := WriteCSV(&table, cards)
	if err != nil || len(left) != 1 || left["PHOTO"] != 1 {
		t.Fatalf("%v, %v", err, left)
	}
	objects, problems := CSV(table.Bytes())
	if len(objects) != 2 || len(problems) > 0 {
		t.Fatalf("%s in\n%s", shown(objects, problems), &table)
	}
	for i, wants := range [][]string{
		{"FN:Jane D.", "N:Doe;Jane;;Dr.;", "ORG:ACME\\, Inc.;Sales", "TITLE:Boss", "BDAY:1970-03-08", "CATEGORIES:A,B", "NOTE:two\\nlines", "EMAIL;TYPE=PREF,HOME:j@example.org",
			"EMAIL;TYPE=WORK:w@example.org", "TEL;TYPE=CELL:+33 6", "TEL;TYPE=WORK,FAX:1", "ADR;TYPE=WORK:;;1 Road\\, left;Ghent;;9000;BE"},
		{"FN:Bo", "BDAY:--03-08", "TEL:+1", "URL:https://bo.example/"},
	} {
		for _, want := range wants {
			if !bytes.Contains(objects[i].Data, []byte(want+"\r\n")) {
				t.Errorf("there is no %q in\n%s", want, objects[i].Data)
			}
		}
	}
}

// unnamed is what is said of a table that does not tell who somebody is.
const unnamed = "! line 1: the first row has no column of a name, an organization or an e-mail address that is known (English and French are; " +
	"name one \"First Name\" or \"E-mail Address\"): "

func TestCSVWrong(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", "! the table is empty\n"},
		{"no columns", "a,b\n1,2\n", unnamed + "\"a, b\"\n"},
		{"Outlook in German", "Anrede;Vorname;Nachname;Suffix;Firma;Pager\nFrau;Eva;Groß;;Verein;1\n", unnamed + "\"Anrede, Vorname, Nachname, Suffix, Firma, Pager\"\n"},
		{"quotes", "First Name,Last Name\nA,x\"y\nB,C\n", "VCARD content-*\n! line 2: the row is left out: bare \" in non-quoted-field\n"},
		{"no name", "First Name,Children\n,x\n,\n", "VCARD content-*\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := shown(CSV([]byte(test.text))); got != test.want {
				t.Errorf("got\n%s, want\n%s", got, test.want)
			}
		})
	}
}

func TestSame(t *testing.T) {
	a := calendarOf(zone, event("UID:a", "DTSTART;TZID=Paris:20260101T100000", "SUMMARY:A"))
	tests := []struct {
		name, a, b string
		want       bool
	}{
		{"stamp", a, strings.Replace(a, "DTSTAMP:2026", "DTSTAMP:2025", 1), true},
		{"line ends", a, strings.ReplaceAll(a, "\n", "\r\n"), true},
		{"summary", a, strings.Replace(a, "SUMMARY:A", "SUMMARY:B", 1), false},
		{"card", "BEGIN:VCARD\nVERSION:3.0\nUID:a\nFN:A\nEND:VCARD\n", "BEGIN:VCARD\nVERSION:3.0\nUID:a\nFN:A\nREV:2026\nEND:VCARD\n", true},
		{"kinds", a, "BEGIN:VCARD\nVERSION:3.0\nUID:a\nFN:A\nEND:VCARD\n", false},
		{"nothing", "x", "y", false},
	}
	for _, test := range tests {
		if got := Same([]byte(test.a), []byte(test.b)); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	if o, ok := AsIs([]byte(strings.Replace(a, "METHOD:PUBLISH\n", "", 1))); !ok || o.UID != "a" || o.Kind != "VEVENT" {
		t.Errorf("AsIs: %v %q", ok, o.UID)
	}
	if _, ok := AsIs([]byte(a)); ok {
		t.Error("a METHOD is taken as it is")
	}
}

// checkTable reads a table of one contact, which is to have some lines.
func checkTable(t *testing.T, text string, lines []string) {
	t.Helper()
	objects, problems := CSV([]byte(text))
	if len(objects) != 1 || len(problems) > 0 {
		t.Fatal(shown(objects, problems))
	}
	checkObject(t, objects[0])
	for _, want := range lines {
		if !bytes.Contains(objects[0].Data, []byte("\r\n"+want+"\r\n")) {
			t.Errorf("there is no %q in\n%s", want, objects[0].Data)
		}
	}
	if again, _ := CSV([]byte(text)); again[0].UID != objects[0].UID {
		t.Error("read twice it has two UIDs")
	}
}
