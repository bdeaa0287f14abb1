package trial

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"facteur/plugins/lua"
)

const sortScript = `
function deliver(m, box)
  if m:header("List-Id"):find("golang", 1, true) then
    return box:fileinto("Lists/Go", { create = true, flags = "\\Seen" })
  end
  if m.subject == "boom" then error("it broke") end
  log("nothing to do")
end

function data(c, m)
  if c.ip == "192.0.2.7" then return reject(550, "5.7.1", "not from there") end
  if m.auth.spf == "fail" then score(5, "SPF_FAIL", "not theirs") end
end
`

// runTests runs tests of a script, and returns what is wrong with each.
func runTests(t *testing.T, script, tests string) (map[string]string, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mail.eml"), []byte("From: a@example.net\nSubject: from a file\nList-Id: <golang-nuts.example>\n\nHi\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := Suite{Script: "sort.lua", Source: []byte(script), Path: filepath.Join(dir, "sort_test.lua"), Tests: []byte(tests)}.Run(t.Context())
	wrong := make(map[string]string)
	for _, r := range report.Results {
		wrong[r.Name] = ""
		if r.Err != nil {
			wrong[r.Name] = r.Err.Error()
		}
	}
	return wrong, err
}

// Each test is the body of a function; what is expected is the text of its error,
// with sort_test.lua:2: before it.
func TestExpectations(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`expect(run("deliver", message{ headers = { ["List-Id"] = "<golang-nuts.example>" } })):fileinto("Lists/Go"):filed("Lists/Go"):flagged("\\Seen"):count(1)`, ""},
		{`expect(run("deliver", message{ file = "mail.eml" })):fileinto("Lists/Go", { create = true, flags = {"\\Seen"} })`, ""},
		{`expect(run("deliver", message{ subject = "News" })):nothing():kept():logged("nothing to do")`, ""},
		{`expect(run("deliver")):fileinto("X")`, `expected fileinto("X"), but sort.lua did nothing at deliver`},
		{`expect(run("deliver", message{ file = "mail.eml" })):nothing()`, `expected nothing, but sort.lua did: fileinto "Lists/Go" with \Seen, made when it is not there (line 4)`},
		{`expect(run("deliver", message{ subject = "boom" })):nothing()`, "expected nothing, but the script failed: sort.lua:6: it broke"},
		{`expect(run("deliver", message{ subject = "boom" })):failed("it broke")`, ""},
		{`expect(run("deliver")):failed("x")`, `expected the script to fail with "x", but sort.lua did nothing at deliver`},
		{`expect(run("data", client{ ip = "192.0.2.7" })):reject(550, "5.7.1", "not from there"):no("tempfail")`, ""},
		{`expect(run("data", client{ ip = "192.0.2.7" })):reject(554)`, `expected reject(554), but sort.lua did: reject 550 5.7.1 "not from there" (line 11)`},
		{`expect(run("data", message{ auth = { spf = "fail" } })):score(5, "SPF_FAIL"):total(5)`, ""},
		{`expect(run("data", message{ auth = { spf = "fail" } })):score(4)`, `expected score(4), but sort.lua did: score +5 SPF_FAIL (not theirs) (line 12)`},
		{`expect(run("data", message{ auth = { spf = "fail" } })):no("score")`, `expected no score, but sort.lua did: score +5 SPF_FAIL (not theirs) (line 12)`},
		{`expect(run("data")):filed("X")`, `expected the message in "X", but sort.lua did nothing at data`},
		{`expect(run("rcpt")):nothing()`, `bad argument #1 to run (sort.lua has no function rcpt)`},
		{`run("delivre")`, `bad argument #1 to run ("delivre" is no stage)`},
		{`run("deliver", "nobody")`, ``},
		{`run("deliver", message{ subjekt = "x" })`, `message: there is no "subjekt"; there are `},
		{`run("deliver", { subject = "x" })`, `write message{...}, client{...}, recipient{...} or the like here`},
		{`message{ file = "../secret" }`, `../secret can't be read: `},
		{`message{ file = "/etc/passwd" }`, `can't be read: `},
		{`expect(run("deliver")).nothing()`, `write expect(...):nothing(...), with a colon`},
		{`expect(3):nothing()`, `expect(...) takes what run(...) returned`},
		{`expect(run("deliver").log):equals({ "nothing to do" })`, ""},
		{`expect(1 + 1):equals(3)`, "expected 3, but it is 2"},
		{`assert(1 == 2, "sums are hard")`, "sums are hard"},
		{`io.open("x")`, "attempt to index"},
	} {
		wrong, err := runTests(t, sortScript, "function test_it()\n"+c.body+"\nend")
		got := wrong["test_it"]
		if err != nil || c.want == "" && got != "" && c.body != `run("deliver", "nobody")` {
			t.Errorf("%s: %q, %v", c.body, got, err)
		}
		if c.want != "" && !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.body, got, c.want)
		}
		if c.want != "" && !strings.HasPrefix(got, "sort_test.lua:") {
			t.Errorf("%s: %q has no position", c.body, got)
		}
	}
}

const worldScript = `
function rcpt(c, m, r)
  if r.detail == "shop" then return reject(550, "5.1.1", "no more") end
  local n = kv.incr("seen:" .. r.address, 1)
  log("seen " .. n)
end
function deliver(m, box)
  log(box.address .. " " .. box.quota.used .. " " .. os.date("%Y-%m-%d %H:%M"))
  if kv.get("x") then log("x is " .. kv.get("x")) end
  kv.set("x", m.subject)
  local a = dns.a("2.0.0.127.zen.example")
  if a and a[1] then log("listed " .. a[1]) end
  if m.is.from_contact then log("from " .. box:contact(m.from).name) end
end

function tick(box)
  local taken = box:busy(now())
  log(taken and #taken .. " " .. taken[1].kind or "free")
end
`

// The world is what the test says, and lasts as long as the test.
func TestWorldOfTests(t *testing.T) {
	wrong, err := runTests(t, worldScript, `
function test_memory()
  expect(run("deliver", message{ subject = "one" })):logged("me@example.org 0")
  expect(run("deliver", message{ subject = "two" })):logged("x is one")
  expect(kv.get("x")):equals("two")
end
function test_memory_is_new()
  expect(#run("deliver").log):equals(1)
end
function test_recipient()
  expect(run("rcpt", recipient("alice+shop@example.org"))):reject("no more")
  expect(run("rcpt", recipient{ address = "bob@example.org" })):nothing():logged("seen 1")
  expect(run("rcpt", recipient{ address = "bob@example.org" })):logged("seen 2")
end
function test_box_and_clock()
  box{ address = "alice@example.org", quota = { used = 5, max = 10 }, folders = { "Lists" }, contacts = { "bob@example.net" } }
  clock("2026-12-24 08:00")
  expect(run("deliver")):logged("alice@example.org 5 2026-12-24 08:00")
  clock("+2 hours")
  expect(run("deliver")):logged("alice@example.org 5 2026-12-24 10:00")
end
function test_busy()
  box{ busy = { { starts = "2026-06-15 09:00", ends = "2026-06-15 11:00" }, { starts = "2026-06-15 11:00", ends = "2026-06-15 12:00", kind = "tentative" } } }
  expect(run("tick")):logged("1 busy"):no("notify")
  clock("2026-06-15 11:00")
  expect(run("tick")):logged("1 tentative")
  clock("2026-06-15 12:00")
  expect(run("tick")):logged("free")
end
function test_contacts()
  box{ contacts = { "bob@example.net" } }
  expect(run("deliver", message{ from = "bob@example.net" })):logged("from bob@example.net")
end
function test_dns()
  dns{ ["2.0.0.127.zen.example"] = "127.0.0.2" }
  expect(run("deliver")):logged("listed 127.0.0.2")
end
`)
	if err != nil || len(wrong) != 7 {
		t.Fatalf("%v, %v", wrong, err)
	}
	for name, text := range wrong {
		if text != "" {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// A file of tests that is none is an error of its own.
func TestBrokenTests(t *testing.T) {
	for tests, want := range map[string]string{
		"function test_a( end": "sort_test.lua:1: ",
		"x = 1":                "sort_test.lua: there is no function test_...",
		"function test_a() end\nfunction test_a() end": "sort_test.lua:2: test_a is there twice",
	} {
		_, err := runTests(t, sortScript, tests)
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %q", tests, err, want)
		}
	}
	if _, err := runTests(t, "function deliver(", "function test_a() end"); err == nil || !strings.HasPrefix(err.Error(), "sort.lua:1: ") {
		t.Errorf("a script that does not compile: %v", err)
	}
}

// A test that does not end is stopped, by one limit or another.
func TestEndless(t *testing.T) {
	wrong, err := runTests(t, sortScript, "function test_a() while true do pcall(run, 'deliver') end end")
	text := wrong["test_a"]
	if err != nil {
		text += err.Error()
	}
	if !strings.Contains(text, "instructions") && !strings.Contains(text, "of CPU") && !strings.Contains(text, "at most 10000 times") {
		t.Errorf("%q, %v", text, err)
	}
}

// Plugins are not reached: a test says what they answer.
func TestPluginsOfTests(t *testing.T) {
	modules := []lua.Module{{Name: "rspamd", Functions: map[string]lua.Func{"check": func(*lua.Args) (any, error) {
		t.Error("it was reached")
		return nil, nil
	}}}}
	report, err := Suite{
		Script: "s.lua", Host: lua.Options{Modules: modules}, Path: "s_test.lua",
		Source: []byte(`function data(c, m)
			local res, why = rspamd.check(m)
			if res then score(res.score, "RSPAMD") else log(why) end
		end`),
		Tests: []byte(`
			function test_answer() answer("rspamd.check", { score = 7 }) expect(run("data")):score(7, "RSPAMD") end
			function test_none() expect(run("data")):nothing():logged("not asked in a dry run") end
			function test_other() answer("rspamd.scan", 1) end`),
	}.Run(t.Context())
	if err != nil || len(report.Results) != 3 {
		t.Fatal(report, err)
	}
	for i, want := range []string{"", "", `there is no function "rspamd.scan" of a plugin`} {
		if e := report.Results[i].Err; (e == nil) != (want == "") || e != nil && !strings.Contains(e.Text, want) {
			t.Errorf("%s: %v", report.Results[i].Name, e)
		}
	}
}
