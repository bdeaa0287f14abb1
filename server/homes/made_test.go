package homes

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/directory"
	"facteur/server/fault"
	"facteur/server/ical"
	"facteur/server/vcard"
)

func (w *world) text(c *Collection, href string) string {
	w.t.Helper()
	r, _, err := c.Get(href)
	w.must(err)
	defer r.Close()
	b, err := io.ReadAll(r)
	w.must(err)
	return string(b)
}

// state is all that a client may see of a collection.
func (w *world) state(c *Collection) string {
	w.t.Helper()
	s, err := c.Snapshot()
	w.must(err)
	var tags []string
	for e := range s.All() {
		tags = append(tags, e.Href+string(e.ETag))
	}
	slices.Sort(tags)
	return fmt.Sprint(s.Token(), s.CTag(), tags)
}

func (w *world) cards(c *Collection) (out []string) {
	w.t.Helper()
	s, err := c.Snapshot()
	w.must(err)
	for e := range s.All() {
		text := w.text(c, e.Href)
		card, err := vcard.ParseBytes([]byte(text))
		if err == nil {
			err = card.Check()
		}
		if err != nil {
			w.t.Errorf("%v in %s", err, text)
			continue
		}
		line := card.Value("FN")
		for _, p := range card.All("EMAIL") {
			line += " " + p.Value
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

func TestBookOfTheDomain(t *testing.T) {
	w := newWorld(t)
	w.reload(func(o *directory.Options) {
		o.Aliases = []directory.Alias{{Key: "i", Address: address.MustParse("info@example.org"), To: []directory.Target{target(alice)}},
			{Key: "a", Address: address.MustParse("all@example.org"), To: []directory.Target{target(alice), target(bob)}}}
	})
	c := w.collection(alice, alice, bookSegment)
	want := []string{"Alice Martin alice@example.org info@example.org", "Bob Peeters bob@example.org", "Carol carol@example.org",
		"The office office@example.org", "all all@example.org"}
	if got := w.cards(c); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if c.Rights != ReaderRights || c.Origin != Book || c.Kind() != collection.AddressBook {
		t.Errorf("rights %b, origin %v", c.Rights, c.Origin)
	}
	if got := w.cards(w.collection(dave, dave, bookSegment)); !slices.Equal(got, []string{"Dave dave@example.net"}) {
		t.Errorf("the book of example.net has %q", got)
	}
	before := w.state(c)
	w.reload(func(o *directory.Options) { o.Quota = 1 })
	if got := w.state(w.collection(bob, bob, bookSegment)); got != before {
		t.Errorf("after a reload\n%s, before\n%s", got, before)
	}
	w.restart()
	if got := w.state(w.collection(carol, carol, bookSegment)); got != before {
		t.Errorf("after a restart\n%s, before\n%s", got, before)
	}
	old, _ := w.collection(alice, alice, bookSegment).Snapshot()
	w.reload(func(o *directory.Options) { o.Accounts[1].Name = "Robert Peeters"; o.Accounts[2].Disabled = true })
	now, err := w.collection(alice, alice, bookSegment).Snapshot()
	w.must(err)
	changes, err := now.Changes(old.Token(), 0)
	if err != nil || len(changes.Changed) != 1 || len(changes.Removed) != 1 {
		t.Errorf("one was renamed and one removed: %+v, %v", changes, err)
	}
	// What somebody else did to it is put right.
	book := w.collection(alice, alice, bookSegment)
	state := w.cards(book)
	w.must(book.Remove(changes.Changed[0].Href, collection.Condition{}))
	if got := w.cards(w.collection(alice, alice, bookSegment)); !slices.Equal(got, state) {
		t.Errorf("got %q, want %q", got, state)
	}
}

func person(uid, name string, more ...string) string {
	return lines(append(append([]string{"BEGIN:VCARD", "VERSION:3.0", "UID:" + uid, "FN:" + name, "N:" + name + ";;;;"}, more...), "END:VCARD")...)
}

func (w *world) birthdays(viewer, segment string) (out []string) {
	w.t.Helper()
	c := w.collection(viewer, viewer, segment)
	s, err := c.Snapshot()
	w.must(err)
	for e := range s.All() {
		cal, err := ical.ParseBytes([]byte(w.text(c, e.Href)))
		if err == nil {
			err = cal.Check()
		}
		w.must(err)
		event := cal.Children[0]
		out = append(out, strings.TrimPrefix(event.Text("SUMMARY"), "\U0001F382 ")+" "+event.Value("DTSTART"))
	}
	slices.Sort(out)
	return out
}

func TestBirthdays(t *testing.T) {
	w := newWorld(t)
	if _, err := w.home(alice, alice).Open(birthdaysSegment); !fault.Is(err, fault.NotFound) {
		t.Errorf("there are birthdays without contacts: %v", err)
	}
	contacts := w.collection(alice, alice, "contacts")
	w.put(contacts, "1.vcf", person("1", "Zoé", "BDAY:1980-05-10"))
	w.put(contacts, "2.vcf", person("2", "Yves", "NOTE:none"))
	w.put(contacts, "3.vcf", person("3", "Xavier", "BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-29"))
	if got, want := w.birthdays(alice, birthdaysSegment), []string{"Xavier 19720229", "Zoé (1980) 19800510"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := w.segments(alice, alice), append([]string{"calendar", "contacts", "tasks", birthdaysSegment, bookSegment}, officeMounts()...); !slices.Equal(got, want) {
		t.Errorf("alice sees %q, want %q", got, want)
	}
	before := w.state(w.collection(alice, alice, birthdaysSegment))
	w.put(contacts, "4.vcf", person("4", "Walter"))
	w.must(contacts.Remove("2.vcf", collection.Condition{}))
	if got := w.state(w.collection(alice, alice, birthdaysSegment)); got != before {
		t.Errorf("a contact without a birthday changed them:\n%s, before\n%s", got, before)
	}
	w.restart()
	c := w.collection(alice, alice, birthdaysSegment)
	if got := w.state(c); got != before || c.Rights != ReaderRights {
		t.Errorf("after a restart\n%s, before\n%s", got, before)
	}
	old, _ := c.Snapshot()
	contacts = w.collection(alice, alice, "contacts")
	w.put(contacts, "1.vcf", person("1", "Zoé", "BDAY:1980-05-11"))
	w.must(contacts.Remove("3.vcf", collection.Condition{}))
	now, err := w.collection(alice, alice, birthdaysSegment).Snapshot()
	w.must(err)
	if changes, err := now.Changes(old.Token(), 0); err != nil || len(changes.Changed) != 1 || len(changes.Removed) != 1 {
		t.Errorf("changes %+v, %v", changes, err)
	}
	w.put(w.collection(bob, office, "contacts"), "1.vcf", person("9", "Client", "BDAY:--0304"))
	if got, want := w.birthdays(carol, office+"~"+birthdaysSegment), []string{"Client 19700304"}; !slices.Equal(got, want) {
		t.Errorf("carol sees %q, want %q", got, want)
	}
}

func TestParseBirthday(t *testing.T) {
	for value, want := range map[string]birthday{
		"BDAY:1980-02-29": {1980, 2, 29}, "BDAY:19800229": {1980, 2, 29}, "BDAY:1980-02-29T00:00:00Z": {1980, 2, 29}, "BDAY;VALUE=DATE-AND-OR-TIME:--0229": {0, 2, 29},
		"BDAY:--02-29": {0, 2, 29}, "BDAY;X-APPLE-OMIT-YEAR=1604:1604-07-01": {0, 7, 1}, "BDAY:1604-07-01": {0, 7, 1},
		"BDAY:1981-02-29": {}, "BDAY:9999-12-31": {}, "BDAY:1980": {}, "BDAY:1980-02": {}, "BDAY:---29": {}, "BDAY;VALUE=text:circa 1800": {}, "BDAY:": {}, "BDAY:--": {}, "BDAY:T1200": {},
	} {
		card, err := vcard.ParseBytes([]byte(person("1", "x", value)))
		if err != nil {
			t.Fatal(err)
		}
		p := card.All("BDAY")[0]
		if got, ok := parseBirthday(p); got != want || ok != (want != birthday{}) {
			t.Errorf("%s: %v, %v", value, got, ok)
		}
	}
}

// TestLeapDay: who was born on a 29th of February has a birthday each year.
func TestLeapDay(t *testing.T) {
	for year, want := range map[int]string{0: "0228 0228 0228 0229", 1980: "0228 0228 0228 0229", 1904: "0228 0228 0228 0229"} {
		c, err := ical.ParseBytes(birthdayEvent("1", cachedCard{name: "x", born: birthday{year, 2, 29}}))
		if err != nil {
			t.Fatal(err)
		}
		o, err := ical.NewObject(c)
		if err != nil {
			t.Fatal(err)
		}
		day := func(year int) time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }
		list, _, err := o.Instances(day(2025), day(2029), time.UTC, 0)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, i := range list {
			got = append(got, i.Start.Format("0102"))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("of %d: %q, want %q", year, got, want)
		}
	}
}

// TestBirthdaysStory changes contacts at random, by this server and by another program, with
// reloads and restarts: the birthdays are those of the contacts, they are touched only when one
// of them changed, and a client that synchronizes knows all.
func TestBirthdaysStory(t *testing.T) {
	w := newWorld(t)
	random := rand.New(rand.NewPCG(7, 11))
	model := make(map[string]string) // by href of the card
	var client map[string]collection.ETag
	var token collection.SyncToken
	last, before := "", ""
	for step := range 150 {
		contacts := w.collection(alice, alice, "contacts")
		href := fmt.Sprint(random.IntN(6), ".vcf")
		switch n := random.IntN(12); {
		case n < 6:
			day := random.IntN(3) // 0: no birthday
			model[href] = ""
			more := "NOTE:" + fmt.Sprint(step)
			if day > 0 {
				model[href] = fmt.Sprintf("P%s (1980) 198001%02d", href, day)
				more = fmt.Sprintf("BDAY:1980-01-%02d", day)
			}
			w.put(contacts, href, person(href, "P"+href, more))
		case n < 8:
			delete(model, href)
			if err := contacts.Remove(href, collection.Condition{}); err != nil && !fault.Is(err, fault.NotFound) {
				t.Fatal(err)
			}
		case n == 8:
			model["f"+href] = fmt.Sprintf("F%s (1980) 19800105", href)
			dir := filepath.Join(w.dir, "domains", "example.org", "alice", "contacts", "contacts")
			w.must(os.WriteFile(filepath.Join(dir, "f"+href), []byte(person("f"+href, "F"+href, "BDAY:1980-01-05")), 0o600))
			later := time.Unix(int64(2e9+step), 0) // the clock of the file system may be a coarse one
			w.must(os.Chtimes(dir, later, later))
			for { // the store looks as often as it has the time for
				if _, err := contacts.Entry("f" + href); err == nil {
					break
				}
				runtime.Gosched()
			}
		case n == 9:
			w.reload(func(o *directory.Options) { o.Quota++ })
		case n == 10:
			w.restart()
		}
		var want []string
		for _, line := range model {
			if line != "" {
				want = append(want, line)
			}
		}
		slices.Sort(want)
		if _, err := w.home(alice, alice).Open(birthdaysSegment); fault.Is(err, fault.NotFound) && len(want) == 0 {
			continue
		}
		c := w.collection(alice, alice, birthdaysSegment)
		state := w.state(c)
		if got := w.birthdays(alice, birthdaysSegment); !slices.Equal(got, want) {
			t.Fatalf("step %d: got %q, want %q", step, got, want)
		}
		if now := strings.Join(want, "\n"); before != "" && (now == last) != (state == before) {
			t.Fatalf("step %d: the birthdays are %q, before %q, and yet the state is\n%s, before\n%s", step, now, last, state, before)
		} else {
			last, before = now, state
		}
		client, token = synchronize(t, c, client, token)
	}
}

// synchronize is what a client knows after sync-collection.
func synchronize(t *testing.T, c *Collection, known map[string]collection.ETag, token collection.SyncToken) (map[string]collection.ETag, collection.SyncToken) {
	t.Helper()
	s, err := c.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	changes, err := s.Changes(token, 0)
	if err != nil {
		t.Fatal(err)
	}
	if known == nil {
		known = make(map[string]collection.ETag)
	}
	for _, e := range changes.Changed {
		known[e.Href] = e.ETag
	}
	for _, href := range changes.Removed {
		delete(known, href)
	}
	if len(known) != s.Len() {
		t.Fatalf("the client knows %v", known)
	}
	for e := range s.All() {
		if known[e.Href] != e.ETag {
			t.Fatalf("the client knows %s as %s, and it is %s", e.Href, known[e.Href], e.ETag)
		}
	}
	return known, changes.Token
}

// FuzzBirthday: whatever a card says, the event that is made of it may be kept.
func FuzzBirthday(f *testing.F) {
	for _, value := range []string{"1980-02-29", "--0229", "1604-01-01", "0001-01-01", "9999-12-31", "--02-30"} {
		f.Add(value, "Zo\u00e9; the \\, first")
	}
	f.Fuzz(func(t *testing.T, value, name string) {
		born, ok := parseBirthday(vcard.Prop{Name: "BDAY", Value: value})
		if !ok {
			return
		}
		event := birthdayEvent(madeID("birthday", name), cachedCard{name: name, born: born})
		facts, err := Index(collection.Calendar, event)
		if err != nil || !facts.Infinite || facts.Kind != "VEVENT" {
			t.Fatalf("%v of %s", err, event)
		}
	})
}
