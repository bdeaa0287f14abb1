package imapd

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/mailbox"
	"facteur/server/safefile"
)

// script is a connection whose client says it all at once and hangs up.
type script struct {
	in  *bytes.Reader
	out bytes.Buffer
}

func (c *script) Read(p []byte) (int, error) { return c.in.Read(p) }
func (c *script) Write(p []byte) (int, error) {
	if c.out.Len() < 1<<20 {
		c.out.Write(p)
	}
	return len(p), nil
}
func (c *script) Close() error                     { return nil }
func (c *script) LocalAddr() net.Addr              { return loopback }
func (c *script) RemoteAddr() net.Addr             { return loopback }
func (c *script) SetDeadline(time.Time) error      { return nil }
func (c *script) SetReadDeadline(time.Time) error  { return nil }
func (c *script) SetWriteDeadline(time.Time) error { return nil }

var loopback = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}

// alarm is a log that fails when a session panicked.
type alarm struct {
	slog.Handler
	panics *int
}

func (a alarm) Enabled(context.Context, slog.Level) bool { return true }
func (a alarm) WithAttrs([]slog.Attr) slog.Handler       { return a }
func (a alarm) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "imapd.panic" {
		*a.panics++
	}
	return nil
}

// FuzzSelected has a client that says anything once a mailbox is selected.
func FuzzSelected(f *testing.F) {
	dir := f.TempDir()
	tmp := filepath.Join(dir, "tmp")
	if err := safefile.MkdirAll(safefile.OS, tmp); err != nil {
		f.Fatal(err)
	}
	panics := 0
	log := slog.New(alarm{slog.DiscardHandler, &panics})
	store, err := mailbox.Open(mailbox.Options{Dir: filepath.Join(dir, "domains"), Tmp: tmp, FS: safefile.Unsynced{FS: safefile.OS}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { store.Close() })
	srv := New(Options{
		Store: store, Auth: new(logins), PlaintextLogin: true, AppendLimit: 4 << 10, Log: log,
		QuotaOf: func(address.Address) int64 { return 64 << 10 },
	})
	w := &world{t: f, dir: dir, store: store, server: srv}
	for _, seed := range []string{
		"FETCH 1:* (UID FLAGS BODY[1.2.MIME]<0.5> BINARY.PEEK[2])\r\n", "UID FETCH 1:* ALL (CHANGEDSINCE 1 VANISHED)\r\n",
		"STORE 1 (UNCHANGEDSINCE 3) +FLAGS.SILENT (\\Seen $x)\r\n", "UID EXPUNGE 1:4294967295\r\n", "COPY *:1 Drafts\r\n",
		"APPEND INBOX (\\Seen) \"07-Feb-1994 21:52:25 -0800\" {3+}\r\nabc {2+}\r\nab\r\n", "UID MOVE $ INBOX\r\n",
		"APPEND INBOX CATENATE (URL \"/INBOX/;UID=1/;SECTION=HEADER\" TEXT {1+}\r\na)\r\n", "REPLACE 1 INBOX {1+}\r\na\r\n",
		"SELECT INBOX (QRESYNC (1 2 1:5 (1,2 1,3)) CONDSTORE)\r\n", "SEARCH RETURN (SAVE MIN) OR TEXT a NOT KEYWORD b\r\n",
		"SORT (REVERSE DATE) UTF-8 ALL\r\n", "THREAD REFERENCES UTF-8 ALL\r\n", "ESEARCH IN (personal) ALL\r\n", "ENABLE QRESYNC UIDONLY IMAP4rev2\r\n",
		"FETCH 1 PREVIEW (LAZY)\r\n", "IDLE\r\nDONE\r\n", "NOTIFY SET STATUS (selected (MessageNew (UID BODY[TEXT]) MessageExpunge)) (subtree (a b) (MailboxName))\r\n", "NOTIFY NONE\r\n",
		"CLOSE\r\n", "CHECK\r\n", "FETCH 1 {5}\r\n", "FETCH 1 (BODY[HEADER.FIELDS ({1+}\r\na)])\r\n",
	} {
		f.Add([]byte("1 " + seed + "2 FETCH 1:* FLAGS\r\n"))
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		home, err := store.Home(alice)
		if err != nil {
			t.Fatal(err)
		}
		box, err := home.Mailbox("INBOX")
		if err != nil {
			t.Fatal(err)
		}
		w.t = t
		if in, err := box.Snapshot(); err != nil {
			t.Fatal(err)
		} else if in.Len() == 0 {
			w.add(box, mixed)
		}
		c := &script{in: bytes.NewReader(append([]byte("a LOGIN alice@example.org demo\r\nb SELECT INBOX\r\n"), said...))}
		newSession(srv, srv.opt.Load(), c, false).Serve()
		if panics > 0 {
			t.Fatalf("a panic after %q", c.out.String())
		}
		if !bytes.Contains(c.out.Bytes(), []byte("\r\nb OK [READ-WRITE]")) {
			t.Fatalf("%q", c.out.String())
		}
	})
}

// FuzzMessageURL: what is taken has a mailbox name or none, and a UID.
func FuzzMessageURL(f *testing.F) {
	for _, link := range []string{"/INBOX/;UID=1", ";UID=1/;PARTIAL=1.2", "/a%20b;UIDVALIDITY=3/;UID=2/;SECTION=1.2.HEADER.FIELDS%20(A)/;PARTIAL=0"} {
		f.Add(link)
	}
	f.Fuzz(func(t *testing.T, link string) {
		u, ok := parseMessageURL(link)
		if !ok {
			return
		}
		if u.uid == 0 || u.offset < 0 || u.count < 0 {
			t.Errorf("%+v", u)
		}
		if cut := u.cut(10, 20); cut[0] < 10 || cut[1] > 20 || cut[0] > cut[1] {
			t.Errorf("%+v: %v", u, cut)
		}
	})
}
