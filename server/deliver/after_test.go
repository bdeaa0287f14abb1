package deliver

import (
	"slices"
	"testing"
	"time"

	"facteur/server/hook"
	"facteur/server/safefile"
	"facteur/server/schedule"
)

// TestSnooze: the message is filed with the time of its return, beside a copy that has
// another; what can't be snoozed is kept.
func TestSnooze(t *testing.T) {
	w := newWorld(t, t.TempDir(), safefile.OS)
	defer w.close()
	until := time.Now().Add(36 * time.Hour).Truncate(time.Second)
	w.hooks["alice@example.org"] = does(hook.Action{Kind: hook.Snooze, Until: until}, hook.Action{Kind: hook.FileInto, Folder: "Archive"})
	taken(t, w.send(mail{text: "later", to: []string{"alice@example.org", "bob@example.org"}}))
	same(t, "files", w.files("alice", "bob"), "alice/Archive", "alice/Snoozed "+schedule.SnoozeKeyword, "bob/INBOX")
	home, err := w.store.Home(addr("alice@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	for folder, want := range map[string]bool{"Snoozed": true, "Archive": false} {
		mb, err := home.Mailbox(folder)
		if err != nil {
			t.Fatal(err)
		}
		date, err := mb.InternalDate(1)
		if err != nil || date.Equal(until) != want {
			t.Errorf("%s: %v, %v", folder, date, err)
		}
	}
	// A filing elsewhere is a plain one.
	f := snoozeInto(time.Now(), until)
	f.unsnooze()
	if f.until != (time.Time{}) || len(f.flags) != 0 {
		t.Errorf("a plain filing is %+v", f)
	}
}

// TestDelivered: who is told of deliveries learns where the message lies, and what its
// scripts want afterwards.
func TestDelivered(t *testing.T) {
	w := newWorld(t, t.TempDir(), safefile.OS)
	defer w.close()
	var told []Delivered
	w.opts.Delivered = func(d Delivered) { told = append(told, d) }
	w.hooks["alice@example.org"] = does(hook.Action{Kind: hook.Learn, Text: "spam"}, hook.Action{Kind: hook.Discard})
	taken(t, w.send(mail{text: "x", to: []string{"alice@example.org", "bob@example.org"}}))
	slices.SortFunc(told, func(a, b Delivered) int { return len(a.Filed) - len(b.Filed) })
	if len(told) != 2 {
		t.Fatalf("%d were told of", len(told))
	}
	if d := told[0]; d.Box != addr("alice@example.org") || len(d.Filed) != 0 || len(d.Actions) != 1 || d.Actions[0].Text != "spam" {
		t.Errorf("alice: %+v", d)
	}
	if d := told[1]; d.Recipient != addr("bob@example.org") || len(d.Filed) != 1 || d.Filed[0].Mailbox.Name() != "INBOX" || len(d.Actions) != 0 {
		t.Errorf("bob: %+v", d)
	}
}
