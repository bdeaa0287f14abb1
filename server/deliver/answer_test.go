package deliver

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/address"
	"facteur/server/autoreply"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/message"
	"facteur/server/safefile"
	"facteur/server/senderauth"
)

// replying has a world answer, by its own clock, which is that of the bubble.
func replying(t *testing.T) *world {
	w := forwardWorld(t)
	w.answering()
	return w
}

func (w *world) answering() {
	w.Helper()
	w.remember()
	var err error
	if w.opts.Replies, err = autoreply.Open(w.db, nil); err != nil {
		w.Fatal(err)
	}
}

// away sets the vacation of alice in the settings.
func (w *world) away(text string) {
	w.settings.Vacation = func(box address.Address) *hook.AutoReply {
		if box != addr("alice@example.org") {
			return nil
		}
		return &hook.AutoReply{Text: text, Days: -1}
	}
	w.Apply(w.settings)
}

// genuineMail is a message that may be answered.
func genuineMail(text string) mail {
	return mail{text: text, header: "To: alice@example.org\r\nSubject: Hello\r\nMessage-ID: <" + text + "@example.com>\r\n", to: []string{"alice@example.org"}, auth: verified(true)}
}

// left returns who was written to, and what of it, since the last time.
func (w *world) left() (to []string) {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.gone {
		to = append(to, d.to)
	}
	w.gone = nil
	return to
}

func TestVacation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := replying(t)
		defer w.close()
		w.away("Back on Monday.")
		taken(t, w.send(genuineMail("one")))
		synctest.Wait()
		if len(w.gone) != 1 {
			t.Fatalf("%d replies", len(w.gone))
		}
		d := w.gone[0]
		for _, want := range []string{"From: <alice@example.org>\r\n", "To: <z@example.com>\r\n", "Subject: Auto: Hello\r\n", "In-Reply-To: <one@example.com>\r\n",
			"Auto-Submitted: auto-replied (vacation)\r\n", "\r\n\r\nBack on Monday.\r\n"} {
			if !strings.Contains(d.raw, want) {
				t.Errorf("no %q in\n%s", want, d.raw)
			}
		}
		if d.to != "z@example.com" || d.from != "" || !strings.HasPrefix(d.raw, "DKIM-Signature: d=example.org;") || strings.Contains(d.raw, "\r\none\r\n") {
			t.Errorf("to %s from %q:\n%s", d.to, d.from, d.raw)
		}
		same(t, "files", w.files("alice"), "alice/INBOX") // kept, and nothing in Sent
		w.left()

		taken(t, w.send(genuineMail("two")))
		same(t, "a second message", w.left())
		w.away("Back on Tuesday.") // a reload
		taken(t, w.send(genuineMail("three")))
		same(t, "after a new text", w.left(), "z@example.com")
		w.away("Back on Monday.")
		taken(t, w.send(genuineMail("four")))
		same(t, "after the old text again", w.left())
		time.Sleep(7 * 24 * time.Hour) // of the bubble
		taken(t, w.send(genuineMail("five")))
		same(t, "a week later", w.left(), "z@example.com")
		if got := len(w.box("alice/INBOX")); got != 5 {
			t.Errorf("%d messages were kept", got)
		}
	})
}

// TestVacationRestart: what was answered is known to the next process.
func TestVacationRestart(t *testing.T) {
	dir := t.TempDir()
	for i, want := range []int{1, 0} {
		w := newWorld(t, dir, safefile.Unsynced{FS: safefile.OS})
		w.answering()
		w.away("Back on Monday.")
		taken(t, w.send(genuineMail(fmt.Sprint("mail", i))))
		if got := strings.Count(strings.Join(w.waiting(), " "), "z@example.com"); got != 1 { // the first one waits on: other servers are busy
			t.Errorf("life %d: %d replies wait", i, got)
		}
		if got := strings.Count(w.log.String(), "msg=deliver.vacation id="); got != 1 || w.logged(`deliver.vacation`) && strings.Contains(w.log.String(), "result=sent") != (want == 1) {
			t.Errorf("life %d: %s", i, w.log.String())
		}
		w.close()
	}
}

// TestNotAnswered: rules that need more than the message.
func TestNotAnswered(t *testing.T) {
	vacation := hook.Action{Kind: hook.Vacation, Reply: &hook.AutoReply{Text: "From a script.", Days: -1}}
	for name, c := range map[string]struct {
		does   []hook.Action
		change func(*mail)
		want   string // in the reply; "": there is none
	}{
		"as it comes":           {want: "Back on Monday."},
		"a script's own":        {does: []hook.Action{vacation}, want: "From a script."},
		"two of scripts":        {does: []hook.Action{vacation, {Kind: hook.Vacation, Reply: &hook.AutoReply{Text: "Second", Days: -1}}}, want: "From a script."},
		"filed":                 {does: []hook.Action{{Kind: hook.FileInto, Folder: "X", Create: true}}, want: "Back on Monday."},
		"redirected":            {does: []hook.Action{{Kind: hook.Redirect, Address: addr("y@example.net")}}, want: "Back on Monday."},
		"dropped":               {does: []hook.Action{{Kind: hook.Discard}}},
		"dropped and answered":  {does: []hook.Action{{Kind: hook.Discard}, vacation}, want: "From a script."},
		"filed into Junk":       {does: []hook.Action{{Kind: hook.FileInto, Folder: "Junk", Create: true}}},
		"and answered":          {does: []hook.Action{vacation, {Kind: hook.FileInto, Folder: "Junk", Create: true}}},
		"refused":               {does: []hook.Action{vacation, {Kind: hook.Reject, Text: "No"}}, change: func(m *mail) { m.to = append(m.to, "bob@example.org") }},
		"quarantined":           {change: func(m *mail) { m.junk = true }},
		"not verified":          {change: func(m *mail) { m.auth = senderauth.Results{} }},
		"by a login":            {change: func(m *mail) { m.auth, m.as = senderauth.Results{}, "bob@example.org" }, want: "Back on Monday."},
		"fails DMARC":           {change: func(m *mail) { m.auth.DMARC.Result = senderauth.Fail }},
		"null":                  {change: func(m *mail) { m.from = "-" }},
		"through the list":      {change: func(m *mail) { m.header, m.to = "To: team@example.org\r\n", []string{"team@example.org"} }},
		"a blind copy":          {change: func(m *mail) { m.header = "To: bob@example.org\r\n" }},
		"through the catch-all": {change: func(m *mail) { m.header = "To: nobody@example.org\r\n" }},
		"to a subaddress":       {change: func(m *mail) { m.header, m.to = "To: alice+x@example.org\r\n", []string{"alice+x@example.org"} }, want: "From: <alice+x@example.org>"},
		"to the other domain":   {change: func(m *mail) { m.header, m.to = "To: alice@example.de\r\n", []string{"alice@example.de"} }, want: "From: <alice@example.de>"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := replying(t)
				defer w.close()
				home, err := w.store.Home(addr("alice@example.org"))
				if err != nil {
					t.Fatal(err)
				}
				if err := home.Create("Junk", `\Junk`); err != nil && !home.Exists("Junk") {
					t.Fatal(err)
				}
				w.away("Back on Monday.")
				if c.does != nil {
					w.hooks["alice@example.org"] = does(c.does...)
				}
				m := genuineMail("hello")
				if c.change != nil {
					c.change(&m)
				}
				w.send(m)
				synctest.Wait()
				var replies []string
				for _, d := range w.gone {
					if strings.Contains(d.raw, "auto-replied") {
						replies = append(replies, d.raw)
					}
				}
				switch {
				case c.want == "" && len(replies) > 0:
					t.Errorf("answered:\n%s", replies)
				case c.want != "" && (len(replies) != 1 || !strings.Contains(replies[0], c.want)):
					t.Errorf("want %q, got %q\n%s", c.want, replies, w.log.String())
				}
			})
		})
	}
}

// TestVacationAlias: peers stay silent for an alias; here one that leads to the account
// alone is its own address.
func TestVacationAlias(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := replying(t)
		defer w.close()
		w.settings.Vacation = func(box address.Address) *hook.AutoReply {
			return &hook.AutoReply{Text: "Away: " + box.Local, Days: -1}
		}
		o := everybody()
		o.Aliases = append(o.Aliases, alias("info@example.org", "alice@example.org"), alias("desk@example.org", "info@example.org"))
		w.settings.Directory = directoryOf(o)
		w.Apply(w.settings)
		m := genuineMail("to desk")
		m.header, m.to = "To: The desk <desk@example.org>\r\n", []string{"desk@example.org"}
		taken(t, w.send(m))
		synctest.Wait()
		if len(w.gone) != 1 || !strings.Contains(w.gone[0].raw, "From: <desk@example.org>\r\n") || !strings.Contains(w.gone[0].raw, "Away: alice") {
			t.Errorf("%+v", w.gone)
		}
	})
}

// TestVacationCrowd: 100 deliveries of one sender at once lead to one reply.
func TestVacationCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := replying(t)
		defer w.close()
		w.away("Back on Monday.")
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() { taken(t, w.send(genuineMail(fmt.Sprintf("mail%d", i)))) })
		}
		wg.Wait()
		same(t, "replies", w.left(), "z@example.com")
		if got := len(w.box("alice/INBOX")); got != 100 {
			t.Errorf("%d messages were kept", got)
		}
	})
}

// TestAnsweredOnce: the spool repeats a delivery, and a mailbox is full for a while.
func TestAnsweredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := replying(t)
		defer w.close()
		w.hooks["alice@example.org"] = does(
			hook.Action{Kind: hook.Reply, Reply: &hook.AutoReply{Text: "To each message.", Days: 0}},
			hook.Action{Kind: hook.Notify, Notice: &hook.Notification{To: addr("pager@example.net"), Text: "Mail"}})
		m := genuineMail("one")
		m.unique = envelope.NewID()
		for range 3 {
			taken(t, w.send(m))
		}
		same(t, "of one message", w.left(), "pager@example.net", "z@example.com")
		taken(t, w.send(genuineMail("two")))
		same(t, "of another", w.left(), "pager@example.net", "z@example.com")
		if got := len(w.box("alice/INBOX")); got != 2 {
			t.Errorf("%d messages were kept", got)
		}

		m = genuineMail(strings.Repeat("large", 100))
		m.to, m.header = []string{"small@example.org", "bob@example.org"}, "To: small@example.org\r\nMessage-ID: <x@example.com>\r\n"
		w.hooks["small@example.org"] = does(hook.Action{Kind: hook.Reply, Reply: &hook.AutoReply{Text: "Thanks.", Days: 0}})
		taken(t, w.send(m))
		same(t, "of what does not fit", w.left())
		same(t, "waiting", w.waiting(), "local small@example.org")
	})
}

// TestReplyFails: what can't be queued is said later.
func TestReplyFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := replying(t)
		defer w.close()
		w.away("Back on Monday.")
		w.keys = errors.New("no key")
		taken(t, w.send(genuineMail("one")))
		same(t, "without a key", w.left())
		w.keys = nil
		taken(t, w.send(genuineMail("two")))
		same(t, "with one", w.left(), "z@example.com")
		if err := w.db.Close(); err != nil {
			t.Fatal(err)
		}
		w.away("Another text.")
		taken(t, w.send(genuineMail("three")))
		same(t, "without a memory", w.left())
		if got := len(w.box("alice/INBOX")); got != 3 {
			t.Errorf("%d messages were kept", got)
		}
	})
}

// TestNotifications: to the mailbox itself, at most 10 of a message, and none about one.
func TestNotifications(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := replying(t)
		defer w.close()
		var said []hook.Action
		for i := range 12 {
			said = append(said, hook.Action{Kind: hook.Notify, Notice: &hook.Notification{Subject: fmt.Sprint("No. ", i), Text: "Mail"}})
		}
		w.hooks["alice@example.org"] = does(said...)
		taken(t, w.send(genuineMail("one")))
		if got := w.left(); len(got) != maxNotifications || got[0] != "alice@example.org" {
			t.Errorf("%q", got)
		}
		m := genuineMail("two")
		m.header += "Auto-Submitted: auto-notified\r\n"
		taken(t, w.send(m))
		same(t, "about a notification", w.left())
		m = genuineMail("three")
		m.header += "Auto-Submitted: auto-generated\r\n"
		m.from = "-"
		taken(t, w.send(m))
		if got := w.left(); len(got) != maxNotifications {
			t.Errorf("about what a program wrote: %q", got)
		}
		// For the other stages, about nothing.
		for range 2 {
			w.Notify(t.Context(), Notification{Box: addr("bob@example.org"), Said: hook.Notification{To: addr("y@example.net"), Text: "An hour has passed"}, Occasion: []byte("12:00")})
		}
		same(t, "at a tick", w.left(), "y@example.net")
	})
}

// verified is what was found out about mail that may be answered.
func verified(pass bool) senderauth.Results {
	r := senderauth.Results{SPF: senderauth.SPF{Result: senderauth.None}, DMARC: senderauth.DMARC{Result: senderauth.None}}
	if pass {
		r.SPF.Result = senderauth.Pass
	}
	return r
}

// noting is a Signer that looks into the memory when a reply is signed, which is before it
// is queued.
type noting struct {
	signer
	look func()
}

func (n noting) Sign(domain address.Domain, h *message.Header, b envelope.Body) ([]byte, error) {
	n.look()
	return n.signer.Sign(domain, h, b)
}

// TestRecordedFirst: the reply is on disk as sent before there is one, so that a crash
// between the two sends nothing twice; and the message is filed before that.
func TestRecordedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := replying(t)
		defer w.close()
		w.away("Back on Monday.")
		looked := 0
		w.opts.Keys = noting{signer{w}, func() {
			looked++
			var n int
			err := w.db.Read(t.Context(), func(tx *sql.Tx) error {
				return tx.QueryRow("SELECT count(*) FROM autoreply_last WHERE recipient = 'z@example.com'").Scan(&n)
			})
			if n != 1 || err != nil {
				t.Errorf("%d rows, %v", n, err)
			}
			if len(w.waiting()) != 0 || w.count("alice", "one") != 1 {
				t.Errorf("queued %q, kept %q", w.waiting(), w.files("alice"))
			}
		}}
		taken(t, w.send(genuineMail("one")))
		same(t, "replies", w.left(), "z@example.com")
		if looked != 1 {
			t.Errorf("signed %d times", looked)
		}
	})
}
