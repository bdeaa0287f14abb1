package lua

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"facteur/server/hook"
)

// found returns what check says of a source, errors with "!" before them.
func found(t *testing.T, source string) []string {
	t.Helper()
	h := newQuietHost()
	s, err := h.compile("test.lua", []byte(source), false)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	var list []string
	chunk, err := parseChunk("test.lua", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	errs, _ := check(h.Names(), parsedFile{"test.lua", chunk})
	for _, e := range errs {
		list = append(list, "!"+strings.TrimPrefix(e.Error(), "test.lua:"))
	}
	for _, w := range s.Warnings() {
		list = append(list, strings.TrimPrefix(w.Error(), "test.lua:"))
	}
	return list
}

// What is found in a script: all of it, and nothing else.
func TestCheck(t *testing.T) {
	for source, want := range map[string]string{
		// Nothing is wrong with these.
		`function deliver(m, box) box:keep() end`:                                                                "",
		`local function f(m, box) return box:fileinto("x") end function deliver(m, box) return f(m, box) end`:    "",
		`function both(c, m) score(1, "X") end data, submit = both, both`:                                        "",
		`data = function(c, m) if rspamd then rspamd.check(m) end end`:                                           "",
		`function data(c, m) return rspamd and rspamd.check(m) end`:                                              "",
		`limit = 5 function data(c, m) if m.size > limit then discard() end end`:                                 "",
		`function tick(box) count = (count or 0) + 1 end`:                                                        "",
		`function deliver(m, box) local log = {} log.x = 1 return log.x end`:                                     "",
		`local find = string.find function data(c, m) return find(m.subject, "x") end`:                           "",
		`function deliver(m, box) for i, p in ipairs(m:parts()) do if p.type == "x" then box:keep() end end end`: "",
		`function deliver(m, box) local auth = m.auth if auth.spf == "pass" then box:flag("x") end end`:          "",
		`function test_it() end`: "",
		`function deliver(m, box) pcall(function() box:keep() end) end`:                                           "",
		`function later() return helper() end function helper() return 1 end function deliver() later() end`:      "",
		`function deliver(m, b) b:keep() end`:                                                                     "",
		`function stored(m, box, event) return event.kind end function calendar(event, box) return event.uid end`: "",
		`function f(box) box:keep() end local t = { f } function tick(box) t[1](box) end`:                         "",
		`function helper() greylist() end local t = { helper } function data(c, m) helper() end`:                  "",
		`function data(c, m) api(1) return facteur.api end`:                                                       "",
		`function deliver(m, box) local c = box return c.quota.used end`:                                          "",

		`local f function data() f() end function f() score(1, "X") end function deliver() f() end`:                    "",
		`function deliver(m, box) local t = {} t.x = 1 t[1] = 2 function t.f() end function t:g() return self end end`: "",

		// Names that are not there.
		`function deliver(m, box) box:keep() logg("x") end`:                                      "!1: there is no logg; did you mean log?",
		`function deliver(m, box) strng.find("x", "y") end`:                                      "!1: there is no strng; did you mean string?",
		`function deliver(m, box) return nothing.here end`:                                       "1: nothing is not defined anywhere, so it is nil",
		`function deliver(m, box) return nothing.here() end`:                                     "!1: there is no nothing",
		`function deliver(m, box) return m.subject, box.address, nothing:here() end`:             "!1: there is no nothing",
		`function deliver(m) box:keep() end`:                                                     "!1: there is no box; it is a parameter of deliver, stored, calendar and tick",
		`function deliver(m, box) if contains(m.subject, "x") then box:keep() end end`:           `!1: there is no contains; write text:find("x", 1, true)`,
		`function deliver(m, box) clamav.scan() end`:                                             "!1: there is no clamav; [plugins.clamav] of mail.toml turns it on",
		`function deliver(m, box) require("x") end`:                                              "!1: there is no require; use include",
		`function deliver(m, box) local subject = m.subject return subjct end`:                   "1: subjct is not defined anywhere, so it is nil; did you mean subject?",
		"function deliver(m, box)\nif true then local n = 1 end\nreturn n\nend":                  "3: n is not defined anywhere, so it is nil",
		"function deliver(m, box)\nlog(what)\nlog(what)\nend":                                    "2: what is not defined anywhere, so it is nil",
		`function deliver(m, box) return string.fnid(m.subject, "x") end`:                        "1: there is no string.fnid; did you mean find?",
		`function deliver(m, box) return string:find("x") end`:                                   "1: write string.find(...), with a dot",
		`function deliver(m, box) return ("x"):uper() end`:                                       "1: there is no string.uper; did you mean upper?",
		`function deliver(m, box) return m.subjetc end`:                                          "1: m has no field subjetc; did you mean subject?",
		`function deliver(m, box) return m.auth.spff, m.is.lists, m.spam.zzz end`:                "1: m.auth has no field spff; did you mean spf?\n1: m.is has no field lists; did you mean list?\n1: m.spam has no field zzz",
		`function rcpt(c, m, r) return c.tls.verson, r.adress end`:                               "1: c.tls has no field verson; did you mean version?\n1: r has no field adress; did you mean address?",
		`function deliver(m, box) return m.header("x") end`:                                      "1: write m:header(...), with a colon",
		`function deliver(m, box) return m:subject() end`:                                        "1: m.subject is a field, not a function",
		`function deliver(m, box) return m:haeder("x") end`:                                      "1: m has no method haeder; did you mean header?",
		`function deliver(m, box) box:fileInto("x") end`:                                         "1: box has no method fileInto; did you mean fileinto?",
		`function deliver(m, box) box:score(1, "x") end`:                                         "1: box has no score: it is a function of data and submit",
		`function stored(m, box, event) return event.uid end`:                                    "1: event has no field uid",
		`function calendar(event, box) return event.kind end`:                                    "1: event has no field kind",
		`function auth(c, a) return a.devise end function sent(m, result) return result.cod end`: "1: a has no field devise; did you mean device?\n1: result has no field cod; did you mean code?",

		`function deliver(m, box) m.subject = "x" box.quota.used = 1 end`:   "1: m is read only\n1: box.quota is read only",
		`function string.trim(s) return s end function deliver(m, box) end`: "1: string is read only",
		`function deliver(m, box) seen[1] = true end`:                       "1: seen is not defined anywhere, so it is nil",

		// Actions at the wrong stage.
		`function deliver(m, box) fileinto("x") end`:                      `!1: at the stage deliver, write box:fileinto(...)`,
		`function deliver(m, box) keep() end`:                             `!1: at the stage deliver, write box:keep(...)`,
		`function deliver(m, box) score(1, "X") end`:                      `!1: score is not an action of the stage deliver; it is one of data and submit`,
		`function rcpt(c, m, r) discard() end`:                            `!1: discard is not an action of the stage rcpt; it is one of data, submit and deliver`,
		`function tick(box) box:keep() end`:                               `!1: keep is not an action of the stage tick; it is one of deliver`,
		"local function f()\nhold('x')\nend\nfunction data(c, m) f() end": `!2: hold is not an action of the stage data; it is one of submit`,
		"local function f(box)\nbox:expire('x', 1)\nend\nlocal function g(box) f(box) end function stored(m, box) g(box) end": `!2: expire is not an action of the stage stored; it is one of tick`,
		"local function f()\ngreylist()\nend\nfunction data(c, m) f() end function submit(c, m) f() end":                      `!2: greylist is not an action of the stages data and submit; it is one of rcpt`,
		`function both(c, m) hold("x") end connect, data = both, both`:                                                        `!1: hold is not an action of the stages connect and data; it is one of submit`,
		`function deliver(m, box) pcall(function() reject(550) end) end`:                                                      `!1: at the stage deliver, write box:reject(...)`,
		`local function f() greylist() end function data(c, m) f() end function rcpt(c, m, r) f() end`:                        "",

		// Names that are taken, or nearly those of stages.
		`function log() end function deliver(m, box) end`:         "1: log is a name of facteur, which the script can't use any more; write local, or take another name",
		`function deliver(m, box) string = "x" end`:               "1: string is a name of facteur, which the script can't use any more; write local, or take another name",
		`function deliver(box, m) end`:                            "1: deliver gets (m, box), and box is not the first of them\n1: deliver gets (m, box), and m is not the second of them",
		`function deliver(m, box, event) end`:                     "1: deliver gets (m, box), and event is not the third of them",
		`function delivery(m, box) end`:                           "it defines no function of a stage, so it never runs\n1: nothing calls delivery, which is no stage; did you mean deliver?",
		`function on_deliver(m, box) end function data() end`:     "1: nothing calls on_deliver, which is no stage; did you mean deliver?",
		`function onDeliver(m, box) end function data() end`:      "1: nothing calls onDeliver, which is no stage; did you mean deliver?",
		`function Deliver(m, box) end function data() end`:        "1: nothing calls Deliver, which is no stage; did you mean deliver?",
		`local function deliver(m, box) end`:                      "it defines no function of a stage, so it never runs",
		`api(2) function data() end`:                              "!1: the script needs version 2 of the API, this server has 1",
		"function data()\nlogg()\nend function rcpt()\nbx()\nend": "!2: there is no logg; did you mean log?\n!4: there is no bx",
	} {
		if got := strings.Join(found(t, source), "\n"); strings.ReplaceAll(got, " it defines", "it defines") != want {
			t.Errorf("%s\n\t%s\nwant\n\t%s", source, got, want)
		}
	}
}

// What a script includes is looked through with it: its names are known, and what is
// wrong with it is told with its own place.
func TestCheckIncludes(t *testing.T) {
	files := map[string]string{
		"scripts/lib.lua": "limit = 5\nfunction drop()\nhold('x')\nend\nfunction data(c, m) drop() return m.sizze end",
	}
	h := New(Options{Load: func(name string) ([]byte, error) { return []byte(files[name]), nil }})
	_, err := h.Compile("scripts/main.lua", []byte("include('lib') function rcpt(c, m, r) if m.size > limit then drop() end end"))
	if err == nil || err.Error() != "scripts/lib.lua:3: hold is not an action of the stages rcpt and data; it is one of submit" {
		t.Error(err)
	}
	files["scripts/lib.lua"] = "limit = 5 function data(c, m) return m.sizze, lmit end"
	s, err := h.Compile("scripts/main.lua", []byte("include('lib') local n = limit"))
	if err != nil || len(s.Warnings()) != 2 || s.Warnings()[0].Error() != "scripts/lib.lua:1: m has no field sizze; did you mean size?" ||
		s.Warnings()[1].Text != "lmit is not defined anywhere, so it is nil; did you mean limit?" {
		t.Error(err, s.Warnings())
	}
}

// A script with errors is refused, and all of them are told.
func TestCheckRefuses(t *testing.T) {
	_, err := newQuietHost().Compile("test.lua", []byte("function data()\nlogg()\nend function rcpt()\nbx()\nend"))
	var first *Error
	if !errors.As(err, &first) || first.Line != 2 || !strings.Contains(err.Error(), "test.lua:4: ") {
		t.Error(err)
	}
	if _, err := newQuietHost().Compile("test.lua", []byte("api(1) function data() end")); err != nil {
		t.Error(err)
	}
}

// What is checked before a script runs and what fails when it does are the same.
func TestCheckAgreesWithRuns(t *testing.T) {
	h := newQuietHost()
	for _, stage := range hook.Stages {
		for _, kind := range hook.Stages {
			for _, k := range hook.Allowed[kind] {
				for _, call := range []string{string(k) + "({})", "box:" + string(k) + "({})"} {
					if strings.HasPrefix(call, "box:") && !stage.HasBox() {
						continue
					}
					source := wrapAt(stage, call)
					text := fmt.Sprint(runScript(t, h, stage, source).Err)
					wrong := strings.Contains(text, "is not an action") || strings.Contains(text, "write box:")
					refused := len(found(t, source)) > 0
					if wrong && !refused || refused && !strings.Contains(text, "test.lua:1: ") {
						t.Errorf("%s: check %q, run %s", source, found(t, source), text)
					}
				}
			}
		}
	}
}

// However much is wrong with a script, what is told has a bound, and so has the work.
func TestCheckIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("much work in one goroutine")
	}
	var unknown, assigned, calls strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&unknown, "log(unknown_name_%05d)\n", i)
		fmt.Fprintf(&assigned, "assigned_name_%05d = 1\n", i)
	}
	for i := range 400 {
		fmt.Fprintf(&calls, "function f%d() f%d() f%d() hold('x') end\n", i, (i+1)%400, (i+7)%400)
	}
	h := New(Options{Limits: Limits{Source: 4 << 20}})
	for name, source := range map[string]string{
		"unknown":  "function deliver(m, box)\n" + unknown.String() + "end",
		"assigned": assigned.String() + "function deliver(m, box) " + strings.Repeat("log(assigned_nmae_00001, m.sbject, strng)\n", 5000) + "end",
		"calls":    calls.String() + "function data() f1() end",
	} {
		began := time.Now()
		s, err := h.compile("test.lua", []byte(source), false)
		if err != nil {
			t.Error(name, err)
			continue
		}
		if n := len(s.Warnings()); n > maxFindings || n == 0 && name != "calls" {
			t.Errorf("%s: %d warnings", name, n)
		}
		t.Logf("%s: %v", name, time.Since(began))
	}
	_, err := h.Compile("test.lua", []byte(calls.String()+"function data() f1() end"))
	if n := strings.Count(fmt.Sprint(err), "hold is not an action of the stage data"); n != maxFindings {
		t.Errorf("%d errors", n)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"find", "format", "subject", "header", "headers"}
	for name, want := range map[string]string{
		"fnid": "find", "Find": "find", "fin": "find", "sbject": "subject", "heder": "header", "heders": "headers", "x": "", "kind": "find", "xyzzy": "",
		strings.Repeat("find", 20): "",
	} {
		if got := nearest(name, names); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
