package mailbox

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"facteur/server/maildir"
	"facteur/server/safefile"
)

// spot is where a message is and what is known of it.
type spot struct {
	folder string
	uid    UID
	flags  string
}

// world is the messages of a home by their text.
type world map[string]spot

// story runs operations on a store and notes after each what was acknowledged.
type story struct {
	*fixture
	rec    *safefile.Recorder
	told   world
	states []moment
	gone   map[string]bool // messages that were expunged at some time
	next   map[string]UID  // highest UIDNEXT that was told, by folder
}

// moment is what was acknowledged when so many operations had been done.
type moment struct {
	ops  int
	told world
}

func newStory(t *testing.T) *story {
	s := &story{told: make(world), gone: make(map[string]bool), next: make(map[string]UID)}
	s.fixture = newFixture(t, func(dir string) safefile.FS {
		s.rec = safefile.NewRecorder(dir)
		return s.rec
	})
	s.note()
	return s
}

func (s *story) note() {
	s.states = append(s.states, moment{s.rec.Len(), maps.Clone(s.told)})
}

func (s *story) deliver(folder, text string, flags ...string) {
	uid := s.add(s.mailbox(folder), text, flags...)
	slices.Sort(flags)
	s.told[text] = spot{folder, uid, fmt.Sprint(flags)}
	s.note()
}

func (s *story) setFlags(text string, flags ...string) {
	p := s.told[text]
	_, err := s.mailbox(p.folder).SetFlags(StoreOptions{UIDs: []UID{p.uid}, Op: Set, Flags: flags})
	s.ok(err)
	slices.Sort(flags)
	p.flags = fmt.Sprint(flags)
	s.told[text] = p
	s.note()
}

func (s *story) expunge(text string) {
	p := s.told[text]
	_, err := s.mailbox(p.folder).Expunge([]UID{p.uid})
	s.ok(err)
	delete(s.told, text)
	s.gone[text] = true
	s.note()
}

func (s *story) move(text, folder string) {
	p := s.told[text]
	pairs, err := s.mailbox(p.folder).Move([]UID{p.uid}, s.mailbox(folder), nil)
	s.ok(err)
	s.told[text] = spot{folder, pairs[0].Dst, p.flags}
	s.note()
}

// observe opens the store in a directory and returns what is there, with a
// list of what is there twice.
func observe(t *testing.T, dir string) (world, []string) {
	t.Helper()
	s, err := Open(Options{
		Dir: filepath.Join(dir, "domains"), Tmp: filepath.Join(dir, "tmp"), FS: safefile.Unsynced{FS: safefile.OS},
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h, err := s.Home(alice)
	if err != nil {
		t.Fatal(err)
	}
	found := make(world)
	var doubled []string
	for _, name := range h.names() {
		m, err := h.Mailbox(name)
		if err != nil {
			t.Fatal(err)
		}
		snap, err := m.Snapshot()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, msg := range list(m, snap, 0) {
			c, err := m.Open(msg.UID)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
			c.Close()
			if err != nil {
				t.Fatal(err)
			}
			if p, ok := found[string(text)]; ok {
				doubled = append(doubled, fmt.Sprintf("%q: %v and %s %d", text, p, name, msg.UID))
			}
			flags := slices.Clone(msg.Flags)
			slices.Sort(flags)
			found[string(text)] = spot{name, msg.UID, fmt.Sprint(flags)}
		}
	}
	if err := h.Check(); err != nil {
		t.Error(err)
	}
	return found, doubled
}

// verify compares a state after a crash with what was acknowledged before it
// and what the operation that ran then may have done.
func (s *story) verify(what, dir string, n int) {
	s.Helper()
	i := slices.IndexFunc(s.states, func(m moment) bool { return m.ops > n })
	if i < 0 {
		i = len(s.states)
	}
	if i == 0 {
		return // the home was not made yet
	}
	before := s.states[i-1].told
	after := before
	if i < len(s.states) {
		after = s.states[i].told
	}
	found, doubled := observe(s.T, dir)
	if len(doubled) > 0 {
		s.Errorf("%s: there twice: %v", what, doubled)
	}
	for text, p := range found {
		if p != before[text] && p != after[text] {
			s.Errorf("%s: %q is %v; acknowledged %v, then %v", what, text, p, before[text], after[text])
		}
	}
	for text, p := range before {
		_, there := found[text]
		if _, stays := after[text]; !there && stays {
			s.Errorf("%s: %q is lost, which was %v", what, text, p)
		}
	}
}

// After a crash at any operation, every message that was acknowledged is there
// once, with its UID, flags and content.
func TestCrash(t *testing.T) {
	s := newStory(t)
	s.deliver("INBOX", "one\r\n")
	s.deliver("INBOX", "two\r\n", `\Seen`)
	s.deliver("Sent", "three\r\n", "$Work", `\Seen`)
	v := s.view(s.inbox)
	s.deliver("INBOX", "four\r\n")
	s.setFlags("one\r\n", `\Flagged`)
	v.Close()
	s.deliver("INBOX", "five\r\n")
	s.setFlags("five\r\n", `\Seen`, "$New")
	s.move("two\r\n", "Archive")
	s.move("five\r\n", "Sent")
	s.deliver("INBOX", "six\r\n")
	s.move("six\r\n", "Archive")
	s.expunge("four\r\n")
	s.deliver("INBOX", "seven\r\n")
	s.view(s.inbox).Close()
	s.expunge("seven\r\n")
	s.move("two\r\n", "INBOX")
	s.setFlags("three\r\n")
	s.ok(s.home.Create("Lists/Go", ""))
	s.deliver("Lists/Go", "eight\r\n")
	s.ok(s.store.Close())
	s.note()
	s.open()

	random := rand.New(rand.NewPCG(1, 2))
	for n := s.states[0].ops; n <= s.rec.Len(); n++ {
		if testing.Short() && n%5 != 0 {
			continue
		}
		for _, c := range []struct {
			what    string
			written func(string) bool
		}{
			{"power cut", nil},
			{"kill", func(string) bool { return true }},
			{"power cut, some written out", func(string) bool { return random.IntN(2) == 0 }},
		} {
			dir := t.TempDir()
			if err := s.rec.Replay(dir, n, c.written); err != nil {
				t.Fatal(err)
			}
			s.verify(fmt.Sprintf("%s after operation %d", c.what, n), dir, n)
			os.RemoveAll(dir)
			if t.Failed() {
				for i, op := range s.rec.Ops()[:n] {
					t.Log(i+1, op)
				}
				return
			}
		}
	}
}

// A home that is being made is made again after a crash.
func TestCrashOfFirstUse(t *testing.T) {
	s := newStory(t)
	for n := range s.states[0].ops {
		dir := t.TempDir()
		if err := s.rec.Replay(dir, n, nil); err != nil {
			t.Fatal(err)
		}
		store, err := Open(Options{Dir: filepath.Join(dir, "domains"), Tmp: filepath.Join(dir, "tmp"), FS: safefile.Unsynced{FS: safefile.OS}})
		if err != nil {
			t.Fatal(err)
		}
		h, err := store.Home(alice)
		if err != nil {
			t.Fatalf("after %d operations: %v", n, err)
		}
		if got := strings.Join(h.names(), " "); got != "INBOX Archive Drafts Junk Sent Trash" {
			t.Errorf("after %d operations: %s", n, got)
		}
		if err := h.Check(); err != nil {
			t.Error(err)
		}
		store.Close()
	}
}

// Deliveries from several at once: at every moment what was acknowledged is
// there once, under a UID that nobody else has.
func TestCrashConcurrent(t *testing.T) {
	s := newStory(t)
	type ack struct {
		ops  int
		text string
		at   spot
	}
	var mu sync.Mutex
	var acks []ack
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 30 {
				folder := []string{"INBOX", "Sent"}[i%2]
				m, err := s.home.Mailbox(folder)
				if err != nil {
					t.Error(err)
					return
				}
				text := fmt.Sprintf("%d-%d\r\n", w, i)
				d, err := s.store.Draft()
				if err != nil {
					t.Error(err)
					return
				}
				d.Write([]byte(text))
				uid, err := m.Add(d, AddOptions{Last: true})
				if err := errors.Join(err, m.Sync()); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acks = append(acks, ack{s.rec.Len(), text, spot{folder, uid, "[]"}})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	step := 7
	if testing.Short() {
		step *= 5
	}
	for n := s.states[0].ops; n <= s.rec.Len(); n += step {
		dir := t.TempDir()
		if err := s.rec.Replay(dir, n, nil); err != nil {
			t.Fatal(err)
		}
		found, doubled := observe(t, dir)
		if len(doubled) > 0 {
			t.Errorf("after %d: twice: %v", n, doubled)
		}
		for _, a := range acks {
			if a.ops <= n && found[a.text] != a.at {
				t.Errorf("after %d: %q is %v, acknowledged as %v", n, a.text, found[a.text], a.at)
			}
		}
		os.RemoveAll(dir)
	}
}

// After a crash no UID is given that was told before.
func TestCrashUIDs(t *testing.T) {
	s := newStory(t)
	for i := range 30 {
		s.deliver("INBOX", fmt.Sprintf("%d\r\n", i))
	}
	for n := s.states[0].ops; n <= s.rec.Len(); n += 5 {
		dir := t.TempDir()
		if err := s.rec.Replay(dir, n, nil); err != nil {
			t.Fatal(err)
		}
		state, err := maildir.ReadState(filepath.Join(dir, "domains/example.org/alice/mail"))
		if err != nil {
			t.Fatal(err)
		}
		// What is linked by then may have been told to a session, synced or not.
		linked := 0
		for _, op := range s.rec.Ops()[:n] {
			if op.Kind == "link" && strings.Contains(op.To, "/mail/new/") {
				linked++
			}
		}
		if int(state.UIDNext) <= linked {
			t.Errorf("after %d operations UIDNEXT is %d, and %d were given", n, state.UIDNext, linked)
		}
	}
}

// A copy that was acknowledged survives a power cut.
func TestCrashAfterCopy(t *testing.T) {
	s := newStory(t)
	s.deliver("INBOX", "one\r\n", `\Seen`)
	_, err := s.inbox.Copy([]UID{1}, s.mailbox("Archive"), nil)
	s.ok(err)
	dir := t.TempDir()
	s.ok(s.rec.Replay(dir, s.rec.Len(), nil))
	_, doubled := observe(t, dir)
	s.want("found", fmt.Sprint(doubled), `["one\r\n": {INBOX 1 [\Seen]} and Archive 1]`)
}
