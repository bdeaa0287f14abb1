package mailbox

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"facteur/server/fault"
)

func TestCopyAndMove(t *testing.T) {
	f := newFixture(t, nil)
	archive, trash := f.mailbox("Archive"), f.mailbox("Trash")
	for i := range 4 {
		f.add(f.inbox, fmt.Sprintf("%d\r\n", i+1), []string{`\Seen`, "$A"}[:i%3]...)
	}
	f.add(archive, "old\r\n", "$B", "$A") // other letters for the same keywords
	v, w := f.view(f.inbox), f.view(archive)

	pairs, err := f.inbox.Copy([]UID{3, 2, 99, 2}, archive, nil)
	f.ok(err)
	f.want("copied", fmt.Sprint(pairs), "[{2 2} {3 3}]")
	f.want("Archive", f.show(archive), `1:old[$A $B] 2:2[\Seen] 3:3[$A \Seen]`)
	f.want("events there", f.next(w), `+2[\Seen] +3[$A \Seen]`)
	a, err := os.Stat(f.file(f.inbox, ".2:"))
	f.ok(err)
	b, err := os.Stat(f.file(archive, ".2:"))
	f.ok(err)
	if !os.SameFile(a, b) {
		t.Error("copied, not linked")
	}

	pairs, err = f.inbox.Move([]UID{1, 3, 99}, trash, nil)
	f.ok(err)
	f.want("moved", fmt.Sprint(pairs), "[{1 1} {3 2}]")
	f.want("Trash", f.show(trash), `1:1[recent] 2:3[$A \Seen]`)
	f.want("INBOX", f.show(f.inbox), `2:2[\Seen] 4:4`)
	f.want("events here", f.next(v), `-1 -3`)

	pairs, err = f.inbox.Copy([]UID{4}, f.inbox, nil)
	f.ok(err)
	f.want("copied to itself", fmt.Sprint(pairs), "[{4 5}]")
	pairs, err = f.inbox.Move([]UID{2}, f.inbox, nil)
	f.ok(err)
	f.want("moved to itself", fmt.Sprint(pairs), "[{2 6}]")
	f.want("INBOX", f.show(f.inbox), `4:4 5:4[recent] 6:2[\Seen]`)
	f.want("events", f.next(v), `-2 +5[recent] +6[\Seen]`)

	other, err := f.store.Home(bob)
	f.ok(err)
	dst, err := other.Mailbox("INBOX")
	f.ok(err)
	_, err = f.inbox.Move([]UID{6}, dst, nil)
	f.ok(err)
	f.want("bob's", f.show(dst), `1:2[\Seen]`)
	u, err := other.Usage()
	f.ok(err)
	if u != (Usage{Octets: 3, Messages: 1}) {
		t.Error(u)
	}
	f.ok(f.home.Delete("Trash"))
	_, err = f.inbox.Copy([]UID{4}, trash, nil)
	f.wantFault("to a mailbox that is gone", err, fault.NotFound)
}

// Moves in both directions at once neither lock each other out nor lose a message.
func TestMoveBothWays(t *testing.T) {
	f := newFixture(t, nil)
	a, b := f.mailbox("Archive"), f.mailbox("Junk")
	for i := range 40 {
		f.add(a, fmt.Sprintf("a%d\r\n", i))
		f.add(b, fmt.Sprintf("b%d\r\n", i))
	}
	var wg sync.WaitGroup
	for _, dir := range [][2]*Mailbox{{a, b}, {b, a}} {
		wg.Go(func() {
			for range 20 {
				var uids []UID
				for _, m := range f.messages(dir[0]) {
					uids = append(uids, m.UID)
				}
				if _, err := dir[0].Move(uids[:min(len(uids), 10)], dir[1], nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	texts := make(map[string]bool)
	for _, m := range []*Mailbox{a, b} {
		for _, msg := range f.messages(m) {
			texts[f.text(m, msg.UID)] = true
		}
	}
	if len(texts) != 80 {
		t.Error(len(texts), "messages left")
	}
}

func TestUsage(t *testing.T) {
	f := newFixture(t, nil)
	f.add(f.inbox, "12345\r\n")
	f.put(f.mailbox("Sent"), "cur/a:2,", "1\n23\n")
	f.put(f.mailbox("Sent"), "cur/b,S=5,W=7:2,", "1\n23\n")
	f.reopen()
	usage := func(what string, octets int64, messages int) {
		t.Helper()
		if u, err := f.home.Usage(); err != nil || u != (Usage{octets, messages}) {
			t.Errorf("%s: %v, %v", what, u, err)
		}
	}
	usage("as listed", 7+7+7, 3)
	f.add(f.inbox, "123\r\n")
	usage("after a delivery", 7+5+7+7, 4)
	_, err := f.inbox.Copy([]UID{2}, f.mailbox("Archive"), nil)
	f.ok(err)
	usage("after a copy", 7+5+7+7+5, 5)
	_, err = f.inbox.Move([]UID{1}, f.mailbox("Archive"), nil)
	f.ok(err)
	usage("after a move", 7+5+7+7+5, 5)
	f.ok(f.home.Delete("Archive"))
	usage("after a folder is gone", 5+7+7, 3)
	f.ok(f.home.Create("Archive", ""))
	usage("and made again", 5+7+7, 3)
}

// The usage is right though messages arrive while it is counted first.
func TestUsageMeanwhile(t *testing.T) {
	f := newFixture(t, nil)
	for range 50 {
		f.add(f.inbox, "x\r\n")
	}
	f.reopen()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				f.add(f.inbox, "x\r\n")
				if _, err := f.home.Usage(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if u, err := f.home.Usage(); err != nil || u != (Usage{750, 250}) {
		t.Error(u, err)
	}
}
