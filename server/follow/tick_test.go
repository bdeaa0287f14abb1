package follow

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/hook"
)

// TestTicks: each mailbox has its turn once an hour, at the same minute, one at a time, not
// right at the start, and a reload changes nothing of that.
func TestTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		start := time.Now()
		at := make(map[string][]time.Duration)
		running := false
		tick := func(c hook.Call) []hook.Action {
			w.mu.Lock()
			if running {
				t.Error("two at a time")
			}
			running = true
			at[c.Box.Address().String()] = append(at[c.Box.Address().String()], time.Since(start))
			w.mu.Unlock()
			time.Sleep(time.Second)
			w.mu.Lock()
			running = false
			w.mu.Unlock()
			return nil
		}
		for _, box := range []string{"alice@example.org", "bob@example.org"} {
			w.folder(box, "INBOX")
			w.script(box, tick, hook.Tick)
		}
		w.script("team@example.org", tick, hook.Tick) // it never had any mail
		time.Sleep(2*time.Hour + 30*time.Minute)
		w.Apply(w.settings)
		time.Sleep(30 * time.Minute)
		w.end()
		w.open() // the moments stay
		w.Apply(w.settings)
		time.Sleep(2*time.Hour + firstTick)
		w.end()
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(at) != 2 {
			t.Errorf("%d mailboxes", len(at))
		}
		for box, times := range at {
			if len(times) < 4 || len(times) > 6 {
				t.Errorf("%s: %v", box, times)
			}
			if times[0] < firstTick {
				t.Errorf("%s: first after %v", box, times[0])
			}
			for _, d := range times {
				if late := (start.Add(d).Sub(start.Add(d).Truncate(hour)) - offsetOf(addr(box))).Abs(); late > 2*time.Second {
					t.Errorf("%s: %v late", box, late)
				}
			}
		}
	})
}

// TestTurns: mailboxes are spread over the hour, and each comes once.
func TestTurns(t *testing.T) {
	var accounts []directory.Account
	for i := range 600 {
		accounts = append(accounts, directory.Account{Address: addr(fmt.Sprintf("u%d@example.org", i))})
	}
	live := &Settings{
		Directory: directory.New(directory.Options{Domains: []directory.Domain{{Name: "example.org"}}, Accounts: accounts}),
		Hooks: func(address.Address) []hook.Hook {
			return []hook.Hook{{Program: program{stages: []hook.Stage{hook.Tick}}}}
		},
	}
	all := turns(live)
	perMinute := make(map[int]int)
	at := time.Date(2026, 1, 1, 10, 20, 0, 0, time.UTC)
	seen := 0
	for n := at; ; seen++ {
		if n = next(all, n); n.Sub(at) > hour {
			break
		}
		perMinute[n.Minute()]++
	}
	if len(all) != 600 || seen != 600 {
		t.Errorf("%d turns, %d in an hour", len(all), seen)
	}
	for m, n := range perMinute {
		if n > 40 {
			t.Errorf("%d in minute %d", n, m)
		}
	}
}

// TestTickActions: expire moves what is old to the deleted messages, and no more; notify
// sends a digest each time.
func TestTickActions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer func() { w.end() }()
		mb := w.folder("alice@example.org", "News")
		w.put(mb, "old", `\Flagged`)
		time.Sleep(3 * 24 * time.Hour)
		w.put(mb, "new")
		w.script("alice@example.org", func(hook.Call) []hook.Action {
			return []hook.Action{
				{Kind: hook.Expire, Folder: "News", For: 48 * time.Hour}, {Kind: hook.Expire, Folder: "Nowhere", For: time.Hour}, {Kind: hook.Expire, Folder: "News"},
				{Kind: hook.Notify, Notice: &hook.Notification{To: addr("x@example.net"), Subject: "digest", Text: "1 message"}},
			}
		}, hook.Tick)
		w.tick(t.Context(), w.live.Load(), addr("alice@example.org"))
		synctest.Wait()
		same(t, "files", w.files("alice@example.org"), "News 2")
		if w.logged("follow.expired", "messages=1") != 1 || w.logged("follow.expire", "above 0") != 1 || w.logged("follow.expire", "Nowhere") != 0 {
			t.Error(w.log.String())
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := w.takeSent(); len(got) < 2 {
			t.Errorf("sent: %q", got)
		}
	})
}
