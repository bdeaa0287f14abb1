package mailbox

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/server/fault"
	"facteur/server/maildir"
	"facteur/server/msgindex"
)

// Sessions, deliveries and another program at work on the same mailboxes: no
// message is lost or doubled, and every session's view comes to the same.
func TestStress(t *testing.T) {
	f := newFixture(t, nil)
	const rounds = 40
	boxes := []*Mailbox{f.inbox, f.mailbox("Archive")}
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() { f.stressDeliver(boxes, w, rounds) })
		wg.Go(func() { f.stressSession(boxes, uint64(w), rounds) })
	}
	wg.Go(func() { f.stressForeign(boxes, rounds) })
	wg.Wait()
	for range 3 {
		f.later()
		for _, m := range boxes {
			m.Poll()
		}
	}
	texts := make(map[string]int)
	for _, m := range boxes {
		for _, msg := range f.messages(m) {
			texts[f.text(m, msg.UID)]++
		}
	}
	for text, n := range texts {
		if n != 1 {
			t.Errorf("%q is there %d times", text, n)
		}
	}
	if want := 2*rounds + (rounds+3)/4; len(texts) != want {
		t.Errorf("%d messages, want %d", len(texts), want)
	}
}

func (f *fixture) stressDeliver(boxes []*Mailbox, worker, rounds int) {
	for i := range rounds {
		d, err := f.store.Draft()
		if err != nil {
			f.Error(err)
			return
		}
		fmt.Fprintf(d, "%d-%d\r\n", worker, i)
		m := boxes[i%2]
		if _, err := m.Add(d, AddOptions{Last: true}); err != nil {
			f.Error(err)
		}
		if err := m.Sync(); err != nil {
			f.Error(err)
		}
	}
}

// stressSession is an IMAP session that moves and flags messages, and follows
// the differences between the snapshots that it sees.
func (f *fixture) stressSession(boxes []*Mailbox, seed uint64, rounds int) {
	random := rand.New(rand.NewPCG(seed, 1))
	for i := range rounds {
		m, other := boxes[i%2], boxes[1-i%2]
		s, err := selectMailbox(f, m)
		if err != nil {
			f.Error(err)
			return
		}
		for range 3 {
			var uids []UID
			for _, r := range s.seen.Range(0, s.seen.Len()) {
				if random.IntN(4) == 0 {
					uids = append(uids, r.UID)
				}
			}
			if _, err := m.SetFlags(StoreOptions{UIDs: uids, Op: AddFlags, Flags: []string{`\Seen`, "$Work"}}); err != nil {
				f.Error(err)
			}
			if _, err := m.Move(uids[:len(uids)/2], other, nil); err != nil {
				f.Error(err)
			}
			f.stressFollow(s)
		}
		s.Close()
		f.stressRead(m)
	}
}

// stressFollow brings a session up to the newest snapshot, and checks that the
// differences lead there.
func (f *fixture) stressFollow(s *session) {
	now, err := s.m.Snapshot()
	if err != nil {
		f.Error(err)
		return
	}
	changes := msgindex.Diff(s.seen, now)
	var mine []Record
	gone := changes.Gone
	for i, r := range s.seen.Range(0, s.seen.Len()) {
		if len(gone) > 0 && gone[0] == i {
			gone = gone[1:]
			continue
		}
		mine = append(mine, *r)
	}
	for _, i := range changes.Changed {
		mine[i] = *now.At(i)
	}
	for _, r := range now.Range(now.Len()-changes.Added, now.Len()) {
		mine = append(mine, *r)
	}
	if len(mine) != now.Len() {
		f.Errorf("%d messages after the changes, not %d", len(mine), now.Len())
		return
	}
	for i, r := range now.Range(0, now.Len()) {
		if mine[i].UID != r.UID || mine[i].Flags != r.Flags || mine[i].ModSeq != r.ModSeq {
			f.Errorf("%+v after the changes, not %+v", mine[i], *r)
		}
	}
	s.seen = now
}

// stressRead opens all messages.
func (f *fixture) stressRead(m *Mailbox) {
	for _, msg := range f.messages(m) {
		c, err := m.Open(msg.UID)
		if fault.Is(err, fault.NotFound) {
			continue // moved meanwhile
		}
		if err != nil {
			f.Error(err)
			continue
		}
		if c.Size() != msg.Size {
			f.Errorf("UID %d has %d octets, not %d", msg.UID, c.Size(), msg.Size)
		}
		c.Close()
	}
}

// stressForeign is another program that sets flags and drops files.
func (f *fixture) stressForeign(boxes []*Mailbox, rounds int) {
	for i := range rounds {
		dir := boxes[i%2].at.Load().dir
		if i%4 == 0 {
			name := fmt.Sprintf("%d.foreign%d.host", time.Now().Unix(), i)
			if err := os.WriteFile(filepath.Join(dir, "tmp", name), []byte(name+"\n"), 0o600); err != nil {
				f.Error(err)
			}
			if err := os.Rename(filepath.Join(dir, "tmp", name), filepath.Join(dir, "new", name)); err != nil {
				f.Error(err)
			}
		}
		entries, err := os.ReadDir(filepath.Join(dir, "cur"))
		if err != nil {
			f.Error(err)
			return
		}
		for j, e := range entries {
			if j%5 != i%5 || !strings.Contains(e.Name(), ",F=") {
				continue
			}
			path := filepath.Join(dir, "cur", e.Name())
			err := os.Rename(path, maildir.WithFlags(path, maildir.FlagsOf(path)^maildir.Flagged))
			if err != nil && !os.IsNotExist(err) {
				f.Error(err)
			}
		}
		for _, m := range boxes {
			m.Poll()
		}
	}
}
