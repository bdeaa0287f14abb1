package server

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"facteur/server/control"
	"facteur/server/password"
	"facteur/server/testkit"
)

// patience bounds the wait for an event that never comes.
const patience = 30 * time.Second

// events is the log of a server, line by line.
type events struct {
	mu    sync.Mutex
	text  bytes.Buffer
	lines []string
	next  int // the first that no wait has passed
	more  chan struct{}
}

func newEvents() *events { return &events{more: make(chan struct{})} }

// Write takes lines.
func (e *events) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.text.Write(p)
	for {
		line, err := e.text.ReadString('\n')
		if err != nil {
			e.text.WriteString(line)
			break
		}
		e.lines = append(e.lines, line)
	}
	close(e.more)
	e.more = make(chan struct{})
	return len(p), nil
}

// wait returns once a line with all of the texts came, and passes it: the next
// wait is for a later one.
func (e *events) wait(t *testing.T, texts ...string) {
	t.Helper()
	timeout := time.After(patience)
	for {
		e.mu.Lock()
		for e.next < len(e.lines) {
			line := e.lines[e.next]
			e.next++
			if !slices.ContainsFunc(texts, func(s string) bool { return !strings.Contains(line, s) }) {
				e.mu.Unlock()
				return
			}
		}
		more := e.more
		e.mu.Unlock()
		select {
		case <-more:
		case <-timeout:
			t.Fatalf("no event %q in:\n%s", texts, strings.Join(e.lines, ""))
		}
	}
}

// site is a folder with mail.toml, a name server, another mail server, and a
// Server over them.
type site struct {
	*testing.T
	dir    string
	hash   string // of the password "secret"
	dns    *testkit.DNS
	peer   *testkit.Peer
	events *events
	chatty bool // serve -v
	*Server

	mu     sync.Mutex
	answer func(testkit.Stage, string) string
}

// newSite starts a server. The other one serves example.net.
func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{T: t, dir: t.TempDir()}
	s.dns = testkit.NewDNS(t, "example.net. MX 10 mx.example.net.\nmx.example.net. A 127.0.0.1")
	s.peer = testkit.NewPeer(t, testkit.PeerOptions{Answer: func(stage testkit.Stage, line string) string {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.answer == nil {
			return ""
		}
		return s.answer(stage, line)
	}})
	var err error
	if s.hash, err = password.Hash("secret"); err != nil {
		t.Fatal(err)
	}
	s.save(s.settings(""))
	s.up()
	t.Cleanup(func() { s.down() })
	return s
}

// settings is a mail.toml with two accounts and what is added. The limits of sending
// are the same at any hour, for a test is run at any.
func (s *site) settings(more string) string {
	return fmt.Sprintf(`hostname = "mail.example.org"
data = "data"
postmaster = "alice@example.org"
[listen]
smtp = "127.0.0.1:0"
submission = "127.0.0.1:0"
imap = "127.0.0.1:0"
[limits.sending]
night.divide = 1
weekend.divide = 1
[dns]
servers = [%q]
[domains."example.org"]
[accounts."alice@example.org"]
password = %q
[accounts."small@example.org"]
password = %q
quota = "1 kB"
`, s.dns.Addr(), s.hash, s.hash) + more
}

const bob = `[accounts."bob@example.org"]
password = %q
`

// save writes mail.toml as an editor does.
func (s *site) save(text string) {
	s.Helper()
	path := filepath.Join(s.dir, "mail.toml")
	if err := os.WriteFile(path+"~", []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		s.Fatal(err)
	}
}

// reload saves and reloads; problems is what it must complain of.
func (s *site) reload(text string, problems ...string) {
	s.Helper()
	s.save(text)
	r := s.Server.reload()
	if len(r.Problems) != len(problems) {
		s.Fatalf("problems: %v, want %q", r.Problems, problems)
	}
	for i, p := range problems {
		if !strings.Contains(r.Problems[i].String(), p) {
			s.Errorf("problem %v, want %q", r.Problems[i], p)
		}
	}
}

func (s *site) up() {
	s.Helper()
	_, port, err := net.SplitHostPort(s.peer.Addr())
	if err != nil {
		s.Fatal(err)
	}
	relayPort, err := strconv.Atoi(port)
	if err != nil {
		s.Fatal(err)
	}
	s.events = newEvents()
	s.Server, err = start(ServeOptions{
		Config: filepath.Join(s.dir, "mail.toml"), Version: "test", Out: io.Discard, Log: s.events, RelayPort: relayPort,
		Verbose: s.chatty,
	})
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) down() {
	s.Helper()
	if s.Server == nil {
		return
	}
	if err := s.stop(); err != nil {
		s.Error(err)
	}
	s.Server = nil
}

// setAnswer sets what the other server says; nil: what is usual.
func (s *site) setAnswer(f func(testkit.Stage, string) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

// at returns the address of a service.
func (s *site) at(service string) string {
	s.Helper()
	for _, b := range s.sockets.Bound() {
		if b.Service == service {
			return b.Addr.String()
		}
	}
	s.Fatalf("%s is not served", service)
	return ""
}

// smtp connects to a service, and logs in when a name is given.
func (s *site) smtp(service, name string) *smtp.Client {
	s.Helper()
	c, err := smtp.Dial(s.at(service))
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { c.Close() })
	if name != "" {
		if err := c.Auth(sasl.NewPlainClient("", name, "secret")); err != nil {
			s.Fatal(err)
		}
	}
	return c
}

// send sends a message in a session.
func (s *site) send(c *smtp.Client, subject, from string, to ...string) {
	s.Helper()
	if err := c.SendMail(from, to, strings.NewReader(testkit.Message(from, to[0], subject, "Hello\n"))); err != nil {
		s.Fatal(err)
	}
}

// imap connects and logs in.
func (s *site) imap(name string) *imapclient.Client {
	s.Helper()
	c, err := imapclient.DialInsecure(s.at("imap"), nil)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { c.Close() })
	if err := c.Login(name, "secret").Wait(); err != nil {
		s.Fatal(err)
	}
	return c
}

// inbox fetches the messages of a person.
func (s *site) inbox(name string) []string {
	s.Helper()
	c := s.imap(name)
	selected, err := c.Select("INBOX", nil).Wait()
	if err != nil {
		s.Fatal(err)
	}
	if selected.NumMessages == 0 {
		return nil
	}
	section := &imap.FetchItemBodySection{}
	all := imap.SeqSet{{Start: 1, Stop: 0}}
	fetched, err := c.Fetch(all, &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	if err != nil {
		s.Fatal(err)
	}
	var out []string
	for _, m := range fetched {
		out = append(out, string(m.FindBodySection(section)))
	}
	return out
}

// TestMailIn follows a message from another server to a mail program.
func TestMailIn(t *testing.T) {
	s := newSite(t)
	s.send(s.smtp("smtp", ""), "Greetings", "z@example.net", "Alice+x@example.org")
	files, err := filepath.Glob(filepath.Join(s.dir, "data/domains/example.org/alice/mail/new/*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	onDisk, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	got := s.inbox("alice@example.org")
	if len(got) != 1 || got[0] != string(onDisk) {
		t.Errorf("%q on disk, %q by IMAP", onDisk, got)
	}
	if !strings.HasPrefix(got[0], "Return-Path: <z@example.net>\r\nDelivered-To: alice@example.org\r\nAuthentication-Results: mail.example.org;") || !strings.HasSuffix(got[0], "\r\n\r\nHello\r\n") {
		t.Error(got[0])
	}
}

// TestReload changes the settings under open sessions.
func TestReload(t *testing.T) {
	s := newSite(t)
	in := s.smtp("smtp", "")
	mua := s.imap("alice@example.org")
	at := s.at("smtp")
	if err := in.Mail("z@example.net", nil); err != nil {
		t.Fatal(err)
	}
	if err := in.Rcpt("bob@example.org", nil); err == nil {
		t.Error("bob@ is there already")
	}

	s.reload(s.settings("acounts = 1\n"), "acounts")
	if r := s.Status().LastReload; r == nil || len(r.Problems) != 1 {
		t.Errorf("status: %+v", r)
	}
	if err := in.Rcpt("bob@example.org", nil); err == nil {
		t.Error("a bad save made bob@")
	}
	if err := in.Rcpt("alice@example.org", nil); err != nil {
		t.Error(err)
	}

	s.reload(s.settings(fmt.Sprintf(bob, s.hash)))
	if r := s.Status().LastReload; r == nil || len(r.Problems) != 0 {
		t.Errorf("status: %+v", r)
	}
	if err := in.Rcpt("bob@example.org", nil); err != nil {
		t.Error(err)
	}
	w, err := in.Data()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, testkit.Message("z@example.net", "bob@example.org", "Hello", "Hello\n"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := mua.Noop().Wait(); err != nil {
		t.Error(err)
	}
	if s.at("smtp") != at {
		t.Error("the socket is another one")
	}
	if len(s.inbox("bob@example.org")) != 1 || len(s.inbox("alice@example.org")) != 1 {
		t.Error("not with both")
	}

	s.reload(strings.Replace(s.settings(""), "imap = \"127.0.0.1:0\"\n", "", 1))
	if err := mua.Noop().Wait(); err != nil {
		t.Error("the session of a removed listener ended:", err)
	}
	if slices.ContainsFunc(s.Status().Listeners, func(l control.Listener) bool { return l.Service == "imap" }) {
		t.Error("imap still listens")
	}
}

// TestSessionsEnd: those of a removed account, and of a changed password, are
// closed within a second; those of others go on.
func TestSessionsEnd(t *testing.T) {
	for _, c := range []struct {
		name  string
		after func(s *site, other string) string
	}{
		{"removed account", func(s *site, _ string) string { return s.settings("") }},
		{"changed password", func(s *site, other string) string { return s.settings(fmt.Sprintf(bob, other)) }},
		{"disabled account", func(s *site, _ string) string {
			return s.settings(fmt.Sprintf(bob, s.hash) + "disabled = true\n")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			other, err := password.Hash("another")
			if err != nil {
				t.Fatal(err)
			}
			s.reload(s.settings(fmt.Sprintf(bob, s.hash)))
			imapBob, imapAlice := s.imap("bob@example.org"), s.imap("alice@example.org")
			smtpBob := s.submission("bob@example.org")
			smtpAlice := s.smtp("submission", "alice@example.org")

			s.reload(c.after(s, other))
			second := time.After(time.Second)
			select {
			case <-imapBob.Closed():
			case <-second:
				t.Error("the IMAP session goes on")
			}
			if err := smtpBob.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			if rest, err := io.ReadAll(smtpBob); err != nil || !strings.HasPrefix(string(rest), "421 ") {
				t.Errorf("the submission session: %q, %v", rest, err)
			}
			if err := imapAlice.Noop().Wait(); err != nil {
				t.Error("alice@, IMAP:", err)
			}
			if err := smtpAlice.Noop(); err != nil {
				t.Error("alice@, submission:", err)
			}
			if _, err := net.Dial("tcp", s.at("imap")); err != nil {
				t.Error(err)
			}
		})
	}
}

// submission opens a session and logs in, by hand, to read how it ends.
func (s *site) submission(name string) net.Conn {
	s.Helper()
	conn, err := net.Dial("tcp", s.at("submission"))
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		s.Fatal(err)
	}
	_, first, err := sasl.NewPlainClient("", name, "secret").Start()
	if err != nil {
		s.Fatal(err)
	}
	for _, line := range []string{"", "EHLO client.example", fmt.Sprintf("AUTH PLAIN %s", base64.StdEncoding.EncodeToString(first))} {
		if line != "" {
			fmt.Fprintf(conn, "%s\r\n", line)
		}
		s.readReply(conn)
	}
	return conn
}

// readReply reads a positive reply.
func (s *site) readReply(conn net.Conn) {
	s.Helper()
	var line []byte
	one := make([]byte, 1)
	for {
		if _, err := conn.Read(one); err != nil {
			s.Fatal(err)
		}
		if line = append(line, one[0]); one[0] != '\n' {
			continue
		}
		if line[0] != '2' {
			s.Fatalf("%s", line)
		}
		if line[3] == ' ' {
			return
		}
		line = nil
	}
}

// TestMailOut follows a message to another server.
func TestMailOut(t *testing.T) {
	s := newSite(t)
	s.send(s.smtp("submission", "alice@example.org"), "Out", "alice@example.org", "x@example.net")
	s.events.wait(t, "msg=spool.finished")
	got := s.peer.Messages()
	if len(got) != 1 || !strings.HasPrefix(got[0].From, "FROM:<alice@example.org>") || !strings.HasPrefix(got[0].Helo, "EHLO mail.example.org") {
		t.Fatalf("%+v", got)
	}
	if strings.Contains(got[0].Data, "Return-Path") || !strings.HasPrefix(got[0].Data, "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org;") ||
		!strings.Contains(got[0].Data, "\r\nReceived: from localhost") || !strings.HasSuffix(got[0].Data, "\r\n\r\nHello\r\n") {
		t.Error(got[0].Data)
	}
}

// TestTriedAgain: the other server is busy at first.
func TestTriedAgain(t *testing.T) {
	s := newSite(t)
	s.setAnswer(func(stage testkit.Stage, _ string) string {
		if stage == testkit.Rcpt {
			return "450 4.2.1 Busy"
		}
		return ""
	})
	s.send(s.smtp("submission", "alice@example.org"), "Out", "alice@example.org", "x@example.net")
	s.events.wait(t, "msg=spool.deferred", "Busy")
	var q []control.Queued
	err := s.Queue(control.QueueFilter{}, func(e control.Queued) error { q = append(q, e); return nil })
	if err != nil || len(q) != 1 || len(q[0].Recipients) != 1 || q[0].Recipients[0].Attempts != 1 {
		t.Errorf("%+v", q)
	}
	s.setAnswer(nil)
	s.retry()
	s.events.wait(t, "msg=spool.finished")
	if got := s.peer.Messages(); len(got) != 1 {
		t.Errorf("%+v", got)
	}
	if got := s.inbox("alice@example.org"); len(got) != 0 {
		t.Errorf("alice@ was told: %q", got)
	}
}

// retry tries all that waits, once no attempt runs: one that does is not made twice.
func (s *site) retry() {
	s.Helper()
	timeout := time.After(patience)
	for {
		busy := false
		for _, e := range s.spool.List() {
			if d, err := s.spool.Show(e.ID); err == nil && d.Running {
				busy = true
			}
		}
		if !busy {
			s.spool.RetryAll()
			return
		}
		select {
		case <-timeout:
			s.Fatal("attempts don't end")
		default:
			runtime.Gosched()
		}
	}
}

// TestRefused: what the other server does not want comes back as a notice.
func TestRefused(t *testing.T) {
	s := newSite(t)
	s.setAnswer(func(stage testkit.Stage, line string) string {
		if stage == testkit.Rcpt && strings.Contains(line, "nobody") {
			return "550 5.1.1 No such user"
		}
		return ""
	})
	s.send(s.smtp("submission", "alice@example.org"), "Out", "alice@example.org", "nobody@example.net", "x@example.net")
	s.events.wait(t, "msg=spool.finished")
	if got := s.peer.Messages(); len(got) != 1 || len(got[0].To) != 1 {
		t.Errorf("%+v", got)
	}
	got := s.inbox("alice@example.org")
	if len(got) != 1 {
		t.Fatalf("%d notices", len(got))
	}
	for _, want := range []string{"Return-Path: <>\r\n", "multipart/report", "Final-Recipient: rfc822; nobody@example.net", "Action: failed", "Status: 5.1.1", "No such user", "Subject: Out"} {
		if !strings.Contains(got[0], want) {
			t.Errorf("the notice has no %q:\n%s", want, got[0])
		}
	}
	if strings.Contains(got[0], "x@example.net") {
		t.Error("the notice names who got the message")
	}
}

// TestPartlyLooping: a sender without a login is told of the one recipient of
// two that failed after DATA.
func TestPartlyLooping(t *testing.T) {
	s := newSite(t)
	s.reload(s.settings("[aliases]\n\"out@example.org\" = \"x@example.net\"\n"))
	c := s.smtp("smtp", "")
	text := "Delivered-To: out@example.org\r\n" + testkit.Message("z@example.net", "out@example.org", "Round", "Hello\n")
	err := c.SendMail("z@example.net", []string{"out@example.org", "alice@example.org"}, strings.NewReader(text))
	if err == nil || !strings.Contains(err.Error(), "554") {
		t.Errorf("%v", err)
	}
	// Anyone can write a Delivered-To: a notice would go to whom he names.
	if got := s.peer.Messages(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	if n := len(s.inbox("alice@example.org")); n != 0 {
		t.Errorf("alice@ has it %d times", n)
	}
}

// TestRestart stops and starts with mail in the spool, for others and for a
// mailbox that was full.
func TestRestart(t *testing.T) {
	s := newSite(t)
	s.setAnswer(func(testkit.Stage, string) string { return "421 4.3.2 Later" })
	const messages = 5
	c := s.smtp("submission", "alice@example.org")
	long := strings.Repeat("All work and no play makes mail a dull thing.\r\n", 30)
	for i := range messages {
		text := testkit.Message("alice@example.org", "x@example.net", fmt.Sprintf("Number %d", i), long)
		to := []string{"x@example.net", "alice@example.org", "small@example.org"}
		if err := c.SendMail("alice@example.org", to, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.spool.Counts().Recipients; n != 2*messages {
		t.Errorf("%d recipients wait", n)
	}
	s.down()

	s.setAnswer(nil)
	s.save(strings.Replace(s.settings(""), `quota = "1 kB"`, `quota = "1 MB"`, 1))
	s.up()
	s.retry()
	for range 2 * messages {
		s.events.wait(t, "msg=spool.finished")
	}
	if got := s.peer.Messages(); len(got) != messages {
		t.Errorf("the peer has %d", len(got))
	}
	for _, who := range []string{"alice@example.org", "small@example.org"} {
		got := s.inbox(who)
		subjects := make(map[string]bool)
		for _, m := range got {
			_, rest, _ := strings.Cut(m, "\r\nSubject: ")
			subject, _, _ := strings.Cut(rest, "\r\n")
			subjects[subject] = true
		}
		if len(got) != messages || len(subjects) != messages {
			t.Errorf("%s has %d messages: %v", who, len(got), subjects)
		}
	}
	queue := s.spool
	s.down() // ends the attempts, which count until then
	if n := queue.Counts().Recipients; n != 0 {
		t.Errorf("%d recipients wait", n)
	}
}

// TestServe: the whole, until its context ends.
func TestServe(t *testing.T) {
	s := newSite(t)
	s.down()
	events := newEvents()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- Serve(ctx, ServeOptions{Config: filepath.Join(s.dir, "mail.toml"), Out: io.Discard, Log: events})
	}()
	events.wait(t, "msg=server.ready")
	s.save(s.settings(fmt.Sprintf(bob, s.hash)))
	events.wait(t, "msg=server.reloaded", "accounts=3")
	s.save("hostname = 1\n")
	events.wait(t, "msg=server.reload_failed")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// serve -v logs the commands of a session, and no password.
func TestVerbose(t *testing.T) {
	s := newSite(t)
	s.down()
	s.chatty = true
	s.up()
	s.smtp("submission", "alice@example.org")
	s.events.wait(t, "msg=wire.received", "EHLO")
	s.events.wait(t, "msg=wire.sent", "235 ")
	credentials := base64.StdEncoding.EncodeToString([]byte("\x00alice@example.org\x00secret"))
	s.events.mu.Lock()
	defer s.events.mu.Unlock()
	for _, line := range s.events.lines {
		if strings.Contains(line, credentials) {
			t.Error(line)
		}
	}
}
