package lua

import (
	"strings"
	"testing"
	"time"

	"facteur/server/hook"
)

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
