package lua

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/hook"
)

// What a script reads, as log prints it.
func TestFields(t *testing.T) {
	h := newQuietHost()
	for _, c := range []struct {
		stage  hook.Stage
		source string
		want   string
	}{
		{"rcpt", `log(c.ip, c.rdns, c.helo, c.tls.version, c.tls.cipher, c.user, c.listener, c.id)`, "192.0.2.7\tmx.elsewhere.net\tmx\tTLS 1.3\tAES\t\tsmtp\tc1"},
		{"rcpt", `log(r.address, r.original, r.detail, #r.path, r.path[1], r.path[2])`, "alice@example.org\tinfo+x@example.org\tx\t2\tinfo@example.org\talice@example.org"},
		{"rcpt", `log(m.id, m.from, #m.to, m.to[2], m.size)`, "m1\tcarol@elsewhere.net\t2\tbob@example.org\t1234"},
		{"data", `log(m.subject, os.date("!%F" == "" and "" or "!%Y-%m-%d", m.date), m.date)`, "Grüße\t2026-11-22\t1795334400"},
		{"data", `log(m:header("x-two"), m:header("X-None"), #m:headers("X-Two"), m:headers("X-Two")[2], #m:headers("X-None"))`, "one\t\t2\ttwo\t0"},
		{"data", `log(m:raw_header("Subject"), m:raw_header("X-None"), m:addresses("To")[2], #m:addresses("X-None"))`, "Grüße\t\tbob@example.org\t0"},
		{"submit", `log(#m:text(), m:text(5), m:text(0), #m:text(1e9))`, "32\tHello\t\t32"},
		{"deliver", `log(box.address, #box.addresses, box.addresses[2], box.quota.used, box.quota.max)`, "alice@example.org\t2\tinfo@example.org\t1000\t5000"},
		{"deliver", `log(#box:folders(), box:folders()[2], box:exists("Lists/Go"), box:exists("x"))`, "2\tLists/Go\ttrue\tfalse"},
		{"deliver", `log(m, box, type(m), {}, log, nil, true, 1.5)`, "m\tbox\tuserdata\ttable\tfunction\tnil\ttrue\t1.5"},
		{"deliver", `m.to[1] = "x" log(m.to[1])`, "alice@example.org"},
		{"deliver", `local s = m.subject log(m.subject == s, (" x "):find("x"))`, "true\t2\t2"},
	} {
		out := runScript(t, h, c.stage, wrap(c.source))
		if out.Err != nil || strings.Join(logged(out), "\n") != c.want {
			t.Errorf("%s: %q, %v, want %q", c.source, logged(out), out.Err, c.want)
		}
	}
}

// wrap puts statements into the functions of all stages.
func wrap(source string) string {
	var b strings.Builder
	for _, stage := range hook.Stages {
		b.WriteString(wrapAt(stage, source))
	}
	return b.String()
}

// wrapAt puts statements into the function of a stage.
func wrapAt(stage hook.Stage, source string) string {
	return "function " + string(stage) + "(" + strings.Join(parameters[stage], ", ") + ") " + source + " end "
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

// What a script asks for.
func TestActions(t *testing.T) {
	h := newQuietHost()
	for _, c := range []struct {
		stage  hook.Stage
		source string
		want   hook.Action
	}{
		{"rcpt", `reject()`, hook.Action{Kind: hook.Reject, Fault: fault.New(fault.Policy, "")}},
		{"rcpt", `reject(551, "5.7.0", "Go away")`, hook.Action{Kind: hook.Reject, Fault: fault.Reply(fault.Policy, 551, "5.7.0", "Go away")}},
		{"data", `reject(554)`, hook.Action{Kind: hook.Reject, Fault: fault.Reply(fault.Policy, 554, "", "")}},
		{"rcpt", `tempfail()`, hook.Action{Kind: hook.Tempfail, Fault: fault.New(fault.TryLater, "")}},
		{"submit", `return tempfail(451, "4.7.0", "Later")`, hook.Action{Kind: hook.Tempfail, Fault: fault.Reply(fault.TryLater, 451, "4.7.0", "Later")}},
		{"data", `discard()`, hook.Action{Kind: hook.Discard}},
		{"data", `score(2.5, "RULE")`, hook.Action{Kind: hook.Score, Points: 2.5, Rule: "RULE"}},
		{"data", `score(-1, "RULE", "why so")`, hook.Action{Kind: hook.Score, Points: -1, Rule: "RULE", Text: "why so"}},
		{"data", `add_header("X-Seen", "yes, é")`, hook.Action{Kind: hook.AddHeader, Name: "X-Seen", Value: "yes, é"}},
		{"data", `stop()`, hook.Action{Kind: hook.Stop}},
		{"deliver", `box:fileinto("A/B")`, hook.Action{Kind: hook.FileInto, Folder: "A/B"}},
		{"deliver", `box:fileinto("Été", {create = true, copy = true, flags = "\\Seen"})`, hook.Action{Kind: hook.FileInto, Folder: "Été", Create: true, Copy: true, Flags: []string{`\Seen`}}},
		{"deliver", `box:keep()`, hook.Action{Kind: hook.Keep}},
		{"deliver", `box:keep{flags = {"flagged", "$Work"}}`, hook.Action{Kind: hook.Keep, Flags: []string{`\Flagged`, "$Work"}}},
		{"deliver", `box:flag("SEEN")`, hook.Action{Kind: hook.Flag, Flags: []string{`\Seen`}}},
		{"deliver", `box:flag{"a", "b"}`, hook.Action{Kind: hook.Flag, Flags: []string{"a", "b"}}},
		{"deliver", `box:discard()`, hook.Action{Kind: hook.Discard}},
		{"deliver", `box:redirect("Dan@Example.NET")`, hook.Action{Kind: hook.Redirect, Address: address.MustParse("Dan@example.net")}},
		{"deliver", `box:redirect("dan@example.net", {copy = true})`, hook.Action{Kind: hook.Redirect, Address: address.MustParse("dan@example.net"), Copy: true}},
		{"deliver", `box:add_header("X-A", "")`, hook.Action{Kind: hook.AddHeader, Name: "X-A"}},
		{"deliver", `box:stop()`, hook.Action{Kind: hook.Stop}},
	} {
		out := runScript(t, h, c.stage, wrapAt(c.stage, "\n"+c.source))
		if out.Err != nil || len(out.Actions) != 1 {
			t.Errorf("%s: %v, %v", c.source, out.Actions, out.Err)
			continue
		}
		got := out.Actions[0]
		if got.Script != "test.lua" || got.Line != 2 || got.String() != c.want.String() || !sameFault(got.Fault, c.want.Fault) || got.Create != c.want.Create || got.Copy != c.want.Copy {
			t.Errorf("%s: %+v, want %+v of line 2", c.source, got, c.want)
		}
	}
}

func sameFault(a, b *fault.Fault) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Error() == b.Error()
}

// Several actions come in the order in which they were asked for, and an
// action does not end the script.
func TestActionsInOrder(t *testing.T) {
	out := runScript(t, newQuietHost(), hook.Deliver, wrap(`box:flag("a") box:fileinto("B") box:keep() box:stop()`))
	var kinds []string
	for _, a := range out.Actions {
		kinds = append(kinds, string(a.Kind))
	}
	if got := strings.Join(kinds, " "); out.Err != nil || got != "flag fileinto keep stop" {
		t.Error(got, out.Err)
	}
}

// Each action is refused at the stages that don't allow it, with the ones that do.
func TestActionsByStage(t *testing.T) {
	h := newQuietHost()
	for _, stage := range hook.Stages {
		for name := range globalActions {
			out := runScript(t, h, stage, wrapAt(stage, name+`(1, "a", "b")`))
			text := fmt.Sprint(out.Err)
			switch allowed := slices.Contains(hook.Allowed[stage], hook.Kind(name)); {
			case !allowed:
				if !strings.Contains(text, name+" is not an action of the stage "+string(stage)+"; it is one of "+stagesOf(hook.Kind(name))) {
					t.Errorf("%s at %s: %v", name, stage, text)
				}
			case stage.HasBox():
				if !strings.Contains(text, "write box:"+name+"(...)") {
					t.Errorf("%s at %s: %v", name, stage, text)
				}
			case strings.Contains(text, "is not an action"):
				t.Errorf("%s at %s: %v", name, stage, text)
			}
		}
		for name := range boxActions {
			if !stage.HasBox() {
				continue
			}
			text := fmt.Sprint(runScript(t, h, stage, wrapAt(stage, "box:"+name+`(1, "a", "b")`)).Err)
			if refused := strings.Contains(text, "is not an action of the stage"); refused == slices.Contains(hook.Allowed[stage], hook.Kind(name)) {
				t.Errorf("%s at %s: %v", name, stage, text)
			}
		}
	}
	for stage, kinds := range hook.Allowed {
		for _, k := range kinds {
			set := globalActions
			if stage.HasBox() {
				set = boxActions
			}
			if set[string(k)] == nil {
				t.Errorf("%s is allowed at %s, but there is no such function", k, stage)
			}
		}
	}
}

// Wrong arguments are errors that say where and what.
func TestActionErrors(t *testing.T) {
	h := newQuietHost()
	for source, want := range map[string]string{
		`reject(450)`:                          "reject takes a code from 500 to 599",
		`reject("x")`:                          "number expected, got string",
		`reject(550, "4.1.1")`:                 `an enhanced code looks like "5.7.1"`,
		`reject(550, "5.7")`:                   "an enhanced code looks like",
		`reject(550, "5.7.1", {})`:             "string expected, got table",
		`reject(550, "5.7.1", ("x"):rep(500))`: "longer than 400 octets",
		`reject(550, "5.7.1", "x", 1)`:         "too many arguments",
		`tempfail(550)`:                        "tempfail takes a code from 400 to 499",
		`discard(1)`:                           "too many arguments",
		`score("many", "X")`:                   "number expected, got string",
		`score(1)`:                             "string expected, got nil",
		`score(1/0, "X")`:                      "points are at most 1000",
		`score(0/0, "X")`:                      "points are at most 1000",
		`score(1, "two words")`:                "a rule is one word",
		`add_header("X")`:                      "string expected, got nil",
		`add_header("X", 5)`:                   "string expected, got number",
		`add_header("X", "a\nb")`:              "holds a control character",
		`add_header("X", "\255")`:              "not UTF-8",
		`add_header("Return-Path", "a")`:       "only the server writes Return-Path",
		`add_header("", "a")`:                  "the name of a header field is empty",
	} {
		checkError(t, runScript(t, h, hook.Data, wrap(source)), source, want)
	}
	for source, want := range map[string]string{
		`box:fileinto()`:                    "string expected, got nil",
		`box:fileinto("")`:                  `"" is not the name of a folder`,
		`box:fileinto("/a")`:                "is not the name of a folder",
		`box:fileinto("a//b")`:              "is not the name of a folder",
		`box:fileinto("a.b")`:               `the name of a folder holds no "."`,
		`box:fileinto(("x"):rep(300))`:      "longer than 255 octets",
		`box:fileinto("a", true)`:           "table expected, got boolean",
		`box:fileinto("a", {creat = true})`: `unknown option "creat"`,
		`box:fileinto("a", {true})`:         `unknown option "1"`,
		`box:fileinto("a", {create = 1})`:   "option create must be true or false, not a number",
		`box:fileinto("a", {flags = 1})`:    "flags are a string or an array of strings, not a number",
		`box:flag()`:                        "flags are a string or an array of strings, not a nil",
		`box:flag{}`:                        "no flag given",
		`box:flag{1}`:                       "a flag must be a string, not a number",
		`box:flag("\\Recent")`:              "is not an IMAP flag",
		`box:flag("")`:                      `"" is not an IMAP flag`,
		`box:redirect("x")`:                 "it has no @",
		`box:redirect("x@")`:                "is not",
		`box:redirect(nil)`:                 "string expected, got nil",
		`box.keep()`:                        "write box:keep(...), with a colon",
		`box.kepp()`:                        `box has no field "kepp"`,
		`box:reject()`:                      "string expected, got nil",
		`m:header()`:                        "string expected, got nil",
		`m:header{}`:                        "string expected, got table",
		`m:text("x")`:                       "number expected, got string",
		`return m[1]`:                       `m has no field "1"`,
		`m.x = 1`:                           "m is read only",
		`nofunction()`:                      "nofunction is not a function",
		`return m.subject.x.y`:              "attempt to index a nil value with key 'y'",
	} {
		checkError(t, runScript(t, h, hook.Deliver, wrap(source)), source, want)
	}
}

func checkError(t *testing.T, out hook.Outcome, source, want string) {
	t.Helper()
	if out.Err == nil || !strings.HasPrefix(out.Err.Error(), "test.lua:1: ") || !strings.Contains(out.Err.Error(), want) || len(out.Actions) > 0 {
		t.Errorf("%s: %v %v, want test.lua:1: ... %s", source, out.Err, out.Actions, want)
	}
}

// Handles tells what the script defines, in whatever way.
func TestStages(t *testing.T) {
	h := newQuietHost()
	for source, want := range map[string]string{
		"":                                          "",
		"function deliver(m, box) end":              "deliver",
		"deliver = function(m, box) end":            "deliver",
		"local function deliver(m, box) end":        "",
		"data, submit = print, print":               "data submit",
		"if os.time() > 0 then rcpt = log end":      "rcpt",
		"function mails(c, m) end":                  "",
		"x = { deliver = 1 } function x.data() end": "",
	} {
		var stages []string
		s := mustCompile(t, h, source)
		for _, st := range hook.Stages {
			if s.Handles(st) {
				stages = append(stages, string(st))
			}
		}
		if got := strings.Join(stages, " "); got != want {
			t.Errorf("%q handles %q, want %q", source, got, want)
		}
	}
}

// A verbose run shows each line that ran, once in a row, among what was logged.
func TestVerbose(t *testing.T) {
	call := testCall(hook.Deliver)
	call.Trace = hook.TraceLines
	s := mustCompile(t, newQuietHost(), `local function isList(m)
  return m:header("List-Id") ~= ""
end
function deliver(m, box)
  if isList(m) then
    log("a list")
    return box:fileinto("Lists/Go")
  end
  box:keep()
end
`)
	out := s.Run(t.Context(), call)
	var got []string
	for _, l := range out.Trace {
		if l.Script != "test.lua" {
			t.Errorf("line of %q", l.Script)
		}
		got = append(got, l.Text)
	}
	want := []string{
		"local function isList(m)", "function deliver(m, box)", "if isList(m) then", `return m:header("List-Id") ~= ""`, "m:header", "if isList(m) then",
		`log("a list")`, "a list", `return box:fileinto("Lists/Go")`, "box:fileinto",
	}
	if out.Err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%v\n%s", out.Err, strings.Join(got, "\n"))
	}
}

// A trace keeps the last lines.
func TestTraceIsBounded(t *testing.T) {
	call := testCall(hook.Deliver)
	s := mustCompile(t, newQuietHost(), "for i = 1, 5000 do\nlog(i)\nend\nfunction deliver() log('last') end")
	out := s.Run(t.Context(), call)
	if len(out.Trace) != maxTrace || out.Trace[0].Text != "4902" || out.Trace[maxTrace-1].Text != "last" || out.Trace[0].Line != 2 {
		t.Error(len(out.Trace), out.Trace[0], out.Trace[len(out.Trace)-1])
	}
	call.Trace = hook.TraceLines
	out = s.Run(t.Context(), call)
	if len(out.Trace) != maxVerboseTrace || out.Trace[maxVerboseTrace-1].Text != "last" {
		t.Error(len(out.Trace))
	}
	long := runScript(t, newQuietHost(), hook.Deliver, wrap(`log(("é"):rep(1e5), "b")`))
	if text := long.Trace[0].Text; len(text) > maxLogText+3 || !strings.HasPrefix(text, "éé") {
		t.Error(len(text))
	}
}

// The elapsed time of a run leaves out what our calls took, and so does the limit.
func TestTimeOfCallsIsNotCounted(t *testing.T) {
	h := newQuietHost()
	h.limits.DeliverTime = 50 * time.Millisecond
	s := mustCompile(t, h, `function deliver(m, box) for i = 1, 3 do box:folders() end box:keep() end`)
	call := testCall(hook.Deliver)
	call.Box = slowBox{box{address: "alice@example.org"}, 60 * time.Millisecond}
	out := s.Run(t.Context(), call)
	if out.Err != nil || out.Elapsed > 50*time.Millisecond {
		t.Error(out.Err, out.Elapsed)
	}
	h.limits.WallTime = 100 * time.Millisecond
	out = mustCompile(t, newWallHost(h), `function deliver(m, box) while true do box:folders() end end`).Run(t.Context(), call)
	if out.Err == nil || out.Err.(*Error).Cause != ErrTime {
		t.Error(out.Err)
	}
}

// newWallHost returns a host with the limits of another.
func newWallHost(h *Host) *Host { return New(Options{Limits: h.limits, Log: h.log}) }

// slowBox takes a while to list its folders.
type slowBox struct {
	box
	delay time.Duration
}

func (b slowBox) Folders() []string {
	<-time.After(b.delay)
	return b.box.Folders()
}
