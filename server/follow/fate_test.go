package follow

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/fault"
	"facteur/server/hook"
)

const letter = "From: alice@example.org\nSubject: Lunch\nMessage-ID: <1@example.org>\n\nAt noon?\n"

var nobody = fault.Reply(fault.NoSuchAddress, 550, "5.1.1", "Nobody is here")

// TestFates: the scripts of who sent a message see what became of it at each recipient.
func TestFates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer func() { w.end() }()
		w.answers["gone@example.net"], w.answers["busy@example.net"] = nobody, fault.Reply(fault.TryLater, 451, "4.3.0", "Busy")
		var seen []string
		see := func(c hook.Call) []hook.Action {
			w.mu.Lock()
			defer w.mu.Unlock()
			seen = append(seen, fmt.Sprintf("%s %s %d %s %s by %s try %d next %v: %s %v", c.Stage, c.Fate.Recipient, c.Fate.Code, c.Fate.Status, c.Fate.Text,
				c.Fate.Server, c.Fate.Attempts, !c.Fate.Next.IsZero(), c.Message.Content.Subject(), c.Message.Submitted))
			return nil
		}
		take := func() []string {
			synctest.Wait()
			w.mu.Lock()
			defer w.mu.Unlock()
			defer func() { seen = nil }()
			return seen
		}
		w.script("alice@example.org", see, hook.Sent, hook.Deferred, hook.Bounced)
		w.send(letter, "alice@example.org", "x@example.net", nil)
		same(t, "sent", take(), "sent x@example.net 250 2.0.0 ok by mx.example.net try 1 next false: Lunch true")
		w.send(letter, "alice@example.org", "gone@example.net", nil)
		same(t, "bounced", take(), "bounced gone@example.net 550 5.1.1 Nobody is here by mx.example.net try 1 next false: Lunch true")
		w.send(letter, "alice@example.org", "busy@example.net", nil)
		same(t, "deferred", take(), "deferred busy@example.net 451 4.3.0 Busy by mx.example.net try 1 next true: Lunch true")
		time.Sleep(6 * 24 * time.Hour)
		if all := take(); len(all) < 5 || !strings.HasPrefix(all[len(all)-1], "bounced busy@example.net 451 ") {
			t.Errorf("given up: %q", all)
		}
		// Nobody here sent these.
		w.send(letter, "bob@example.org", "x@example.net", nil)
		w.send(letter, "", "bob@example.org", nil)
		same(t, "of others", take())
		// Of what was sent on, the one who sent it on is asked.
		w.script("bob@example.org", func(c hook.Call) []hook.Action {
			if c.Stage == hook.Deliver {
				return []hook.Action{{Kind: hook.Redirect, Address: addr("x@example.net")}}
			}
			return see(c)
		}, hook.Deliver, hook.Sent)
		w.send(letter, "alice@example.org", "bob@example.org", nil)
		same(t, "sent on", take(), "sent x@example.net 250 2.0.0 ok by mx.example.net try 1 next false: Lunch true")
		if n := w.logged("follow.dropped", ""); n != 0 {
			t.Errorf("%d lines of what was dropped", n)
		}
	})
}

// TestBouncedRedirect: what bounces goes to another address, once, and what bounces there
// does not go on; a notification tells of it.
func TestBouncedRedirect(t *testing.T) {
	for _, c := range []struct {
		name string
		from string // who submits; "": a stranger, and alice sends it on
	}{{"own", "alice@example.org"}, {"sent on", ""}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer func() { w.end() }()
				w.answers["gone@example.net"], w.answers["away@example.net"] = nobody, nobody
				n := 0
				w.script("alice@example.org", func(call hook.Call) []hook.Action {
					if call.Stage == hook.Deliver {
						return []hook.Action{{Kind: hook.Redirect, Address: addr("gone@example.net")}}
					}
					n++
					to := "away@example.net"
					if n == 1 {
						to = "other@example.net"
					}
					return []hook.Action{
						{Kind: hook.Redirect, Address: addr(to)}, {Kind: hook.Redirect, Address: addr("away@example.net")},
						{Kind: hook.Notify, Notice: &hook.Notification{To: addr("me@example.com"), Subject: "bounced", Text: "It bounced."}},
					}
				}, hook.Deliver, hook.Bounced)
				to := "gone@example.net"
				if c.from == "" {
					to = "alice@example.org"
				}
				w.send(letter, c.from, to, nil)
				time.Sleep(time.Minute)
				synctest.Wait()
				// It bounced at gone, and then at away; there it ends.
				if n != 2 {
					t.Errorf("the script ran %d times", n)
				}
				if got := w.takeSent(); len(got) < 2 || got[len(got)-1] != "other@example.net Lunch" || got[0] != "me@example.com bounced" {
					t.Errorf("sent: %q", got)
				}
				if w.logged("follow.redirect", "it was sent on before") != 2 {
					t.Error(w.log.String())
				}
				// The same message again: the limits of what is sent on hold (package redirect).
				w.send(letter, c.from, to, nil)
				time.Sleep(time.Minute)
				synctest.Wait()
				for _, line := range w.takeSent() {
					if strings.HasPrefix(line, "other@") {
						t.Errorf("sent again: %s", line)
					}
				}
			})
		})
	}
}

// TestDeferredRedirect: a message that waits for days is sent on once.
func TestDeferredRedirect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer func() { w.end() }()
		w.answers["busy@example.net"] = fault.Reply(fault.TryLater, 451, "4.3.0", "Busy")
		runs := 0
		w.script("alice@example.org", func(hook.Call) []hook.Action {
			runs++
			return []hook.Action{{Kind: hook.Redirect, Address: addr("other@example.net")}}
		}, hook.Deferred, hook.Bounced)
		w.send(letter, "alice@example.org", "busy@example.net", nil)
		time.Sleep(7 * 24 * time.Hour)
		synctest.Wait()
		same(t, "sent", w.takeSent(), "other@example.net Lunch")
		if runs < 5 || w.logged("follow.redirect", "it was sent there before") != runs-1 {
			t.Errorf("%d runs: %s", runs, w.log.String())
		}
	})
}
