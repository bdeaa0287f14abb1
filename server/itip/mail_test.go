package itip

import (
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strconv"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/contentline"
	"facteur/server/envelope"
	"facteur/server/ical"
	"facteur/server/message"
)

// readParts reads a mail with the standard library, the second implementation: the decoded
// parts by their types with the parameters that matter.
func readParts(t *testing.T, body []byte) (mail.Header, map[string]string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(string(body)))
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	parts := make(map[string]string)
	var walk func(contentType, encoding string, r io.Reader)
	walk = func(contentType, encoding string, r io.Reader) {
		kind, params, err := mime.ParseMediaType(contentType)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(kind, "multipart/") {
			for parts := multipart.NewReader(r, params["boundary"]); ; {
				p, err := parts.NextRawPart()
				if err == io.EOF {
					return
				} else if err != nil {
					t.Fatal(err)
				}
				walk(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p)
			}
		}
		switch encoding {
		case "base64":
			r = base64.NewDecoder(base64.StdEncoding, r)
		case "quoted-printable":
			r = quotedprintable.NewReader(r)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if params["method"] != "" {
			kind += " " + params["method"]
		}
		parts[kind] = string(text)
	}
	walk(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body)
	for line := range strings.SplitSeq(string(body), "\r\n") {
		if len(line) > 998 || strings.ContainsAny(line, "\r\n") {
			t.Errorf("a line of %d octets", len(line))
		}
	}
	return m.Header, parts
}

func TestMail(t *testing.T) {
	brussels, err := time.LoadLocation("Europe/Brussels")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := Change{Self: person("org@example.org"), Now: now, After: event(t,
		"DTSTART;TZID=Europe/Brussels:20260401T120000\nDTEND;TZID=Europe/Brussels:20260401T133000\nSUMMARY:Réunion\\, et repas\nLOCATION:Salle 7\nDESCRIPTION:Ligne 1\\nLigne 2\n"+
			"ATTENDEE;CN=Alice:mailto:org@example.org\nATTENDEE;CN=\"Bob B.\":mailto:bob@example.org\n")}.Plan()
	if err != nil || len(plan.Messages) != 1 {
		t.Fatalf("%+v, %v", plan, err)
	}
	m := Mail{
		Message: plan.Messages[0].Message, From: address.MustParse("org@example.org"), Name: "Alice", To: address.MustParse("bob@example.com"),
		ID: "abc", Now: now, Zone: brussels,
	}
	env, body, err := m.Write()
	if err != nil || env.Sender.ReversePath.String() != "org@example.org" || env.Recipients[0].ForwardPath.String() != "bob@example.com" {
		t.Fatalf("%+v, %v", env, err)
	}
	h, parts := readParts(t, body)
	subject, _ := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
	if subject != "Invitation: Réunion, et repas" || h.Get("From") != `"Alice" <org@example.org>` || h.Get("Message-Id") != "<abc@example.org>" || h.Get("Auto-Submitted") != "" {
		t.Errorf("%v %s", h, subject)
	}
	want := "Alice invites you: Réunion, et repas\r\n\r\nWhen: Wednesday 1 April 2026, 12:00 – 13:30 (Europe/Brussels)\r\nWhere: Salle 7\r\nWho: Alice, Bob B.\r\n\r\nLigne 1\r\nLigne 2\r\n\r\n" +
		"Answer with the buttons that your mail program shows, or open the attached file in your calendar.\r\n"
	if parts["text/plain"] != want {
		t.Errorf("%q", parts["text/plain"])
	}
	object := parts["text/calendar REQUEST"]
	if object == "" || object != parts["application/ics"] || !strings.Contains(object, "BEGIN:VTIMEZONE\r\nTZID:Europe/Brussels\r\n") {
		t.Errorf("%s", object)
	}
	m.Language = "fr-BE"
	_, body, err = m.Write()
	_, parts = readParts(t, body)
	if err != nil || !strings.Contains(parts["text/plain"], "Alice vous invite : Réunion, et repas\r\n\r\nQuand : mercredi 1er avril 2026, 12:00 – 13:30 (Europe/Brussels)\r\nOù : Salle 7\r\n") {
		t.Errorf("%q, %v", parts["text/plain"], err)
	}
	found, err := Find(content(t, body))
	if err != nil || found.Method != Request || string(found.Octets()) != object {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestMailReply(t *testing.T) {
	in := arriving(t, Request, "SUMMARY:Plan\nATTENDEE;CN=\"Zoë ^'x^' ^nBcc: <z@example.com>\":mailto:bob@example.org\n")
	a := Answer{Self: person("bob@example.org"), PartStat: "DECLINED", Comment: "Away; sorry,\nBob", Now: now}
	out, ok := a.Reply(in.Calendar)
	if !ok {
		t.Fatal("not invited")
	}
	env, body, err := Mail{Message: out.Message, From: out.From.Address, Name: out.From.Name, To: out.To.Address, ID: "1", About: "<1@example.com>", Now: now, Automatic: true}.Write()
	if err != nil || !env.Sender.ReversePath.IsZero() || env.Recipients[0].Notify != envelope.NotifyNever {
		t.Fatalf("%+v, %v", env, err)
	}
	h, parts := readParts(t, body)
	for name, want := range map[string]string{
		"Bcc": "", "Subject": "Declined: Plan", "Auto-Submitted": "auto-replied", "In-Reply-To": "<1@example.com>", "To": "<org@example.org>",
	} {
		if h.Get(name) != want {
			t.Errorf("%s: %q", name, h.Get(name))
		}
	}
	if object := strings.ReplaceAll(parts["text/calendar REPLY"], "\r\n ", ""); !strings.Contains(object, "PARTSTAT=DECLINED:mailto:bob@example.org\r\n") || !strings.Contains(object, "COMMENT:Away\\; sorry\\,\\nBob\r\n") {
		t.Errorf("%s", object)
	}
	if !strings.Contains(parts["text/plain"], "Away; sorry,\r\nBob\r\n") {
		t.Errorf("%q", parts["text/plain"])
	}
	if _, ok := (Answer{Self: person("x@example.org"), PartStat: "ACCEPTED"}).Reply(in.Calendar); ok {
		t.Error("who is not invited answers")
	}
	if _, _, err := (Mail{Message: out.Message, From: out.From.Address}).Write(); err == nil {
		t.Error("a mail to nobody")
	}
}

// TestMailWords: each method has its words in each language.
func TestMailWords(t *testing.T) {
	for method, lines := range map[Method]string{
		Request: "SEQUENCE:1\n" + bob, Cancel: "STATUS:CANCELLED\n" + bob, Reply: "ATTENDEE;PARTSTAT=TENTATIVE:mailto:bob@example.org\n",
		Add: bob, Publish: "DTSTART;VALUE=DATE:20260401\n", Refresh: bob, Counter: bob, DeclineCounter: "DTSTART;VALUE=DATE:20260401\nDTEND;VALUE=DATE:20260403\n",
	} {
		seen := make(map[string]bool)
		for _, language := range []string{"en", "fr"} {
			m := Mail{Message: arriving(t, method, lines), From: address.MustParse("org@example.org"), To: address.MustParse("bob@example.org"), ID: "1", Language: language, Now: now}
			s := m.text()
			if s.subject == "" || strings.Contains(s.subject+s.body, "%!") || !strings.Contains(s.body, "org@example.org") || seen[s.body] {
				t.Errorf("%s: %+v", method, s)
			}
			seen[s.body] = true
		}
	}
}

// TestMailTimes: times are told in the zone of the event, with how it repeats.
func TestMailTimes(t *testing.T) {
	brussels, err := time.LoadLocation("Europe/Brussels")
	if err != nil {
		t.Fatal(err)
	}
	const start = "DTSTART;TZID=America/New_York:20260401T120000\n"
	for name, c := range map[string]struct{ event, en, fr string }{
		"in its zone": {start, "Wednesday 1 April 2026, 12:00 (America/New_York)", "mercredi 1er avril 2026, 12:00 (America/New_York)"},
		"in UTC":      {"DTSTART:20260401T120000Z\n", "Wednesday 1 April 2026, 14:00 (Europe/Brussels)", ""},
		"floating":    {"DTSTART:20260401T120000\n", "Wednesday 1 April 2026, 12:00 (Europe/Brussels)", ""},
		"each week":   {start + "RRULE:FREQ=WEEKLY;COUNT=5\n", "12:00 (America/New_York), every week, 5 times", "12:00 (America/New_York), chaque semaine, 5 fois"},
		"some days": {start + "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,WE\n", "12:00 (America/New_York), every 2 weeks (Tuesday, Wednesday)",
			"12:00 (America/New_York), toutes les 2 semaines (mardi, mercredi)"},
		"until": {start + "RRULE:FREQ=MONTHLY;UNTIL=20260702T010000Z\n", "12:00 (America/New_York), every month, until Wednesday 1 July 2026",
			"12:00 (America/New_York), chaque mois, jusqu'au mercredi 1er juillet 2026"},
		"a year, all day": {"DTSTART;VALUE=DATE:20260401\nRRULE:FREQ=YEARLY\n", "Wednesday 1 April 2026, all day, every year", "mercredi 1er avril 2026, toute la journée, chaque année"},
		"other dates":     {start + "RDATE;TZID=America/New_York:20260403T120000\n", "12:00 (America/New_York), and on other dates", "12:00 (America/New_York), et à d'autres dates"},
		"a hard rule":     {start + "RRULE:FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1\n", "12:00 (America/New_York), and on other dates", ""},
	} {
		for language, want := range map[string]string{"en": c.en, "fr": c.fr} {
			m := Mail{Message: arriving(t, Request, c.event+bob), From: address.MustParse("org@example.org"), To: address.MustParse("bob@example.org"), ID: "1", Language: language, Now: now, Zone: brussels}
			if s := m.text(); !strings.Contains(s.body, want+"\n") {
				t.Errorf("%s: want %s in %s", name, want, s.body)
			}
		}
	}
}

func content(t *testing.T, body []byte) *message.Content {
	t.Helper()
	c, err := message.ReadContent(envelope.Bytes(body))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFindNone(t *testing.T) {
	const calendar = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"text alone":         {"Subject: x\r\n\r\nhello\r\n", ErrNone},
		"another method":     {"Content-Type: text/calendar; method=CANCEL\r\n\r\n" + calendar, ErrMessage},
		"no METHOD":          {"Content-Type: text/calendar\r\n\r\n" + strings.Replace(calendar, "METHOD:REQUEST\r\n", "", 1), ErrNone},
		"an unknown METHOD":  {"Content-Type: text/calendar\r\n\r\n" + strings.Replace(calendar, "REQUEST", "EXPLODE", 1), ErrMessage},
		"no UID":             {"Content-Type: text/calendar\r\n\r\n" + strings.Replace(calendar, "UID:1\r\n", "", 1), ErrMessage},
		"two UIDs":           {"Content-Type: text/calendar\r\n\r\n" + strings.Replace(calendar, "END:VCALENDAR", "BEGIN:VEVENT\r\nUID:2\r\nEND:VEVENT\r\nEND:VCALENDAR", 1), ErrMessage},
		"a journal's reply":  {"Content-Type: text/calendar\r\n\r\n" + strings.NewReplacer("VEVENT", "VJOURNAL", "REQUEST", "REPLY").Replace(calendar), ErrMessage},
		"cut off":            {"Content-Type: text/calendar\r\n\r\n" + calendar[:60], ErrMessage},
		"too large":          {"Content-Type: text/calendar\r\n\r\n" + strings.Replace(calendar, "UID:1", "UID:1\r\nX:"+strings.Repeat("\r\n "+strings.Repeat("y", 70), MaxSize/70), 1), ErrMessage},
		"in a forwarded one": {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: text/calendar\r\n\r\n" + calendar + "\r\n--b--\r\n", ErrNone},
	} {
		if m, err := Find(content(t, []byte("From: a@example.org\r\nMIME-Version: 1.0\r\n"+c.text))); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

// TestZone: a VTIMEZONE that is made says the same as the zone.
func TestZone(t *testing.T) {
	for _, id := range []string{"Europe/Brussels", "America/New_York", "Asia/Kolkata", "UTC", "W. Europe Standard Time", "Australia/Lord_Howe", "Africa/Casablanca"} {
		l := ical.LoadZone(id)
		event := &ical.Component{Name: "VEVENT", Props: []ical.Prop{{Name: "DTSTART", Value: now.Format(utcForm[:15]), Params: eventZone(id)}}}
		c := &ical.Calendar{Component: ical.Component{Name: "VCALENDAR"}}
		c.Children = missingZones(c, []*ical.Component{event})
		c, err := ical.ParseBytes(c.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		zones, err := c.Zones()
		if err != nil || !zones.Has(id) {
			t.Fatalf("%s: %v\n%s", id, err, c.Append(nil))
		}
		for at := now.AddDate(0, -6, 0); at.Before(now.AddDate(30, 0, 0)); at = at.Add(31 * time.Hour) {
			wall := at.In(l).Format(utcForm[:15])
			p := ical.Prop{Name: "DTSTART", Value: wall, Params: eventZone(id)}
			v, err := ical.ParseValue(p, zones)
			plain, err2 := ical.ParseValue(p, nil)
			if err != nil || err2 != nil || !v.Time(nil).Equal(plain.Time(nil)) {
				t.Fatalf("%s: %s is %v, not %v (%v)", id, wall, v.Time(nil), plain.Time(nil), err)
			}
		}
	}
}

func eventZone(id string) []contentline.Param {
	return []contentline.Param{{Name: "TZID", Values: []string{id}}}
}

// TestMailFiles: files go along as parts that the calendar names, whatever their names are (RFC
// 6047 2.6, RFC 2392); those that do not are told.
func TestMailFiles(t *testing.T) {
	files := []File{
		{ID: "a1", Name: "plan été.pdf", Type: "application/pdf", Data: []byte(strings.Repeat("octets", 100))},
		{ID: "b2", Name: "x\"\r\nBcc: z@example.com", Type: "multipart/mixed; boundary=x", Data: nil},
		{ID: "c3", Name: strings.Repeat("é", 90), Type: "text/html\r\nX: y", Data: []byte("<p>")},
	}
	in := arriving(t, Request, "ATTACH;MANAGED-ID=a1;FILENAME=plan.pdf:"+FileURI("a1")+"\n"+bob)
	_, body, err := Mail{Message: in, From: address.MustParse("org@example.org"), To: address.MustParse("bob@example.org"), ID: "1", Now: now, Files: files, Left: []string{"big.zip", "a\r\nb"}}.Write()
	if err != nil {
		t.Fatal(err)
	}
	h, parts := readParts(t, body)
	if h.Get("Bcc") != "" || parts["application/pdf"] != string(files[0].Data) || !strings.Contains(parts["text/plain"], "Not sent with this: big.zip, a b\r\n") {
		t.Errorf("%v\n%s", h, body)
	}
	if _, html := parts["text/html"]; html || parts["application/octet-stream"] != "<p>" {
		t.Errorf("%v", parts)
	}
	for _, want := range []string{"Content-ID: <a1@attachments.invalid>\r\n", "Content-Disposition: attachment;\r\n filename*=utf-8''plan%20%C3%A9t%C3%A9.pdf\r\n"} {
		if !strings.Contains(string(body), want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	if object := strings.ReplaceAll(parts["text/calendar REQUEST"], "\r\n ", ""); !strings.Contains(object, ":CID:a1@attachments.invalid\r\n") {
		t.Errorf("%s", object)
	}
	found, err := Find(content(t, body))
	if err != nil || strings.Contains(string(found.Unmanaged().Octets()), "MANAGED-ID") || !strings.Contains(string(found.Octets()), "MANAGED-ID") {
		t.Errorf("%v", err)
	}
}

// TestManyZones: names of zones that nobody knows are looked for so often at most.
func TestManyZones(t *testing.T) {
	for n, want := range map[int]int{maxLookups - 1: 1, maxLookups: 0} {
		event := &ical.Component{Name: "VEVENT", Props: []ical.Prop{{Name: "DTSTART", Value: "20260601T100000", Params: eventZone("Europe/Paris")}}}
		for i := range n {
			event.Props = append(event.Props, ical.Prop{Name: "X-A", Params: eventZone("/a/b/c/" + strconv.Itoa(i))})
		}
		if got := missingZones(&ical.Calendar{}, []*ical.Component{event}); len(got) != want {
			t.Errorf("beside %d unknown names there are %d zones, want %d", n, len(got), want)
		}
	}
}
