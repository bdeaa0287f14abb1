package smtpd

import (
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"facteur/server/buffer"
	"facteur/server/connection"
	"facteur/server/envelope"
	"facteur/server/testkit"
)

// replyLines is what a server may say: RFC 5321 4.2, RFC 2034 4.
var replyLines = regexp.MustCompile(`^([2-5][0-9][0-9][ -]([245]\.[0-9]{1,3}\.[0-9]{1,3} )?[ -~]*\r\n)*$`)

func FuzzSession(f *testing.F) {
	states := []struct{ service, prefix string }{
		{SMTP, ""},
		{SMTP, "EHLO c\r\n"},
		{SMTP, "EHLO c\r\nMAIL FROM:<a@example.org>\r\n"},
		{SMTP, "EHLO c\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\n"},
		{SMTP, "EHLO c\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"},
		{SMTP, "EHLO c\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nBDAT 1\r\nx"},
		{SMTP, "EHLO c\r\nSTARTTLS\r\n"},
		{Submission, "EHLO c\r\n"},
		{Submission, "EHLO c\r\nAUTH PLAIN\r\n"},
		{Submission, "EHLO c\r\nAUTH LOGIN\r\nYWxpY2U=\r\n"},
		{Submission, "EHLO c\r\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n"},
		{Submissions, ""},
		{LMTP, "LHLO c\r\n"},
		{LMTP, "LHLO c\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nRCPT TO:<c@example.org>\r\nDATA\r\n"},
	}
	for i := range states {
		for _, s := range []string{
			"MAIL FROM:<a@example.org> SIZE=10\r\nRCPT TO:<b@example.org> NOTIFY=NEVER\r\nDATA\r\ntext\r\n.\r\nQUIT\r\n",
			"text\n.\nMAIL FROM:<evil@example.org>\r\n.\r\n", "BDAT 3\r\na\r\nBDAT 1 LAST\r\nbNOOP\r\n", "AGFsaWNlAHNlY3JldA==\r\n*\r\n",
			"RSET\r\nVRFY x\r\nHELP\r\nEHLO d\r\nNOOP\n", "\x16\x03\x01\x00", "GET / HTTP/1.1\r\n\r\n",
		} {
			f.Add(uint8(i), s)
		}
	}
	serverTLS, _ := testkit.TLS(f, "mx.example")
	pool, err := buffer.NewPool(buffer.Options{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, state uint8, in string) {
		st := states[int(state)%len(states)]
		b := &fakeBackend{}
		s := New(b, pool, slog.New(slog.DiscardHandler), Options{Hostname: "mx.example", Settings: connection.Settings{TLS: serverTLS}, MessageSize: 1000})
		conn := &testkit.Canned{In: strings.NewReader(st.prefix + in), Remote: loopback}
		s.start(conn, st.service)
		s.conns.Wait()
		if pool.InUse() != 0 || s.conns.Open() != 0 {
			t.Errorf("%d octets of buffers are still in use, %d sessions left", pool.InUse(), s.conns.Open())
		}
		plain, _, _ := strings.Cut(conn.Out.String(), "220 2.0.0 Ready to start TLS\r\n")
		if st.service != Submissions && !replyLines.MatchString(plain) {
			t.Errorf("replies %q", plain)
		}
		for _, call := range b.take() {
			text := new(string)
			if n, _ := fmt.Sscanf(call, "data %q", text); n == 1 {
				checkText(t, *text)
			}
		}
	})
}

// checkText fails the test when text is not one of whole lines.
func checkText(t *testing.T, text string) {
	t.Helper()
	rest := strings.ReplaceAll(text, "\r\n", "")
	if strings.ContainsAny(rest, "\r\n\x00") || text != "" && !strings.HasSuffix(text, "\r\n") || len(text) > 1000 {
		t.Errorf("the backend got %q", text)
	}
}

var printable = regexp.MustCompile(`^[ -~]*$`)

func FuzzMail(f *testing.F) {
	for _, s := range []string{
		"FROM:<>", "FROM:<a@example.org> SIZE=10 BODY=8BITMIME", "from: <@x,@y:\"a b\\\"\"@[192.0.2.1]> SMTPUTF8", "FROM:<jörg@bücher.example> SMTPUTF8 RET=FULL ENVID=a+2Bb",
		"FROM:<a@example.org> REQUIRETLS HOLDFOR=86400", "FROM:<a@example.org> HOLDUNTIL=2026-12-24T18:00:00Z", "FROM:<a@example.org> HOLDFOR=1 HOLDUNTIL=2026-12-24T18:00:00Z",
		"FROM:<a@example.org> AUTH=<> AUTH=<>", "FROM:<a@example.org> X=", "FROM:<\"\\", "FROM:<a@b", "TO:<a@b>",
	} {
		f.Add(s)
	}
	future := offered{requireTLS: true, futureRelease: true, now: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}
	f.Fuzz(func(t *testing.T, in string) {
		s, fault := parseMail(in, future)
		if fault != nil {
			if fault.Code < 500 || fault.Code > 599 {
				t.Fatalf("%q: %v", in, fault)
			}
			return
		}
		if !printable.MatchString(s.EnvID+s.Auth) || strings.ContainsAny(s.ReversePath.String(), "\r\n\x00") || s.Size < 0 ||
			!s.HoldUntil.IsZero() && (s.HoldUntil.Before(future.now) || s.HoldUntil.After(future.now.Add(maxHold))) {
			t.Fatalf("%q: %+v", in, s)
		}
		again := "FROM:<" + s.ReversePath.String() + ">"
		if s.SMTPUTF8 {
			again += " SMTPUTF8"
		}
		if s2, fault := parseMail(again, future); fault != nil || s2.ReversePath.Key() != s.ReversePath.Key() {
			t.Fatalf("%q: %q read again: %+v, %v", in, again, s2, fault)
		}
	})
}

func FuzzRcpt(f *testing.F) {
	for _, s := range []string{
		"TO:<postmaster>", "TO:<a@example.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a+2Bb@x", "TO:<@x:a@example.org> NOTIFY=NEVER", "TO:<>", "TO:<jörg@example.org> ORCPT=utf-8;jörg@x",
		"TO:<a@example.org> ORCPT=;", "TO:<a@example.org> NOTIFY=NEVER,DELAY",
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, in string, utf8 bool) {
		r, fault := parseRcpt(in, utf8)
		if fault != nil {
			if fault.Code < 500 || fault.Code > 599 {
				t.Fatalf("%q: %v", in, fault)
			}
			return
		}
		if r.ForwardPath.IsZero() || strings.ContainsAny(r.ForwardPath.String()+r.ORcpt, "\r\n\x00") || !utf8 && !printable.MatchString(r.ORcpt) {
			t.Fatalf("%q: %+v", in, r)
		}
		if r.Notify&envelope.NotifyNever != 0 && r.Notify != envelope.NotifyNever {
			t.Fatalf("%q: notify %d", in, r.Notify)
		}
	})
}

func FuzzRedact(f *testing.F) {
	f.Add("AUTH PLAIN AGFsaWNlAHNlY3JldA==")
	f.Add("auth login")
	f.Add("AGFsaWNlAHNlY3JldA==")
	f.Fuzz(func(t *testing.T, line string) {
		verb, args, _ := strings.Cut(line, " ")
		if !strings.EqualFold(verb, "AUTH") {
			return
		}
		_, secret, ok := strings.Cut(args, " ")
		if got := redact(line); ok && len(secret) > len("(secret)") && strings.Contains(got, secret) {
			t.Errorf("%q: %q", line, got)
		}
	})
}
