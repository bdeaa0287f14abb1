package lua

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/hook"
)

// store is a memory of scripts for tests. Only what Set, Delete and Duplicate
// change waits for Commit.
type store struct {
	mu     sync.Mutex
	values map[string]string
	ttls   map[string]time.Duration
	begun  []string
	rates  map[string]int64
	ended  []string // "commit" or "cancel"
	full   bool
}

func newStore() *store {
	return &store{values: map[string]string{}, ttls: map[string]time.Duration{}, rates: map[string]int64{}}
}

func (k *store) Begin(script string, box address.Address, now time.Time) hook.State {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.begun = append(k.begun, script+" "+box.String()+" "+now.Format(time.TimeOnly))
	return &storeRun{store: k, space: script + " " + box.String() + " ", set: map[string]*string{}}
}

type storeRun struct {
	*store
	space string
	set   map[string]*string
}

var errFull = errors.New("the memory is full")

func (r *storeRun) Get(key string) (string, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, ok := r.set[r.space+key]; ok {
		if v == nil {
			return "", false, nil
		}
		return *v, true, nil
	}
	v, ok := r.values[r.space+key]
	return v, ok, nil
}

func (r *storeRun) Set(key, value string, ttl time.Duration) error {
	if r.full {
		return errFull
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.set[r.space+key], r.ttls[r.space+key] = &value, ttl
	return nil
}

func (r *storeRun) Delete(key string) error {
	r.set[r.space+key] = nil
	return nil
}

func (r *storeRun) Incr(key string, by int64, ttl time.Duration) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := strconv.ParseInt(r.values[r.space+key], 10, 64)
	if err != nil && r.values[r.space+key] != "" {
		return 0, errors.New("not a whole number")
	}
	r.values[r.space+key], r.ttls[r.space+key] = strconv.FormatInt(n+by, 10), ttl
	return n + by, nil
}

func (r *storeRun) Rate(key string, period time.Duration) (int64, error) {
	if r.full {
		return 0, errFull
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rates[key+" "+period.String()]++
	return r.rates[key+" "+period.String()], nil
}

func (r *storeRun) Duplicate(key string, ttl time.Duration) (bool, error) {
	if r.full {
		return false, errFull
	}
	_, seen, _ := r.Get("noted " + key)
	return seen, r.Set("noted "+key, "", ttl)
}

func (r *storeRun) Commit(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = append(r.ended, "commit")
	for k, v := range r.set {
		if v == nil {
			delete(r.values, k)
		} else {
			r.values[k] = *v
		}
	}
	return nil
}

func (r *storeRun) Cancel() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = append(r.ended, "cancel")
}

// zone is the DNS for tests: answers by kind and name.
type zone map[string][]string

func (z zone) Lookup(ctx context.Context, kind, name string) ([]string, error) {
	if strings.HasPrefix(name, "slow") {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if strings.HasPrefix(name, "broken") {
		return nil, errors.New("server failure")
	}
	return z[kind+" "+name], nil
}

var testZone = zone{
	"a example.org":                    {"192.0.2.1", "192.0.2.2"},
	"aaaa example.org":                 {"2001:db8::1"},
	"mx example.org":                   {"mx1.example.org", "mx2.example.org"},
	"txt example.org":                  {"v=spf1 -all"},
	"ptr 192.0.2.7":                    {"mx.elsewhere.net"},
	"a 7.2.0.192.bl.example":           {"127.0.0.2", "127.0.0.10", "10.0.0.1"},
	"a 1.0.0.127.bl.example":           {"127.255.255.254"},
	"a " + reversedOne + ".bl.example": {"127.0.0.3"},
}

const reversedOne = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"

// serving is a call with services.
func serving(stage hook.Stage, kv hook.KV) hook.Call {
	call := testCall(stage)
	call.Services = hook.Services{KV: kv, DNS: testZone, Metric: func(string, string, float64) {}}
	return call
}

// expectLog runs statements at deliver and compares what they log.
func expectLog(t *testing.T, call hook.Call, source, want string) hook.Outcome {
	t.Helper()
	out := mustCompile(t, newQuietHost(), "function deliver(m, box) "+source+"\nend").Run(t.Context(), call)
	got := strings.Join(logged(out), " ; ")
	if out.Err != nil {
		got = out.Err.Error()
	}
	if got != want {
		t.Errorf("%s:\n got %q\nwant %q", source, got, want)
	}
	return out
}

// toolRows are the tool functions that need no more than a row.
var toolRows = slices.Concat(kvRows, dnsRows, reRows, jsonRows, digestsRows, clockRows, []row{{`metric("seen") trace("x") log("y")`, "x ; y"}})

func TestTools(t *testing.T) { expectLogs(t, toolRows) }

// row is a piece of Lua, and what it logs: texts divided by " ; ", or its error.
type row struct{ source, want string }

func expectLogs(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		expectLog(t, serving(hook.Deliver, newStore()), r.source, r.want)
	}
}

var kvRows = []row{
	{`log(kv.get("a"))`, "nil"},
	{`log(kv.set("a", "x"), kv.get("a"))`, "true\tx"},
	{`kv.set("a", 1.5) log(kv.get("a") + 1)`, "2.5"},
	{`kv.set("a", false) log(kv.get("a"))`, "false"},
	{`kv.set("a", {1, {b = "c"}}) local v = kv.get("a") log(v[1], v[2].b)`, "1\tc"},
	{`kv.set("a", "x") kv.delete("a") log(kv.get("a"))`, "nil"},
	{`kv.set("a", "x") kv.set("a", nil) log(kv.get("a"))`, "nil"},
	{`log(kv.incr("n"), kv.incr("n", 5), kv.incr("n", -1, {ttl = 60}), kv.get("n"))`, "1\t6\t5\t5"},
	{`log(kv.set("a", "x", {ttl = "7 days"}))`, "true"},
	{`kv.set("a", "x", {ttl = 0})`, `test.lua:1: bad argument #3 to set (option ttl: it must be from 1 second to 3660 days)`},
	{`kv.set("a", "x", {tll = 1})`, `test.lua:1: bad argument #3 to set (unknown option "tll")`},
	{`kv.set("", "x")`, "test.lua:1: bad argument #1 to set (a key has 1 to 256 octets; hash.sha256(key) makes a short one)"},
	{`kv.set(("k"):rep(257), "x")`, "test.lua:1: bad argument #1 to set (a key has 1 to 256 octets; hash.sha256(key) makes a short one)"},
	{`kv.set("a", log)`, "test.lua:1: bad argument #2 to set (JSON has no function)"},
	{`kv.set("a", ("x"):rep(70000))`, "test.lua:1: bad argument #2 to set (longer than 65536 octets)"},
	{`for i = 1, 1e6 do pcall(kv.get, "a") end`, "test.lua:1: it used its memory more than 1000 times, or stored more than 1 MB"},
	{`for i = 1, 1e6 do pcall(kv.set, "a", ("x"):rep(60000)) end`, "test.lua:1: it used its memory more than 1000 times, or stored more than 1 MB"},
	{`log(rate("a", 2, 60)) rate("a", 2, 60) log(rate("a", 2, "1 minute"))`, "false\t1 ; true\t3"},
	{`rate("a", 2, "soon")`, `test.lua:1: bad argument #3 to rate (a period is a number of seconds, or a text such as "30 days")`},
	{`log(duplicate("x", 60), duplicate("x", 60), duplicate("y"))`, "false\ttrue\tfalse"}}

// The memory is that of the script and the box; its transaction is handed on
// when the run succeeds, and given up when not.
func TestKVTransaction(t *testing.T) {
	kv := newStore()
	h := newQuietHost()
	s := mustCompile(t, h, `function deliver(m, box) if kv.get("a") then error("seen") end kv.set("a", 1, {ttl = "2 hours"}) end
function rcpt() kv.incr("n") end`)
	out := s.Run(t.Context(), serving(hook.Deliver, kv))
	if out.Err != nil || out.State == nil {
		t.Fatal(out.Err)
	}
	if again := s.Run(t.Context(), serving(hook.Deliver, kv)); again.Err != nil {
		t.Error("the run sees what was not committed")
	}
	if err := out.State.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again := s.Run(t.Context(), serving(hook.Deliver, kv)); again.Err == nil || again.State != nil {
		t.Errorf("%v, %v", again.Err, again.State)
	}
	if out := s.Run(t.Context(), serving(hook.Rcpt, kv)); out.Err != nil {
		t.Error(out.Err)
	}
	if want := []string{"commit", "cancel"}; !slices.Equal(kv.ended, want) {
		t.Errorf("%v, want %v", kv.ended, want)
	}
	if want := "test.lua alice@example.org 09:30:00"; kv.begun[0] != want || kv.begun[3] != "test.lua  09:30:00" {
		t.Errorf("%q, want %q", kv.begun, want)
	}
	if want := map[string]time.Duration{"test.lua alice@example.org a": 2 * time.Hour, "test.lua  n": 0}; !maps.Equal(kv.ttls, want) {
		t.Errorf("%v, want %v", kv.ttls, want)
	}
}

func TestKVFull(t *testing.T) {
	kv := newStore()
	kv.full = true
	expectLog(t, serving(hook.Deliver, kv), `log(kv.set("a", 1)) log(rate("a", 1, 60)) log(duplicate("a"))`,
		"nil\tthe memory is full ; nil\tthe memory is full ; nil\tthe memory is full")
	kv.values["test.lua alice@example.org raw"] = "plain"
	expectLog(t, serving(hook.Deliver, kv), `log(kv.get("raw"), kv.incr("raw"))`, "plain\tnil\tnot a whole number")
}

// A panic in a run gives up its transaction, too.
func TestKVPanic(t *testing.T) {
	kv := newStore()
	call := serving(hook.Deliver, kv)
	call.Services.DNS = nil
	s := mustCompile(t, moduleHost(Options{}), `function deliver() kv.set("a", 1) shop.fails() end`)
	if out := s.Run(t.Context(), call); out.Err == nil || out.State != nil || !slices.Equal(kv.ended, []string{"cancel"}) {
		t.Errorf("%v, %v, %v", out.Err, out.State, kv.ended)
	}
}

func TestMissingServices(t *testing.T) {
	for call, what := range map[string]string{
		`kv.get("a")`: "kv", `rate("a", 1, 60)`: "rate", `duplicate("a")`: "duplicate", `dns.a("example.org")`: "dns", `dnsbl("bl.example", "192.0.2.1")`: "dns",
		`metric("a")`: "metric",
	} {
		expectLog(t, testCall(hook.Deliver), call, "test.lua:1: "+what+" is not available here")
	}
}

var dnsRows = []row{
	{`local list = dns.a("example.org") log(#list, list[2])`, "2\t192.0.2.2"},
	{`log(dns.a("example.org.")[1], dns.aaaa("example.org")[1], dns.mx("example.org")[1], dns.txt("example.org")[1])`,
		"192.0.2.1\t2001:db8::1\tmx1.example.org\tv=spf1 -all"},
	{`log(dns.ptr("192.0.2.7")[1], dns.ptr("::ffff:192.0.2.7")[1], #dns.ptr(""))`, "mx.elsewhere.net\tmx.elsewhere.net\t0"},
	{`log(#dns.a("missing.example"), #dns.a("a b"), #dns.a(""), #dns.a(("x"):rep(300)))`, "0\t0\t0\t0"},
	{`log(dns.a("broken.example"))`, "nil\tserver failure"},
	{`for i = 1, 20 do dns.a("example.org") end log("ok")`, "ok"},
	{`for i = 1, 20 do dns.a("example.org") end log(dns.a("example.org"))`, "nil\tit asked for more than 20 DNS look-ups"},
	{`for i = 1, 20 do dns.a("example.org") end log(dnsbl("bl.example", "192.0.2.7"))`, "nil\tit asked for more than 20 DNS look-ups"},
	{`log(unpack(dnsbl("bl.example", "192.0.2.7")))`, "127.0.0.2\t127.0.0.10"},
	{`log(unpack(dnsbl("bl.example", "2001:db8::1")))`, "127.0.0.3"},
	{`log(dnsbl("bl.example", "192.0.2.9"), dnsbl("bl.example", ""))`, "false\tfalse"},
	{`log(dnsbl("bl.example", "127.0.0.1"))`, "nil\tbl.example refuses to answer (127.255.255.254)"},
	{`dnsbl("", "127.0.0.1")`, "test.lua:1: bad argument #1 to dnsbl (not the zone of a list)"},
	{`log(cidr("192.0.2.7", "192.0.2.0/24"), cidr("192.0.3.7", "192.0.2.0/24"), cidr("::ffff:192.0.2.7", "192.0.2.7"), cidr("", "192.0.2.7"))`,
		"true\tfalse\ttrue\tfalse"},
	{`log(cidr("2001:db8::5", {"192.0.2.0/24", "2001:db8::/32"}), cidr("192.0.2.1", {}))`, "true\tfalse"},
	{`cidr("192.0.2.1", "192.0.2")`, `test.lua:1: bad argument #2 to cidr ("192.0.2" is no network; write "192.0.2.0/24")`},
	{`cidr("192.0.2.1", {1})`, `test.lua:1: bad argument #2 to cidr (a network is a string, not a number)`}}

var reRows = []row{
	{`log(re.match("order 1234", "[0-9]+"), re.match("order 1234", "x"))`, "1234\tnil"},
	{`log(re.match("a=1, b=2", "([a-z])=([0-9])"))`, "a\t1"},
	{`log(re.match("a=1, b=2", "([a-z])=([0-9])", 2))`, "b\t2"},
	{`log(re.match("ab", "(a)|(b)"))`, "a\tnil"},
	{`log(re.find("Größe 12", "\\d+"), (re.find("abc", "^b", 2)))`, "9\tnil"},
	{`log(re.find("Größe 12", "(\\d)(\\d)"))`, "9\t10\t1\t2"},
	{`log(re.match("one two", "\\btwo", -3), re.match("onetwo", "\\btwo", -3))`, "two\tnil"},
	{`for k, v in re.gmatch("a=1,b=2", "(\\w)=(\\w)") do log(k, v) end`, "a\t1 ; b\t2"},
	{`local n = 0 for w in re.gmatch("aéb", "x*") do n = n + 1 end log(n)`, "4"},
	{`log(re.gsub("hello world", "(\\w+)", "<%1>"))`, "<hello> <world>\t2"},
	{`log(re.gsub("hello world", "o", "%0%0%%", 1))`, "helloo% world\t1"},
	{`log(re.gsub("abc", "", "-"))`, "-a-b-c-\t4"},
	{`log(re.gsub("a1b2", "\\d", function(d) return d + 1 end))`, "a2b3\t2"},
	{`log(re.gsub("a1b2", "[a-z]", {a = "x"}))`, "x1b2\t2"},
	{`log((re.gsub("a\nb", "(?m)^", "> ")))`, "> a\n> b"},
	{`log((re.gsub("xaxb", "(?i)X", "")))`, "ab"},
	{`re.gsub("a", "a", "%1")`, "test.lua:1: bad argument #3 to gsub (the pattern has no group 1)"},
	{`re.match("a", "(")`, "test.lua:1: bad argument #2 to match (parsing regexp: missing closing ): `(`)"},
	{`re.match("a", ("x"):rep(1001))`, "test.lua:1: bad argument #2 to match (a pattern has at most 1000 octets)"},
	{`re.match("a", "((a{1,100}){1,10}){1,1000}")`, "test.lua:1: bad argument #2 to match (parsing regexp: invalid repeat count: `{1,1000}`)"},
	{`re.match("a", "(abcdefghijklmnopq){1000}")`, "test.lua:1: bad argument #2 to match (the pattern is too large: it would need 21000 states, of at most 10000, or more than 31 groups)"},
	{`re.match("a", ("(a)"):rep(32))`, "test.lua:1: bad argument #2 to match (the pattern is too large: it would need 129 states, of at most 10000, or more than 31 groups)"},
	{`log(re.match("xa)b", "\\Qa)"), re.match("xa)b", "\\Qa)", 2))`, "a)\ta)"},
	{`for i = 1, 500 do assert(re.match("x" .. i, "^x" .. i .. "{1,200}$")) end log("ok")`, "ok"}}

// What re finds in a long text is what it finds in a short one.
func TestRELong(t *testing.T) {
	long := `local s = ("lorem ipsum "):rep(20000) .. "needle 42 end" `
	expectLogs(t, []row{
		{long + `log(re.match(s, "needle (\\d+)"))`, "42"},
		{long + `log(re.find(s, "needle (\\d+) (?:x|e|y|z|w)nd"))`, "240001\t240013\t42"},
		{long + `log(re.find(s, "\\bneedle", 1000))`, "240001\t240006"},
		{long + `log(select(2, re.gsub(s, "ipsum", "x")))`, "20000"},
	})
	out := runScript(t, newQuietHost(), hook.Deliver, `function deliver() local s = ("a"):rep(1e6)
		for i = 1, 100 do re.find(s, "(a|b|ab)*c|(x|a)*z{1,500}y") end end`)
	if out.Err == nil || out.Elapsed > 4*time.Second {
		t.Errorf("%v after %v", out.Err, out.Elapsed)
	}
}

// The patterns that a host keeps are bounded.
func TestPatternsKept(t *testing.T) {
	h := newQuietHost()
	s := mustCompile(t, h, `function deliver() for i = 1, 400 do re.match("x", "x{1,900}" .. i) end end`)
	if out := s.Run(t.Context(), testCall(hook.Deliver)); out.Err != nil {
		t.Fatal(out.Err)
	}
	sum := 0
	for _, p := range h.patterns.byText {
		sum += p.weight
	}
	if sum != h.patterns.weight || sum > hostWeight || sum < hostWeight/2 {
		t.Errorf("patterns of weight %d, counted as %d", sum, h.patterns.weight)
	}
}

var jsonRows = []row{
	{`log(json.encode({1, "a", true, {x = {}}}))`, `[1,"a",true,{"x":{}}]`},
	{`log(json.encode({[1] = "a", x = 1.5}))`, `{"1":"a","x":1.5}`},
	{`log(json.encode("ü\n\"<\255"), json.encode(nil), json.encode(1e300))`, "\"ü\\n\\\"\\u003c\\ufffd\"\tnull\t1e+300"},
	{`json.encode(0/0)`, "test.lua:1: bad argument #1 to encode (JSON has no such number)"},
	{`json.encode({log})`, "test.lua:1: bad argument #1 to encode (JSON has no function)"},
	{`json.encode({[{}] = 1})`, "test.lua:1: bad argument #1 to encode (a key is a table)"},
	{`local t = {} t.t = t json.encode(t)`, "test.lua:1: bad argument #1 to encode (tables are nested deeper than 32)"},
	{`json.encode(string)`, "test.lua:1: bad argument #1 to encode (JSON has no table of functions)"},
	{`local v = json.decode('{"a": [1, -2.5e1, null, true], "b": {"c": "d"}, "e": null}') log(#v.a, v.a[2], v.a[4], v.b.c, v.e)`, "4\t-25\ttrue\td\tnil"},
	{`log(json.decode(' "\\u00fc\\n\\ud83d\\ude00\\ud83d" '))`, "ü\n😀\ufffd"},
	{`log(json.decode("[1,]"))`, "nil\tnot JSON: an odd character at octet 4"},
	{`log(json.decode("{} x"))`, "nil\tnot JSON: something follows the value at octet 4"},
	{`log(json.decode(""))`, "nil\tnot JSON: the end at octet 1"},
	{`log(json.decode("01"))`, "nil\tnot JSON: not a number at octet 1"},
	{`log(json.decode("1e999"))`, "nil\tnot JSON: not a number at octet 1"},
	{`log(json.decode('"a'))`, "nil\tnot JSON: a string without an end at octet 3"},
	{`log(json.decode('{"a" 1}'))`, "nil\tnot JSON: \":\" is missing at octet 6"},
	{`log(json.decode('{"a":1 "b":2}'))`, "nil\tnot JSON: \",\" or \"}\" is missing at octet 8"},
	{`log(json.decode("[1 2]"))`, "nil\tnot JSON: \",\" or \"]\" is missing at octet 4"},
	{`log(json.decode('"\\x"'))`, "nil\tnot JSON: an odd escape at octet 2"},
	{`log(json.decode('"\1"'))`, "nil\tnot JSON: a control character at octet 2"},
	{`log(json.decode(("["):rep(100)))`, "nil\tnot JSON: nested deeper than 32 at octet 34"},
	{`log(json.decode("{1:2}"))`, "nil\tnot JSON: a name is missing at octet 2"},
	{`local s = json.encode({("x"):rep(200000), n = 7}) log(json.decode(s).n)`, "7"}}

var digestsRows = []row{
	{`log(hash.sha256("abc"))`, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{`log(hash.sha1("abc"), hash.md5("abc"))`, "a9993e364706816aba3e25717850c26c9cd0d89d\t900150983cd24fb0d6963f7d28e17f72"},
	{`log(hmac.sha256("Jefe", "what do ya want for nothing?"))`, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"}, // RFC 4231 4.3
	{`log(base64.encode("Hi?>"), base64.decode("SGk/Pg=="), base64.decode("SGk_\r\nPg"))`, "SGk/Pg==\tHi?>\tHi?>"},
	{`log(base64.decode("=x="))`, "nil\tnot base64"},
	{`base64.encode()`, "test.lua:1: bad argument #1 to encode (string expected, got nil)"}}

var clockRows = []row{
	{`log(now() == os.time(), now())`, "true\t1795339800"},
	{`log(date("%H:%M"), date("%H:%M %Z", "UTC"), date("%H:%M %z", "Europe/Berlin"), os.date("%H:%M"))`, "10:30\t09:30 UTC\t10:30 +0100\t10:30"},
	{`log(date("%Y-%m-%d %H", "America/New_York", 0), date("*t", "UTC").hour)`, "1969-12-31 19\t9"},
	{`date("%H", "Mars/Base")`, `test.lua:1: bad argument #2 to date ("Mars/Base" is no time zone; write "Europe/Berlin", or "UTC")`},
	{`date("%H", "../etc/passwd")`, `test.lua:1: bad argument #2 to date ("../etc/passwd" is no time zone; write "Europe/Berlin", or "UTC")`},
	{`date("%H", "UTC", 1e300)`, "test.lua:1: bad argument #3 to date (time out of range)"}}

func TestTraceFunction(t *testing.T) {
	out := expectLog(t, serving(hook.Deliver, nil), `trace("a", 1) log("b")`, "a\t1 ; b")
	if out.Trace[0].Level != hook.TraceCalls || out.Trace[1].Level != hook.TraceLog {
		t.Errorf("%v", out.Trace)
	}
}

func TestMetric(t *testing.T) {
	sums := map[string]float64{}
	call := serving(hook.Deliver, nil)
	call.Services.Metric = func(script, name string, by float64) { sums[script+" "+name] += by }
	expectLog(t, call, `metric("seen") metric("seen", 2.5) metric("big_ones", 0)`, "")
	if want := map[string]float64{"test.lua seen": 3.5, "test.lua big_ones": 0}; !maps.Equal(sums, want) {
		t.Errorf("%v, want %v", sums, want)
	}
	expectLog(t, call, `metric("A")`, "test.lua:1: bad argument #1 to metric (the name of a metric has lower-case letters, digits and _, at most 64)")
	expectLog(t, call, `metric("a", -1)`, "test.lua:1: bad argument #2 to metric (a metric grows by 0 to 1e9)")
	expectLog(t, call, `for i = 1, 100 do metric("a" .. i) end`, fmt.Sprintf("test.lua:1: bad argument #1 to metric (a script has at most %d metrics)", maxMetrics))
}

// idleKV is a memory that keeps nothing, for measuring.
type idleKV struct{ hook.State }

func (idleKV) Begin(string, address.Address, time.Time) hook.State { return idleKV{} }
func (idleKV) Get(string) (string, bool, error)                    { return "", false, nil }
func (idleKV) Set(string, string, time.Duration) error             { return nil }
func (idleKV) Duplicate(string, time.Duration) (bool, error)       { return false, nil }
func (idleKV) Cancel()                                             {}
