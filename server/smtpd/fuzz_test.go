package smtpd

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"facteur/server/buffer"
	"facteur/server/envelope"
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
	certs := testCertificate(f)
	pool, err := buffer.NewPool(buffer.Options{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, state uint8, in string) {
		st := states[int(state)%len(states)]
		b := &fakeBackend{}
		s := New(b, pool, slog.New(slog.DiscardHandler), Options{Hostname: "mx.example", TLS: certs.server, MessageSize: 1000})
		conn := &canned{in: strings.NewReader(st.prefix + in)}
		s.start(conn, st.service)
		s.running.Wait()
		if pool.InUse() != 0 || len(s.sessions) != 0 {
			t.Errorf("%d octets of buffers are still in use, %d sessions left", pool.InUse(), len(s.sessions))
		}
		plain, _, _ := strings.Cut(conn.out.String(), "220 2.0.0 Ready to start TLS\r\n")
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

// canned is a connection of which all that the client says is known before.
type canned struct {
	in  *strings.Reader
	out bytes.Buffer
}

func (c *canned) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c *canned) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *canned) Close() error                     { return nil }
func (c *canned) LocalAddr() net.Addr              { return loopback }
func (c *canned) RemoteAddr() net.Addr             { return loopback }
func (c *canned) SetDeadline(time.Time) error      { return nil }
func (c *canned) SetReadDeadline(time.Time) error  { return nil }
func (c *canned) SetWriteDeadline(time.Time) error { return nil }

var printable = regexp.MustCompile(`^[ -~]*$`)

func FuzzMail(f *testing.F) {
	for _, s := range []string{
		"FROM:<>", "FROM:<a@example.org> SIZE=10 BODY=8BITMIME", "from: <@x,@y:\"a b\\\"\"@[192.0.2.1]> SMTPUTF8", "FROM:<jörg@bücher.example> SMTPUTF8 RET=FULL ENVID=a+2Bb",
		"FROM:<a@example.org> AUTH=<> AUTH=<>", "FROM:<a@example.org> X=", "FROM:<\"\\", "FROM:<a@b", "TO:<a@b>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		s, fault := parseMail(in)
		if fault != nil {
			if fault.Code < 500 || fault.Code > 599 {
				t.Fatalf("%q: %v", in, fault)
			}
			return
		}
		if !printable.MatchString(s.EnvID+s.Auth) || strings.ContainsAny(s.ReversePath.String(), "\r\n\x00") || s.Size < 0 {
			t.Fatalf("%q: %+v", in, s)
		}
		again := "FROM:<" + s.ReversePath.String() + ">"
		if s.SMTPUTF8 {
			again += " SMTPUTF8"
		}
		if s2, fault := parseMail(again); fault != nil || s2.ReversePath.Key() != s.ReversePath.Key() {
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
