package pop3d

import (
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"facteur/server/connection"
	"facteur/server/testkit"
)

// replyLine is the first line of what a server may say: RFC 1939 3, RFC 2449 4
// and 8, RFC 5034 4.
var replyLine = regexp.MustCompile(`^(\+OK( [ -~]*)?|-ERR (\[(IN-USE|SYS/TEMP|AUTH)\] )?[ -~]+|\+ [A-Za-z0-9+/=]*)\r\n$`)

// multiLine is the first line of a multi-line reply; its text is not looked at.
var multiLine = regexp.MustCompile(`^\+OK (The .* follow|maildrop has .*|top of message follows|[0-9]+ octets)\r\n$`)

// FuzzSession says anything in each state.
func FuzzSession(f *testing.F) {
	states := []struct{ service, prefix string }{
		{POP3, ""},
		{POP3, "USER mrose\r\n"},
		{POP3, "AUTH PLAIN\r\n"},
		{POP3, "AUTH LOGIN\r\nbXJvc2U=\r\n"},
		{POP3, "STLS\r\n"},
		{POP3, "USER mrose\r\nPASS secret\r\n"},
		{POP3, "USER alice\r\nPASS secret\r\nDELE 2\r\n"},
		{POP3, "USER empty\r\nPASS secret\r\n"},
		{POP3, "USER stuck\r\nPASS secret\r\nDELE 1\r\n"},
		{POP3S, ""},
	}
	for i := range states {
		for _, s := range []string{
			"CAPA\r\nUSER mrose\r\nPASS secret\r\nSTAT\r\nLIST\r\nUIDL\r\nQUIT\r\n", "AG1yb3NlAHNlY3JldA==\r\n*\r\n", "c2VjcmV0\r\n",
			"RETR 1\r\nTOP 1 1\r\nLIST 1\r\nUIDL 1\r\nDELE 1\r\nRETR 1\r\nRSET\r\nNOOP\r\nQUIT\r\n", "TOP 1 99999999999999999999\r\nRETR -1\r\nTOP  1 1\r\nLIST\n",
			"\x16\x03\x01\x00", "GET / HTTP/1.1\r\n\r\n", "AUTH\r\nAPOP a b\r\nSTLS\r\n",
		} {
			f.Add(uint8(i), s)
		}
	}
	serverTLS, _ := testkit.TLS(f, "mx.example")
	f.Fuzz(func(t *testing.T, state uint8, in string) {
		st := states[int(state)%len(states)]
		b := newBackend()
		s := New(b, slog.New(slog.DiscardHandler), Options{Hostname: "mx.example", Settings: connection.Settings{TLS: serverTLS}})
		conn := &testkit.Canned{In: strings.NewReader(st.prefix + in), Remote: loopback}
		s.start(conn, st.service)
		s.conns.Wait()
		b.atRest(t)
		if s.conns.Open() != 0 || len(s.locked) != 0 {
			t.Errorf("%d sessions and %d locks are left", s.conns.Open(), len(s.locked))
		}
		if st.service == POP3S {
			return
		}
		plain, _, _ := strings.Cut(conn.Out.String(), "+OK Begin TLS\r\n")
		checkReplies(t, plain)
	})
}

// checkReplies fails the test when what was said is no series of replies.
func checkReplies(t *testing.T, said string) {
	t.Helper()
	for said != "" {
		i := strings.Index(said, "\n") + 1
		line := said[:i]
		said = said[i:]
		if !replyLine.MatchString(line) || len(line) > maxReply {
			t.Fatalf("reply %q", line)
		}
		// A login, RSET and LIST begin alike; what follows tells them apart.
		single := strings.HasPrefix(line, "+OK maildrop") && (said == "" || said[0] == '+' || said[0] == '-')
		if !multiLine.MatchString(line) || single {
			continue
		}
		if strings.HasPrefix(said, ".\r\n") {
			said = said[3:]
			continue
		}
		end := strings.Index(said, "\r\n.\r\n")
		if end < 0 {
			t.Fatalf("no end after %q: %q", line, said)
		}
		said = said[end+5:]
	}
}
