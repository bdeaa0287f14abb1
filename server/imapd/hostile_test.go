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
		r.send("t SELECT INBOX\r\n")
		r.until("t ")
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
	"a LIST (RECURSIVEMATCH SUBSCRIBED) \"\" (" + strings.Repeat("a* ", 600) + "b) RETURN (STATUS (MESSAGES))\r\n",
	"a NOOP\nb NOOP\n",
	"a NOOP\rb NOOP\r",
	"\r\n\r\n\r\n",
	"a FETCH 1:4294967295 FLAGS\r\na UID FETCH 1:* (FLAGS)\r\n",
	"a FETCH 0 FLAGS\r\na FETCH 1,,2 FLAGS\r\na FETCH *:* FLAGS\r\n",
	"a UID FETCH " + strings.Repeat("1:*,", 10_000) + "1 FLAGS\r\n",
	"a FETCH 1 BODY[1.1.1.1.1.1.1.1.1.1.1.1.1.1]<1.1>\r\n",
	"a FETCH 1 BINARY[1]<0.5>\r\na FETCH 1 BINARY.SIZE[]\r\n",
	"a STATUS INBOX (MESSAGES DELETED DELETED-STORAGE APPENDLIMIT SIZE RECENT MAILBOXID HIGHESTMODSEQ)\r\n",
	"a STATUS INBOX (" + strings.Repeat("MESSAGES ", 5000) + "SIZE)\r\n",
	"a STORE 1 FLAGS (\\* \\Recent \\\\ a]b)\r\n",
	"a CREATE \"\"\r\na CREATE /\r\na CREATE ..\r\na CREATE \"a\x01b\"\r\na CREATE &AAA\r\na DELETE ../../x\r\n",
	"a CREATE Shared/x/y\r\na CREATE Shared/\r\na DELETE Shared/\r\na RENAME Shared/a@b c\r\na SUBSCRIBE Shared/.\r\n",
	"a RENAME INBOX INBOX/x\r\na RENAME Sent Sent/x\r\n",
	"a IDLE\r\nnot done\r\nb NOOP\r\n",
	"a IDLE\r\n" + strings.Repeat("x", 10_000) + "\r\n",
	"a AUTHENTICATE PLAIN =\r\na AUTHENTICATE PLAIN ****\r\na AUTHENTICATE PLAIN\r\n" + strings.Repeat("A", 10_000) + "\r\n",
	"a AUTHENTICATE LOGIN\r\n{5+}\r\nabcde\r\n*\r\n",
	"a ENABLE " + strings.Repeat("X ", 1000) + "\r\n",
	"a ID (" + strings.Repeat("\"a\" \"b\" ", 100) + "\"c\" NIL)\r\n",
	"a SETACL INBOX x {3+}\r\nabc\r\na LISTRIGHTS INBOX {3+}\r\n\xff\x80@\r\na SETQUOTA \"\" (STORAGE 99999999999999999999)\r\n",
	"a COMPRESS DEFLATE\r\n" + strings.Repeat("\xff", 1000),
	"a COMPRESS DEFLATE\r\n\x00\x05\x00\xfa\xff\xed\xc1\x01\x01",
	"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + strings.Repeat("\x01", 150),
	"a STARTTLS\r\n",
	"a UID\r\na UID UID\r\na UID NOOP\r\na UID LOGIN x y\r\n",
	"a UNAUTHENTICATE\r\na CLOSE\r\na UNSELECT\r\na EXPUNGE\r\na MOVE 1 Trash\r\n",
}

func TestHostileInput(t *testing.T) {
	w := newWorld(t, sharedOffice)
	w.add(w.box("INBOX"), "Subject: x\n\nx\n")
	for _, state := range states {
		for _, in := range hostile {
			r := w.raw()
			r.reach(state)
			attack(t, r.Conn, []byte(in))
		}
	}
	w.login("").do("NOOP", "OK") // alive
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
	w := newWorld(f, sharedOffice)
	w.add(w.box("INBOX"), "Subject: x\n\nx\n")
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

// Commands are as long as they may be, and no longer.
func TestLongLines(t *testing.T) {
	w := newWorld(t, nil)
	r := w.login("")
	set := strings.Repeat("1,", 30_000) + "1"
	r.do("STATUS "+set[:60_000]+" (MESSAGES)", "NO")
	r.do("STATUS "+strings.Repeat("x", 70_000)+" (MESSAGES)", "BAD [TOOBIG]")
	r.do("NOOP", "OK")
	r.do("CREATE {300000}", "BAD [TOOBIG]")
	r.send("t CREATE {300000+}\r\n%s\r\n", strings.Repeat("x", 300_000))
	r.expect("t BAD [TOOBIG]")
	r.do("NOOP", "OK")
}
