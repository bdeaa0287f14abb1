package deliver

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/people"
	"facteur/server/safefile"
	"facteur/server/statedb"
)

// knowing gives a world a memory of people.
func knowing(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, t.TempDir(), safefile.Unsynced{FS: safefile.OS})
	t.Cleanup(w.close)
	var err error
	if w.db, err = statedb.Open(filepath.Join(w.dir, "state.db"), nil); err != nil {
		t.Fatal(err)
	}
	o := w.Deliverer.opts
	if o.People, err = people.Open(w.db, nil); err != nil {
		t.Fatal(err)
	}
	w.Deliverer = New(o, w.settings)
	return w
}

// asking is a script that hands its mailbox on.
type asking struct {
	script
	ask func(hook.Box)
}

func (a asking) Run(_ context.Context, c hook.Call) hook.Outcome {
	a.ask(c.Box)
	return a.out
}

func TestPeople(t *testing.T) {
	w := knowing(t)
	knows := func(who, author string) bool {
		t.Helper()
		c, err := w.opts.People.Contact(context.Background(), addr(who+"@example.org"), addr(author))
		if err != nil {
			t.Fatal(err)
		}
		return !c.Received.IsZero()
	}
	w.hooks = map[string][]hook.Hook{
		"bob@example.org":   does(hook.Action{Kind: hook.Discard}),
		"carol@example.org": does(hook.Action{Kind: hook.FileInto, Folder: "Junk", Create: true}),
	}
	taken(t, w.send(mail{text: "one", to: []string{"team@example.org"}}))
	for who, want := range map[string]bool{"alice": true, "bob": false, "carol": false} {
		if knows(who, "z@example.com") != want {
			t.Errorf("%s knows the author: %v", who, !want)
		}
	}
	taken(t, w.send(mail{text: "two", header: "From: b@example.com\r\n", from: "-", to: []string{"alice@example.org"}}))
	if knows("alice", "b@example.com") {
		t.Error("a bounce makes its author known")
	}
	w.send(mail{text: "three", junk: true, header: "From: c@example.com\r\n", to: []string{"alice@example.org"}})
	if knows("alice", "c@example.com") {
		t.Error("junk makes its author known")
	}
	var first []bool
	w.hooks["m01@example.org"] = []hook.Hook{{Program: asking{ask: func(b hook.Box) {
		first = append(first, b.Contact(addr("z@example.com")).Received.IsZero())
	}}}}
	for range 2 {
		taken(t, w.send(mail{text: "four", to: []string{"m01@example.org"}}))
	}
	if len(first) != 2 || !first[0] || first[1] {
		t.Errorf("the first time: %v", first)
	}
}

func TestBoxQuestions(t *testing.T) {
	w := knowing(t)
	for range 3 {
		taken(t, w.send(mail{text: "x", header: "Subject: a\r\n", to: []string{"alice@example.org"}}))
	}
	w.opts.People.Wrote(addr("alice@example.org"), nil, []string{"1@example.org"})
	asked := 0
	w.hooks = map[string][]hook.Hook{"alice@example.org": {{Program: asking{ask: func(b hook.Box) {
		asked++
		if b.ThreadKnown([]string{"2@example.org"}) || !b.ThreadKnown([]string{"2@example.org", "1@example.org"}) {
			t.Error("the wrong thread is known")
		}
		for query, want := range map[string]int{
			"ALL": 3, "UNSEEN SUBJECT a": 3, "SEEN": 0, "SUBJECT b": 0, "SINCE 1-Jan-2000 SMALLER 10000": 3, "HEADER X-Other y": 0,
		} {
			if n, err := b.Count("INBOX", query); n != want || err != nil {
				t.Errorf("%s: %d, %v, want %d", query, n, err, want)
			}
		}
		if _, err := b.Count("No/Such", "ALL"); !fault.Is(err, fault.NotFound) {
			t.Errorf("of no folder: %v", err)
		}
		if _, err := b.Count("INBOX", "UNREAD"); err == nil || !strings.Contains(err.Error(), "UNREAD is no search key") {
			t.Errorf("a mistake: %v", err)
		}
		if _, err := b.Count("INBOX", "NOT TEXT x"); !errors.Is(err, errCountText) {
			t.Errorf("BODY and TEXT: %v", err)
		}
	}}}}}
	taken(t, w.send(mail{text: "x", to: []string{"alice@example.org"}}))
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	after, err := w.Box(t.Context(), addr("alice@example.org")) // at the stages after delivery
	if err != nil {
		t.Fatal(err)
	}
	if n, err := after.Count("INBOX", "ALL"); n != 4 || err != nil {
		t.Errorf("afterwards: %d, %v", n, err)
	}
	if !after.ThreadKnown([]string{"1@example.org"}) || after.Contact(addr("z@example.com")).Received.IsZero() {
		t.Error("afterwards nobody is known")
	}
}
