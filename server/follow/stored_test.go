package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/mailbox"
)

// TestStored carries out each action, for an account and for a shared mailbox.
func TestStored(t *testing.T) {
	flagged := []string{`\Flagged`, "work"}
	for _, c := range []struct {
		name    string
		box     string
		flags   []string
		actions []hook.Action
		want    []string // of the message "Junk 1"
		log     string   // an event
	}{
		{"nothing", "alice@example.org", nil, nil, []string{"Junk 1"}, ""},
		{"flags", "alice@example.org", []string{`\Seen`}, []hook.Action{{Kind: hook.Flag, Flags: flagged}, {Kind: hook.Unflag, Flags: []string{`\Seen`}}},
			[]string{`Junk 1 \Flagged work`}, ""},
		{"moved", "team@example.org", []string{`\Seen`}, []hook.Action{{Kind: hook.FileInto, Folder: "A/B", Create: true, Flags: flagged}},
			[]string{`A/B 1 \Flagged \Seen work`}, "follow.filed"},
		{"copied and moved", "alice@example.org", nil, []hook.Action{
			{Kind: hook.FileInto, Folder: "Archive"}, {Kind: hook.FileInto, Folder: "INBOX", Copy: true}},
			[]string{"Archive 1", "INBOX 1"}, "follow.filed"},
		{"copied", "alice@example.org", nil, []hook.Action{{Kind: hook.FileInto, Folder: "Archive", Copy: true}}, []string{"Archive 1", "Junk 1"}, "follow.filed"},
		{"no such folder", "alice@example.org", nil, []hook.Action{{Kind: hook.FileInto, Folder: "Nowhere"}}, []string{"Junk 1"}, "follow.fileinto"},
		{"where it lies", "alice@example.org", nil, []hook.Action{{Kind: hook.FileInto, Folder: "Junk", Flags: flagged}}, []string{`Junk 1 \Flagged work`}, ""},
		{"not a flag", "alice@example.org", nil, []hook.Action{{Kind: hook.Flag, Flags: []string{"a b"}}}, []string{"Junk 1"}, "follow.flags"},
		{"learned", "alice@example.org", nil, []hook.Action{{Kind: hook.Learn, Text: "spam"}}, []string{"Junk 1"}, "follow.learn"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer func() { w.end() }()
				var seen hook.Call
				w.script(c.box, func(call hook.Call) []hook.Action {
					seen = call
					return c.actions
				}, hook.Stored)
				mb := w.folder(c.box, "Junk")
				uid := w.put(mb, "x", c.flags...)
				w.Stored(Stored{Account: addr("alice@example.org"), Box: addr(c.box), Kind: "move", Mailbox: mb, UIDs: []mailbox.UID{uid, 99}, From: "INBOX", Added: []string{"a"}})
				synctest.Wait()
				same(t, "files", w.files(c.box), c.want...)
				if c.log != "" && w.logged(c.log, "") == 0 {
					t.Errorf("no %s is logged", c.log)
				}
				if m, ch := seen.Message, seen.Change; m == nil || m.Content.Subject() != "x" || m.ReversePath != addr("y@example.com") ||
					ch.Kind != "move" || ch.Folder != "Junk" || ch.From != "INBOX" || !slices.Equal(ch.Flags, c.flags) || ch.Added[0] != "a" ||
					seen.Box.Address() != addr(c.box) {
					t.Errorf("the script saw %+v, %+v", m, ch)
				}
			})
		})
	}
}

// TestStoredNotify: a notification goes out once for each event.
func TestStoredNotify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer func() { w.end() }()
		w.script("alice@example.org", func(hook.Call) []hook.Action {
			return []hook.Action{{Kind: hook.Notify, Notice: &hook.Notification{To: addr("x@example.net"), Subject: "moved", Text: "moved"}}}
		}, hook.Stored)
		mb := w.folder("alice@example.org", "INBOX")
		uid := w.put(mb, "x")
		w.Stored(Stored{Box: addr("alice@example.org"), Kind: "append", Mailbox: mb, UIDs: []mailbox.UID{uid}})
		synctest.Wait()
		same(t, "sent", w.takeSent(), "x@example.net moved")
	})
}

// TestLearn: the learner gets the message and the verdict; what it says is logged, and that
// there is none is once a day.
func TestLearn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer func() { w.end() }()
		w.script("alice@example.org", func(c hook.Call) []hook.Action { return []hook.Action{{Kind: hook.Learn, Text: "ham"}} }, hook.Stored)
		mb := w.folder("alice@example.org", "INBOX")
		event := Stored{Box: addr("alice@example.org"), Kind: "move", Mailbox: mb, UIDs: []mailbox.UID{w.put(mb, "x")}}
		for range 3 {
			w.Stored(event)
			synctest.Wait()
		}
		if n := w.logged("follow.learn", "no plugin"); n != 1 {
			t.Errorf("logged %d times", n)
		}
		time.Sleep(25 * time.Hour)
		w.Stored(event)
		synctest.Wait()
		if n := w.logged("follow.learn", "no plugin"); n != 2 {
			t.Errorf("logged %d times", n)
		}
		var learned []string
		var fail error
		w.settings.Learn = func(_ context.Context, box address.Address, verdict string, m envelope.Body) error {
			learned = append(learned, fmt.Sprint(box, " ", verdict, " ", len(rawOf(m))))
			return fail
		}
		w.Apply(w.settings)
		w.Stored(event)
		synctest.Wait()
		same(t, "learned", learned, "alice@example.org ham 68")
		fail = errors.New("busy")
		w.Stored(event)
		synctest.Wait()
		if w.logged("follow.learned", "") != 1 || w.logged("follow.learn", "busy") != 1 {
			t.Error("what the learner said is not logged")
		}
	})
}

// TestStoredGone: a message, a folder or an account that is gone is no error.
func TestStoredGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer func() { w.end() }()
		ran := 0
		w.script("alice@example.org", func(c hook.Call) []hook.Action { ran++; return nil }, hook.Stored)
		mb := w.folder("alice@example.org", "Old")
		uid := w.put(mb, "x")
		if err := mb.Home().Delete("Old"); err != nil {
			t.Fatal(err)
		}
		w.Stored(Stored{Box: addr("alice@example.org"), Kind: "move", Mailbox: mb, UIDs: []mailbox.UID{uid}})
		w.Stored(Stored{Box: addr("nobody@example.org"), Kind: "move", Mailbox: mb, UIDs: []mailbox.UID{uid}})
		synctest.Wait()
		if ran != 0 || w.logged("follow.stored", "") != 0 {
			t.Errorf("ran %d times", ran)
		}
	})
}

// TestStoredBulk: a client that moves 50,000 messages does not wait, and what is more than
// the queue holds takes no memory.
func TestStoredBulk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer func() { w.end() }()
		w.script("alice@example.org", func(hook.Call) []hook.Action {
			time.Sleep(time.Second)
			return nil
		}, hook.Stored)
		mb := w.folder("alice@example.org", "INBOX")
		uid := w.put(mb, "x")
		began := time.Now()
		w.Stored(Stored{Box: addr("alice@example.org"), Kind: "move", Mailbox: mb, UIDs: slices.Repeat([]mailbox.UID{uid}, 50_000)})
		if waited := time.Since(began); waited != 0 {
			t.Errorf("it waited %v", waited)
		}
		w.stored.mu.Lock()
		if w.stored.waiting > maxStored/perBox || len(w.stored.lanes) != 1 {
			t.Errorf("%d wait", w.stored.waiting)
		}
		w.stored.mu.Unlock()
		if w.logged("follow.dropped", "messages=45000") != 1 {
			t.Error(w.log.String())
		}
	})
}
