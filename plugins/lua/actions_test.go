package lua

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/hook"
)

// What a script asks for, told to people.
var actions = []try{
	{"rcpt", `reject()`, `reject 550 5.7.1 "Refused by policy"`},
	{"connect", `reject(554, "5.7.1", "No")`, `reject 554 5.7.1 "No"`},
	{"auth", `reject(535, "5.7.8", "Not from there")`, `reject 535 5.7.8 "Not from there"`},
	{"mail", `reject(551, "5.7.0", "Go away")`, `reject 551 5.7.0 "Go away"`},
	{"rcpt", `tempfail()`, `tempfail 450 4.7.1 "Refused for now, try again later"`},
	{"submit", `return tempfail(451, "4.7.0", "Later")`, `tempfail 451 4.7.0 "Later"`},
	{"connect", `delay(2.5)`, `delay the greeting by 2.5s`},
	{"connect", `delay("20 seconds")`, `delay the greeting by 20 seconds`},
	{"rcpt", `greylist()`, `greylist for 5 minutes`},
	{"rcpt", `greylist{after = "1 hour"}`, `greylist for 1 hour`},
	{"rcpt", `greylist{after = 90}`, `greylist for 90 seconds`},
	{"rcpt", `rewrite("Bob@Example.org")`, `rewrite <Bob@example.org>`},
	{"data", `discard()`, `discard`},
	{"data", `quarantine("looks odd")`, `quarantine "looks odd"`},
	{"submit", `hold("too many")`, `hold "too many"`},
	{"submit", `route("relay.example.net")`, `route through relay.example.net:25`},
	{"submit", `route("192.0.2.1:2525")`, `route through 192.0.2.1:2525`},
	{"submit", `route("[2001:db8::1]:587")`, `route through [2001:db8::1]:587`},
	{"submit", `route("2001:db8::1")`, `route through [2001:db8::1]:25`},
	{"submit", `fileinto("Customers/A", {create = true})`, `fileinto "Customers/A", made when it is not there`},
	{"data", `score(2.5, "RULE")`, `score +2.5 RULE`},
	{"data", `score(-1, "RULE", "why so")`, `score -1 RULE (why so)`},
	{"data", `add_header("X-Seen", "yes, é")`, `add_header X-Seen: yes, é`},
	{"data", `remove_header("Sender")`, `remove_header Sender`},
	{"data", `remove_header("X-Seen")`, `remove_header X-Seen`},
	{"data", `subject_prefix("[club] ")`, `subject_prefix "[club] "`},
	{"data", `add_rcpt("archive@example.org")`, `add_rcpt <archive@example.org>`},
	{"bounced", `redirect("dan@example.net")`, `redirect <dan@example.net>`},
	{"deferred", `notify{to = "dan@example.net", subject = "It waits", text = "Still.\nYes."}`, `notify <dan@example.net>, "It waits", "Still.\nYes."`},
	{"data", `stop()`, `stop`},
	{"resolve", `stop()`, `stop`},

	{"deliver", `box:fileinto("A/B")`, `fileinto "A/B"`},
	{"deliver", `box:fileinto("Été", {create = true, copy = true, flags = "\\Seen"})`, `fileinto "Été" with \Seen, made when it is not there, and go on as if not`},
	{"stored", `box:fileinto("A")`, `fileinto "A"`},
	{"deliver", `box:keep()`, `keep`},
	{"deliver", `box:keep{flags = {"flagged", "$Work"}}`, `keep with \Flagged $Work`},
	{"deliver", `box:flag("SEEN")`, `flag with \Seen`},
	{"deliver", `box:flag{"a", "b"}`, `flag with a b`},
	{"stored", `box:unflag{"Seen", "b"}`, `unflag with \Seen b`},
	{"deliver", `box:discard()`, `discard`},
	{"deliver", `box:reject("a\nb\194\133\255")`, "reject \"a b \ufffd\""},
	{"data", `reject(550, "5.7.1", ("\195\169"):rep(500):sub(2))`, `reject 550 5.7.1 "` + strings.Repeat("é", 198) + `..."`},
	{"submit", `hold(("x"):rep(500))`, `hold "` + strings.Repeat("x", 397) + `..."`},
	{"data", `score(1, "A", ("\195\169"):rep(100):sub(1, 99) .. "\r\n")`, `score +1 A (` + strings.Repeat("é", 49) + "\ufffd  )"},
	{"deliver", `box:reject("Too large for me")`, `reject "Too large for me"`},
	{"calendar", `box:reject("Never")`, `reject "Never"`},
	{"deliver", `box:redirect("Dan@Example.NET")`, `redirect <Dan@example.net>`},
	{"deliver", `box:redirect("dan@example.net", {copy = true})`, `redirect <dan@example.net>, and go on as if not`},
	{"deliver", `box:vacation{text = "Away.\r\nBye."}`, `vacation "Away.\nBye."`},
	{"deliver", `box:vacation{html = "<p>Away", subject = "Out", from = "info@example.org", days = 3, addresses = {"a@example.org", "b@example.org"}, handle = "h", start = "2026-12-20", stop = "2026-12-31"}`,
		`vacation "<p>Away", subject "Out", from <info@example.org>, every 3 days, for <a@example.org>, for <b@example.org>, handle "h", from 2026-12-20, until 2026-12-31`},
	{"deliver", `box:vacation{text = "x", addresses = "a@example.org", stop = "2026-12-31"}`, `vacation "x", for <a@example.org>, until 2026-12-31`},
	{"deliver", `box:reply{text = "Got it.", subject = "Ticket", days = 1}`, `reply "Got it.", subject "Ticket", every 1 day`},
	{"deliver", `box:notify{text = "Look."}`, `notify "Look."`},
	{"tick", `box:notify{subject = "Digest"}`, `notify "Digest"`},
	{"deliver", `box:snooze("2026-12-24 08:00")`, `snooze until 2026-12-24 08:00 +0100`},
	{"deliver", `box:add_header("X-A", "")`, `add_header X-A: `},
	{"deliver", `box:remove_header("X-A")`, `remove_header X-A`},
	{"deliver", `box:subject_prefix("[x]")`, `subject_prefix "[x]"`},
	{"deliver", `box:accept()`, `accept`},
	{"calendar", `box:accept("Gladly")`, `accept (Gladly)`},
	{"calendar", `box:decline("No room")`, `decline (No room)`},
	{"stored", `box:learn("spam")`, `learn as spam`},
	{"deliver", `box:learn("ham")`, `learn as ham`},
	{"tick", `box:expire("Trash", "30 days")`, `expire what is older than 30 days in "Trash"`},
	{"tick", `box:expire("Trash", 7200)`, `expire what is older than 2 hours in "Trash"`},
	{"deliver", `box:stop()`, `stop`},
}

func TestActions(t *testing.T) {
	h := newQuietHost()
	for _, a := range actions {
		out := runScript(t, h, a.stage, wrapAt(a.stage, "\n"+a.source))
		if out.Err != nil || len(out.Actions) != 1 {
			t.Errorf("%s: %v, %v", a.source, out.Actions, out.Err)
			continue
		}
		if got := out.Actions[0]; got.Script != "test.lua" || got.Line != 2 || got.String() != a.want {
			t.Errorf("%s: line %d %s, want line 2 %s", a.source, got.Line, got, a.want)
		}
	}
}

// What the words for people leave out.
func TestActionDetails(t *testing.T) {
	h := newQuietHost()
	one := func(stage hook.Stage, source string) hook.Action {
		t.Helper()
		out := runScript(t, h, stage, wrapAt(stage, source))
		if out.Err != nil || len(out.Actions) != 1 {
			t.Fatal(source, out.Err, out.Actions)
		}
		return out.Actions[0]
	}
	if a := one("rcpt", `reject()`); a.Fault.Kind != fault.Policy {
		t.Errorf("%+v", a.Fault)
	}
	if a := one("mail", `tempfail()`); a.Fault.Kind != fault.TryLater {
		t.Errorf("%+v", a.Fault)
	}
	if a := one("deliver", `box:snooze(1795340000)`); !a.Until.Equal(time.Unix(1795340000, 0)) {
		t.Error(a.Until)
	}
	if a := one("deliver", `box:reply{html = "x"}`); a.Reply.Days != -1 || a.Reply.HTML != "x" || a.Reply.Text != "" || !a.Reply.From.IsZero() {
		t.Errorf("%+v", a.Reply)
	}
	if a := one("deliver", `box:vacation{text = "x", start = "2026-12-20"}`); a.Reply.Start != (hook.Date{Year: 2026, Month: 12, Day: 20}) || !a.Reply.Stop.IsZero() {
		t.Errorf("%+v", a.Reply)
	}
	if a := one("rcpt", `rewrite("bob@example.org")`); a.Address != address.MustParse("bob@example.org") {
		t.Errorf("%+v", a)
	}
	// A time that has passed: nothing is asked for.
	if out := runScript(t, h, "deliver", wrapAt("deliver", `box:snooze("2026-11-22 10:30")`)); out.Err != nil || len(out.Actions) != 0 {
		t.Error(out.Err, out.Actions)
	}
}

// A run may ask for so many of each.
func TestActionLimits(t *testing.T) {
	h := newQuietHost()
	for source, want := range map[string]Limit{
		`for i = 1, 33 do box:flag("x") end`:                        ErrActions,
		`for i = 1, 5 do box:redirect("a@example.net") end`:         ErrRedirects,
		`box:vacation{text = "a"} box:vacation{text = "b"}`:         ErrVacations,
		`box:reply{text = "a"} box:reply{text = "b"}`:               ErrReplies,
		`for i = 1, 11 do pcall(box.notify, box, {text = "a"}) end`: ErrNotices,
	} {
		out := runScript(t, h, hook.Deliver, wrapAt("deliver", source))
		if e, ok := out.Err.(*Error); !ok || e.Cause != want || len(out.Actions) > 0 || !strings.Contains(e.Text, "it asked for more than") {
			t.Errorf("%s: %v", source, out.Err)
		}
	}
	out := runScript(t, h, hook.Deliver, wrapAt("deliver", `for i = 1, 10 do box:notify{text = "a"} end box:reply{text = "a"} box:vacation{text = "a"}
		for i = 1, 4 do box:redirect("a@example.net") end for i = 1, 16 do box:flag("x") end`))
	if out.Err != nil || len(out.Actions) != 32 {
		t.Error(out.Err, len(out.Actions))
	}
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
		`reject(450)`:                    "reject takes a code from 500 to 599",
		`reject("x")`:                    "number expected, got string",
		`reject(550, "4.1.1")`:           `an enhanced code looks like "5.7.1"`,
		`reject(550, "5.7")`:             "an enhanced code looks like",
		`reject(550, "5.7.1", {})`:       "string expected, got table",
		`reject(550, "5.7.1", "x", 1)`:   "too many arguments",
		`tempfail(550)`:                  "tempfail takes a code from 400 to 499",
		`discard(1)`:                     "too many arguments",
		`score("many", "X")`:             "number expected, got string",
		`score(1)`:                       "string expected, got nil",
		`score(1/0, "X")`:                "points are at most 1000",
		`score(0/0, "X")`:                "points are at most 1000",
		`score(1, "two words")`:          "a rule is one word",
		`add_header("X")`:                "string expected, got nil",
		`add_header("X", 5)`:             "string expected, got number",
		`add_header("Return-Path", "a")`: "Return-Path is not for scripts",
		`add_header("", "a")`:            "the name of a header field is empty",
	} {
		checkError(t, runScript(t, h, hook.Data, wrapAt("data", source)), source, want)
	}
	for source, want := range map[string]string{
		`box:reject()`:                              "string expected, got nil",
		`box:reject(" ")`:                           "say why",
		`box:unflag()`:                              "flags are a string or an array of strings, not a nil",
		`box:vacation()`:                            "table expected, got nil",
		`box:vacation("x")`:                         "table expected, got string",
		`box:vacation{}`:                            "either text or html says what to answer",
		`box:vacation{text = " "}`:                  "either text or html says what to answer",
		`box:vacation{text = "a", html = "b"}`:      "either text or html says what to answer",
		`box:vacation{text = 1}`:                    "option text: string expected, got number",
		`box:vacation{text = "a", from = "me"}`:     `option from: "me" is not an address: it has no @`,
		`box:vacation{text = "a", days = 0}`:        "option days: must be a number of days from 1 to 60",
		`box:vacation{text = "a", days = 61}`:       "option days: must be",
		`box:vacation{text = "a", days = 1.5}`:      "option days: must be",
		`box:vacation{text = "a", days = "7"}`:      "option days: must be",
		`box:vacation{text = "a", addresses = {1}}`: "option addresses: string expected, got number",
		`local t = {} for i = 1, 51 do t[i] = "a@example.org" end box:vacation{text = "a", addresses = t}`: "option addresses: more than 50 addresses",
		`box:vacation{text = "a", start = "20.12."}`:                                                       `option start: a date is written "2026-12-20"`,
		`box:vacation{text = "a", start = "2026-02-30"}`:                                                   "option start: a date is written",
		`box:vacation{text = "a", start = "2026-12-20", stop = "2026-12-19"}`:                              "it stops on 2026-12-19, before it starts",
		`box:vacation{text = "a", until_ = 1}`:                                                             `unknown option "until_"`,
		`box:reply{text = "a", stop = "2026-12-20"}`:                                                       `unknown option "stop"`,
		`box:reply{text = "a"} box:reply{}`:                                                                "either text or html",
		`box:notify{}`:                                                                                     "neither subject nor text is given",
		`box:notify{text = "a", to = "x"}`:                                                                 `option to: "x" is not an address: it has no @`,
		`box:notify{text = "a", html = "b"}`:                                                               `unknown option "html"`,
		`box:snooze()`:                                                                                     "string expected, got nil",
		`box:snooze("tomorrow")`:                                                                           "a time is a number of seconds since 1970, or",
		`box:snooze(1e300)`:                                                                                "time out of range",
		`box:snooze(0/0)`:                                                                                  "time out of range",
		`box:snooze("2029-01-01 00:00")`:                                                                   "that is more than a year from now",
		`box:learn("maybe")`:                                                                               `it is "spam" or "ham"`,
		`box:accept(1)`:                                                                                    "string expected, got number",
		`box:decline("a", "b")`:                                                                            "too many arguments",
		`box:remove_header("Received")`:                                                                    "Received is not for scripts",
		`box:remove_header("auto-submitted")`:                                                              "auto-submitted is not for scripts",
		`box:subject_prefix("")`:                                                                           "the prefix is empty",
		`box:fileinto()`:                                                                                   "string expected, got nil",
		`box:fileinto("")`:                                                                                 `"" is not the name of a folder`,
		`box:fileinto("/a")`:                                                                               "is not the name of a folder",
		`box:fileinto("a//b")`:                                                                             "is not the name of a folder",
		`box:fileinto("a.b")`:                                                                              `the name of a folder holds no "."`,
		`box:fileinto(("x"):rep(300))`:                                                                     "longer than 255 octets",
		`box:fileinto("a", true)`:                                                                          "table expected, got boolean",
		`box:fileinto("a", {creat = true})`:                                                                `unknown option "creat"`,
		`box:fileinto("a", {true})`:                                                                        `unknown option "1"`,
		`box:fileinto("a", {create = 1})`:                                                                  "option create must be true or false, not a number",
		`box:fileinto("a", {flags = 1})`:                                                                   "flags are a string or an array of strings, not a number",
		`box:flag()`:                                                                                       "flags are a string or an array of strings, not a nil",
		`box:flag{}`:                                                                                       "no flag given",
		`box:flag{1}`:                                                                                      "a flag must be a string, not a number",
		`box:flag("\\Recent")`:                                                                             "is not an IMAP flag",
		`box:flag("")`:                                                                                     `"" is not an IMAP flag`,
		`box:redirect("x")`:                                                                                "it has no @",
		`box:redirect("x@")`:                                                                               "is not",
		`box:redirect(nil)`:                                                                                "string expected, got nil",
		`box.keep()`:                                                                                       "write box:keep(...), with a colon",
	} {
		checkError(t, runScript(t, h, hook.Deliver, wrapAt("deliver", source)), source, want)
	}
	for _, c := range []try{
		{"connect", `delay()`, `a period is a number of seconds, or a text such as "30 days"`},
		{"connect", `delay(31)`, "it must be from 0 seconds to 30 seconds"},
		{"connect", `delay(-1)`, "it must be from"},
		{"connect", `delay(0/0)`, "a period is"},
		{"connect", `delay("5 parsecs")`, "a period is"},
		{"connect", `delay("5")`, "a period is"},
		{"connect", `delay("99999999999999999999 days")`, "a period is"},
		{"connect", `delay("1000000000000 weeks")`, "a period is"},
		{"connect", `delay(1, 2)`, "too many arguments"},
		{"rcpt", `greylist(300)`, "table expected, got number"},
		{"rcpt", `greylist{after = 0}`, "option after: it must be from 1 second to 1 day"},
		{"rcpt", `greylist{after = "2 days"}`, "option after: it must be"},
		{"rcpt", `greylist{delay = 1}`, `unknown option "delay"`},
		{"rcpt", `rewrite("bob")`, "it has no @"},
		{"rcpt", `rewrite()`, "string expected, got nil"},
		{"data", `add_header("Sender", "x@example.net")`, "Sender can't be added"},
		{"data", `add_header("ARC-Seal", "x")`, "ARC-Seal is not for scripts"},
		{"data", `remove_header("content-type")`, "content-type is not for scripts"},
		{"data", `remove_header("From")`, "From is not for scripts"},
		{"data", `add_rcpt{}`, "string expected, got table"},
		{"data", `quarantine()`, "string expected, got nil"},
		{"data", `quarantine("")`, "say why"},
		{"submit", `route("")`, `a relay is "host" or "host:port"`},
		{"submit", `route("relay:smtp")`, "a relay is"},
		{"submit", `route("relay:0")`, "a relay is"},
		{"submit", `route("relay:65536")`, "a relay is"},
		{"submit", `route("a b")`, "a relay is"},
		{"submit", `route("relay..example")`, "a relay is"},
		{"submit", `fileinto("a", {draft = true})`, `unknown option "draft"`},
		{"submit", `fileinto("a", {copy = true})`, `unknown option "copy"`},
		{"sent", `redirect("a@example.net", {copy = true})`, `unknown option "copy"`},
		{"sent", `redirect("x")`, "it has no @"},
		{"sent", `notify()`, "table expected, got nil"},
		{"tick", `box:expire("Trash")`, "a period is"},
		{"tick", `box:expire("Trash", 60)`, "it must be from 1 hour to 36500 days"},
		{"tick", `box:expire("", "30 days")`, "is not the name of a folder"},
	} {
		checkError(t, runScript(t, h, c.stage, wrapAt(c.stage, c.source)), c.source, c.want)
	}
}

func checkError(t *testing.T, out hook.Outcome, source, want string) {
	t.Helper()
	if out.Err == nil || !strings.HasPrefix(out.Err.Error(), "test.lua:1: ") || !strings.Contains(out.Err.Error(), want) || len(out.Actions) > 0 {
		t.Errorf("%s: %v %v, want test.lua:1: ... %s", source, out.Err, out.Actions, want)
	}
}

// What strangers write into a text is mended, and never ends a line of a header.
func TestTextsAreMended(t *testing.T) {
	for source, want := range map[string]string{
		`box:add_header("X-Test", "a\r\nBcc: b@example.net")`: "add_header X-Test: a  Bcc: b@example.net",
		`box:add_header("X-Test", "a\255b")`:                  "add_header X-Test: a\uFFFDb",
		`box:subject_prefix("[a\nb] ")`:                       "subject_prefix \"[a b] \"",
		`box:notify{subject = "a\rb", text = "c\0d\re\r\nf"}`: "",
		`box:reply{subject = ("x"):rep(9000), text = "y"}`:    "",
		`box:vacation{text = ("x"):rep(70000)}`:               "",
		`box:add_header("X-Long", ("x"):rep(20000))`:          "",
	} {
		out := runScript(t, newQuietHost(), hook.Deliver, wrap(source))
		if out.Err != nil || len(out.Actions) != 1 {
			t.Errorf("%s: %v", source, out.Err)
			continue
		}
		a := out.Actions[0]
		texts := []string{a.Value, a.Text}
		if a.Reply != nil {
			texts = append(texts, a.Reply.Subject)
			if len(a.Reply.Text) > maxBody {
				t.Errorf("%s: %d octets", source, len(a.Reply.Text))
			}
		}
		if a.Notice != nil {
			texts = append(texts, a.Notice.Subject)
		}
		for _, text := range texts {
			if strings.ContainsAny(text, "\r\n\x00") || !utf8.ValidString(text) || len(text) > maxHeaderValue {
				t.Errorf("%s: %q", source, text)
			}
		}
		if want != "" && a.String() != want {
			t.Errorf("%s: %s, want %s", source, a, want)
		}
		if a.Notice != nil && a.Notice.Text != "c d\ne\nf" {
			t.Errorf("%s: %q", source, a.Notice.Text)
		}
	}
}
