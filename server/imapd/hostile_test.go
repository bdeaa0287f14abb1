package imapd

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// reach brings a raw connection into a state.
func (r *rawConn) reach(state string) {
	r.t.Helper()
	if state == "not authenticated" {
		return
	}
	r.do("LOGIN alice@example.org demo", "OK")
	if state == "selected" {
		r.do("SELECT INBOX", "OK")
	}
}

var states = []string{"not authenticated", "authenticated", "selected"}

var hostile = []string{
	"a " + strings.Repeat("x", 100<<10) + "\r\n",
	strings.Repeat("x", 1<<20),
	"a LOGIN {99999999999}\r\n",
	"a LOGIN {9223372036854775808}\r\n",
	"a LOGIN {-1}\r\n",
	"a LOGIN {5000+}\r\n" + strings.Repeat("b NOOP\r\n", 625),
	"a APPEND INBOX {4294967296}\r\n",
	"a APPEND INBOX (\\Seen {10}\r\n0123456789\r\n",
	"a APPEND INBOX {5000+}\r\n" + strings.Repeat("b NOOP\r\n", 625),
	"a NOOP\x00\r\n\x00\r\n",
	"\x00\x00\x00\x00",
	"a FETCH 1 (FLAGS\r\n",
	"a FETCH 1 " + strings.Repeat("(", 10_000) + "\r\n",
	"a SEARCH " + strings.Repeat("(", 20_000) + "\r\n",
	"a SEARCH " + strings.Repeat("NOT ", 10_000) + "ALL\r\n",
	"a SEARCH " + strings.Repeat("OR ALL ", 6_000) + "ALL\r\n",
	"a LIST (" + strings.Repeat("(", 10_000) + "\r\n",
	"a LIST \"\" " + strings.Repeat("*%", 1000) + "x\r\n",
	"a NOOP\nb NOOP\n",
	"a NOOP\rb NOOP\r",
	"\r\n\r\n\r\n",
	"a FETCH 1:4294967295 FLAGS\r\na UID FETCH 1:* (FLAGS)\r\n",
	"a FETCH 0 FLAGS\r\na FETCH 1,,2 FLAGS\r\na FETCH *:* FLAGS\r\n",
	"a UID FETCH " + strings.Repeat("1:*,", 10_000) + "1 FLAGS\r\n",
	"a FETCH 1 BODY[1.1.1.1.1.1.1.1.1.1.1.1.1.1]<1.1>\r\n",
	"a FETCH 1 BINARY[1]<0.5>\r\na FETCH 1 BINARY.SIZE[]\r\n",
	"a STATUS INBOX (MESSAGES DELETED DELETED-STORAGE APPENDLIMIT SIZE RECENT)\r\n",
	"a STORE 1 FLAGS (\\* \\Recent \\\\ a]b)\r\n",
	"a CREATE \"\"\r\na CREATE /\r\na CREATE ..\r\na CREATE \"a\x01b\"\r\na CREATE &AAA\r\na DELETE ../../x\r\n",
	"a RENAME INBOX INBOX/x\r\na RENAME Sent Sent/x\r\n",
	"a IDLE\r\nnot done\r\nb NOOP\r\n",
	"a IDLE\r\n" + strings.Repeat("x", 10_000) + "\r\n",
	"a AUTHENTICATE PLAIN =\r\na AUTHENTICATE PLAIN ****\r\na AUTHENTICATE PLAIN\r\n" + strings.Repeat("A", 10_000) + "\r\n",
	"a ENABLE " + strings.Repeat("X ", 1000) + "\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	"a STARTTLS\r\n",
	"a UNAUTHENTICATE\r\na CLOSE\r\na UNSELECT\r\na EXPUNGE\r\na MOVE 1 Trash\r\n",
}

func TestHostileInput(t *testing.T) {
	w := newWorld(t, nil)
	w.add(w.box("INBOX"), mixed)
	for _, state := range states {
		for _, in := range hostile {
			r := w.raw()
			r.reach(state)
			attack(t, r.Conn, []byte(in))
		}
	}
	w.raw().do("LOGIN alice@example.org demo", "OK") // alive
}

// attack sends octets, and ends what it sends; the server has to close the
// connection then.
func attack(t *testing.T, c net.Conn, in []byte) {
	t.Helper()
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	go func() {
		// The server may close before it has read all.
		if _, err := c.Write(in); err == nil {
			_ = c.(*net.TCPConn).CloseWrite()
		}
	}()
	_, err := io.Copy(io.Discard, c)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Errorf("the server hangs on %.60q", in)
	}
}

func FuzzSession(f *testing.F) {
	for i, in := range hostile {
		f.Add(byte(i), []byte(in))
	}
	w := newWorld(f, nil)
	w.add(w.box("INBOX"), mixed)
	f.Fuzz(func(t *testing.T, state byte, in []byte) {
		if len(in) > 64<<10 {
			return
		}
		c, err := net.Dial("tcp", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		prefix := []string{"", "a LOGIN alice@example.org demo\r\n", "a LOGIN alice@example.org demo\r\nb SELECT INBOX\r\n"}[int(state)%3]
		attack(t, c, append([]byte(prefix), in...))
	})
}

// One FETCH of a few octets must not make the server hold a header a thousand
// times, nor decode a part as often.
func TestFetchHoldsLittle(t *testing.T) {
	w := newWorld(t, nil)
	w.add(w.box("INBOX"), "Subject: x\n"+strings.Repeat("A: "+strings.Repeat("x", 900)+"\n", 250)+"\n")
	r := w.raw()
	r.reach("selected")
	for _, item := range []string{"BODY.PEEK[HEADER.FIELDS (A)]", "BODY.PEEK[HEADER.FIELDS.NOT (B)]", "BINARY.SIZE[1]", "BINARY.PEEK[1]"} {
		r.do("FETCH 1 ("+strings.Repeat(item+" ", 500)+"FLAGS)", "NO [LIMIT]")
	}
	r.do("FETCH 1 ("+strings.Repeat("BODY.PEEK[HEADER.FIELDS (A)] ", 50)+"FLAGS)", "NO [LIMIT]")
	r.do("FETCH 1 (BODY.PEEK[HEADER.FIELDS (A)] BODY.PEEK[HEADER.FIELDS (Subject)])", "OK")
}

// A client that does not read is not waited for.
func TestClientThatDoesNotRead(t *testing.T) {
	w := newWorld(t, nil)
	w.add(w.box("INBOX"), "Subject: x\n\n"+strings.Repeat(strings.Repeat("x", 70)+"\n", 100_000))
	r := w.raw()
	r.reach("selected")
	r.send("a FETCH 1 (BODY[] BODY[] BODY[] BODY[])\r\n")
	r.expect("* 1 FETCH")
	w.logins.revoke()
	w.server.Recheck()
	// Shutdown at the end of the test waits for the session.
}
