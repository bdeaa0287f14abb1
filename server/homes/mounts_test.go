package homes

import (
	"fmt"
	"slices"
	"testing"

	"facteur/server/collection"
	"facteur/server/directory"
	"facteur/server/fault"
)

const (
	alice  = "alice@example.org"
	bob    = "bob@example.org"
	carol  = "carol@example.org"
	dave   = "dave@example.net"
	office = "office@example.org"
)

func own(more ...string) []string {
	return append([]string{"calendar", "contacts", "tasks", bookSegment}, more...)
}

func officeMounts() []string {
	return []string{office + "~calendar", office + "~contacts", office + "~tasks"}
}

func TestMountsOfSharedMailbox(t *testing.T) {
	w := newWorld(t)
	for viewer, want := range map[string][]string{alice: own(officeMounts()...), carol: own(officeMounts()...), dave: own()} {
		if got := w.segments(viewer, viewer); !slices.Equal(got, want) {
			t.Errorf("%s sees %q, want %q", viewer, got, want)
		}
	}
	if got, want := w.segments(bob, office), []string{"calendar", "contacts", "tasks"}; !slices.Equal(got, want) {
		t.Errorf("the home of the office has %q, want %q", got, want)
	}
	for _, c := range []struct {
		viewer, owner, segment string
		rights                 Rights
		personal               bool
	}{
		{alice, alice, "calendar", OwnerRights, false},
		{alice, alice, office + "~calendar", WriterRights | Schedule, true},
		{alice, office, "calendar", OwnerRights, false},
		{bob, bob, office + "~calendar", WriterRights | Schedule, true},
		{bob, office, "calendar", MemberRights, false},
		{carol, carol, office + "~calendar", ReaderRights, true},
		{carol, office, "calendar", ReaderRights, true},
	} {
		got := w.collection(c.viewer, c.owner, c.segment)
		if got.Rights != c.rights || got.Personal != c.personal || got.Owner.String() == c.viewer && got.Mounted || got.Segment != c.segment {
			t.Errorf("%s in %s for %s: rights %b, personal %v, segment %q", c.segment, c.owner, c.viewer, got.Rights, got.Personal, got.Segment)
		}
	}
	w.put(w.collection(bob, bob, office+"~calendar"), "1.ics", meeting("a", ""))
	if _, err := w.collection(carol, office, "calendar").Entry("1.ics"); err != nil {
		t.Error(err)
	}
	w.reload(func(o *directory.Options) { o.Shared[0].Members = nil })
	if got := w.segments(bob, bob); !slices.Equal(got, own()) {
		t.Errorf("bob is no member any more and sees %q", got)
	}
	if _, err := w.home(bob, bob).Open(office + "~calendar"); !fault.Is(err, fault.NotFound) {
		t.Errorf("and opens it: %v", err)
	}
}

func TestMountsCantBeMade(t *testing.T) {
	w := newWorld(t)
	h := w.home(alice, alice)
	for _, name := range []string{office + "~x", "~book", "a~"} {
		if _, err := h.Create(name, collection.Calendar, collection.Props{}); !fault.Is(err, fault.NotPossible) {
			t.Errorf("%s was made: %v", name, err)
		}
		if err := h.Rename("tasks", name, false); !fault.Is(err, fault.NotPossible) {
			t.Errorf("tasks is called %s: %v", name, err)
		}
	}
	for _, name := range []string{office + "~calendar", bookSegment} {
		if err := h.Delete(name); !fault.Is(err, fault.Policy) {
			t.Errorf("%s was deleted: %v", name, err)
		}
		if err := h.Rename(name, "x", false); !fault.Is(err, fault.Policy) {
			t.Errorf("%s was renamed: %v", name, err)
		}
		if err := h.Rename(name, "tasks", true); !fault.Is(err, fault.Policy) {
			t.Errorf("%s took the place of the tasks: %v", name, err)
		}
	}
	for _, from := range []string{"tasks", "none"} {
		if err := h.Rename(from, "tasks", true); err == nil {
			t.Errorf("%s took the place of the tasks", from)
		}
	}
	if _, err := h.Open("tasks"); err != nil {
		t.Errorf("the tasks are gone: %v", err)
	}
}

func TestPersonalProperties(t *testing.T) {
	w := newWorld(t)
	set := func(c *Collection, name, color, order string) {
		t.Helper()
		if err := c.SetProps(func(p *collection.Props) error {
			p.DisplayName, p.Color = name, color
			if p.Other["order"] = order; order == "" {
				delete(p.Other, "order")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	look := func(viewer, owner, segment string) string {
		t.Helper()
		p, err := w.collection(viewer, owner, segment).Props()
		if err != nil {
			t.Fatal(err)
		}
		delete(p.Other, Components)
		return fmt.Sprintf("%s %s %v", p.DisplayName, p.Color, p.Other)
	}
	is := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	mountName := office + "~calendar"
	set(w.collection(alice, office, "calendar"), "Desk", "#ff0000", "1")
	is("a mount has the owner's", look(bob, bob, mountName), "Desk (The office) #ff0000 map[order:1]")
	set(w.collection(bob, bob, mountName), "Bureau", "#00ff00", "7")
	is("bob's own", look(bob, bob, mountName), "Bureau #00ff00 map[order:7]")
	is("bob in the home of the office", look(bob, office, "calendar"), "Desk #ff0000 map[order:1]")
	is("alice's", look(alice, alice, mountName), "Desk (The office) #ff0000 map[order:1]")
	set(w.collection(carol, office, "calendar"), "Desk", "#0000ff", "1")
	is("carol, who may not describe it", look(carol, office, "calendar"), "Desk #0000ff map[order:1]")
	w.restart()
	set(w.collection(alice, office, "calendar"), "Front desk", "#ffffff", "2")
	is("bob's stay", look(bob, bob, mountName), "Bureau #00ff00 map[order:7]")
	is("carol has the new name", look(carol, carol, mountName), "Front desk (The office) #0000ff map[order:2]")
	set(w.collection(bob, bob, mountName), "", "", "")
	is("bob took his away", look(bob, bob, mountName), "Front desk (The office) #ffffff map[order:2]")
	err := w.collection(carol, carol, mountName).SetProps(func(p *collection.Props) error {
		p.Other["x"] = string(make([]byte, maxView))
		return nil
	})
	if !fault.Is(err, fault.TooLarge) {
		t.Errorf("a viewer fills the owner's home: %v", err)
	}
	set(w.collection(bob, bob, bookSegment), "People", "", "")
	is("the book of bob", look(bob, bob, bookSegment), "People  map[]")
	is("the book of alice", look(alice, alice, bookSegment), "example.org  map[]")
}
