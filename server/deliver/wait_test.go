package deliver

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/message"
	"facteur/server/safefile"
)

// sendLater delivers a message to an alias with an account and a remote address.
func sendLater(w *world, until time.Time, hold string) {
	w.Helper()
	body := envelope.Bytes("From: alice@example.org\r\n\r\nlater\r\n")
	header, err := message.ReadHeader(body)
	if err != nil {
		w.Fatal(err)
	}
	r := envelope.Recipient{ForwardPath: addr("team@example.org")}
	env := envelope.Envelope{
		ID: envelope.NewID(), Received: time.Now(), Recipients: []envelope.Recipient{r},
		Sender: envelope.Sender{ReversePath: address.MustParse("alice@example.org"), HoldUntil: until},
	}
	var targets []Target
	for _, d := range w.settings.Directory.Resolve(r.ForwardPath).Destinations {
		targets = append(targets, Target{Destination: d, Recipient: r})
	}
	twice := Target{Destination: directory.Destination{Kind: directory.Box, Address: addr("bob@example.org")}, Recipient: r}
	for _, err := range w.Deliver(context.Background(), Message{Envelope: env, Body: body, Header: header, Hold: hold}, append(targets, twice)) {
		if err != nil {
			w.Error(err)
		}
	}
	synctest.Wait()
}

// TestWait: what its sender or a limit holds back reaches nobody, here or elsewhere,
// and everybody once afterwards.
func TestWait(t *testing.T) {
	everybody := []string{"local alice@example.org", "local bob@example.org", "local carol@example.org", "x@example.net"}
	for _, c := range []struct {
		name    string
		ahead   time.Duration
		hold    string
		release bool
	}{
		{"for a day", 24 * time.Hour, "", false},
		{"sooner than its sender wanted", 24 * time.Hour, "", true},
		{"held", 0, "too many recipients in an hour", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, t.TempDir(), safefile.Unsynced{FS: safefile.OS})
				defer w.close()
				w.open = true
				sendLater(w, time.Now().Add(c.ahead), c.hold)
				same(t, "waiting", w.waiting(), everybody...)
				time.Sleep(24*time.Hour - time.Second)
				synctest.Wait()
				same(t, "waiting", w.waiting(), everybody...)
				w.mu.Lock()
				sent := len(w.sent)
				w.mu.Unlock()
				if n := w.count("bob", "later") + sent; n != 0 {
					t.Errorf("%d have it already", n)
				}
				if c.release {
					for _, e := range w.queue.List() {
						if err := w.queue.Release(e.ID); err != nil {
							t.Error(err)
						}
					}
				} else {
					time.Sleep(time.Second)
				}
				synctest.Wait()
				same(t, "waiting", w.waiting())
				for _, who := range []string{"alice", "bob", "carol"} {
					if n := w.count(who, "later"); n != 1 {
						t.Errorf("%s has it %d times", who, n)
					}
				}
				if len(w.sent) != 1 {
					t.Errorf("sent %q", w.sent)
				}
			})
		})
	}
}

// TestOver: a time that is over makes no difference.
func TestOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.TempDir(), safefile.Unsynced{FS: safefile.OS})
		defer w.close()
		sendLater(w, time.Now(), "")
		if w.count("bob", "later") != 1 {
			t.Error("not delivered at once")
		}
	})
}

// TestDiscardTellsNobody: who asks for a report of success gets none of what a script
// discarded (backscatter).
func TestDiscardTellsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.TempDir(), safefile.Unsynced{FS: safefile.OS})
		defer w.close()
		w.hooks["alice@example.org"] = does(hook.Action{Kind: hook.Discard})
		taken(t, w.send(mail{to: []string{"alice@example.org", "bob@example.org"}, notify: envelope.NotifySuccess}))
		synctest.Wait()
		if len(w.told) != 1 || strings.Contains(w.told[0], "alice@") || !strings.Contains(w.told[0], "bob@example.org") {
			t.Errorf("told: %q", w.told)
		}
	})
}
