package mailbox

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"facteur/server/fault"
	"facteur/server/maildir"
)

// mbsync, which puts its own field into names, and mutt, which marks what it saw
// and moves files between folders, at work while sessions are: no message is lost
// or doubled, and no UID ever means two messages.
func TestOtherProgramsAtWork(t *testing.T) {
	f := newFixture(t, nil)
	boxes := []*Mailbox{f.inbox, f.mailbox("Archive")}
	const messages = 60
	for i := range messages {
		f.add(boxes[i%2], fmt.Sprintf("message %d\r\n", i), []string{`\Seen`}[:i%3/2]...)
	}
	var mu sync.Mutex
	texts := make(map[string]string) // by folder and UID
	observe := func() {
		for _, m := range boxes {
			snap, err := m.Snapshot()
			if err != nil {
				t.Error(err)
				return
			}
			for _, r := range snap.Range(0, snap.Len()) {
				c, err := m.Open(r.UID)
				if fault.Is(err, fault.NotFound) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				text := make([]byte, c.Size())
				c.ReadAt(text, 0)
				c.Close()
				key := fmt.Sprint(m.Name(), " ", r.UID)
				mu.Lock()
				if old, seen := texts[key]; seen && old != string(text) {
					t.Errorf("%s was %q, now %q", key, old, text)
				}
				texts[key] = string(text)
				mu.Unlock()
			}
		}
	}
	var wg sync.WaitGroup
	rounds := 30
	for program := range 2 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(program), 7))
			for range rounds {
				f.foreignRound(boxes, random, program == 0)
			}
		})
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(program), 8))
			for range rounds {
				m, other := boxes[program], boxes[1-program]
				snap, err := m.Snapshot()
				if err != nil {
					t.Error(err)
					return
				}
				var uids []UID
				for _, r := range snap.Range(0, snap.Len()) {
					if random.IntN(5) == 0 {
						uids = append(uids, r.UID)
					}
				}
				busy := func(err error) {
					if err != nil && !fault.Is(err, fault.Unavailable) { // tried in vain
						t.Error(err)
					}
				}
				_, err = m.SetFlags(StoreOptions{UIDs: uids, Op: AddFlags, Flags: []string{`\Seen`, "$Work"}})
				busy(err)
				_, err = m.Move(uids[:len(uids)/2], other, nil)
				busy(err)
				m.Poll()
				observe()
			}
		})
	}
	wg.Wait()
	for range 3 {
		f.later()
		for _, m := range boxes {
			m.Poll()
		}
	}
	left := make(map[string]int)
	for _, m := range boxes {
		for _, x := range f.messages(m) {
			left[f.text(m, x.UID)]++
		}
	}
	if len(left) != messages {
		t.Errorf("%d messages are left", len(left))
	}
	for text, n := range left {
		if n != 1 {
			t.Errorf("%q is there %d times", text, n)
		}
	}
	observe()
}

// foreignRound is what another program does once.
func (f *fixture) foreignRound(boxes []*Mailbox, random *rand.Rand, mutt bool) {
	m, other := boxes[random.IntN(2)], boxes[random.IntN(2)]
	from := []string{m.at.Load().newDir, m.at.Load().curDir}[random.IntN(2)]
	entries, err := os.ReadDir(from)
	if err != nil {
		f.Error(err)
		return
	}
	for _, e := range entries {
		if random.IntN(6) > 0 {
			continue
		}
		base, info, _ := strings.Cut(e.Name(), ":")
		to := filepath.Join(m.at.Load().curDir, base+",U="+fmt.Sprint(random.IntN(1000)))
		if i := strings.Index(base, ",U="); !mutt && i >= 0 {
			to = filepath.Join(m.at.Load().curDir, base[:i])
		}
		if mutt {
			flags := maildir.FlagsOf(e.Name()) ^ maildir.Flagged
			to, info = filepath.Join(other.at.Load().curDir, base), "2,"+flags.String()
		}
		if info == "" {
			info = "2,"
		}
		// As rename(2) of these programs would, but never onto a file.
		if _, err := os.Lstat(to + ":" + info); err == nil {
			continue
		}
		if err := os.Rename(filepath.Join(from, e.Name()), to+":"+info); err != nil && !os.IsNotExist(err) {
			f.Error(err)
		}
	}
}
