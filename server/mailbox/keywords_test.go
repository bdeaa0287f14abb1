package mailbox

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"facteur/server/fault"
	"facteur/server/maildir"
	"facteur/server/safefile"
)

// flagsOf returns the flags of a message, as told and as on the wire.
func (f *fixture) flagsOf(m *Mailbox, uid UID) []string {
	f.Helper()
	snap := f.snapshot(m)
	i, ok := snap.Find(uid)
	if !ok {
		f.Fatalf("no UID %d", uid)
	}
	flags := m.Flags(snap.At(i))
	f.want("on the wire", string(m.AppendFlags(nil, snap.At(i))), strings.Join(flags, " "))
	flags = slices.Clone(flags)
	slices.Sort(flags)
	return flags
}

func keywords(from, to int) []string {
	var words []string
	for i := from; i < to; i++ {
		words = append(words, fmt.Sprintf("k%03d", i))
	}
	return words
}

// A mailbox has more keywords than there are letters.
func TestManyKeywords(t *testing.T) {
	f := newFixture(t, nil)
	f.add(f.inbox, "one\r\n")
	set := func(op FlagOp, words ...string) {
		t.Helper()
		_, err := f.inbox.SetFlags(StoreOptions{UIDs: []UID{1}, Op: op, Flags: words})
		f.ok(err)
	}
	want := func(what string, m *Mailbox, uid UID, words []string) {
		t.Helper()
		f.want(what, fmt.Sprint(f.flagsOf(m, uid)), fmt.Sprint(words))
	}
	version := f.inbox.KeywordsVersion()
	set(AddFlags, keywords(0, 60)...)
	if f.inbox.KeywordsVersion() == version || len(f.inbox.FlagSet()) != 6+60 {
		t.Error("the flags of the mailbox:", f.inbox.FlagSet())
	}
	want("added", f.inbox, 1, keywords(0, 60))
	old := f.snapshot(f.inbox)
	set(RemoveFlags, append(keywords(0, 10), keywords(30, 50)...)...)
	left := append(keywords(10, 30), keywords(50, 60)...)
	want("removed", f.inbox, 1, left)
	if got := f.inbox.Flags(old.At(0)); len(got) != 60 {
		t.Error("an older snapshot has other keywords now:", got)
	}
	uid := f.add(f.inbox, "two\r\n", "k055", "K056", "fresh", `\Seen`)
	want("of a new message", f.inbox, uid, []string{`\Seen`, "fresh", "k055", "k056"})
	pairs, err := f.inbox.Copy([]UID{1, uid}, f.mailbox("Archive"), nil)
	f.ok(err)
	for _, p := range pairs {
		want("of a copy", f.mailbox("Archive"), p.Dst, f.flagsOf(f.inbox, p.Src))
	}
	f.reopen()
	want("opened again", f.inbox, 1, left)
	f.kill()
	f.open()
	want("killed", f.inbox, 1, left)
	f.ok(f.store.Close())
	f.ok(os.RemoveAll(f.home.indexDir()))
	f.open()
	want("without an index", f.inbox, 1, left)
	set(Set, `\Flagged`)
	want("set", f.inbox, 1, []string{`\Flagged`})
	f.reopen()
	want("opened again", f.inbox, 1, []string{`\Flagged`})
	_, err = f.inbox.SetFlags(StoreOptions{UIDs: []UID{1}, Op: AddFlags, Flags: keywords(0, 3000)})
	f.wantFault("too many", err, fault.NotPossible)
}

// What a crash left at the end of the log does no harm, and the log does not
// grow without end.
func TestFurtherLog(t *testing.T) {
	f := newFixture(t, nil)
	f.add(f.inbox, "one\r\n", keywords(0, 40)...)
	f.ok(f.store.Close())
	path := filepath.Join(f.inbox.at.Load().dir, maildir.FurtherFile)
	data, err := os.ReadFile(path)
	f.ok(err)
	f.ok(os.WriteFile(path, append(data, "message 1 2"...), 0o600))
	f.open()
	if n := len(f.flagsOf(f.inbox, 1)); n != 40 {
		t.Error(n, "keywords")
	}
	_, err = f.inbox.SetFlags(StoreOptions{UIDs: []UID{1}, Op: RemoveFlags, Flags: []string{"k039"}})
	f.ok(err)
	f.reopen()
	if n := len(f.flagsOf(f.inbox, 1)); n != 39 {
		t.Error(n, "keywords after a torn line")
	}
	for i := range 3000 {
		_, err := f.inbox.SetFlags(StoreOptions{UIDs: []UID{1}, Op: AddFlags + FlagOp(i%2), Flags: keywords(26, 60)})
		f.ok(err)
	}
	info, err := os.Stat(path)
	f.ok(err)
	if info.Size() > 2*furtherSlack {
		t.Error("the log has", info.Size(), "octets")
	}
}

// Another program gives a letter to a keyword that has a number.
func TestForeignLetter(t *testing.T) {
	f := newFixture(t, nil)
	f.add(f.inbox, "one\r\n", keywords(0, 27)...)
	f.add(f.inbox, "two\r\n", keywords(26, 27)...)
	f.put(f.inbox, "dovecot-keywords", "0 k026\n")
	f.later()
	f.inbox.Poll()
	_, err := f.inbox.SetFlags(StoreOptions{UIDs: []UID{1, 2}, Op: RemoveFlags, Flags: []string{"k026"}})
	f.ok(err)
	f.want("removed", fmt.Sprint(f.flagsOf(f.inbox, 1), f.flagsOf(f.inbox, 2)), "[] []")
}

func TestUnchangedSince(t *testing.T) {
	f := newFixture(t, nil)
	for i := range 4 {
		f.add(f.inbox, fmt.Sprintf("%d\r\n", i+1))
	}
	known := f.snapshot(f.inbox).HighestModSeq()
	_, err := f.inbox.SetFlags(StoreOptions{UIDs: []UID{2, 3}, Op: AddFlags, Flags: []string{`\Seen`}})
	f.ok(err)
	for _, c := range []struct {
		since ModSeq
		want  string
	}{{known, "[2 3]"}, {0, "[1 2 3 4]"}, {f.snapshot(f.inbox).HighestModSeq() + 100, "[]"}} {
		modified, err := f.inbox.SetFlags(StoreOptions{
			UIDs: []UID{3, 1, 2, 4, 9}, Op: AddFlags, Flags: []string{`\Deleted`}, Conditional: true, UnchangedSince: c.since,
		})
		f.ok(err)
		f.want(fmt.Sprint("since ", c.since), fmt.Sprint(modified), c.want)
		if c.since == known {
			f.want("messages", f.noUIDs(f.show(f.inbox)), `1[\Deleted] 2[\Seen] 3[\Seen] 4[\Deleted]`)
		}
	}
}

// Of writers that all know the same MODSEQ one wins.
func TestUnchangedSinceRace(t *testing.T) {
	f := newFixture(t, nil)
	f.add(f.inbox, "one\r\n")
	for round := range 20 {
		since := f.snapshot(f.inbox).HighestModSeq()
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for w := range 4 {
			wg.Go(func() {
				modified, err := f.inbox.SetFlags(StoreOptions{
					UIDs: []UID{1}, Op: Set, Flags: []string{fmt.Sprintf("w%d-%d", w, round)}, Conditional: true, UnchangedSince: since,
				})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				} else if len(modified) == 0 {
					won++
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Fatal(won, "writers won")
		}
	}
}

// TestSetsOfKeywordsRetire: what is in memory of sets of keywords is bounded by
// the messages, not by all the sets that there ever were.
func TestSetsOfKeywordsRetire(t *testing.T) {
	f := newFixture(t, func(string) safefile.FS { return safefile.Unsynced{FS: safefile.OS} })
	uid := f.add(f.inbox, "one\r\n", keywords(0, 26)...) // no letters are left
	old := f.snapshot(f.inbox)
	wanted := f.flagsOf(f.inbox, uid)
	more := keywords(26, 40)
	for i := range 3*minSets + 10 {
		var words []string
		for k, word := range more {
			if i>>k&1 == 1 {
				words = append(words, word)
			}
		}
		_, err := f.inbox.SetFlags(StoreOptions{UIDs: []UID{uid}, Op: Set, Flags: words})
		f.ok(err)
		if got := f.flagsOf(f.inbox, uid); !slices.Equal(got, words) {
			t.Fatalf("%v, want %v", got, words)
		}
		if i == minSets/2 {
			got := slices.Sorted(slices.Values(f.inbox.Flags(old.At(0))))
			f.want("in an older snapshot", fmt.Sprint(got), fmt.Sprint(wanted))
		}
	}
	if n := len(f.inbox.further.sets) + len(f.inbox.further.retired); n > 2*minSets+2 {
		t.Errorf("%d sets", n)
	}
}
