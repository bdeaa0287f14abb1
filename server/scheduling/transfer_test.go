package scheduling

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"facteur/server/collection"
	"facteur/server/fault"
	"facteur/server/safefile"
)

// transfer copies or moves bob's x.ics to the calendar of the office, of which he is a member.
func (w *world) transfer(move bool, change ...func(*Transfer)) (Result, error) {
	w.Helper()
	t := Transfer{
		From: Request{Account: addr("bob@example.org"), Collection: w.calendar("bob", "bob"), Href: "x.ics"},
		To:   Request{Account: addr("bob@example.org"), Collection: w.calendar("bob", "office"), Href: "x.ics"}, Move: move, Overwrite: true,
	}
	for _, c := range change {
		c(&t)
	}
	return w.Transfer(context.Background(), t)
}

// keep puts an object that nobody is told of.
func (w *world) keep(who, href, data string) {
	w.Helper()
	if _, _, err := w.own(who).Put(href, []byte(data), collection.Condition{}); err != nil {
		w.Fatal(err)
	}
}

// TestTransfer: who is told when a meeting is copied or moved to the calendar of another.
func TestTransfer(t *testing.T) {
	const guest = "guest@example.com"
	his := meeting("m1", "bob@example.org", "bob@example.org", "alice@example.org", guest)
	invited := meeting("m1", "alice@example.org", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.org")
	offices := meeting("m1", "office@example.org", "alice@example.org", guest)
	both := meeting("m1", guest, "bob@example.org", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:office@example.org")
	for _, c := range []struct {
		name       string
		data       string
		move       bool
		quiet      bool
		refused    string
		mail       string
		alice      string // what her inbox has
		bob        bool   // he has it still
		office     bool   // the office has it
		aliceKnows string // of bob
	}{
		{name: "copy of an organizer's", data: his, bob: true, office: true},
		{name: "move of an organizer's", data: his, move: true, refused: "allowed-organizer-scheduling-object-change", bob: true},
		{name: "move of an organizer's without others", data: meeting("m1", "bob@example.org", "bob@example.org"), move: true, office: true},
		{name: "copy of an attendee's", data: invited, bob: true, office: true, aliceKnows: "ACCEPTED"},
		{name: "move of an attendee's", data: invited, move: true, office: true, alice: "REPLY", aliceKnows: "DECLINED"},
		{name: "quiet move of an attendee's", data: invited, move: true, quiet: true, office: true, aliceKnows: "ACCEPTED"},
		{name: "copy to the organizer", data: offices, bob: true, office: true, mail: guest + " REQUEST", alice: "REQUEST"},
		{name: "move to the organizer", data: offices, move: true, office: true, mail: guest + " REQUEST", alice: "REQUEST"},
		{name: "copy to an attendee", data: both, bob: true, office: true, mail: guest + " REPLY"},
		{name: "move to an attendee", data: both, move: true, office: true, mail: guest + " REPLY " + guest + " REPLY"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			if c.aliceKnows != "" {
				w.keep("alice", "a.ics", c.data)
			}
			w.keep("bob", "x.ics", c.data)
			r, err := w.transfer(c.move, func(t *Transfer) { t.From.NoReply = c.quiet })
			var p *Precondition
			if c.refused != "" && (!errors.As(err, &p) || p.Name != caldav+c.refused) || c.refused == "" && (err != nil || !r.Created || r.Tag == "") {
				t.Fatalf("%+v %v", r, err)
			}
			w.settle()
			same(t, "mail", strings.Join(w.takeMail(), " "), c.mail)
			same(t, "alice is told", w.inbox("alice"), c.alice)
			same(t, "bob has it", w.event("bob", "m1") != "", c.bob)
			same(t, "the office has it", w.event("office", "m1") != "", c.office)
			if c.aliceKnows != "" {
				same(t, "bob's answer", partStatOf(w.event("alice", "m1"), "bob"), c.aliceKnows)
			}
			same(t, "tasks left", w.tasks(), 0)
		})
	}
}

// TestTransferConditions: what is not done, and what is there before.
func TestTransferConditions(t *testing.T) {
	w := newWorld(t)
	w.keep("bob", "x.ics", meeting("m1", "friend@example.com", "bob@example.org"))
	for name, c := range map[string]func(*Transfer){
		"another ETag": func(t *Transfer) { t.From.Condition.Match = []collection.ETag{`"x"`} },
		"another tag":  func(t *Transfer) { t.From.IfTag = `"x"` },
	} {
		if _, err := w.transfer(true, c); !errors.Is(err, collection.ErrCondition) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.transfer(true, func(t *Transfer) { t.From.Href = "none.ics" }); !fault.Is(err, fault.NotFound) {
		t.Errorf("what is not there: %v", err)
	}

	// What is there of another meeting stays, and nobody is told.
	r := Request{Account: addr("bob@example.org"), Collection: w.calendar("bob", "office"), Href: "x.ics"}
	if _, err := w.Put(context.Background(), r, []byte(meeting("m2", "office@example.org", "guest@example.com"))); err != nil {
		t.Fatal(err)
	}
	w.takeMail()
	if _, err := w.transfer(false, func(t *Transfer) { t.Overwrite = false }); !errors.Is(err, collection.ErrCondition) {
		t.Errorf("not to overwrite: %v", err)
	}
	for _, move := range []bool{false, true} {
		var conflict *collection.UIDConflict
		if _, err := w.transfer(move); !errors.As(err, &conflict) || conflict.Href != "x.ics" {
			t.Errorf("move %t: %v", move, err)
		}
	}
	same(t, "mail", len(w.takeMail()), 0)
	if _, err := w.transfer(true, func(t *Transfer) { t.To = t.From }); !fault.Is(err, fault.NotPossible) {
		t.Errorf("to itself: %v", err)
	}

	// The office is invited, and has it in another calendar.
	home, err := w.homes.Own(addr("office@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := home.Create("more", collection.Calendar, collection.Props{})
	if err != nil {
		t.Fatal(err)
	}
	w.keep("bob", "y.ics", meeting("m3", "friend@example.com", "office@example.org"))
	if _, _, err := more.Put("m3.ics", []byte(meeting("m3", "friend@example.com", "office@example.org")), collection.Condition{}); err != nil {
		t.Fatal(err)
	}
	var p *Precondition
	if _, err := w.transfer(true, func(t *Transfer) { t.From.Href, t.To.Href = "y.ics", "y.ics" }); !errors.As(err, &p) || p.Href != "m3.ics" {
		t.Errorf("%v", err)
	}
	same(t, "bob has it", w.event("bob", "m3") != "", true)
	same(t, "tasks left", w.tasks(), 0)
}

// TestTransferRace: what changes while it is moved is moved as it is then.
func TestTransferRace(t *testing.T) {
	w := newWorld(t)
	data := meeting("m1", "friend@example.com", "bob@example.org")
	w.keep("bob", "x.ics", data)
	changed := false
	w.opts.Now = func() time.Time { // it is asked for before each change
		if _, err := w.own("office").Entry("x.ics"); err == nil && !changed {
			changed = true
			w.keep("bob", "x.ics", strings.Replace(data, "SUMMARY:Plan", "SUMMARY:Newer", 1))
		}
		return w.clock()
	}
	if r, err := w.transfer(true, func(t *Transfer) { t.From.NoReply, t.Overwrite = true, false }); err != nil || !r.Created {
		t.Fatalf("%+v %v", r, err)
	}
	same(t, "it changed", changed, true)
	same(t, "bob has it", w.event("bob", "m1") != "", false)
	if e := w.event("office", "m1"); !strings.Contains(e, "Newer") {
		t.Errorf("the office has %s", e)
	}
}

// TestTransferCrash: after a crash at any moment a MOVE is done or not; it loses nothing, and
// what it tells it tells once it is done.
func TestTransferCrash(t *testing.T) {
	dir := t.TempDir()
	recorder := safefile.NewRecorder(dir)
	w := worldIn(t, dir, recorder)
	w.keep("alice", "a.ics", meeting("m1", "alice@example.org", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.org"))
	w.keep("bob", "x.ics", meeting("m1", "alice@example.org", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.org"))
	w.event("office", "m1")
	w.inbox("alice")
	before := recorder.Len()
	if _, err := w.transfer(true); err != nil {
		t.Fatal(err)
	}
	done := recorder.Len()
	w.close()
	seen := make(map[string]bool)
	for n := before; n <= done; n++ {
		dir := t.TempDir()
		var written func(string) bool
		kill := n%2 == 0 || n == done // else it is a power cut
		if kill {
			written = func(string) bool { return true }
		}
		if err := recorder.Replay(dir, n, written); err != nil {
			t.Fatal(err)
		}
		w := worldIn(t, dir, nil)
		w.settle()
		is := fmt.Sprintf("bob %t, office %t, answer %s", w.event("bob", "m1") != "", w.event("office", "m1") != "", partStatOf(w.event("alice", "m1"), "bob"))
		seen[is] = true
		switch is {
		case "bob false, office true, answer DECLINED":
		case "bob true, office false, answer ACCEPTED":
			if n == done {
				t.Errorf("operation %d, kill %t: it is undone", n, kill)
			}
		default:
			t.Errorf("operation %d, kill %t: %s", n, kill, is)
		}
		same(t, "tasks left", w.tasks(), 0)
		w.close()
	}
	same(t, "outcomes", len(seen), 2)
}

// TestTransferInPlace: what can't come takes nothing away, and nobody is told.
func TestTransferInPlace(t *testing.T) {
	w := newWorld(t)
	offices := meeting("m2", "office@example.org", "guest@example.com")
	home, err := w.homes.Own(addr("office@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := home.Create("more", collection.Calendar, collection.Props{})
	if err != nil {
		t.Fatal(err)
	}
	keep := func(c interface {
		Put(string, []byte, collection.Condition) (*collection.Entry, bool, error)
	}, href, data string) {
		t.Helper()
		if _, _, err := c.Put(href, []byte(data), collection.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	keep(w.own("office"), "x.ics", offices)
	known := meeting("m1", "friend@example.com", "bob@example.org")
	keep(w.own("office"), "known.ics", known)
	invited := meeting("m3", "friend@example.com", "office@example.org")
	keep(more, "m3.ics", invited)
	for name, data := range map[string]string{"its calendar has the UID": known, "another calendar has the meeting": invited} {
		w.keep("bob", "x.ics", data)
		for _, move := range []bool{false, true} {
			var conflict *collection.UIDConflict
			var p *Precondition
			if _, err := w.transfer(move); !errors.As(err, &conflict) && !errors.As(err, &p) {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.settle()
		same(t, name+": mail", len(w.takeMail()), 0)
		same(t, name+": the office has its own", w.event("office", "m2") != "", true)
		w.remove("bob", "x.ics")
		w.settle()
		w.takeMail()
	}
	same(t, "tasks left", w.tasks(), 0)
}
