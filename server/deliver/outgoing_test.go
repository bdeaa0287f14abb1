package deliver

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/senderauth"
)

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
