package scheduling

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/safefile"
)

// story is what happens before each crash: a meeting is made, answered and cancelled.
type story struct {
	recorder *safefile.Recorder
	acked    []int          // the number of operations when each step was done
	mailed   map[string]int // at which operation a mail was taken over
}

func tell(t *testing.T) *story {
	s := &story{recorder: nil, mailed: map[string]int{}}
	dir := t.TempDir()
	s.recorder = safefile.NewRecorder(dir)
	w := worldIn(t, dir, s.recorder)
	defer w.close()
	w.opts.Send = func(ctx context.Context, account address.Address, env envelope.Envelope, body envelope.Body) error {
		err := w.send(ctx, account, env, body)
		for _, m := range w.takeMail() {
			s.mailed[m] = s.recorder.Len()
		}
		return err
	}
	done := func() { s.acked = append(s.acked, s.recorder.Len()) }
	for _, who := range []string{"alice", "bob"} { // homes and inboxes are there before
		w.calendar(who, who)
		w.inbox(who)
	}
	done()
	w.put("alice", "m.ics", meeting("m1", "alice@example.org", "bob@example.org", "room@example.org", "dave@example.com"))
	done()
	w.put("bob", w.href("bob", "m1"), accept(w.event("bob", "m1"), "bob"))
	done()
	w.remove("alice", "m.ics")
	done()
	return s
}

// TestCrash: after a crash at any moment, by a kill or a power cut, what was told to a client
// has happened, everywhere; what was not has happened everywhere or nowhere. Every other four
// operations end in a kill.
func TestCrash(t *testing.T) {
	s := tell(t)
	const shares = 4 // which run side by side
	step := shares
	if testing.Short() {
		step *= 5
	}
	for share := range shares {
		t.Run(fmt.Sprint(share), func(t *testing.T) {
			t.Parallel()
			for n := s.acked[0] + share; n <= s.recorder.Len(); n += step {
				s.check(t, n, n/shares%2 == 0)
			}
		})
	}
}

func (s *story) check(t *testing.T, n int, kill bool) {
	t.Helper()
	dir := t.TempDir()
	var written func(string) bool
	if kill {
		written = func(string) bool { return true }
	}
	if err := s.recorder.Replay(dir, n, written); err != nil {
		t.Fatal(err)
	}
	w := worldIn(t, dir, nil)
	defer w.close()
	w.settle()
	mail := w.takeMail()
	for m, at := range s.mailed {
		if at <= n && !slices.Contains(mail, m) {
			mail = append(mail, m)
		}
	}
	alice, bob, room := w.event("alice", "m1"), w.event("bob", "m1"), w.event("room", "m1")
	step := 0
	for step < len(s.acked)-1 && s.acked[step+1] <= n {
		step++
	}
	is := fmt.Sprintf("alice %t, bob %s %s, room %s %s", alice != "", partStatOf(bob, "bob"), partStatOf(alice, "bob"), partStatOf(room, "room"), partStatOf(alice, "room"))
	states := []string{
		"alice false, bob  , room  ",
		"alice true, bob NEEDS-ACTION NEEDS-ACTION, room ACCEPTED ACCEPTED",
		"alice true, bob ACCEPTED ACCEPTED, room ACCEPTED ACCEPTED",
		"alice false, bob  , room  ",
	}
	// What a client was told holds. What is not finished may have happened.
	at := slices.Index(states[step:], is)
	if at < 0 || at > 1 {
		t.Errorf("operation %d, kill %t, step %d: %s", n, kill, step, is)
		return
	}
	at += step
	if (at == 1 || at == 2) && !slices.Contains(mail, "dave@example.com REQUEST") || at == 3 && !slices.Contains(mail, "dave@example.com CANCEL") {
		t.Errorf("operation %d, kill %t, step %d: mail %q", n, kill, step, mail)
	}
	if at == 0 && len(mail) > 0 {
		t.Errorf("operation %d, kill %t: mail %q of what never was", n, kill, mail)
	}
	if (at == 1 || at == 2) && !strings.Contains(w.inbox("bob"), "REQUEST") || at == 2 && !strings.Contains(w.inbox("alice"), "REPLY") {
		t.Errorf("operation %d, kill %t: inboxes %q and %q", n, kill, w.inbox("bob"), w.inbox("alice"))
	}
	same(t, "tasks left", w.tasks(), 0)
}
