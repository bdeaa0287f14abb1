package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"facteur/plugins/lua"
	"facteur/server/address"
	"facteur/server/control"
	"facteur/server/dns"
	"facteur/server/hook"
	"facteur/server/testkit"
	"facteur/server/trace"
)

// TestLookups asks for each kind of record as a script does.
func TestLookups(t *testing.T) {
	zone := testkit.NewDNS(t, strings.Join([]string{
		"example.org. A 192.0.2.1", "example.org. AAAA 2001:db8::1", "example.org. MX 20 b.example.org.", "example.org. MX 10 a.example.org.",
		"example.org. TXT \"v=spf1 \" \"-all\"", "1.2.0.192.in-addr.arpa. PTR example.org.",
	}, "\n"))
	resolver, err := dns.New(dns.Options{Servers: []string{zone.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		kind, name string
		want       []string
		fails      bool
	}{
		{"a", "example.org", []string{"192.0.2.1"}, false},
		{"aaaa", "example.org", []string{"2001:db8::1"}, false},
		{"mx", "example.org", []string{"a.example.org", "b.example.org"}, false},
		{"txt", "example.org", []string{"v=spf1 -all"}, false},
		{"ptr", "192.0.2.1", []string{"example.org"}, false},
		{"ptr", "192.0.2.9", nil, false},
		{"a", "missing.example", nil, false},
		{"txt", "a.example.org", nil, false},
		{"ptr", "example.org", nil, true},
		{"any", "example.org", nil, true},
	} {
		got, err := lookups{resolver}.Lookup(t.Context(), c.kind, c.name)
		if !slices.Equal(got, c.want) || (err != nil) != c.fails {
			t.Errorf("%s of %s: %q, %v", c.kind, c.name, got, err)
		}
	}
}

// TestScriptCounts counts what scripts do; a changed one begins anew.
func TestScriptCounts(t *testing.T) {
	s := newSite(t)
	if err := os.WriteFile(filepath.Join(s.dir, "a.lua"), []byte("function deliver(m, box) end"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.reload("scripts = [\"a.lua\"]\n" + s.settings(""))
	hash := s.live.Load().scripts["a.lua"].Program.Hash()
	now := time.Date(2026, 1, 1, 12, 30, 0, 0, time.UTC)
	runs := []hook.Ran{
		{Script: "a.lua", Hash: hash, Elapsed: 1500 * time.Millisecond}, {Script: "a.lua", Hash: hash, Err: errors.New("oh")},
		{Script: "a.lua", Hash: "another"}, {Script: "reports"},
	}
	s.scripts.ran(runs, now)
	for i := range maxMetrics + 10 {
		s.scripts.metric("a.lua", fmt.Sprint(i%(maxMetrics+5)), 0.5)
	}
	s.scripts.metric("nobody.lua", "x", 1)
	list := s.scripts.status(now)
	if len(list) != 1 || list[0].Runs != 2 || list[0].Failures != 1 || list[0].CPU != 1.5 || len(list[0].Metrics) != maxMetrics || list[0].Metrics["0"] != 1 {
		t.Errorf("%+v", list)
	}
	if later := s.scripts.status(now.Add(time.Hour)); later[0].CPU != 0 {
		t.Errorf("an hour later: %+v", later)
	}
	s.scripts.ran(runs[:1], now.Add(time.Hour))
	if later := s.scripts.status(now.Add(time.Hour)); later[0].CPU != 1.5 || later[0].Runs != 3 {
		t.Errorf("an hour later: %+v", later)
	}
	for _, c := range []struct {
		err   error
		after time.Duration
		want  bool
	}{{&lua.Error{Cause: lua.ErrSuspended}, 0, true}, {&lua.Error{Cause: lua.ErrSuspended}, 2 * time.Hour, false}, {nil, 0, false}} {
		s.scripts.ran([]hook.Ran{{Script: "a.lua", Hash: hash, Err: c.err}}, now)
		if got := s.scripts.status(now.Add(c.after))[0].Suspended; got != c.want {
			t.Errorf("suspended after %v: %v", c.err, got)
		}
	}
	if err := os.WriteFile(filepath.Join(s.dir, "a.lua"), []byte("function deliver(m, box) box:keep() end"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.reload("scripts = [\"a.lua\"]\n# again\n" + s.settings(""))
	if list := s.scripts.status(now); len(list) != 1 || list[0].Runs != 0 || list[0].Hash == hash {
		t.Errorf("a changed script: %+v", list)
	}
	s.reload(s.settings(""))
	if list := s.scripts.status(now); len(list) != 0 {
		t.Errorf("no script: %+v", list)
	}
}

func TestPrintScripts(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.Local)
	var b strings.Builder
	printScripts(&b, nil)
	printScripts(&b, []control.ScriptStatus{
		{Name: "a.lua", Hash: "0123456789ab", Since: at, Runs: 2, Failures: 1, CPU: 0.25, Metrics: map[string]float64{"x": 3, "b": 0.5}},
		{Name: "b.lua", Hash: "ba9876543210", Since: at, Suspended: true},
	})
	want := `scripts:
  a.lua  0123456789ab  since 2026-01-01 12:00:00  2 runs, 1 failure, 0.2 s of CPU this hour
                       counted                    b 0.5, x 3
  b.lua  ba9876543210  since 2026-01-01 12:00:00  0 runs, 0 failures, 0.0 s of CPU this hour, SUSPENDED: it used too much CPU within an hour
`
	if b.String() != want {
		t.Errorf("%s", b.String())
	}
}

// TestFailures: who is told of failing scripts, how often, and in which words.
func TestFailures(t *testing.T) {
	s := newSite(t)
	for _, name := range []string{"server.lua", "domain.lua", "alice.lua", "both.lua"} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte("function deliver(m, box) end"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.Replace(s.settings(""), "[domains.\"example.org\"]\n", "[domains.\"example.org\"]\nscripts = [\"domain.lua\"]\n", 1)
	text = strings.Replace(text, "[accounts.\"alice@example.org\"]\n", "[accounts.\"alice@example.org\"]\nscripts = [\"both.lua\"]\n", 1)
	text = strings.Replace(text, "[accounts.\"small@example.org\"]\n", "[accounts.\"small@example.org\"]\nscripts = [\"alice.lua\", \"both.lua\"]\n", 1)
	text = strings.Replace(text, "postmaster = \"alice@example.org\"", "postmaster = \"boss@example.org\"", 1) + "[accounts.\"boss@example.org\"]\n"
	s.reload("scripts = [\"server.lua\"]\n" + text)
	small, alice := address.MustParse("small@example.org"), address.MustParse("alice@example.org")
	for _, c := range []struct {
		script string
		box    address.Address
		want   string
	}{
		{"server.lua", small, "boss@example.org"}, {"domain.lua", small, "boss@example.org"}, {"alice.lua", small, "small@example.org"},
		{"both.lua", alice, "alice@example.org"}, {"both.lua", small, "small@example.org"},
		{"alice.lua", address.Address{}, "small@example.org"}, {"both.lua", address.Address{}, "boss@example.org"}, {"gone.lua", alice, "boss@example.org"},
	} {
		if got := s.scriptOwner(c.script, c.box); got.String() != c.want {
			t.Errorf("%s of %s: %s, want %s", c.script, c.box, got, c.want)
		}
	}
	s.failures.close() // in its place one with a clock
	now := time.Now()
	open := func() *failures {
		t.Helper()
		f, err := openFailures(s.Server, func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := open()
	t.Cleanup(func() { f.close() })
	failed := func(own bool) {
		f.note(trace.Run{ID: "abc", Stage: hook.Deliver, Box: alice, Own: own}, hook.Result{
			Failures: []hook.Failure{{Script: "both.lua", Stage: hook.Deliver, Err: errors.New("both.lua:3: oh no")}},
			Ran:      []hook.Ran{{Script: "both.lua", Err: errors.New("both.lua:3: oh no")}},
		})
		f.close() // waits for it
		f = open()
	}
	told := func(want int) {
		t.Helper()
		got := 0
		for _, m := range s.inbox("alice@example.org") {
			if strings.Contains(m, "The script both.lua fails") {
				got++
			}
		}
		if got != want {
			t.Errorf("told %d times, want %d", got, want)
		}
	}
	failed(true)
	told(0)
	failed(false)
	s.events.wait(t, "msg=server.notice to=alice@example.org")
	told(1)
	failed(false)
	now = now.Add(23 * time.Hour)
	failed(false)
	failed(true)
	now = now.Add(2 * time.Hour)
	failed(true)
	told(1)
	failed(false)
	s.events.wait(t, "msg=server.notice to=alice@example.org")
	told(2)
}

func TestFailureText(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	one := failure{script: "a.lua", stage: hook.Deliver, err: "a.lua:3: oh\nno", id: "abc"}
	want := `The script a.lua failed at the stage deliver, at 2026-01-02 12:00 UTC:

  a.lua:3: oh
  no

Nothing is lost: all mail is kept, as if the script were not there.
The message is abc. On the server, facteur trace abc tells what happened to it.
It failed 57 times since the last notice, of 2026-01-01 11:00 UTC.

facteur hook test tries a script over a message. There is no other notice of this
script for a day.
`
	if got := failureText(one, 57, now.Add(-25*time.Hour), now); got != want {
		t.Errorf("%s", got)
	}
	for _, c := range []struct {
		one  failure
		want string
	}{
		{failure{stage: hook.Data, refused: true}, "the sender was told to try again later"},
		{failure{stage: hook.Data}, "All went on as if the script were not there"},
		{failure{stage: hook.Deliver, suspended: true}, "is suspended since 2026-01-02 12:00 UTC"},
	} {
		if got := failureText(c.one, 1, time.Time{}, now); !strings.Contains(got, c.want) || strings.Contains(got, "last notice") {
			t.Errorf("%+v: %s", c.one, got)
		}
	}
	if got := failureSubject(failure{script: "a.lua", suspended: true}); got != "The script a.lua is suspended" {
		t.Error(got)
	}
}

// TestForget: what scripts noted goes with the account, whatever its name, and what was made of
// its calendars.
func TestForget(t *testing.T) {
	s := newSite(t)
	for _, name := range []string{"alice", "o'neil"} {
		a := address.Address{Local: name, Domain: "example.org"}
		run := s.memory.Begin("a.lua", a, time.Now())
		if err := errors.Join(run.Set("k", "v", 0), run.Commit(t.Context())); err != nil {
			t.Fatal(err)
		}
		made := filepath.Join(s.live.Load().Data, "derived", a.Dir())
		if err := os.MkdirAll(filepath.Join(made, "calendars"), 0o700); err != nil {
			t.Fatal(err)
		}
		local := strings.TrimPrefix(a.Dir(), "example.org/")
		if err := s.forget(local + "@example.org"); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := s.memory.Begin("a.lua", a, time.Now()).Get("k"); ok || err != nil {
			t.Errorf("%s: still there, %v", name, err)
		}
		if _, err := os.Stat(made); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: what was made of its calendars is still there, %v", name, err)
		}
	}
}
