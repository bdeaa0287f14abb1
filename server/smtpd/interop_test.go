package smtpd

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"facteur/server/testkit"
)

// The client of go-smtp is the second implementation of what this package
// speaks.

func TestClientSubmission(t *testing.T) {
	serverTLS, clientTLS := testkit.TLS(t, "mx.example")
	for name, dial := range map[string]func(submission, submissions string) (*smtp.Client, error){
		"STARTTLS":     func(addr, _ string) (*smtp.Client, error) { return smtp.DialStartTLS(addr, clientTLS) },
		"implicit TLS": func(_, addr string) (*smtp.Client, error) { return smtp.DialTLS(addr, clientTLS) },
		"plain text":   func(addr, _ string) (*smtp.Client, error) { return smtp.Dial(addr) },
	} {
		for mechanism, auth := range map[string]sasl.Client{
			"PLAIN": sasl.NewPlainClient("", "alice", "secret"),
			"LOGIN": sasl.NewLoginClient("alice", "secret"),
		} {
			t.Run(name+" "+mechanism, func(t *testing.T) {
				b := &fakeBackend{}
				s := newServer(t, b, withTLS(serverTLS))
				c, err := dial(s.serve(t, Submission).String(), s.serve(t, Submissions).String())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if err := c.Auth(auth); err != nil {
					t.Fatal(err)
				}
				if err := c.SendMail("alice@example.org", []string{"bob@example.net"}, strings.NewReader("Subject: x\r\n\r\n.dot\r\n")); err != nil {
					t.Fatal(err)
				}
				if err := c.Quit(); err != nil {
					t.Error(err)
				}
				protocol := "ESMTPSA"
				if name == "plain text" {
					protocol = "ESMTPA"
				}
				want := fmt.Sprintf(`[login alice secret begin %s as "localhost" by "alice@example.org" mail <alice@example.org> body=8BITMIME`+
					` rcpt <bob@example.net> data "Subject: x\r\n\r\n.dot\r\n"]`, protocol)
				if got := fmt.Sprint(b.take()); got != want {
					t.Errorf("\n%s, want\n%s", got, want)
				}
			})
		}
	}
}

func TestClientWrongPassword(t *testing.T) {
	serverTLS, clientTLS := testkit.TLS(t, "mx.example")
	s := newServer(t, &fakeBackend{}, withTLS(serverTLS))
	c, err := smtp.DialTLS(s.serve(t, Submissions).String(), clientTLS)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	expectCode(t, c.Auth(sasl.NewPlainClient("", "alice", "wrong")), 535, smtp.EnhancedCode{5, 7, 8})
	expectCode(t, c.Mail("alice@example.org", nil), 530, smtp.EnhancedCode{5, 7, 0})
}

func expectCode(t *testing.T, err error, code int, enhanced smtp.EnhancedCode) {
	t.Helper()
	var e *smtp.SMTPError
	if !errors.As(err, &e) || e.Code != code || e.EnhancedCode != enhanced {
		t.Errorf("%v, want %d %v", err, code, enhanced)
	}
}

func TestClientExtensions(t *testing.T) {
	b := &fakeBackend{}
	s := newServer(t, b, Options{MessageSize: 1 << 20})
	c, err := smtp.Dial(s.serve(t, SMTP).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for ext, want := range map[string]bool{
		"PIPELINING": true, "8BITMIME": true, "SMTPUTF8": true, "ENHANCEDSTATUSCODES": true, "DSN": true, "CHUNKING": true,
		"STARTTLS": false, "AUTH": false, "BINARYMIME": false,
	} {
		if ok, _ := c.Extension(ext); ok != want {
			t.Errorf("%s: %v", ext, ok)
		}
	}
	if size, ok := c.MaxMessageSize(); !ok || size != 1<<20 {
		t.Errorf("size %d, %v", size, ok)
	}
	err = c.Mail("jörg@example.org", &smtp.MailOptions{
		Body: smtp.Body8BitMIME, Size: 100, UTF8: true, Return: smtp.DSNReturnHeaders, EnvelopeID: "QQ+3=14",
	})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Rcpt("bob@example.net", &smtp.RcptOptions{
		Notify: []smtp.DSNNotify{smtp.DSNNotifyDelayed, smtp.DSNNotifyFailure}, OriginalRecipientType: smtp.DSNAddressTypeRFC822, OriginalRecipient: "bob+shop@example.net",
	})
	if err != nil {
		t.Fatal(err)
	}
	expectCode(t, c.Rcpt("unknown@example.net", nil), 550, smtp.EnhancedCode{5, 1, 1})
	w, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("..two dots\r\n.\r\n", 20000)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want := `[begin ESMTP as "localhost" by "" mail <jörg@example.org> size=100 body=8BITMIME utf8=true ret=HDRS envid=QQ+3=14` +
		` rcpt <bob@example.net> notify=12 orcpt=RFC822;bob+shop@example.net rcpt <unknown@example.net> ` + fmt.Sprintf("data %q]", text)
	if got := fmt.Sprint(b.take()); got != want {
		t.Errorf("\n%.500s, want\n%.500s", got, want)
	}
	if err := c.Quit(); err != nil {
		t.Error(err)
	}
}

func TestClientLMTP(t *testing.T) {
	b := &fakeBackend{}
	s := newServer(t, b, Options{})
	path := t.TempDir() + "/lmtp.sock"
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln, LMTP) }()
	defer func() {
		ln.Close()
		<-done
	}()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c := smtp.NewClientLMTP(conn)
	defer c.Close()
	if err := c.Mail("a@example.org", nil); err != nil {
		t.Fatal(err)
	}
	for _, rcpt := range []string{"bob", "late", "carol"} {
		if err := c.Rcpt(rcpt+"@example.net", nil); err != nil {
			t.Fatal(err)
		}
	}
	w, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "text\r\n")
	responses, err := w.CloseWithLMTPResponse()
	var failed smtp.LMTPDataError
	if !errors.As(err, &failed) || len(failed) != 1 || failed["late@example.net"].Code != 452 {
		t.Errorf("%v", err)
	}
	for _, rcpt := range []string{"bob@example.net", "carol@example.net"} {
		if r := responses[rcpt]; r == nil || !strings.Contains(r.StatusText, "Accepted as id1") {
			t.Errorf("%s: %v", rcpt, r)
		}
	}
	if err := c.Quit(); err != nil {
		t.Error(err)
	}
	want := `[begin LMTP as "localhost" by "" mail <a@example.org> body=8BITMIME rcpt <bob@example.net> rcpt <late@example.net> rcpt <carol@example.net> data "text\r\n"]`
	if got := fmt.Sprint(b.take()); got != want {
		t.Errorf("\n%s, want\n%s", got, want)
	}
}

// TestClientsAtOnce has many sessions with large and small messages, some over TLS.
func TestClientsAtOnce(t *testing.T) {
	serverTLS, clientTLS := testkit.TLS(t, "mx.example")
	b := &fakeBackend{}
	s := newServer(t, b, withTLS(serverTLS))
	addr := s.serve(t, SMTP).String()
	const clients, messages = 8, 5
	errs := make(chan error, clients)
	for i := range clients {
		go func() { errs <- sendMany(addr, i, messages, clientTLS) }()
	}
	for range clients {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	got := make(map[string]int)
	for _, call := range b.take() {
		if strings.HasPrefix(call, "data") {
			got[call]++
		}
	}
	for i := range clients {
		for j := range messages {
			if n := got[fmt.Sprintf("data %q", message(i, j))]; n != 1 {
				t.Errorf("message %d of client %d: %d times", j, i, n)
			}
		}
	}
}

func message(client, n int) string {
	line := fmt.Sprintf("client %d, message %d\r\n", client, n)
	return line + strings.Repeat(line, n*n*1000)
}

func sendMany(addr string, client, messages int, cfg *tls.Config) error {
	dial := smtp.Dial
	if client%2 == 0 {
		dial = func(addr string) (*smtp.Client, error) { return smtp.DialStartTLS(addr, cfg) }
	}
	c, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	for n := range messages {
		if err := c.SendMail("a@example.org", []string{"b@example.org"}, bytes.NewReader([]byte(message(client, n)))); err != nil {
			return err
		}
	}
	return c.Quit()
}
