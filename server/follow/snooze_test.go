package follow

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/mailbox"
)

// TestSnooze: messages come back at their time, unseen; a restart in between changes
// nothing; who moves one by hand ends its snooze.
func TestSnooze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		start := time.Now().Truncate(time.Second)
		hours := map[string]int{"one": 1, "two": 2, "ten": 10}
		w.script("alice@example.org", func(c hook.Call) []hook.Action {
			return []hook.Action{{Kind: hook.Snooze, Until: start.Add(time.Duration(hours[c.Message.Content.Subject()]) * time.Hour)}}
		}, hook.Deliver)
		for _, s := range []string{"ten", "one", "two", "past"} {
			w.send(strings.Replace(letter, "Lunch", s, 1), "", "alice@example.org", nil)
		}
		synctest.Wait()
		same(t, "at first", w.files("alice@example.org"), "INBOX 1", "Snoozed 1 $Snoozed", "Snoozed 2 $Snoozed", "Snoozed 3 $Snoozed")
		snoozed := w.folder("alice@example.org", "Snoozed")
		if _, err := snoozed.SetFlags(mailbox.StoreOptions{UIDs: []mailbox.UID{2, 3}, Op: mailbox.AddFlags, Flags: []string{`\Seen`, `\Flagged`}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(61 * time.Minute)
		synctest.Wait()
		same(t, "after an hour", w.files("alice@example.org"), "INBOX 1", `INBOX 2 \Flagged`, "Snoozed 1 $Snoozed", `Snoozed 3 $Snoozed \Flagged \Seen`)
		if date, err := w.folder("alice@example.org", "INBOX").InternalDate(2); err != nil || !date.Equal(start.Add(time.Hour)) {
			t.Errorf("its INTERNALDATE is %v, %v", date, err)
		}
		w.end()
		time.Sleep(2 * time.Hour)
		w.open()
		synctest.Wait()
		same(t, "after a restart", w.files("alice@example.org"), "INBOX 1", `INBOX 2 \Flagged`, `INBOX 3 \Flagged`, "Snoozed 1 $Snoozed")
		if _, err := w.folder("alice@example.org", "Snoozed").Move([]mailbox.UID{1}, w.folder("alice@example.org", "Archive"), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Hour)
		synctest.Wait()
		same(t, "moved by hand", w.files("alice@example.org"), "INBOX 1", `INBOX 2 \Flagged`, `INBOX 3 \Flagged`, "Archive 1 $Snoozed")
		w.end()
	})
}

// TestSnoozedByClient: what a client puts there comes back too; what is not marked stays.
func TestSnoozedByClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer func() { w.end() }()
		w.put(w.folder("bob@example.org", "Snoozed"), "kept")
		w.put(w.folder("bob@example.org", "Snoozed"), "back", "$Snoozed")
		time.Sleep(lookAgain + time.Minute)
		synctest.Wait()
		same(t, "files", w.files("bob@example.org"), "INBOX 1", "Snoozed 1")
		if home, err := w.store.Home(addr("bob@example.org")); err != nil {
			t.Error(err)
		} else if err := home.Delete("Snoozed"); err != nil && !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
	})
}
