package lua

import (
	"net/netip"
	"strings"
	"testing"

	"facteur/server/address"
	"facteur/server/hook"
)

// try is a piece of a script at a stage, and what it comes to.
type try struct {
	stage  hook.Stage
	source string
	want   string
}

// What a script reads, as log prints it. TestEveryNameIsTried sees to it that nothing is missing.
var fields = []try{
	{"rcpt", `log(c.ip, c.rdns, c.helo, c.tls.version, c.tls.cipher, c.user, c.listener, c.id)`, "192.0.2.7\tmx.elsewhere.net\tmx\tTLS 1.3\tAES\t\tsmtp\tc1"},
	{"connect", `log(c.ip, c.tls)`, "192.0.2.7\tc.tls"},
	{"auth", `log(a.account, a.device, a.mechanism, c.ip)`, "alice@example.org\tphone\tPLAIN\t192.0.2.7"},
	{"mail", `log(m.from, m.size, m.submitted, c.helo)`, "carol@elsewhere.net\t1234\tfalse\tmx"},
	{"rcpt", `log(r.address, r.original, r.detail, #r.path, r.path[1], r.path[2])`, "alice@example.org\tinfo+x@example.org\tx\t2\tinfo@example.org\talice@example.org"},
	{"rcpt", `log(m.id, m.from, #m.to, m.to[2], m.size)`, "m1\tcarol@elsewhere.net\t2\tbob@example.org\t1234"},
	{"resolve", `log(address)`, "nobody@example.org"},
	{"data", `log(m.subject, os.date("!%Y-%m-%d", m.date), m.date)`, "Grüße\t2026-11-22\t1795334400"},
	{"data", `log(m.auth, m.auth.spf, m.auth.dkim, m.auth.dmarc, m.auth.arc, #m.auth.domains, m.auth.domains[1])`, "m.auth\tpass\tpass\tfail\tnone\t1\telsewhere.net"},
	{"deliver", `log(m.spam, m.spam.score, #m.spam.rules, m.spam.rules[1].name, m.spam.rules[1].points, m.spam.rules[1].why)`, "m.spam\t6.5\t1\tBAD_WORD\t6.5\ta word"},
	{"deliver", `log(m.virus == "")`, "true"},
	{"data", `log(m.is, m.is.bounce, m.is.list, m.is.auto, m.is.bulk, m.is.encrypted, m.is.calendar)`, "m.is\tfalse\ttrue\tfalse\ttrue\tfalse\tfalse"},
	{"data", `log(m.is.first_time, m.is.from_contact, m.is.from_local)`, "nil\tnil\tfalse"},
	{"data", `log(m.is.proven)`, "true"},
	{"submit", `log(m.is.from_local, m.submitted)`, "true\ttrue"},
	{"deliver", `log(m.is.first_time, m.is.from_contact, m.is.first_time)`, "false\ttrue\tfalse"},
	{"data", `log(m:header("x-two"), m:header("X-None"), #m:headers("X-Two"), m:headers("X-Two")[2], #m:headers("X-None"))`, "one\t\t2\ttwo\t0"},
	{"data", `log(m:raw_header("Subject"), m:raw_header("X-None"), m:addresses("To")[2], #m:addresses("X-None"))`, "Grüße\t\tbob@example.org\t0"},
	{"submit", `log(#m:text(), m:text(5), m:text(0), #m:text(1e9))`, "32\tHello\t\t32"},
	{"stored", `log(#m:html(), m:html(3), m:html(100), m:html(-1))`, "14\t<p>\t<p>Hello Alice\t"},
	{"data", `local p = m:parts() log(#p, p[1].type, p[1].depth, p[2].type, p[2].name, p[2].disposition, p[2].charset, p[2].id, p[2].size, p[2].depth)`,
		"2\tmultipart/mixed\t0\tapplication/zip\ta.zip\tattachment\tutf-8\tid1\t500\t1"},
	{"data", `log(m:part_text(1), m:part_text(2, 4), m:part_text(3), m:part_header(2, "X-A"), m:part_header(9, "X-A"))`, "text of part 0\ttext\t\tX-A of part 1\t"},
	{"data", `local f = m:attachments()[1] log(f.part, f.name, f.type, f.size, f.files[1], f.encrypted, f.opaque)`, "2\ta.zip\tapplication/zip\t400\tx.exe\ttrue\ttrue"},
	{"data", `log(#m:urls(), m:urls()[1])`, "1\thttps://example.net/"},
	{"deliver", `log(box.address, #box.addresses, box.addresses[2], box.quota, box.quota.used, box.quota.max)`, "alice@example.org\t2\tinfo@example.org\tbox.quota\t1000\t5000"},
	{"deliver", `log(#box:folders(), box:folders()[2], box:exists("Lists/Go"), box:exists("x"))`, "2\tLists/Go\ttrue\tfalse"},
	{"tick", `log(box:count("INBOX"), box:count("INBOX", "UNSEEN"))`, "3\t6"},
	{"deliver", `local p = box:contact("carol@elsewhere.net") log(p.name, p.received, p.written, box:contact("x@example.net"))`, "Carol\t1795336200\t1795332600\tnil"},
	{"deliver", `local p = box:contact("dan@example.net") log(p.name == "", p.written, p.received)`, "true\tnil\t1795336200"},
	{"deliver", `log(box:thread_known(m))`, "true"},
	{"deliver", `local b = box:busy(now(), now() + 7200) log(#b, b[1].starts, b[1].ends, b[1].kind, b[2].kind)`, "2\t1795339800\t1795343400\tbusy\ttentative"},
	{"tick", `log(#box:busy("2026-11-22 10:30"), box:busy("2026-11-22 08:00", "2026-11-22 09:00"), box:busy(now() - 1, nil))`, "1\tnil\tnil"},
	{"calendar", `log(box:busy(event.starts, event.ends), box:busy(event.starts, event.ends + 3600)[1].kind)`, "nil\ttentative"},
	{"stored", `log(event.kind, event.folder, event.from, event.flags[2], event.added[1], event.removed[1])`, "move\tJunk\tINBOX\t$Junk\t$Junk\t$NotJunk"},
	{"calendar", `log(event.method, event.uid, event.organizer, event.attendees[1], event.summary, event.location)`, "REQUEST\tu1\tcarol@elsewhere.net\talice@example.org\tLunch\tKitchen"},
	{"calendar", `log(event.starts, event.ends, event.all_day, event.recurring, event.sequence)`, "1795339800\t1795343400\ttrue\ttrue\t3"},
	{"deferred", `log(result.recipient, result.code, result.status, result.text, result.server, result.attempts, result.next)`, "dan@example.net\t450\t4.2.0\tlater\tmx.example.net\t2\t1795343400"},
	{"sent", `log(m.subject, result.recipient)`, "Grüße\tdan@example.net"},
	{"bounced", `log(m:header("To"), result.recipient)`, "alice@example.org, bob@example.org\tdan@example.net"},
	{"deliver", `log(m, box, type(m), {}, log, nil, true, 1.5)`, "m\tbox\tuserdata\ttable\tfunction\tnil\ttrue\t1.5"},
	{"deliver", `m.to[1] = "x" log(m.to[1])`, "alice@example.org"},
	{"deliver", `local s = m.subject log(m.subject == s, (" x "):find("x"))`, "true\t2\t2"},
	{"data", `api(1) api(0) log(facteur.api, pcall(api, 2))`, "1\tfalse\ttest.lua:1: the script needs version 2 of the API, this server has 1"},
	{"data", `print("a", 1)`, "a\t1"},
}

func TestFields(t *testing.T) {
	h := newQuietHost()
	for _, f := range fields {
		out := runScript(t, h, f.stage, wrapAt(f.stage, f.source))
		if out.Err != nil || strings.Join(logged(out), "\n") != f.want {
			t.Errorf("%s: %q, %v, want %q", f.source, logged(out), out.Err, f.want)
		}
	}
}

// What comes from outside the message needs it to be there.
func TestFieldsBeforeTheMessage(t *testing.T) {
	h := newQuietHost()
	for _, source := range []string{`m.subject`, `m.date`, `m:header("X")`, `m:headers("X")`, `m:raw_header("X")`, `m:addresses("X")`, `m:text()`, `m:html()`,
		`m:parts()`, `m:part_text(1)`, `m:part_header(1, "X")`, `m:attachments()`, `m:urls()`, `m.is.list`} {
		for _, stage := range []hook.Stage{"mail", "rcpt"} {
			checkError(t, runScript(t, h, stage, wrapAt(stage, "return "+source)), source, "is not known at the stage "+string(stage)+": the message has not come yet")
		}
	}
	out := runScript(t, h, "rcpt", wrapAt("rcpt", `log(m.virus, m.spam.score, #m.spam.rules, m.auth.spf, m.is.from_local, m.is.first_time)`))
	if out.Err != nil || logged(out)[0] != "\t0\t0\t\tfalse\tnil" {
		t.Error(out.Err, logged(out))
	}
}

// A null reverse-path is that of a bounce, whatever the message says.
func TestNullReversePathIsBounce(t *testing.T) {
	call := testCall(hook.Deliver)
	call.Message.ReversePath = address.Address{}
	out := mustCompile(t, newQuietHost(), `function deliver(m, box) log(m.is.bounce, m.from == "") end`).Run(t.Context(), call)
	if out.Err != nil || logged(out)[0] != "true\ttrue" {
		t.Error(out.Err, logged(out))
	}
}

// A contact counts when it is shown that the message is from there, or when nobody looked.
func TestContactIsProven(t *testing.T) {
	for _, c := range []struct {
		name      string
		auth      *hook.Authenticity
		submitted bool
		from      string
		want      string // m.is.proven, from_contact, first_time
	}{
		{"proven", &hook.Authenticity{Author: "elsewhere.net"}, false, "carol@elsewhere.net", "true\ttrue\tfalse"},
		{"not proven", &hook.Authenticity{SPF: "pass", DKIM: "pass"}, false, "carol@elsewhere.net", "false\tfalse\tfalse"},
		{"another domain is", &hook.Authenticity{Author: "thief.example"}, false, "carol@elsewhere.net, x@thief.example", "false\tfalse\tfalse"},
		{"by a client that is trusted", &hook.Authenticity{Exempt: true}, false, "carol@elsewhere.net", "nil\ttrue\tfalse"},
		{"nothing was verified", nil, false, "carol@elsewhere.net", "nil\ttrue\tfalse"},
		{"submitted here", nil, true, "carol@elsewhere.net", "true\ttrue\tfalse"},
		{"proven, and nobody known", &hook.Authenticity{Author: "example.net"}, false, "x@example.net", "true\tfalse\ttrue"},
		{"without an author", &hook.Authenticity{}, false, "", "false\tnil\tnil"},
	} {
		call := testCall(hook.Deliver)
		call.Message.Auth, call.Message.Submitted = c.auth, c.submitted
		call.Message.Content = content{header: header("From: " + c.from)}
		if c.from == "" {
			call.Message.Content = content{}
		}
		out := mustCompile(t, newQuietHost(), `function deliver(m, box) log(m.is.proven, m.is.from_contact, m.is.first_time) end`).Run(t.Context(), call)
		if out.Err != nil || logged(out)[0] != c.want {
			t.Errorf("%s: %v, %q, want %q", c.name, out.Err, logged(out), c.want)
		}
	}
}

// m.is asks the mailbox for the author, and only when it is asked itself.
func TestAuthorIsLookedUpOnce(t *testing.T) {
	call := testCall(hook.Deliver)
	asked := 0
	call.Box = askedBox{box{address: "alice@example.org"}, &asked}
	run := func(source, want string, times int) {
		t.Helper()
		asked = 0
		out := mustCompile(t, newQuietHost(), wrapAt("deliver", source)).Run(t.Context(), call)
		if out.Err != nil || logged(out)[0] != want || asked != times {
			t.Error(out.Err, logged(out), asked)
		}
	}
	run(`log(m.is.list)`, "true", 0)
	run(`log(m.is.first_time, m.is.from_contact)`, "false\ttrue", 1)
	call.Message.Content = content{header: header("From: erin@example.net")}
	run(`log(m.is.first_time, m.is.from_contact)`, "true\tfalse", 1)
	call.Message.Content = content{}
	run(`log(m.is.first_time, m.is.from_contact)`, "nil\tnil", 0)
}

// askedBox counts how often it is asked for somebody.
type askedBox struct {
	box
	asked *int
}

func (b askedBox) Contact(a address.Address) hook.Contact {
	*b.asked++
	return b.box.Contact(a)
}

// Wrong arguments of what is read are errors that say where and what.
func TestFieldErrors(t *testing.T) {
	h := newQuietHost()
	for source, want := range map[string]string{
		`m:header()`:                         "string expected, got nil",
		`m:header{}`:                         "string expected, got table",
		`m:text("x")`:                        "number expected, got string",
		`m:part_text()`:                      "number expected, got nil",
		`m:part_text(0)`:                     "the parts of a message are numbered from 1",
		`m:part_header(1)`:                   "string expected, got nil",
		`return m[1]`:                        `m has no field "1"`,
		`return m.auth.x`:                    `m.auth has no field "x"`,
		`return box.quota.free`:              `box.quota has no field "free"`,
		`m.x = 1`:                            "m is read only",
		`m.is.list = true`:                   "m.is is read only",
		`box.kepp()`:                         `box has no field "kepp"`,
		`box:count("x")`:                     `there is no folder "x"`,
		`box:count("a.b")`:                   `the name of a folder holds no "."`,
		`box:count("INBOX", ("x"):rep(2e3))`: "longer than 1000 octets",
		`box:contact("x")`:                   "it has no @",
		`box:busy()`:                         "expected, got nil",
		`box:busy("tomorrow")`:               `a time is a number of seconds since 1970, or "2026-12-24 08:00"`,
		`box:busy(now(), now() - 1)`:         "it ends before it begins",
		`box:busy(now(), now() + 63*86400)`:  "that is more than 62 days",
		`box:busy(now() + 31*86400)`:         "box:busy: too far",
		`for i = 1, 11 do box:busy(i) end`:   "box:busy: it was asked more than 10 times",
		`box:busy(0, 1, 2)`:                  "argument",
		`box:thread_known()`:                 "m expected, got nil",
		`box:thread_known(box)`:              "m expected, got userdata",
		`if m.subject:contains("x") then box:keep() end`:     "contains is not a function",
		`local x = m:addresses("Cc")[9]; return x:find("x")`: `attempt to index a nil value with key 'find': nothing is there, try (x or "") or an if`,
		`return "a" + m.subject`:                             "+ adds numbers, .. puts texts together",
		`nofunction()`:                                       "nofunction is not a function",
		`return m.subject.x.y`:                               "attempt to index a nil value with key 'y'",
		`api()`:                                              "number expected, got nil",
		`facteur.api = 2`:                                    "facteur is read only",
	} {
		checkError(t, runScript(t, h, hook.Deliver, wrapAt("deliver", source)), source, want)
	}
}

// What resolve returns is where the address leads.
func TestResolve(t *testing.T) {
	h := newQuietHost()
	for source, want := range map[string]string{
		``:                         "",
		`return nil`:               "",
		`return {}`:                "",
		`return "Bob@Example.ORG"`: "Bob@example.org",
		`return { "a@example.org", "b@x.example" }`: "a@example.org b@x.example",
		`return address:gsub("nobody", "bob")`:      "bob@example.org",
	} {
		out := runScript(t, h, "resolve", wrapAt("resolve", source))
		if got := strings.Join(out.Destinations, " "); out.Err != nil || got != want {
			t.Errorf("%s: %q, %v", source, got, out.Err)
		}
	}
	for source, want := range map[string]string{
		`return 1`:                        "resolve returned a number; it may return an address",
		`return true`:                     "resolve returned a boolean",
		`return "bob"`:                    `resolve returned "bob": `,
		`return { "a@example.org", 1 }`:   "resolve returned a number among the addresses",
		`return { to = "a@example.org" }`: "resolve returned a table that is no array",
		`local t = {} for i = 1, 101 do t[i] = "a@example.org" end return t`: "resolve returned more than 100 addresses",
	} {
		out := runScript(t, h, "resolve", wrapAt("resolve", source))
		if out.Err == nil || !strings.Contains(out.Err.Error(), want) || out.Destinations != nil {
			t.Errorf("%s: %v %v", source, out.Err, out.Destinations)
		}
	}
	if out := runScript(t, h, "deliver", wrapAt("deliver", `return "bob@example.org"`)); out.Err != nil || out.Destinations != nil {
		t.Error(out.Err, out.Destinations)
	}
}

// What is not there is "" or nil, and never an error.
func TestFieldsAbsent(t *testing.T) {
	call := hook.Call{
		Stage:   hook.Data,
		Client:  &hook.Client{},
		Message: &hook.Message{Content: content{}},
		Now:     testNow,
	}
	s := mustCompile(t, newQuietHost(), `function data(c, m)
		log(c.ip == "", c.tls == nil, c.user == "", m.from == "", #m.to, m.subject == "", m.date == nil, m:text() == "")
	end`)
	out := s.Run(t.Context(), call)
	if out.Err != nil || logged(out)[0] != "true\ttrue\ttrue\ttrue\t0\ttrue\ttrue\ttrue" {
		t.Error(out.Err, logged(out))
	}
	call.Client.IP = netip.MustParseAddr("2001:db8::1")
	call.Message.ReversePath = address.Address{}
	out = mustCompile(t, newQuietHost(), `function data(c, m) log(c.ip) end`).Run(t.Context(), call)
	if out.Err != nil || logged(out)[0] != "2001:db8::1" {
		t.Error(out.Err, logged(out))
	}
}
