package lua

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"facteur/server/hook"
)

// fuzzHost has limits that let a fuzzer try much in a second.
func fuzzHost() *Host {
	module := testModule()
	delete(module.Functions, "fails") // these are internal errors
	delete(module.Functions, "odd")
	delete(module.Functions, "waits")
	h := New(Options{
		Log: slog.New(slog.DiscardHandler), Modules: []Module{module},
		Load: files{"part.lua": "local n = ... v0 = n return {n}, 'x'"}.load,
	})
	h.limits.Instructions = 50_000
	h.limits.SMTPTime = 100 * time.Millisecond
	h.limits.DeliverTime = 100 * time.Millisecond
	h.limits.WallTime = time.Second // for those that wait for the DNS
	h.limits.Hourly = 1000 * time.Hour
	return h
}

// runAll runs a script at all stages and checks what holds for any script.
func runAll(t *testing.T, h *Host, source string) {
	s, err := h.compile("fuzz.lua", []byte(source), false)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || strings.HasPrefix(e.Text, "it can't be ") { // what the parser or compiler could not do
			t.Fatalf("%v\n%s", err, source)
		}
		return
	}
	for _, stage := range hook.Stages {
		call := serving(stage, newStore())
		if stage == hook.Tick {
			call.Trace = hook.TraceValues
		}
		began := time.Now()
		out := s.Run(t.Context(), call)
		if took := time.Since(began); took > 20*time.Second {
			t.Fatalf("took %v\n%s", took, source)
		}
		if out.Err != nil && (len(out.Actions) > 0 || strings.Contains(out.Err.Error(), "internal error")) {
			t.Fatalf("%v %v\n%s", out.Err, out.Actions, source)
		}
		if len(out.Actions) > h.limits.Actions {
			t.Fatalf("%d actions\n%s", len(out.Actions), source)
		}
	}
}

func FuzzSource(f *testing.F) {
	for _, h := range readHostile(f) {
		f.Add(string(h.source))
	}
	f.Add("function rcpt(c, m, r) log(c.ip, r.path[1], m.to[2], c.tls.version) end")
	f.Add("function both(c, m) local is = m.is if is.list then hold('x') end end data, submit = both, both")
	h := fuzzHost()
	f.Fuzz(func(t *testing.T, source string) { runAll(t, h, source) })
}

// Fragments from which FuzzFragments puts programs together.
var (
	fuzzStatements = []string{
		"local v%d = %e", "v%d = %e", "%e[%e] = %e", "t.x = %e", "t[#t + 1] = %e", "t[%e], v%d = %e, %e", "%e()",
		"if %e then %s else %s end", "for i = 1, %e do %s end", "for k, v in pairs(%e) do %s end", "while %e do %s break end", "do %s %s end",
		"local function f%d(a, ...) %s return %e, ... end", "pcall(function() %s end)", "error(%e)", "table.insert(t, %e, %e)", "table.sort(t, %e)",
		"table.remove(t, %e)", "log(%e)", "t[%e] = nil", "return %e", "repeat %s until %e", "xpcall(%e, %e)", "box:keep{flags = %e}", "reject(%e, %e, %e)",
		"box:fileinto(%e, %e)", "add_header(%e, %e)", "score(%e, %e)", "box:redirect(%e)", "for w in (%e):gmatch(%e) do %s end",
		"box:vacation{text = %e, days = %e, addresses = %e, start = %e}", "box:reply{html = %e, subject = %e, from = %e}", "box:notify{to = %e, text = %e}",
		"box:snooze(%e)", "box:expire(%e, %e)", "box:unflag(%e)", "box:reject(%e)", "box:learn(%e)", "box:accept(%e)", "box:remove_header(%e)", "box:subject_prefix(%e)",
		"delay(%e)", "greylist{after = %e}", "rewrite(%e)", "route(%e)", "hold(%e)", "quarantine(%e)", "add_rcpt(%e)", "fileinto(%e, %e)", "notify(%e)", "api(%e)",
		"event.x = %e", "function f%d(...) %s end",
		"kv.set(%e, %e, {ttl = %e})", "kv.delete(%e)", "for a, b in re.gmatch(%e, %e) do %s end", "trace(%e)", "metric(%e, %e)", "include('part')", "kv.x = %e",
	}
	fuzzExpressions = []string{
		"nil", "true", "0", "-1", "1", "2^53", "0/0", "1/0", "''", "'x'", "'%%d+'", "'(a*(.)%%w(%%s*))'", "t", "f", "v%d", "f%d", "t.x", "m", "c", "r", "box", "string",
		"{}", "{%e, %e}", "{x = %e, [%e] = %e}", "{f(%e)}", "(%e .. %e)", "%e + %e", "%e * %e", "-(%e)", "not %e", "#(%e)", "%e == %e", "%e < %e", "%e and %e", "%e or %e",
		"(%e)(%e, %e)", "(%e):rep(%e)", "(%e):find(%e)", "(%e):gsub(%e, %e)", "(%e):sub(%e, %e)", "(%e):byte(%e, %e)", "string.format(%e, %e)", "table.concat(%e, %e)",
		"tostring(%e)", "tonumber(%e, %e)", "unpack(%e)", "select(%e, %e)", "type(%e)", "next(%e, %e)", "function(...) %s return %e end", "m:header(%e)", "m:text(%e)",
		"m[%e]", "box:exists(%e)", "os.date(%e, %e)", "os.time(%e)", "math.random(%e, %e)", "math.floor(%e)", "string.char(%e, %e)", "('%%b()'):match(%e)", "ipairs(%e)",
		"event", "result", "a", "m.is.list", "m.is.first_time", "m.spam.rules", "m.auth.domains", "m.virus", "m:parts()", "m:part_text(%e, %e)", "m:part_header(%e, %e)",
		"m:attachments()[%e]", "m:urls()", "m:html(%e)", "box:count(%e, %e)", "box:contact(%e)", "box:thread_known(%e)", "box:busy(%e, %e)", "event.starts", "event[%e]", "result.next", "a.account",
		"'a@example.net'", "'2026-12-24 08:00'", "'30 days'", "'INBOX'", "box.quota", "c.tls[%e]",
		"kv.get(%e)", "kv.incr(%e, %e)", "rate(%e, %e, %e)", "duplicate(%e, %e)", "dns.a(%e)", "dns.mx(%e)", "dns.ptr(%e)", "dnsbl(%e, %e)", "cidr(%e, %e)",
		"re.match(%e, %e)", "re.find(%e, %e, %e)", "re.gsub(%e, %e, %e, %e)", "'(a|b*)(\\\\w+?){0,3}$'", "json.encode(%e)", "json.decode(%e)", "base64.encode(%e)",
		"base64.decode(%e)", "hash.sha256(%e)", "hash.md5(%e)", "hmac.sha256(%e, %e)", "now()", "date(%e, %e, %e)", "include('part')", "shop.show(%e)", "shop.nested()",
		"shop.list(%e)", `'[1, {"a": [null, "\\\\u00fc"]}]'`, "'127.0.0.0/8'", "'192.0.2.7'", "'Europe/Berlin'",
	}
)

// program turns bytes into Lua: each byte chooses a fragment.
type program struct {
	bytes []byte
	depth int
}

func (p *program) next(n int) int {
	if len(p.bytes) == 0 {
		return 0
	}
	b := p.bytes[0]
	p.bytes = p.bytes[1:]
	return int(b) % n
}

func (p *program) expand(fragment string) string {
	p.depth++
	defer func() { p.depth-- }()
	var b strings.Builder
	for i := 0; i < len(fragment); i++ {
		if fragment[i] != '%' {
			b.WriteByte(fragment[i])
			continue
		}
		i++
		switch fragment[i] {
		case 'e':
			b.WriteString(p.expression())
		case 's':
			b.WriteString(p.statement())
		case 'd':
			fmt.Fprint(&b, p.next(5))
		default:
			b.WriteByte('%')
		}
	}
	return b.String()
}

func (p *program) expression() string {
	if p.depth > 8 || len(p.bytes) == 0 {
		return fuzzExpressions[p.next(16)]
	}
	return p.expand(fuzzExpressions[p.next(len(fuzzExpressions))])
}

func (p *program) statement() string {
	if p.depth > 8 || len(p.bytes) == 0 {
		return ""
	}
	s := p.expand(fuzzStatements[p.next(len(fuzzStatements))])
	if strings.HasPrefix(s, "return") {
		return "do " + s + " end "
	}
	return s + "; "
}

// programOf makes a program of bytes. Its statements are each in a pcall, so
// that one error does not end it.
func programOf(data []byte) string {
	p := &program{bytes: data}
	var b strings.Builder
	b.WriteString("local t, f = {1, 2, 3}, function(...) return ... end\nlocal v0, v1, v2, v3, v4\nfunction run(a, c, m, r, box, event, result)\n")
	for len(p.bytes) > 0 && b.Len() < 20_000 {
		b.WriteString("pcall(function() " + p.statement() + " end)\n")
	}
	b.WriteString("end\n")
	for _, stage := range hook.Stages {
		fmt.Fprintf(&b, "function %s(%s) return run(a, c, m, r, box, event, result) end\n", stage, strings.Join(parameters[stage], ", "))
	}
	return b.String()
}

func FuzzFragments(f *testing.F) {
	f.Add([]byte("0123456789abcdefghijklmnopqrstuvwxyz"))
	f.Add([]byte(strings.Repeat("\x07\x15\x1c\x2b\x31", 40)))
	f.Add([]byte{4, 24, 8, 13, 30, 12, 11, 22, 23, 1, 2, 3, 10, 27, 28, 44})
	h := fuzzHost()
	f.Fuzz(func(t *testing.T, data []byte) { runAll(t, h, programOf(data)) })
}

// Random programs, the same ones each time.
func TestRandomPrograms(t *testing.T) {
	h := fuzzHost()
	r := rand.New(rand.NewPCG(1, 2))
	programs := 1000
	if testing.Short() {
		programs = 100
	}
	for range programs {
		data := make([]byte, 20+r.IntN(400))
		for i := range data {
			data[i] = byte(r.IntN(256))
		}
		runAll(t, h, programOf(data))
	}
}
