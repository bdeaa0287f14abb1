package trace

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/hook"
)

var start = time.Date(2026, 3, 1, 23, 59, 0, 0, time.UTC)

// clock is a time that a test sets; the Log reads it in its goroutine, between flushes.
type clock struct{ now time.Time }

func opened(t testing.TB, dir string, limits Limits) (*Log, *clock, *bytes.Buffer) {
	t.Helper()
	c, out := &clock{start}, &bytes.Buffer{}
	l, err := Open(Options{
		Dir: dir, Now: func() time.Time { return c.now }, Keep: 90 * 24 * time.Hour, Limits: limits,
		Log: slog.New(slog.NewTextHandler(out, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l, c, out
}

func find(t testing.TB, dir string, q Query) []Story {
	t.Helper()
	stories, err := Find(context.Background(), dir, q)
	if err != nil {
		t.Fatal(err)
	}
	return stories
}

func kinds(s Story) string {
	var out []string
	for _, e := range s.Events {
		out = append(out, string(e.Kind))
	}
	return strings.Join(out, " ")
}

// filled has three messages and a refusal: m1 is sent a day later, m2 twice in one
// Message-ID with m3.
func filled(t testing.TB) string {
	dir := filepath.Join(t.TempDir(), "trace")
	l, c, _ := opened(t, dir, Limits{})
	at := func(seconds int, e Event) {
		e.At = start.Add(time.Duration(seconds) * time.Second)
		l.Note(e)
	}
	at(0, Event{ID: "m1", Kind: In, Session: "s1", From: "a@remote.example", To: []string{"alice@example.org", "far@far.example"}, MessageID: "<1@remote.example>"})
	at(1, Event{ID: "m1", Kind: Filed, Box: "alice@example.org", Folder: "INBOX"})
	at(2, Event{ID: "m2", Kind: In, Session: "s1", From: "", To: []string{"info@example.org"}, MessageID: "<2@remote.example>"})
	at(3, Event{ID: "m2", Kind: Filed, Box: "bob@example.org", Folder: "INBOX"})
	at(4, Event{Kind: Refused, Session: "s2", From: "spam@bad.example", To: []string{"alice@example.org"}, Stage: "rcpt", Why: "550 5.7.1 no"})
	at(5, Event{ID: "m4", Kind: In, Session: "s2", From: "spam@bad.example", To: []string{"carol@example.org"}})
	at(6, Event{ID: "m4", Kind: Ran, Session: "s2", Stage: "data"})
	at(7, Event{ID: "m4", Kind: Refused, Session: "s2", From: "spam@bad.example", To: []string{"carol@example.org"}, Stage: "data"})
	l.Flush()
	c.now = start.Add(25 * time.Hour)
	at(90000, Event{ID: "m1", Kind: Sent, To: []string{"far@far.example"}, Remote: "mx.far.example"})
	at(90001, Event{Kind: Ran, Session: "s3", Stage: "rcpt", From: "a@remote.example", To: []string{"carol@example.org"}})
	at(90001, Event{ID: "m3", Kind: In, Session: "s3", From: "a@remote.example", To: []string{"carol@example.org"}, MessageID: "<2@remote.example>"})
	l.Flush()
	return dir
}

func TestFind(t *testing.T) {
	dir := filled(t)
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 2 {
		t.Errorf("files: %q", files)
	}
	// A line that a crash has cut, and one that is none.
	f, _ := os.OpenFile(filepath.Join(dir, "2026-03-01.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	f.WriteString("what\n{\"id\":\"m1\",\"at\":\"20")
	f.Close()
	for _, c := range []struct {
		name  string
		query Query
		want  string
	}{
		{"id", Query{ID: "m1"}, "m1: in filed sent"},
		{"connection", Query{ID: "s1"}, "s1: in in"},
		{"unknown", Query{ID: "m9"}, ""},
		{"message-id", Query{MessageID: "2@remote.example"}, "m3: in; m2: in filed"},
		{"sender", Query{Address: "a@remote.example"}, "m3: in; m1: in filed sent"},
		{"recipient, far", Query{Address: "far@far.example"}, "m1: in filed sent"},
		{"mailbox behind an alias", Query{Address: "bob@example.org"}, "m2: in filed"},
		{"refused too", Query{Address: "alice@example.org"}, "s2: refused; m1: in filed sent"},
		{"refused at two stages", Query{Address: "spam@bad.example"}, "m4: in scripts refused; s2: refused"},
		{"refused after it came in", Query{ID: "m4"}, "m4: in scripts refused"},
		{"limit", Query{Address: "alice@example.org", Limit: 1}, "s2: refused"},
		{"since", Query{Address: "a@remote.example", Since: start.Add(time.Hour)}, "m3: in"},
		{"nobody", Query{Address: "example.org"}, ""},
	} {
		var got []string
		for _, s := range find(t, dir, c.query) {
			name := s.ID
			if name == "" {
				name = s.Session
			}
			got = append(got, name+": "+kinds(s))
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s: %q, want %q", c.name, strings.Join(got, "; "), c.want)
		}
	}
	if none := find(t, filepath.Join(dir, "not there"), Query{ID: "m1"}); none != nil {
		t.Errorf("without a folder: %v", none)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := Find(ended, dir, Query{ID: "m1"}); err == nil {
		t.Error("who has gone is still answered")
	}
}

func TestScripts(t *testing.T) {
	dir := t.TempDir()
	l, _, _ := opened(t, dir, Limits{})
	alice := address.MustParse("Alice@example.org")
	res := hook.Result{
		Ran: []hook.Ran{{Script: "sort.lua", Hash: "3f2a91000000", Elapsed: 1234 * time.Microsecond}, {Script: "bad.lua", Err: fmt.Errorf("bad.lua:3: oh")}},
		Actions: []hook.Action{
			{Kind: hook.Score, Points: 2.5, Rule: "FRESH_DOMAIN", Script: "sort.lua", Line: 14},
			{Kind: hook.FileInto, Folder: "Lists/Go", Script: "sort.lua", Line: 7},
		},
	}
	l.Scripts(Run{ID: "m1", Session: "s1", Stage: hook.Deliver, Box: alice}, res)
	l.Scripts(Run{Session: "s1", Stage: hook.Connect}, hook.Result{Ran: res.Ran[:1]}) // nothing decided, and no message
	l.Note(Event{ID: "m1", Kind: Filed, Box: AddressText(alice), Folder: "Lists/Go", Flags: []string{`\Seen`}})
	l.Flush()
	var b strings.Builder
	s := find(t, dir, Query{ID: "m1"})[0]
	if err := s.Print(&b, time.UTC); err != nil {
		t.Fatal(err)
	}
	want := `2026-03-01  m1
  23:59:00  alice@example.org: sort.lua (3f2a91000000, 1.2 ms) at deliver
              line 14: score +2.5 FRESH_DOMAIN
              line 7: fileinto "Lists/Go"
            alice@example.org: bad.lua (built in, 0 µs) at deliver failed: bad.lua:3: oh
  23:59:00  alice@example.org: filed into Lists/Go with \Seen by sort.lua line 7
`
	if b.String() != want {
		t.Errorf("%s", b.String())
	}
	if len(s.Events) != 2 {
		t.Errorf("%d events", len(s.Events))
	}
}

// TestPrint prints an event of each kind.
func TestPrint(t *testing.T) {
	next := start.Add(time.Hour)
	for _, c := range []struct {
		e    Event
		want string
	}{
		{Event{Kind: In, Client: &Client{IP: "192.0.2.7", RDNS: "mx.example.net", Listener: "smtp", TLS: "TLS1.3"}, From: "a@b.example", To: []string{"x@y.example"},
			Size: 12, MessageID: "<1@b>", Auth: &Auth{SPF: "pass", DKIM: "none", DMARC: "fail"}, Score: 2.5},
			"came in from mx.example.net [192.0.2.7], TLS1.3 for x@y.example|from <a@b.example>, 12 octets, Message-ID <1@b>|spf=pass dkim=none dmarc=fail|spam score 2.5"},
		{Event{Kind: In, Client: &Client{IP: "192.0.2.7", User: "alice@y.example", Listener: "submission"}, To: []string{"x@y.example"}},
			"came in of alice@y.example over submission [192.0.2.7] for x@y.example|from <>, 0 octets"},
		{Event{Kind: In, Client: &Client{}, To: []string{"x@y.example"}}, "came in from this server for x@y.example|from <>, 0 octets"},
		{Event{Kind: Refused, Client: &Client{IP: "192.0.2.7", Helo: "h", Listener: "smtp"}, Stage: "rcpt", To: []string{"x@y.example"}, Why: "550 5.1.1 no"},
			"refused at rcpt from h [192.0.2.7]: 550 5.1.1 no|from <> to x@y.example"},
		{Event{Kind: Discarded, Box: "x@y.example"}, "x@y.example: discarded by a script"},
		{Event{Kind: Redirected, Box: "x@y.example", To: []string{"f@g.example"}}, "x@y.example: sent on to f@g.example"},
		{Event{Kind: NotSentOn, Box: "x@y.example", To: []string{"f@g.example"}, Why: "repeated"}, "x@y.example: not sent on to f@g.example: repeated"},
		{Event{Kind: Replied, Box: "x@y.example", To: []string{"f@g.example"}, What: "vacation"}, "x@y.example: vacation sent to f@g.example"},
		{Event{Kind: NotReplied, Box: "x@y.example", What: "vacation", Why: "a list"}, "x@y.example: no vacation: a list"},
		{Event{ID: "m", Kind: Queued, Entry: "m-1", To: []string{"f@g.example"}}, "f@g.example: put into the queue as m-1"},
		{Event{ID: "m", Kind: Queued, To: []string{"f@g.example"}, Why: "odd"}, "f@g.example: held in the queue: odd"},
		{Event{Kind: Sent, To: []string{"f@g.example"}, Remote: "mx", TLS: "TLS1.3", Reply: "250 ok"}, "f@g.example: sent to mx, TLS1.3, which said 250 ok"},
		{Event{Kind: Deferred, To: []string{"f@g.example"}, Remote: "mx", Reply: "451 later", Next: &next},
			"f@g.example: not yet at mx: 451 later, the next try is at 2026-03-02 00:59:00"},
		{Event{Kind: Bounced, To: []string{"f@g.example"}, Reply: "550 no"}, "f@g.example: given up: 550 no"},
		{Event{Kind: Other, Box: "x@y.example", Why: "held"}, "x@y.example: held"},
	} {
		if got := strings.Join(Story{}.tell(c.e, time.UTC), "|"); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.e.Kind, got, c.want)
		}
	}
	s := Story{ID: "m1", Events: []Event{{At: start, Kind: In, From: "a@b.example", To: []string{"1@x", "2@x", "3@x", "4@x", "5@x"}}, {Kind: Filed, Folder: "Junk"}, {Kind: Filed, Folder: "Junk"}, {Kind: Bounced}}}
	if got, want := s.Summary(time.UTC), "2026-03-01 23:59:00  m1                <a@b.example> -> 1@x, 2@x, 3@x, 2 more: in Junk, bounced"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	s = Story{Session: "s2", Events: []Event{{At: start, Kind: Ran, Stage: "rcpt"}, {At: start, Kind: Refused, From: "a@b.example", To: []string{"1@x"}, Why: "450 4.7.1 later"}}}
	if got, want := s.Summary(time.UTC), "2026-03-01 23:59:00  s2                <a@b.example> -> 1@x: told to try later"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// TestTidy removes what is too old, and the oldest when there is too much.
func TestTidy(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"2025-11-29", "2025-11-30", "2026-02-27", "2026-02-28"} {
		if err := os.WriteFile(filepath.Join(dir, name+extension), make([]byte, 1000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "note.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l, _, out := opened(t, dir, Limits{Queue: 10, Day: 1000, Total: 2500})
	l.Flush()
	want := func(days ...string) {
		t.Helper()
		if got, _ := listDays(dir); !slices.Equal(got, days) {
			t.Errorf("left: %q", got)
		}
	}
	want("2026-02-28", "2026-02-27")
	l.Apply(36 * time.Hour)
	l.tidyNow(t)
	want("2026-02-28")
	l.Apply(math.MaxInt64)
	for i := range 3 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("2020-01-0%d.jsonl", i+1)), make([]byte, 800), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l.tidyNow(t)
	want("2026-02-28", "2020-01-03")
	if n := strings.Count(out.String(), "trace.removed"); n != 2 {
		t.Errorf("told of %d: %s", n, out.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "note.txt")); err != nil {
		t.Error(err)
	}
}

// tidyNow tidies while nothing else is going on.
func (l *Log) tidyNow(t *testing.T) {
	t.Helper()
	l.Flush()
	l.tidy()
}

// TestBounds: a day has a bound, refusals a smaller one; a full queue drops; a nil
// Log takes anything.
func TestBounds(t *testing.T) {
	dir := t.TempDir()
	l, _, out := opened(t, dir, Limits{Queue: 1000, Day: 4000, Total: 1 << 20})
	for range 100 {
		l.Note(Event{Kind: Refused, Session: "s", Why: strings.Repeat("é", 400)})
	}
	l.Flush()
	for i := range 100 {
		l.Note(Event{ID: fmt.Sprint(i), Kind: In})
	}
	l.Close()
	l.Note(Event{Kind: In})
	l.Flush()
	info, err := os.Stat(filepath.Join(dir, "2026-03-01.jsonl"))
	if err != nil || info.Size() > 4000 || info.Size() < 3000 {
		t.Errorf("%v, %v", info.Size(), err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	raw, _ := os.ReadFile(filepath.Join(dir, "2026-03-01.jsonl"))
	if n := bytes.Count(raw, []byte(`"refused"`)); n < 2 || n > 4 {
		t.Errorf("%d refusals", n)
	}
	if !strings.Contains(out.String(), "trace.dropped") {
		t.Errorf("nobody was told: %s", out.String())
	}
	var none *Log
	none.Note(Event{})
	none.Scripts(Run{}, hook.Result{})
	none.Flush()
	none.Close()
	full := &Log{queue: make(chan Event), now: time.Now}
	full.Note(Event{ID: "x"})
	if full.dropped.Load() != 1 {
		t.Error("a full queue drops without counting")
	}
}

// TestDiskFails: the log says so once, and it goes on when the disk does.
func TestDiskFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "trace")
	l, _, out := opened(t, dir, Limits{})
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l.Flush()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	l.Note(Event{ID: "1", Kind: In})
	l.Note(Event{ID: "2", Kind: In})
	l.Flush()
	if n := strings.Count(out.String(), "trace.failed"); n != 1 {
		t.Errorf("told %d times: %s", n, out.String())
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l.Note(Event{ID: "3", Kind: In})
	l.Flush()
	if s := find(t, dir, Query{ID: "3"}); len(s) != 1 {
		t.Errorf("%v", s)
	}
}

func TestMessageOf(t *testing.T) {
	for entry, want := range map[string]string{"abc": "abc", "abc-1": "abc", "": ""} {
		if got := MessageOf(entry); got != want {
			t.Errorf("%s: %s", entry, got)
		}
	}
}

func BenchmarkNote(b *testing.B) {
	l, _, _ := opened(b, b.TempDir(), Limits{Queue: 1 << 20, Day: 1 << 40, Total: 1 << 41})
	e := Event{ID: "abcdefghijklmnop", Kind: Filed, Box: "alice@example.org", Folder: "Lists/Go", UID: 12}
	b.ReportAllocs()
	for b.Loop() {
		l.Note(e)
	}
	l.Flush()
}

// BenchmarkFind looks for a message that is the first of 200,000.
func BenchmarkFind(b *testing.B) {
	dir := b.TempDir()
	l, _, _ := opened(b, dir, Limits{Queue: 1 << 20, Day: 1 << 40, Total: 1 << 41})
	for i := range 200_000 {
		l.Note(Event{ID: fmt.Sprintf("message%09d", i), Kind: In, From: "somebody@example.net", To: []string{"alice@example.org"}, MessageID: "<something@example.net>"})
	}
	l.Flush()
	info, _ := os.Stat(filepath.Join(dir, "2026-03-01.jsonl"))
	b.SetBytes(info.Size())
	for b.Loop() {
		if s := find(b, dir, Query{ID: "message000000000"}); len(s) != 1 {
			b.Fatal(len(s))
		}
	}
}
