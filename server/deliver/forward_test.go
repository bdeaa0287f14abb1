package deliver

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/fault"
	"facteur/server/redirect"
	"facteur/server/safefile"
	"facteur/server/spool"
)

// forwardWorld is a world in which other servers take what comes.
func forwardWorld(t *testing.T) *world {
	w := newWorld(t, t.TempDir(), safefile.Unsynced{FS: safefile.OS})
	w.open = true
	o := everybody()
	o.Domains = append(o.Domains, directory.Domain{Name: "example.edu", CatchAll: to("x@example.net")[0]})
	o.Domains[0].Aliases = []address.Domain{"example.de"}
	o.Aliases = append(o.Aliases,
		directory.Alias{Address: addr("list@example.org"), To: to("alice@example.org", "x@example.net", "y@example.net")},
		directory.Alias{Address: addr("jörg@example.org"), To: to("x@example.net")},
		directory.Alias{Address: addr(`"odd, one"@example.org`), To: to("x@example.net", "y@example.net")})
	o.Hostname = "mail.example.org"
	o.Unwrap = func(a address.Address) (address.Address, error) { return w.srs.Reverse(t.Context(), a) }
	w.settings.Directory = directory.New(o)
	w.Apply(w.settings)
	return w
}

// TestBounce: a bounce to a rewritten reverse-path goes back to the sender, one that is
// made up nowhere.
func TestBounce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := forwardWorld(t)
		defer w.close()
		w.remember()
		taken(t, w.send(mail{text: "hello", to: []string{"out@example.org"}}))
		synctest.Wait()
		srs := w.gone[0].from
		taken(t, w.send(mail{text: "it bounced", from: "-", to: []string{srs}}))
		synctest.Wait()
		last := w.gone[len(w.gone)-1]
		if last.to != "z@example.com" || last.from != "" || !strings.Contains(last.raw, "Delivered-To: "+srs+"\r\n") {
			t.Errorf("%+v", last)
		}
		if res := w.settings.Directory.Resolve(addr(strings.Replace(srs, "z", "y", 1))); len(res.Destinations) > 0 {
			t.Errorf("%+v", res)
		}
	})
}

// TestBounceLimit: a rewritten reverse-path is no way to send mail to its sender without
// limits: not for our own users, and not for what says that it is a report. What is over
// the limit is put off, and not lost.
func TestBounceLimit(t *testing.T) {
	for _, from := range []string{"", "-"} {
		synctest.Test(t, func(t *testing.T) {
			w := forwardWorld(t)
			defer w.close()
			w.remember()
			taken(t, w.send(mail{text: "hello", to: []string{"out@example.org"}}))
			synctest.Wait()
			srs := w.gone[0].from
			refused := 0
			for i := range redirect.PerHour + 3 {
				for _, err := range w.send(mail{text: fmt.Sprint("spam ", i), from: from, to: []string{srs}}) {
					if err != nil && fault.Temporary(err) {
						refused++
					}
				}
			}
			if refused != 3 {
				t.Errorf("%d are put off", refused)
			}
			time.Sleep(time.Hour + time.Minute)
			taken(t, w.send(mail{text: "it bounced", from: "-", to: []string{srs}}))
		})
	}
}

// TestSentOnOnce: a second copy is kept by an account, and by an alias taken for the first.
func TestSentOnOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := forwardWorld(t)
		defer w.close()
		w.remember()
		w.hooks["bob@example.org"] = does(sendOn("x@example.net", false))
		for range 3 {
			taken(t, w.send(mail{text: "hello", to: []string{"gone@example.org"}}))
			taken(t, w.send(mail{text: "hello", to: []string{"out@example.org"}}))
			taken(t, w.send(mail{text: "hello", to: []string{"bob@example.org"}}))
		}
		synctest.Wait()
		same(t, "sent", w.sent, "x@example.net: hello", "x@example.net: hello", "x@example.net: hello")
		for who, want := range map[string]int{"gone": 2, "bob": 2} {
			if n := w.count(who, "hello"); n != want {
				t.Errorf("%s has %d", who, n)
			}
		}
		w.open = false
		taken(t, w.send(mail{text: "another", to: []string{"gone@example.org", "out@example.org", "bob@example.org"}}))
		if n := w.queue.Len(); n != 3 {
			t.Errorf("%d wait", n)
		}
	})
}

// TestSentOnUndone: what could not be delivered may be repeated.
func TestSentOnUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newDisk(safefile.Unsynced{FS: safefile.OS})
		w := newWorld(t, t.TempDir(), disk)
		defer w.close()
		w.open = true
		w.remember()
		w.hooks["bob@example.org"] = does(sendOn("y@example.net", false))
		disk.set(func(op safefile.Op) error {
			if op.Kind == "link" && strings.HasSuffix(op.To, ".one") {
				return errBroken
			}
			return nil
		})
		for range 3 {
			for who, err := range w.send(mail{text: "hello", to: []string{"out@example.org", "bob@example.org", "off@example.org"}}) {
				if err == nil || !fault.Temporary(err) {
					t.Errorf("%s: %v", who, err)
				}
			}
		}
		disk.set(nil)
		taken(t, w.send(mail{text: "hello", to: []string{"out@example.org", "bob@example.org", "off@example.org"}}))
		synctest.Wait()
		same(t, "sent", w.sent, "x@example.net: hello", "y@example.net: hello", "x@example.net: hello", "y@example.net: hello")
		same(t, "files", w.files("bob", "off"))
	})
}

// TestNotedLast: that something was sent on is noted once all of the delivery is durable,
// never before: else a crash between the two would lose it.
func TestNotedLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newDisk(safefile.Unsynced{FS: safefile.OS})
		w := newWorld(t, t.TempDir(), disk)
		defer w.close()
		w.remember()
		w.hooks["bob@example.org"] = does(sendOn("y@example.net", true))
		taken(t, w.send(mail{text: "before", to: []string{"bob@example.org", "team@example.org"}}))
		synctest.Wait()
		files := 0
		disk.set(func(op safefile.Op) error {
			if op.Kind != "link" || strings.HasSuffix(op.To, ".new") { // .new is of the spool's attempts
				return nil
			}
			files++
			if n := noted(w); n != 2 { // those of "before"
				t.Errorf("%v comes after %d are noted", op, n)
			}
			return nil
		})
		taken(t, w.send(mail{text: "hello", to: []string{"bob@example.org", "team@example.org"}}))
		disk.set(nil)
		synctest.Wait()
		if n := noted(w); n != 4 || files < 6 {
			t.Errorf("%d are noted, %d files linked", n, files)
		}
	})
}

// noted counts what was noted as sent on, once for each target.
func noted(w *world) (n int) {
	err := w.db.Read(w.Context(), func(tx *sql.Tx) error {
		return tx.QueryRow("SELECT count(*) FROM redirect_sent").Scan(&n)
	})
	if err != nil {
		w.Error(err)
	}
	return n
}

// TestMemoryFails: without the memory nothing is sent on, and nothing is lost; mailboxes
// do not mind.
func TestMemoryFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := forwardWorld(t)
		defer w.close()
		w.remember()
		w.db.Close()
		w.hooks["bob@example.org"] = does(sendOn("y@example.net", false))
		for _, to := range []string{"out@example.org", "gone@example.org", "bob@example.org", "list@example.org"} {
			for who, err := range w.send(mail{text: "hello", to: []string{to}}) {
				if err == nil || !fault.Temporary(err) {
					t.Errorf("%s, %s: %v", to, who, err)
				}
			}
		}
		taken(t, w.send(mail{text: "hello", to: []string{"carol@example.org"}}))
		synctest.Wait()
		same(t, "sent", w.sent)
	})
}

// TestOverLimit: what an account may not send on is in its mailbox, and its owner is told.
func TestOverLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := forwardWorld(t)
		defer w.close()
		w.remember()
		r := redirect.Request{Forwarder: addr("off@example.org"), Limited: true, Message: []byte("many")}
		for i := range redirect.PerHour - 1 {
			r.Targets = append(r.Targets, addr(fmt.Sprintf("%d@example.net", i)))
		}
		l, err := w.opts.Redirects.Ask(t.Context(), r)
		if err == nil {
			err = l.Commit(t.Context(), "m")
		}
		if err != nil {
			t.Fatal(err)
		}
		taken(t, w.send(mail{text: "hello", to: []string{"off@example.org"}})) // x@ and y@
		taken(t, w.send(mail{text: "more", to: []string{"off@example.org"}}))
		synctest.Wait()
		same(t, "sent", w.sent, "x@example.net: hello")
		if w.count("off", "hello") != 1 || w.count("off", "more") != 1 {
			t.Error("what was not sent on is not kept")
		}
		if len(w.said) != 1 || w.said[0].To != addr("off@example.org") {
			t.Errorf("told %+v", w.said)
		}
		time.Sleep(time.Hour + time.Second)
		taken(t, w.send(mail{text: "later", to: []string{"off@example.org"}}))
		synctest.Wait()
		if !slices.Contains(w.sent, "y@example.net: later") {
			t.Errorf("sent %q", w.sent)
		}
	})
}

// TestPaused: mail of an account is kept, that of an alias waits, while a target is gone.
func TestPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := forwardWorld(t)
		defer w.close()
		w.remember()
		forwarders := []string{"out@example.org", "gone@example.org"}
		for range 2 { // the second refusal pauses them
			for _, who := range forwarders {
				w.opts.Redirects.Told(redirect.Outcome{Forwarder: addr(who), Target: addr("x@example.net"), Final: true,
					Fault: fault.Reply(fault.Undeliverable, 550, "5.1.1", "Gone")})
			}
			time.Sleep(72 * time.Hour)
		}
		w.open = false
		for _, who := range forwarders {
			taken(t, w.send(mail{text: "tries it", to: []string{who}}))
		}
		same(t, "waiting", w.waiting(), "x@example.net", "x@example.net")
		for _, e := range w.queue.List() {
			if _, err := w.queue.Drop(e.ID, spool.Match{}); err != nil {
				t.Fatal(err)
			}
		}
		w.mu.Lock()
		w.open = true
		w.mu.Unlock()
		taken(t, w.send(mail{text: "hello", to: []string{"out@example.org"}}))
		taken(t, w.send(mail{text: "hello", to: []string{"gone@example.org"}}))
		synctest.Wait()
		same(t, "sent", w.sent)
		same(t, "waiting", w.waiting(), "x@example.net")
		if w.count("gone", "hello") != 1 {
			t.Error("not kept")
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		same(t, "sent", w.sent, "x@example.net: hello")
	})
}
