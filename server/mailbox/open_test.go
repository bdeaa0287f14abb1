package mailbox

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"facteur/server/maildir"
)

// modSeqs returns the MODSEQs of a mailbox by UID.
func (f *fixture) modSeqs(m *Mailbox) map[UID]ModSeq {
	f.Helper()
	snap, all := f.snapshot(m), make(map[UID]ModSeq)
	for _, r := range snap.Range(0, snap.Len()) {
		all[r.UID] = r.ModSeq
	}
	return all
}

// kill ends what runs in a store, and leaves its homes as a killed process does.
func kill(s *Store) error { return s.homes.Close(func(*Home) error { return nil }) }

func (f *fixture) kill() {
	f.Helper()
	f.ok(kill(f.store))
}

// What is known after each way of stopping, and of losing the index.
func TestOpenings(t *testing.T) {
	type outcome struct {
		trusted bool // MODSEQs are the same, and what vanished is known
		listed  bool // the directories were read
	}
	index := func(f *fixture, name string) string { return filepath.Join(f.inbox.indexDir(), name) }
	for _, c := range []struct {
		what string
		stop func(f *fixture)
		want outcome
	}{
		{"clean", func(f *fixture) { f.ok(f.store.Close()) }, outcome{true, false}},
		{"let go, then killed", func(f *fixture) {
			f.later()
			f.inbox.unload(0)
			f.kill()
		}, outcome{true, false}},
		{"killed", func(f *fixture) { f.kill() }, outcome{true, true}},
		{"power cut", func(f *fixture) {
			f.store.bootID = "before"
			uid := f.add(f.inbox, "of another boot\r\n")
			_, err := f.inbox.Expunge([]UID{uid})
			f.ok(err)
			f.inbox.index.Stamp(maildir.Stamp{New: 1})
			f.kill()
			f.garble(index(f, "list"))
		}, outcome{false, true}},
		{"removed", func(f *fixture) {
			f.ok(f.store.Close())
			f.ok(os.RemoveAll(f.home.indexDir()))
		}, outcome{false, true}},
		{"removed meanwhile", func(f *fixture) {
			f.ok(os.RemoveAll(f.home.indexDir()))
			f.kill()
		}, outcome{false, true}},
		{"garbled", func(f *fixture) {
			f.ok(f.store.Close())
			f.garble(index(f, "list"))
		}, outcome{false, true}},
		{"cache removed", func(f *fixture) {
			f.ok(f.store.Close())
			f.ok(os.Remove(index(f, "cache")))
		}, outcome{true, false}},
		{"cache garbled", func(f *fixture) {
			f.ok(f.store.Close())
			f.garble(index(f, "cache"))
		}, outcome{true, false}},
	} {
		t.Run(c.what, func(t *testing.T) {
			f := newFixture(t, nil)
			for i := range 5 {
				f.add(f.inbox, fmt.Sprintf("%d\r\n", i+1), []string{`\Seen`, "$Work"}[:i%3]...)
			}
			f.ok(f.store.Close()) // writes the list, which is written behind else
			f.open()
			_, err := f.inbox.Expunge([]UID{2})
			f.ok(err)
			shown, before, highest := f.show(f.inbox), f.modSeqs(f.inbox), f.snapshot(f.inbox).HighestModSeq()
			c.stop(f)
			f.open()
			f.want("messages", f.show(f.inbox), shown)
			after, snap := f.modSeqs(f.inbox), f.snapshot(f.inbox)
			for uid, modSeq := range after {
				if c.want.trusted && modSeq != before[uid] || !c.want.trusted && modSeq <= highest {
					t.Errorf("UID %d had MODSEQ %d, now %d", uid, before[uid], modSeq)
				}
			}
			_, complete := snap.Vanished(before[1])
			if complete != c.want.trusted {
				t.Error("what vanished is known:", complete)
			}
			if listed := f.inbox.scan.took > 0; listed != c.want.listed && c.what != "cache removed" && c.what != "cache garbled" {
				t.Error("the directories were read:", listed)
			}
			if uid := f.add(f.inbox, "new\r\n"); uid <= 5 {
				t.Error("a UID given twice:", uid)
			}
			if now := f.snapshot(f.inbox).HighestModSeq(); now <= highest {
				t.Errorf("HIGHESTMODSEQ %d after %d", now, highest)
			}
		})
	}
}

// garble overwrites the middle of a file.
func (f *fixture) garble(path string) {
	f.Helper()
	data, err := os.ReadFile(path)
	f.ok(err)
	for i := len(data) / 3; i < len(data)*2/3; i++ {
		data[i] ^= 0x55
	}
	f.ok(os.WriteFile(path, data, 0o600))
}

// What another program did while the server was killed or stopped is merged in,
// and told with a new MODSEQ; all else keeps its own.
func TestOpenAfterForeign(t *testing.T) {
	for _, how := range []string{"stopped", "killed"} {
		t.Run(how, func(t *testing.T) {
			f := newFixture(t, nil)
			for i := range 4 {
				if i == 3 {
					f.ok(f.store.Close()) // writes the list, which is written behind else
					f.open()
				}
				f.add(f.inbox, fmt.Sprintf("%d\r\n", i+1), `\Seen`)
			}
			before, highest := f.modSeqs(f.inbox), f.snapshot(f.inbox).HighestModSeq()
			if how == "killed" {
				f.kill()
			} else {
				f.ok(f.store.Close())
			}
			path := f.file(f.inbox, ".2:2,")
			f.ok(os.Rename(path, maildir.WithFlags(path, maildir.Flagged)))
			f.ok(os.Remove(f.file(f.inbox, ".3:2,")))
			f.put(f.inbox, "new/1.a.b", "five\r\n")
			f.later()
			f.open()
			f.want("messages", f.noUIDs(f.show(f.inbox)), `1[\Seen] 2[\Flagged] 4[\Seen] five[recent]`)
			after, snap := f.modSeqs(f.inbox), f.snapshot(f.inbox)
			if after[1] != before[1] || after[4] != before[4] || after[2] <= highest {
				t.Errorf("MODSEQs %v, then %v", before, after)
			}
			gone, complete := snap.Vanished(highest)
			f.want("vanished", fmt.Sprint(gone, complete), "[{3 3}] true")
		})
	}
}

var uidPattern = regexp.MustCompile(`(^| )\d+:`)

// setMtimes gives the directories the mtimes of a stamp.
func (f *fixture) setMtimes(m *Mailbox, s maildir.Stamp) {
	f.Helper()
	at := m.at.Load()
	f.ok(os.Chtimes(at.newDir, time.Time{}, time.Unix(0, s.New)))
	f.ok(os.Chtimes(at.curDir, time.Time{}, time.Unix(0, s.Cur)))
}

// noUIDs takes the UIDs out of what show returns.
func (f *fixture) noUIDs(shown string) string { return uidPattern.ReplaceAllString(shown, "$1") }

// A change of another program that hides behind one of ours, by the mtime, is
// found a while later.
func TestHiddenChange(t *testing.T) {
	f := newFixture(t, nil)
	f.add(f.inbox, "one\r\n", `\Seen`)
	f.later()
	f.inbox.Poll()
	f.add(f.inbox, "two\r\n", `\Seen`)
	stamp := f.inbox.stampNow()
	path := f.file(f.inbox, ".1:2,")
	f.ok(os.Rename(path, maildir.WithFlags(path, maildir.Flagged)))
	f.setMtimes(f.inbox, stamp)
	if f.inbox.scanDue() {
		t.Error("the trick of the test does not work")
	}
	f.later()
	f.inbox.Poll()
	f.want("messages", f.show(f.inbox), `1:one[\Flagged] 2:two[\Seen]`)
	// The file is found at once by who needs it.
	path = f.file(f.inbox, ".1:2,")
	stamp = f.inbox.stampNow()
	f.ok(os.Rename(path, maildir.WithFlags(path, maildir.Replied)))
	f.setMtimes(f.inbox, stamp)
	f.want("text", f.text(f.inbox, 1), "one\r\n")
	f.want("messages", f.show(f.inbox), `1:one[\Answered] 2:two[\Seen]`)
}

// Changed and Vanished tell a client what it has to know (RFC 7162 3.2.5).
func TestResync(t *testing.T) {
	f := newFixture(t, nil)
	for i := range 10 {
		f.add(f.inbox, fmt.Sprintf("%d\r\n", i+1))
	}
	known := f.snapshot(f.inbox)
	_, err := f.inbox.SetFlags(StoreOptions{UIDs: []UID{3, 7}, Op: AddFlags, Flags: []string{`\Seen`}})
	f.ok(err)
	_, err = f.inbox.Expunge([]UID{2, 4, 5})
	f.ok(err)
	_, err = f.inbox.Move([]UID{9}, f.mailbox("Archive"), nil)
	f.ok(err)
	f.add(f.inbox, "11\r\n")
	for _, when := range []string{"at once", "after a stop"} {
		snap := f.snapshot(f.inbox)
		var changed []UID
		for _, r := range snap.Changed(known.HighestModSeq(), 0, snap.Len()) {
			changed = append(changed, r.UID)
		}
		gone, complete := snap.Vanished(known.HighestModSeq())
		f.want(when, fmt.Sprint(changed, gone, complete), "[3 7 11] [{2 2} {4 5} {9 9}] true")
		f.reopen()
	}
	// Without a change nothing gets a MODSEQ.
	highest := f.snapshot(f.inbox).HighestModSeq()
	_, err = f.inbox.SetFlags(StoreOptions{UIDs: []UID{3, 7}, Op: AddFlags, Flags: []string{`\Seen`}})
	f.ok(err)
	f.later()
	f.inbox.Poll()
	if now := f.snapshot(f.inbox).HighestModSeq(); now != highest {
		t.Errorf("HIGHESTMODSEQ %d after %d", now, highest)
	}
}

// MODSEQs are reserved on disk before they are told.
func TestModSeqBlocks(t *testing.T) {
	f := newFixture(t, nil)
	f.add(f.inbox, "one\r\n")
	for i := range 3 * modSeqBlock / modSeqs / 10 {
		f.inbox.mu.Lock()
		f.inbox.given.modSeq += 9 // as if there had been so many changes
		f.inbox.mu.Unlock()
		_, err := f.inbox.SetFlags(StoreOptions{UIDs: []UID{1}, Op: AddFlags + FlagOp(i%2), Flags: []string{`\Seen`}})
		f.ok(err)
		if i%100 != 0 {
			continue
		}
		state, err := maildir.ReadState(f.inbox.at.Load().dir)
		f.ok(err)
		if told := f.snapshot(f.inbox).HighestModSeq(); ModSeq(state.ModSeq) < told {
			t.Fatalf("%d was told, %d is reserved", told, state.ModSeq)
		}
	}
}

// A folder of before there were MODSEQs and MAILBOXIDs.
func TestOldState(t *testing.T) {
	f := newFixture(t, nil)
	f.add(f.inbox, "one\r\n")
	f.ok(f.store.Close())
	state, err := maildir.ReadState(f.inbox.at.Load().dir)
	f.ok(err)
	f.ok(maildir.WriteState(f.store.opt.FS, f.inbox.at.Load().dir, maildir.State{UIDValidity: state.UIDValidity, UIDNext: state.UIDNext}))
	f.ok(os.RemoveAll(f.home.indexDir()))
	f.open()
	f.want("messages", f.show(f.inbox), "1:one[recent]")
	id := f.inbox.ID()
	if id == "" || f.snapshot(f.inbox).HighestModSeq() == 0 {
		t.Error(id, f.snapshot(f.inbox).HighestModSeq())
	}
	f.ok(f.home.Rename("Sent", "Outbox"))
	sent := f.mailbox("Outbox").ID()
	f.reopen()
	if f.inbox.ID() != id || f.mailbox("Outbox").ID() != sent || id == sent {
		t.Error("MAILBOXIDs", id, f.inbox.ID(), sent, f.mailbox("Outbox").ID())
	}
}

// The summary made at delivery serves FETCH without the file, also of a copy.
func TestSummaries(t *testing.T) {
	f := newFixture(t, nil)
	uid := f.add(f.inbox, "Subject: hello\r\nFrom: bob@example.org\r\n\r\nThe text\r\n")
	pairs, err := f.inbox.Copy([]UID{uid}, f.mailbox("Archive"), nil)
	f.ok(err)
	_, err = f.inbox.SetFlags(StoreOptions{UIDs: []UID{uid}, Op: AddFlags, Flags: []string{`\Seen`}})
	f.ok(err)
	f.reopen()
	subject := func(m *Mailbox, uid UID) string {
		t.Helper()
		e := m.Entries()
		defer e.Close()
		snap := f.snapshot(m)
		i, _ := snap.Find(uid)
		s, err := e.Summary(snap.At(i))
		f.ok(err)
		value, _ := s.Field("Subject")
		return string(value)
	}
	for m, uid := range map[*Mailbox]UID{f.inbox: uid, f.mailbox("Archive"): pairs[0].Dst} {
		path := f.file(m, fmt.Sprintf(".%d", uid))
		f.ok(os.Rename(path, f.dir+"/aside"))
		f.want("from the cache", fmt.Sprintf("%q", subject(m, uid)), `" hello\r\n"`)
		f.ok(os.Rename(f.dir+"/aside", path))
	}
	f.ok(f.store.Close())
	f.ok(os.RemoveAll(f.home.indexDir()))
	f.open()
	for range 2 {
		f.want("made again", fmt.Sprintf("%q", subject(f.inbox, uid)), `" hello\r\n"`)
	}
	if r := f.snapshot(f.inbox).At(0); r.Entry.Len() < 50 {
		t.Error("it was not cached")
	}
}
