package autoreply

import (
	"cmp"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/message"
)

func addr(s string) address.Address { return address.MustParse(s) }

// question is a message from z@example.net to alice@example.org, and what is different
// about it.
type question struct {
	from    string // reverse-path; "-": null
	to      string // RCPT; "": alice@example.org
	header  string // "": To: alice@example.org
	body    string
	auth    *hook.Authenticity
	login   bool
	junk    bool
	virus   string
	kind    hook.Kind
	options hook.AutoReply
	now     string
}

var passes = &hook.Authenticity{SPF: "pass", DKIM: "none", DMARC: "none"}

// own are the addresses of alice: her own, under an alias of the domain, an alias that
// leads to her alone, and with a subaddress. team@ leads to her and others.
func own(a address.Address) bool {
	local, _, _ := strings.Cut(address.FoldLocal(a.Local), "+")
	return (local == "alice" || local == "info") && (a.Domain == "example.org" || a.Domain == "example.com")
}

func (q question) request(t *testing.T) Request {
	t.Helper()
	header := q.header
	if !strings.Contains("\n"+header, "\nTo:") && !strings.Contains(header, "Cc:") {
		header = "To: alice@example.org\r\n" + header
	}
	header = strings.ReplaceAll(strings.ReplaceAll(header, "\r\n", "\n"), "\n", "\r\n")
	body := envelope.Bytes(header + "\r\n" + strings.ReplaceAll(q.body, "\n", "\r\n"))
	h, err := message.ReadHeader(body)
	if err != nil {
		t.Fatal(err)
	}
	r := Request{
		Kind: q.kind, Options: q.options, Now: time.Date(2026, 12, 24, 12, 0, 0, 0, time.UTC), Zone: time.UTC,
		Message: Message{
			ForwardPath: addr(cmp.Or(q.to, "alice@example.org")), Header: h, Body: body,
			Auth: passes, Submitted: q.login, Junk: q.junk, Virus: q.virus, Fingerprint: []byte(header),
		},
		Box: Box{Address: addr("alice@example.org"), Name: "Alice Martin", Own: own, MaySend: own},
	}
	r.Kind = cmp.Or(r.Kind, hook.Vacation)
	if q.from != "-" {
		r.Message.ReversePath = addr(cmp.Or(q.from, "z@example.net"))
	}
	if q.auth != nil || q.login {
		r.Message.Auth = q.auth
	}
	if q.now != "" {
		var err error
		if r.Now, err = time.Parse(time.RFC3339, q.now); err != nil {
			t.Fatal(err)
		}
	}
	if r.Options.Text == "" && r.Options.HTML == "" {
		r.Options.Text = "Back on Monday."
	}
	return r
}

// judged is a table of questions with their answers.
func judged(t *testing.T, cases map[string]struct {
	question
	want Reason
}) {
	t.Helper()
	for name, c := range cases {
		if _, why := Judge(c.request(t)); why != c.want {
			t.Errorf("%s: %q, want %q", name, why, c.want)
		}
	}
}

// TestDays is rule 1: from 1 to 60 days, 7 unless said otherwise, and dates that both
// count, by the local calendar.
func TestDays(t *testing.T) {
	for _, c := range []struct {
		kind hook.Kind
		days int
		want time.Duration
	}{
		{hook.Vacation, -1, 7 * day}, {hook.Vacation, 0, day}, {hook.Vacation, 1, day}, {hook.Vacation, 30, 30 * day}, {hook.Vacation, 61, 60 * day},
		{hook.Reply, -1, day}, {hook.Reply, 0, day}, {hook.Reply, 10, 10 * day}, {hook.Reply, 400, 60 * day},
	} {
		reply, why := Judge(question{kind: c.kind, options: hook.AutoReply{Days: c.days}}.request(t))
		if why != "" || reply.Claim.Period != c.want {
			t.Errorf("%s, %d days: %v (%s), want %v", c.kind, c.days, reply.Claim.Period, why, c.want)
		}
	}
	brussels, err := time.LoadLocation("Europe/Brussels")
	if err != nil {
		t.Fatal(err)
	}
	holidays := hook.AutoReply{Start: hook.Date{Year: 2026, Month: 12, Day: 20}, Stop: hook.Date{Year: 2027, Month: 1, Day: 4}}
	for now, want := range map[string]Reason{
		"2026-12-19T22:59:59Z": TooEarly, // 23:59:59 there
		"2026-12-19T23:00:00Z": "",
		"2027-01-04T22:59:59Z": "",
		"2027-01-04T23:00:00Z": Ended,
		"2028-12-24T12:00:00Z": Ended,
		"2025-12-24T12:00:00Z": TooEarly,
	} {
		r := question{now: now, options: holidays}.request(t)
		r.Zone = brussels
		if _, why := Judge(r); why != want {
			t.Errorf("%s: %q, want %q", now, why, want)
		}
	}
	long := strings.Repeat("x", MaxText+1)
	if _, why := Judge(question{options: hook.AutoReply{Text: long}}.request(t)); why != TooLong {
		t.Errorf("a text of %d octets: %q", len(long), why)
	}
}

// TestReversePath is rule 2: to the reverse-path and no other address, and not to programs.
func TestReversePath(t *testing.T) {
	reply, why := Judge(question{header: "From: other@example.net\r\nReply-To: third@example.net\r\n"}.request(t))
	if why != "" || reply.To != addr("z@example.net") {
		t.Errorf("to %s (%s)", reply.To, why)
	}
	addresses := hook.AutoReply{Addresses: []address.Address{addr("alice@elsewhere.example")}}
	type c = struct {
		question
		want Reason
	}
	cases := map[string]c{
		"null":                 {question{from: "-"}, NullPath},
		"own":                  {question{from: "Alice@Example.ORG"}, OwnAddress},
		"own, domain alias":    {question{from: "alice@example.com"}, OwnAddress},
		"own, alias":           {question{from: "info@example.org"}, OwnAddress},
		"own, subaddress":      {question{from: "alice+x@example.org"}, OwnAddress},
		"own, of the options":  {question{from: "alice@elsewhere.example", options: addresses}, OwnAddress},
		"the same without":     {question{from: "alice@elsewhere.example"}, ""},
		"another of ours":      {question{from: "bob@example.org", login: true}, ""},
		"the list of all":      {question{from: "team@example.org", login: true}, ""},
		"a name like a list's": {question{from: "request@example.net"}, ""},
		"and an owner's":       {question{from: "owner@example.net"}, ""},
		"and a root's":         {question{from: "grassroot@example.net"}, ""},
	}
	for _, local := range []string{
		"MAILER-DAEMON", "mailer-daemon", "postmaster", "Postmaster", "root", "LISTSERV", "majordomo", "owner-list", "list-request",
		"list-owner", "list-bounce", "list-bounces", "bounce", "bounces", "bounce-1234-abc", "bounces+123=a", "no-reply", "noreply", "NoReply",
		"donotreply", "noreply+123", "list-bounces+alice=example.org", "SRS0=abcd=xy=example.com=bob", "srs1=ab=example.com==cd=xy=example.com=bob", "SRS0+abcd=xy=example.com=bob",
	} {
		cases[local] = c{question{from: local + "@example.net"}, Program}
	}
	judged(t, cases)
}

// TestHeader is rule 3: what a header says against a reply.
func TestHeader(t *testing.T) {
	type c = struct {
		question
		want Reason
	}
	head := func(s string, want Reason) c { return c{question{header: s + "\r\n"}, want} }
	calendar := "Content-Type: multipart/alternative; boundary=b\r\n"
	part := "--b\nContent-Type: text/plain\n\nyes\n--b\nContent-Type: text/calendar; charset=utf-8%s\n%s\n%s\n--b--\n"
	inPart := func(params, fields, text string) string {
		s := part
		for _, v := range []string{params, fields, text} {
			s = strings.Replace(s, "%s", v, 1)
		}
		return s
	}
	judged(t, map[string]c{
		"list-id":              head("List-Id: <x.example.net>", ListMail),
		"list-unsubscribe":     head("list-unsubscribe: <mailto:x@example.net>", ListMail),
		"any list-":            head("LIST-Whatever: x", ListMail),
		"no list":              head("Listen: x", ""),
		"auto-submitted no":    head("Auto-Submitted: no", ""),
		"no with a comment":    head("Auto-Submitted: No (a person)", ""),
		"auto-generated":       head("Auto-Submitted: auto-generated", AutoMail),
		"auto-replied":         head("auto-submitted: auto-replied (vacation)", AutoMail),
		"auto-notified":        head(`Auto-Submitted: auto-notified; owner-email="x@example.net"`, AutoMail),
		"auto-submitted empty": head("Auto-Submitted: ", AutoMail),
		"twice, once no":       head("Auto-Submitted: no\r\nAuto-Submitted: auto-replied", AutoMail),
		"bulk":                 head("Precedence: bulk", BulkMail),
		"junk":                 head("Precedence: JUNK", BulkMail),
		"list":                 head("precedence: list", BulkMail),
		"auto_reply":           head("Precedence: auto_reply", BulkMail),
		"first-class":          head("Precedence: first-class", ""),
		"suppress all":         head("X-Auto-Response-Suppress: All", Suppressed),
		"suppress oof":         head("X-Auto-Response-Suppress: DR, OOF, RN", Suppressed),
		"suppress autoreply":   head("x-auto-response-suppress: autoreply", Suppressed),
		"suppress others":      head("X-Auto-Response-Suppress: DR, NDR, RN, NRN", ""),
		"report":               head("Content-Type: multipart/report; report-type=delivery-status; boundary=x", ReportMail),
		"disposition report":   head("Content-Type: Multipart/Report;\r\n\treport-type=disposition-notification; boundary=x", ReportMail),
		"mixed":                head("Content-Type: multipart/mixed; boundary=x", ""),
		"49 received":          head(strings.Repeat("Received: from a by b; x\r\n", 49)+"X: y", ""),
		"50 received":          head(strings.Repeat("Received: from a by b; x\r\n", 50)+"X: y", Looping),
		"an answer":            head("Content-Type: text/calendar; method=REPLY", CalendarMail),
		"an answer's content":  {question{header: "Content-Type: text/calendar\r\n", body: "BEGIN:VCALENDAR\nMETHOD:REPLY\nEND:VCALENDAR\n"}, CalendarMail},
		"a request":            {question{header: "Content-Type: text/calendar; method=REQUEST\r\n", body: "BEGIN:VCALENDAR\nMETHOD:REQUEST\n"}, ""},
		"a part, parameter":    {question{header: calendar, body: inPart("; method=reply", "", "BEGIN:VCALENDAR")}, CalendarMail},
		"a part, content":      {question{header: calendar, body: inPart("", "", "BEGIN:VCALENDAR\nMETHOD:REPLY\n")}, CalendarMail},
		"a part, encoded":      {question{header: calendar, body: inPart("", "Content-Transfer-Encoding: base64\n", "QkVHSU46VkNBTEVOREFSDQpNRVRIT0Q6UkVQTFkNCg==\n")}, CalendarMail},
		"a part, request":      {question{header: calendar, body: inPart("; method=REQUEST", "", "METHOD:REQUEST\nDESCRIPTION:METHOD:REPLY\n")}, ""},
		"only text about it":   {question{body: "METHOD:REPLY\n"}, ""},
	})
}

// TestAddressed is rule 4: an own address stands in To or Cc. An alias whose only
// destination is the account is one; a list is not.
func TestAddressed(t *testing.T) {
	type c = struct {
		question
		want Reason
	}
	head := func(s string, want Reason) c {
		return c{question{header: "To: other@example.net\r\n" + s + "\r\n"}, want}
	}
	judged(t, map[string]c{
		"nowhere":             head("X: y", NotAddressed),
		"cc":                  head("Cc: Team <x@example.net>, ALICE@example.org", ""),
		"bcc":                 head("Bcc: alice@example.org", ""),
		"resent-to":           head("Resent-To: alice@example.org", ""),
		"resent-cc":           head("Resent-Cc: alice@example.org", ""),
		"resent-bcc":          head("Resent-Bcc: alice@example.org", NotAddressed),
		"delivered-to":        head("Delivered-To: alice@example.org", NotAddressed),
		"alias":               head("Cc: Info desk <info@example.org>", ""),
		"alias, other domain": head("Cc: info@example.com", ""),
		"subaddress":          head("Cc: alice+shop@example.org", ""),
		"list":                head("Cc: team@example.org", NotAddressed),
		"second To":           head("To: alice@example.org", ""),
		"in a group":          head("Cc: us: bob@example.org, alice@example.org;", ""),
		"of the options": {question{header: "To: a.martin@elsewhere.example\r\n",
			options: hook.AutoReply{Addresses: []address.Address{addr("A.Martin@elsewhere.example")}}}, ""},
	})
}

// TestTrust is rule 5: nothing goes to who may have written somebody else's address.
func TestTrust(t *testing.T) {
	type c = struct {
		question
		want Reason
	}
	auth := func(spf, dkim, dmarc string) question {
		return question{auth: &hook.Authenticity{SPF: spf, DKIM: dkim, DMARC: dmarc}}
	}
	judged(t, map[string]c{
		"spf":             {auth("pass", "none", "none"), ""},
		"dkim":            {auth("fail", "pass", "pass"), ""},
		"neither":         {auth("none", "none", "none"), Unverified},
		"softfail":        {auth("softfail", "fail", "none"), Unverified},
		"dmarc":           {auth("pass", "pass", "fail"), Forged},
		"login":           {question{login: true}, ""},
		"login, and spam": {question{login: true, junk: true}, Junk},
		"junk":            {question{junk: true}, Junk},
		"virus":           {question{virus: "Eicar"}, Infected},
	})
	r := question{}.request(t)
	r.Message.Auth = nil // over LMTP
	if _, why := Judge(r); why != Unverified {
		t.Errorf("not verified at all: %q", why)
	}
}

// TestHandle is a part of rule 6: a new text starts anew, a new subject does not, and a
// handle stands for any text.
func TestHandle(t *testing.T) {
	claim := func(q question) string {
		reply, why := Judge(q.request(t))
		if why != "" {
			t.Fatal(why)
		}
		return string(reply.Claim.Handle)
	}
	first := claim(question{options: hook.AutoReply{Text: "Back on Monday.", Days: 7}})
	for name, c := range map[string]struct {
		question
		same bool
	}{
		"again":           {question{options: hook.AutoReply{Text: "Back on Monday.", Days: 7}}, true},
		"other subject":   {question{options: hook.AutoReply{Text: "Back on Monday.", Subject: "Away", Days: 3}}, true},
		"other text":      {question{options: hook.AutoReply{Text: "Back on Tuesday.", Days: 7}}, false},
		"html too":        {question{options: hook.AutoReply{Text: "Back on Monday.", HTML: "<p>x", Days: 7}}, false},
		"a handle":        {question{options: hook.AutoReply{Text: "Back on Monday.", Handle: "x", Days: 7}}, false},
		"a reply":         {question{kind: hook.Reply, options: hook.AutoReply{Text: "Back on Monday.", Days: 7}}, false},
		"to each message": {question{kind: hook.Reply, options: hook.AutoReply{Text: "Back on Monday."}}, false},
	} {
		if got := claim(c.question); (got == first) != c.same {
			t.Errorf("%s: the same is %t", name, got == first)
		}
	}
	a := claim(question{options: hook.AutoReply{Text: "A", Handle: "x"}})
	if b := claim(question{options: hook.AutoReply{Text: "B", Handle: "x"}}); a != b {
		t.Error("one handle, and yet two")
	}
	each := question{kind: hook.Reply, options: hook.AutoReply{Text: "A"}}
	other := each
	other.header = "Message-ID: <other@example.net>\r\n"
	if again := claim(each); claim(each) == claim(other) || claim(each) != again {
		t.Error("a reply to each message is not one for each")
	}
}
