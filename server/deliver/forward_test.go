package deliver

import (
	"database/sql"
	"errors"
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
	"facteur/server/senderauth"
	"facteur/server/spool"
)

// forwardWorld is a world in which other servers take what comes.
func forwardWorld(t *testing.T) *world {
	w := newWorld(t, t.TempDir(), safefile.Unsynced{FS: safefile.OS})
	w.open = true
	o := people()
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

// enforced is a message whose author's domain wants what fails refused; signed has a
// signature that survives.
func enforced(signed bool) senderauth.Results {
	return senderauth.Results{SPF: senderauth.SPF{Result: senderauth.Pass}, DMARC: senderauth.DMARC{Result: senderauth.Pass, Policy: senderauth.Reject, SPFAligned: true, DKIMAligned: signed}}
}

// TestForms tells in what form a message leaves, by who sends it and who forwards it.
func TestForms(t *testing.T) {
	const (
		base = "From: z@example.com\r\n\r\nhello\r\n"
		list = "From: \"z via list\"\r\n <list@example.org>\r\nReply-To: z@example.com\r\nList-Id: <list.example.org>\r\nList-Unsubscribe:\r\n <mailto:postmaster@example.org?subject=unsubscribe%20list@example.org>\r\n\r\nhello\r\n"
	)
	seal := func(domain, dmarc string) string {
		return "ARC-Seal: d=" + domain + "; mail.example.org; dmarc=" + dmarc + "\r\n"
	}
	sign := func(domain string) string { return "DKIM-Signature: d=" + domain + "\r\n" }
	for _, c := range []struct {
		name string
		mail mail
		from string // the reverse-path, "SRS0" for one of example.org
		want string // without Received, and without the numbers of signatures
	}{
		{"an alias", mail{to: []string{"out@example.org"}, auth: enforced(false)}, "SRS0", seal("example.org", "pass") + "Delivered-To: out@example.org\r\n" + base},
		{"an alias of a domain alias", mail{to: []string{"out@example.de"}}, "SRS0", seal("example.org", "") + "Delivered-To: out@example.org\r\n" + base},
		{"a catch-all", mail{to: []string{"who@example.edu"}}, "SRS0@example.edu", seal("example.edu", "") + "Delivered-To: who@example.edu\r\n" + base},
		{"not verified", mail{to: []string{"out@example.org"}}, "SRS0", "Delivered-To: out@example.org\r\n" + base},
		{"a redirection", mail{to: []string{"gone@example.org"}}, "SRS0", seal("example.org", "") + "Delivered-To: gone@example.org\r\n" + base},
		{"a script", mail{to: []string{"bob@example.org"}}, "SRS0", seal("example.org", "") + "Delivered-To: bob@example.org\r\n" + base},
		{"the null reverse-path", mail{from: "-", to: []string{"out@example.org"}}, "", seal("example.org", "") + "Delivered-To: out@example.org\r\n" + base},
		{"a reverse-path here", mail{from: "alice@example.de", to: []string{"out@example.org"}}, "alice@example.de", seal("example.org", "") + "Delivered-To: out@example.org\r\n" + base},
		{"SRS of another", mail{from: "SRS0=a=b=c.example=d@example.com", to: []string{"out@example.org"}}, "SRS1", seal("example.org", "") + "Delivered-To: out@example.org\r\n" + base},
		{"own mail", mail{as: "alice@example.org", to: []string{"x@example.com"}}, "alice@example.org", sign("example.org") + "From: alice@example.org\r\n\r\nhello\r\n"},
		{"own mail under a domain alias", mail{as: "alice@example.de", to: []string{"x@example.com"}}, "alice@example.de", sign("example.de") + "From: alice@example.de\r\n\r\nhello\r\n"},
		{"own mail with a name elsewhere", mail{as: "alice@example.net", to: []string{"x@example.com"}}, "alice@example.net", "From: alice@example.net\r\n\r\nhello\r\n"},
		{"own mail to an alias", mail{as: "alice@example.org", to: []string{"out@example.org"}}, "alice@example.org", sign("example.org") + "Delivered-To: out@example.org\r\nFrom: alice@example.org\r\n\r\nhello\r\n"},
		{"own mail to a list", mail{as: "alice@example.org", to: []string{"list@example.org"}, auth: enforced(false)}, "alice@example.org", sign("example.org") + "Delivered-To: list@example.org\r\nFrom: alice@example.org\r\n\r\nhello\r\n"},
		{"a list, no policy", mail{to: []string{"list@example.org"}}, "SRS0", seal("example.org", "") + "Delivered-To: list@example.org\r\n" + base},
		{"a list, signed", mail{to: []string{"list@example.org"}, auth: enforced(true)}, "SRS0", seal("example.org", "pass") + "Delivered-To: list@example.org\r\n" + base},
		{"a list, not signed", mail{to: []string{"list@example.org"}, auth: enforced(false)}, "SRS0", seal("example.org", "pass") + sign("example.org") + "Delivered-To: list@example.org\r\n" + list},
		{"UTF-8 in a header that may not have it", mail{to: []string{"jörg@example.org"}}, "SRS0", seal("example.org", "") + "Delivered-To: =?utf-8?q?j=C3=B6rg@example.org?=\r\n" + base},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := forwardWorld(t)
				defer w.close()
				w.hooks["bob@example.org"] = does(sendOn("x@example.net", false))
				c.mail.text = "hello"
				if c.name != "not verified" && c.mail.auth.SPF.Result == "" {
					c.mail.auth.SPF.Result = senderauth.None
				}
				taken(t, w.send(c.mail))
				synctest.Wait()
				if len(w.gone) == 0 {
					t.Fatal("nothing left")
				}
				for _, got := range w.gone {
					if form := readable(got.raw); form != c.want {
						t.Errorf("%s:\n%s\nwant\n%s", got.to, form, c.want)
					}
					checkReversePath(t, w, got.from, c.from, c.mail.from)
				}
				for _, f := range w.box("alice/INBOX") { // local copies keep their form
					if strings.Contains(f.raw, "DKIM-Signature") || strings.Contains(f.raw, "ARC-Seal") || strings.Contains(f.raw, "List-Id") {
						t.Errorf("%s", f.raw)
					}
				}
			})
		})
	}
}

// readable leaves the trace and the numbers out.
func readable(raw string) string {
	var out strings.Builder
	for line := range strings.SplitAfterSeq(raw, "\r\n") {
		if !strings.HasPrefix(line, "Received:") {
			if i := strings.Index(line, "; h="); i >= 0 {
				line = line[:i] + "\r\n"
			}
			out.WriteString(line)
		}
	}
	return out.String()
}

// checkReversePath: a rewritten one leads back to the sender.
func checkReversePath(t *testing.T, w *world, got, want, sender string) {
	t.Helper()
	if sender == "" {
		sender = "z@example.com"
	}
	form, domain, _ := strings.Cut(want, "@")
	if !strings.HasPrefix(form, "SRS") {
		if got != want {
			t.Errorf("from %s, want %s", got, want)
		}
		return
	}
	if domain == "" {
		domain = "example.org"
	}
	a, err := address.Parse(got)
	if err != nil || !strings.HasPrefix(got, form+"=") || string(a.Domain) != domain {
		t.Fatalf("from %s, %v", got, err)
	}
	back, err := w.srs.Reverse(t.Context(), a)
	if err != nil || form == "SRS0" && back != addr(sender) || form == "SRS1" && back != addr("SRS0=a=b=c.example=d@example.com") {
		t.Errorf("%s leads to %s, %v", got, back, err)
	}
}

// TestUnsigned: what can't be signed or sealed is not taken, and nothing of it stays; mail
// for mailboxes here does not mind.
func TestUnsigned(t *testing.T) {
	for _, c := range []struct {
		mail mail
		want bool
	}{
		{mail{as: "alice@example.org", to: []string{"bob@example.org", "x@example.net"}}, false},
		{mail{to: []string{"team@example.org"}}, false},
		{mail{to: []string{"bob@example.org"}}, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := forwardWorld(t)
			defer w.close()
			w.keys = errors.New("no key")
			c.mail.text = "hello"
			c.mail.auth.SPF.Result = senderauth.None
			for who, err := range w.send(c.mail) {
				if (err == nil) != c.want || err != nil && (fault.As(err).Code != 451 || strings.Contains(fault.As(err).Text, "key")) {
					t.Errorf("%s: %v", who, err)
				}
			}
			synctest.Wait()
			if n := w.count("bob", "hello"); n != map[bool]int{true: 1}[c.want] || len(w.gone) > 0 || w.queue.Len() > 0 {
				t.Errorf("bob has %d, %d left, %d wait", n, len(w.gone), w.queue.Len())
			}
		})
	}
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
// limits; for notices, which have the null reverse-path, there is none.
func TestBounceLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := forwardWorld(t)
		defer w.close()
		w.remember()
		taken(t, w.send(mail{text: "hello", to: []string{"out@example.org"}}))
		synctest.Wait()
		srs := w.gone[0].from
		refused := 0
		for i := range redirect.PerHour + 3 {
			for _, err := range w.send(mail{text: fmt.Sprint("spam ", i), to: []string{srs}}) {
				if err != nil && fault.Temporary(err) {
					refused++
				}
			}
		}
		taken(t, w.send(mail{text: "it bounced", from: "-", to: []string{srs}}))
		if refused != 3 {
			t.Errorf("%d are put off", refused)
		}
	})
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

// TestOddNames: no name of an alias, an author or a sender gets out of its field.
func TestOddNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := forwardWorld(t)
		defer w.close()
		for _, from := range []string{`"a\"b, c"@example.com`, `"x: y"@example.com`, `"<evil@example.com>"@example.com`, `"a b"@[192.0.2.1]`} {
			taken(t, w.send(mail{text: "hello", from: from, to: []string{`"odd, one"@example.org`}, auth: enforced(false)}))
		}
		synctest.Wait()
		if len(w.gone) != 8 {
			t.Fatalf("%d left", len(w.gone))
		}
		for _, got := range w.gone {
			head, _, _ := strings.Cut(readable(got.raw), "\r\n\r\n")
			want := []string{"ARC-Seal", "DKIM-Signature", "Delivered-To", "From", "Reply-To", "List-Id", "List-Unsubscribe"}
			var names []string
			for line := range strings.SplitSeq(head, "\r\n") {
				if name, _, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, " ") {
					names = append(names, name)
				}
			}
			if !slices.Equal(names, want) || strings.ContainsAny(strings.ReplaceAll(got.raw, "\r\n", ""), "\r\n") {
				t.Errorf("%q", got.raw)
			}
			if _, err := address.Parse(got.from); err != nil {
				t.Errorf("%q: %v", got.from, err)
			}
		}
	})
}
