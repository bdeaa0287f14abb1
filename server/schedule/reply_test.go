package schedule

import (
	"context"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/statedb"
)

// objectOf returns the calendar object of a reply, and checks what RFC 6047 2.4 asks of the
// message. It reads with the standard library, the second implementation.
func objectOf(t *testing.T, body []byte) string {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(string(body)))
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%s, %v", kind, err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	text, err := parts.NextPart()
	if err != nil || !strings.HasPrefix(text.Header.Get("Content-Type"), "text/plain") {
		t.Fatalf("the text: %v, %v", text, err)
	}
	object, err := parts.NextPart()
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err = mime.ParseMediaType(object.Header.Get("Content-Type"))
	if err != nil || kind != "text/calendar" || params["method"] != "REPLY" || params["charset"] != "utf-8" {
		t.Fatalf("%s %v, %v", kind, params, err)
	}
	raw, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, object))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Fatalf("a third part: %v", err)
	}
	return string(raw)
}

func TestReply(t *testing.T) {
	in, err := Read(invitation("20260701T100000", "RECURRENCE-ID;TZID=W. Europe Standard Time:20260701T090000"), time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	own := []address.Address{address.MustParse("robert@example.org"), address.MustParse("bob@example.org")}
	from, ok := in.Invited(own)
	if !ok || from.String() != "Bob@example.org" {
		t.Fatalf("%s is invited: %v", from, ok)
	}
	if a, ok := in.Invited(own[:1]); ok {
		t.Errorf("%s is invited", a)
	}
	env, body := in.Reply(Answer{
		Comment: "Away; sorry,\nBob", From: from, About: "<1@example.com>", ID: "abc", Now: time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC),
	})
	if !env.Sender.ReversePath.IsZero() || len(env.Recipients) != 1 || env.Recipients[0].ForwardPath.String() != "a@example.com" || env.Sender.SMTPUTF8 {
		t.Errorf("%+v", env)
	}
	m, err := mail.ReadMessage(strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"From": `"Bob B." <Bob@example.org>`, "To": "<a@example.com>", "Subject": "Declined: Plan, and lunch; a long name",
		"In-Reply-To": "<1@example.com>", "References": "<1@example.com>", "Auto-Submitted": "auto-replied", "Message-Id": "<abc@example.org>",
	} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	object := objectOf(t, body)
	before, event, _ := strings.Cut(object, "BEGIN:VEVENT\r\n")
	if !strings.HasPrefix(before, "BEGIN:VCALENDAR\r\nPRODID:") || strings.Count(before, "TZID:W. Europe Standard Time\r\n") != 1 {
		t.Errorf("%s", before)
	}
	want := `UID:calsrv.example.com-873970198738777@example.com
DTSTAMP:20260601T080000Z
ORGANIZER:mailto:a@example.com
ATTENDEE;CN="Bob B.";PARTSTAT=DECLINED:MAILTO:Bob@Example.org
SEQUENCE:2
RECURRENCE-ID;TZID=W. Europe Standard Time:20260701T090000
DTSTART;TZID=W. Europe Standard Time:20260701T100000
SUMMARY:Plan\, and lunch\; a long name
COMMENT:Away\; sorry\,\nBob
END:VEVENT
END:VCALENDAR
`
	if event != strings.ReplaceAll(want, "\n", "\r\n") {
		t.Errorf("%s", event)
	}
}

// TestReplyNames: what others wrote can't become more than a name.
func TestReplyNames(t *testing.T) {
	text := strings.Replace(invitation("20260701T100000", "X-A:b"), "CN=Bob B.", `CN="Zoë ^'x^' ^nBcc: <z@example.com>"`, 1)
	in, err := Read(text, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	_, body := in.Reply(Answer{Accept: true, From: address.MustParse("bob@example.org"), ID: "1", Now: time.Unix(0, 0)})
	m, err := mail.ReadMessage(strings.NewReader(string(body)))
	if err != nil || m.Header.Get("Bcc") != "" {
		t.Fatalf("%v %v", m, err)
	}
	list, err := m.Header.AddressList("From")
	if err != nil || len(list) != 1 || list[0].Address != "bob@example.org" {
		t.Errorf("%v, %v", list, err)
	}
	for line := range strings.Lines(string(body)) {
		if len(line) > 100 {
			t.Errorf("a line of %d octets", len(line))
		}
	}
	if object := objectOf(t, body); !strings.Contains(object, "PARTSTAT=ACCEPTED") {
		t.Error(object)
	}
}

// TestClaim: an invitation is answered once; a new sequence number is another one.
func TestClaim(t *testing.T) {
	db, err := statedb.Open(filepath.Join(t.TempDir(), "state.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	m, err := Open(db)
	if err != nil {
		t.Fatal(err)
	}
	ctx, now := context.Background(), time.Now()
	bob, carol := address.MustParse("bob@example.org"), address.MustParse("carol@example.org")
	in := func(sequence int, recurrence string) *Invitation {
		i := &Invitation{RecurrenceID: recurrence}
		i.UID, i.Sequence = "1", sequence
		return i
	}
	for n, c := range []struct {
		box  address.Address
		in   *Invitation
		at   time.Duration
		want bool
	}{
		{bob, in(0, ""), 0, true}, {bob, in(0, ""), 0, false}, {carol, in(0, ""), 0, true},
		{bob, in(1, ""), 0, true}, {bob, in(0, "RECURRENCE-ID:20260701"), 0, true}, {bob, in(0, ""), kept + time.Hour, true},
	} {
		if got, err := m.Claim(ctx, c.box, c.in.Key(), now.Add(c.at)); got != c.want || err != nil {
			t.Errorf("%d: %v, %v", n, got, err)
		}
	}
	if err := m.Forget(ctx, carol, in(0, "").Key()); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Claim(ctx, carol, in(0, "").Key(), now); !got || err != nil {
		t.Errorf("after Forget: %v, %v", got, err)
	}
}
