package scheduling

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/homes"
	"facteur/server/hook"
	"facteur/server/safefile"
	"facteur/server/testkit"
)

func addr(s string) address.Address { return address.MustParse(s) }

// world is a Scheduler over real stores. Mail is kept in a list.
type world struct {
	testing.TB
	dir   string
	fs    safefile.FS // of all; nil: the real one
	kept  *collection.Store
	deriv *collection.Store
	homes *homes.Homes
	*Scheduler

	mu     sync.Mutex
	mail   []sent
	down   error // what Send answers
	tried  int   // how often it was called
	calm   time.Duration
	script map[string]Decision
	asked  []hook.Invitation
	now    time.Time
	log    testkit.Log
}

type sent struct {
	account, from, to, raw, id string
}

var people = directory.New(directory.Options{
	Domains: []directory.Domain{{Name: "example.org", Aliases: []address.Domain{"example.net"}, Separator: "+"}, {Name: "example.edu"}},
	Accounts: []directory.Account{
		{Address: addr("erin@example.edu")},
		{Address: addr("alice@example.org"), Name: "Alice"}, {Address: addr("bob@example.org")}, {Address: addr("carol@example.org")},
		{Address: addr("room@example.org"), Name: "Room 7", Room: true},
	},
	Aliases: []directory.Alias{
		{Address: addr("boss@example.org"), To: []directory.Target{{Address: addr("alice@example.org")}}},
		{Address: addr("both@example.org"), To: []directory.Target{{Address: addr("alice@example.org")}, {Address: addr("bob@example.org")}}},
	},
	Shared: []directory.Shared{{
		Address: addr("office@example.org"), Name: "The office", Members: []directory.Target{{Address: addr("bob@example.org")}},
		Readers: []directory.Target{{Address: addr("carol@example.org")}},
	}},
})

func newWorld(t testing.TB) *world {
	t.Helper()
	w := worldIn(t, t.TempDir(), nil)
	t.Cleanup(w.close)
	return w
}

// worldIn is a world on some data; who makes it closes it.
func worldIn(t testing.TB, dir string, fsys safefile.FS) *world {
	t.Helper()
	w := &world{TB: t, dir: dir, fs: fsys, now: time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC), script: map[string]Decision{}}
	w.open()
	return w
}

// open starts the world, or starts it again on the same data.
func (w *world) open() {
	w.Helper()
	tmp := filepath.Join(w.dir, "tmp")
	fsys := w.fs
	if fsys == nil {
		fsys = safefile.OS
	}
	if err := safefile.MkdirAll(fsys, tmp); err != nil {
		w.Fatal(err)
	}
	var err error
	w.kept, err = collection.Open(collection.Options{
		FS: w.fs, Dir: filepath.Join(w.dir, "domains"), Tmp: tmp, Index: homes.Index, IndexVersion: homes.IndexVersion, Defaults: homes.Defaults(),
	})
	if err != nil {
		w.Fatal(err)
	}
	w.deriv, err = collection.Open(collection.Options{
		FS: w.fs, Dir: filepath.Join(w.dir, "derived"), Tmp: tmp, Index: homes.DerivedIndex, IndexVersion: homes.DerivedIndexVersion,
	})
	if err != nil {
		w.Fatal(err)
	}
	dir := func() *directory.Directory { return people }
	w.homes = homes.New(homes.Options{Store: w.kept, Derived: w.deriv, Directory: dir})
	w.Scheduler, err = Open(Options{
		Homes: w.homes, Directory: dir, Dir: filepath.Join(w.dir, "scheduling"), FS: w.fs, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
		Now: w.clock, Send: w.send, Ask: w.ask, Known: func(_ context.Context, _, who address.Address) bool { return who.Local == "friend" },
		Room: func(a address.Address) bool { return a.Local == "room" }, Calm: w.calm,
	})
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) close() {
	if err := errors.Join(w.kept.Close(), w.deriv.Close()); err != nil {
		w.Error(err)
	}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// later lets time pass.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) send(_ context.Context, account address.Address, env envelope.Envelope, body envelope.Body) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tried++
	if w.down != nil {
		return w.down
	}
	raw, err := io.ReadAll(envelope.NewReader(body))
	if err != nil {
		return err
	}
	name := ""
	if !account.IsZero() {
		name = account.String()
	}
	w.mail = append(w.mail, sent{name, env.Sender.ReversePath.String(), env.Recipients[0].ForwardPath.String(), string(raw), env.ID})
	return nil
}

func (w *world) ask(_ context.Context, box address.Address, about hook.Invitation) Decision {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, about)
	return w.script[box.String()]
}

// calendar opens a calendar of somebody, as somebody sees it.
func (w *world) calendar(viewer, path string) *homes.Collection {
	w.Helper()
	owner, name, ok := strings.Cut(path, "/")
	if !ok {
		name = "calendar"
	}
	home, err := w.homes.Open(addr(viewer+"@example.org"), addr(owner+"@example.org"))
	if err != nil {
		w.Fatal(err)
	}
	c, err := home.Open(name)
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// put puts an object as its owner does.
func (w *world) put(who, href, data string) Result {
	w.Helper()
	r, err := w.Put(context.Background(), Request{Account: addr(who + "@example.org"), Collection: w.calendar(who, who), Href: href}, []byte(data))
	if err != nil {
		w.Fatalf("PUT by %s: %v", who, err)
	}
	return r
}

func (w *world) remove(who, href string) {
	w.Helper()
	err := w.Remove(context.Background(), Request{Account: addr(who + "@example.org"), Collection: w.calendar(who, who), Href: href})
	if err != nil {
		w.Fatalf("DELETE by %s: %v", who, err)
	}
}

// holds returns the event with a UID in somebody's calendars; "": there is none.
func (w *world) event(who, uid string) string {
	w.Helper()
	o, err := w.find(addr(who+"@example.org"), uid)
	if err != nil {
		w.Fatal(err)
	}
	return unfold(string(o.data))
}

// href returns the name of the event with a UID.
func (w *world) href(who, uid string) string {
	w.Helper()
	o, err := w.find(addr(who+"@example.org"), uid)
	if err != nil || o.entry == nil {
		w.Fatalf("%s has no %s: %v", who, uid, err)
	}
	return o.href
}

func unfold(s string) string { return strings.ReplaceAll(s, "\r\n ", "") }

// accept is an event with the answer of an attendee.
func accept(event, who string) string {
	for line := range strings.SplitSeq(event, "\r\n") {
		if strings.HasPrefix(line, "ATTENDEE") && strings.HasSuffix(line, ":mailto:"+who+"@example.org") {
			return strings.Replace(event, line, "ATTENDEE;PARTSTAT=ACCEPTED:mailto:"+who+"@example.org", 1)
		}
	}
	return event
}

// partStatOf returns what an event says of an attendee.
func partStatOf(event, who string) string {
	for line := range strings.SplitSeq(event, "\r\n") {
		if strings.HasPrefix(line, "ATTENDEE") && strings.HasSuffix(line, ":mailto:"+who+"@example.org") {
			_, rest, ok := strings.Cut(line, "PARTSTAT=")
			if !ok {
				return "NEEDS-ACTION"
			}
			return rest[:strings.IndexAny(rest, ";:")]
		}
	}
	return ""
}

// inbox returns the methods of what is in somebody's inbox, in the order of arrival.
func (w *world) inbox(who string) string {
	w.Helper()
	home, err := w.homes.Own(addr(who + "@example.org"))
	if err != nil {
		w.Fatal(err)
	}
	in, err := home.Inbox()
	if err != nil {
		w.Fatal(err)
	}
	all, err := in.Snapshot()
	if err != nil {
		w.Fatal(err)
	}
	var methods []string
	for e := range all.All() {
		o, err := read(in, e.Href)
		if err != nil {
			w.Fatal(err)
		}
		methods = append(methods, o.cal.Value("METHOD"))
	}
	return strings.Join(methods, " ")
}

// takeMail returns what left since it was called last: "TO Subject".
func (w *world) takeMail() (list []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.mail {
		method := ""
		if _, rest, ok := strings.Cut(m.raw, "method="); ok {
			method = strings.FieldsFunc(rest, func(r rune) bool { return r == ';' || r == '\r' || r == '"' })[0]
		}
		list = append(list, m.to+" "+method)
	}
	slices.Sort(list)
	w.mail = nil
	return list
}

// settle does what waits and is due.
func (w *world) settle() {
	for {
		list, wait := w.next()
		if wait > 0 {
			return
		}
		w.work(context.Background(), list)
	}
}

// tasks counts what the journal has.
func (w *world) tasks() int {
	w.Helper()
	n := 0
	if err := w.journal.each(w.opts.Log, func(*task) error { n++; return nil }); err != nil {
		w.Fatal(err)
	}
	return n
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// event makes a meeting.
func meeting(uid, organizer string, more ...string) string {
	lines := []string{"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example//EN", "BEGIN:VEVENT", "UID:" + uid, "DTSTAMP:20260601T080000Z"}
	if !slices.ContainsFunc(more, func(s string) bool { return strings.HasPrefix(s, "DTSTART") }) {
		lines = append(lines, "DTSTART:20260710T100000Z", "DTEND:20260710T110000Z")
	}
	if !slices.ContainsFunc(more, func(s string) bool { return strings.HasPrefix(s, "SUMMARY") }) {
		lines = append(lines, "SUMMARY:Plan")
	}
	if organizer != "" {
		lines = append(lines, "ORGANIZER:mailto:"+organizer)
	}
	for _, m := range more {
		if strings.Contains(m, "@") && !strings.Contains(m, ":") {
			m = "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:" + m
		}
		lines = append(lines, m)
	}
	return strings.Join(append(lines, "END:VEVENT", "END:VCALENDAR", ""), "\r\n")
}

var errDown = fault.New(fault.Unavailable, "")

// own is a person's own calendar, also that of a shared mailbox.
func (w *world) own(who string) *homes.Collection {
	w.Helper()
	home, err := w.homes.Own(addr(who + "@example.org"))
	if err != nil {
		w.Fatal(err)
	}
	c, err := home.Open("calendar")
	if err != nil {
		w.Fatal(err)
	}
	return c
}
