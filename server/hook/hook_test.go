package hook

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
)

// fixed is a Program with a fixed outcome.
type fixed struct {
	name string
	out  Outcome
	runs int
}

func (f *fixed) Name() string       { return f.name }
func (f *fixed) Hash() string       { return "" }
func (f *fixed) Handles(Stage) bool { return true }
func (f *fixed) Run(context.Context, Call) Outcome {
	f.runs++
	return f.out
}

func actions(kinds ...Kind) Outcome {
	var o Outcome
	for _, k := range kinds {
		o.Actions = append(o.Actions, Action{Kind: k, Fault: fault.New(fault.Policy, "no"), Points: 2})
	}
	return o
}

func TestRun(t *testing.T) {
	failing := Outcome{Err: errors.New("boom")}
	for _, c := range []struct {
		name              string
		stage             Stage
		first             Outcome
		required          bool
		secondRuns        int
		refused, discards bool
		score             float64
	}{
		{"nothing", Data, Outcome{}, false, 1, false, false, 2},
		{"reject ends", Data, actions(Score, Reject), false, 0, true, false, 2},
		{"tempfail ends", Rcpt, actions(Tempfail), false, 0, true, false, 0},
		{"discard ends at SMTP", Data, actions(Discard), false, 0, false, true, 0},
		{"discard goes on at deliver", Deliver, actions(Discard), false, 1, false, false, 2},
		{"stop", Deliver, actions(Stop), false, 0, false, false, 0},
		{"failure goes on", Data, failing, false, 1, false, false, 2},
		{"required failure refuses", Data, failing, true, 0, true, false, 0},
		{"required failure keeps at deliver", Deliver, failing, true, 1, false, false, 2},
	} {
		second := &fixed{"second.lua", actions(Score), 0}
		res := Run(context.Background(), []Hook{{Program: &fixed{"first.lua", c.first, 0}, Required: c.required}, {Program: second}}, Call{Stage: c.stage})
		if second.runs != c.secondRuns || (res.Refusal != nil) != c.refused || res.Discard != c.discards || res.Spam.Score != c.score {
			t.Errorf("%s: %d runs, %+v", c.name, second.runs, res)
		}
		if (c.first.Err != nil) != (len(res.Failures) == 1) {
			t.Errorf("%s: failures %v", c.name, res.Failures)
		}
		if c.refused && c.first.Err != nil && !fault.Temporary(res.Refusal) {
			t.Errorf("%s: a failing script refuses for good: %v", c.name, res.Refusal)
		}
	}
}

func TestActionString(t *testing.T) {
	for want, a := range map[string]Action{
		`reject 550 5.7.1 "no"`:                         {Kind: Reject, Fault: fault.New(fault.Policy, "no")},
		`score +1.5 BAD_WORD (why)`:                     {Kind: Score, Points: 1.5, Rule: "BAD_WORD", Text: "why"},
		`fileinto "Lists/Go" with \Seen`:                {Kind: FileInto, Folder: "Lists/Go", Flags: []string{`\Seen`}},
		`redirect <a@example.net>, and go on as if not`: {Kind: Redirect, Address: address.MustParse("a@example.net"), Copy: true},
		`fileinto "X", made when it is not there`:       {Kind: FileInto, Folder: "X", Create: true},
		`add_header X-A: b`:                             {Kind: AddHeader, Name: "X-A", Value: "b"},
		`remove_header X-A`:                             {Kind: RemoveHeader, Name: "X-A"},
		`reject "no room"`:                              {Kind: Reject, Text: "no room"},
		`delay the greeting by 1.5s`:                    {Kind: Delay, For: 1500 * time.Millisecond},
		`greylist for 1 minute`:                         {Kind: Greylist, For: time.Minute},
		`rewrite <a@example.net>`:                       {Kind: Rewrite, Address: address.MustParse("a@example.net")},
		`quarantine "odd"`:                              {Kind: Quarantine, Text: "odd"},
		`route through mx.example.net:25`:               {Kind: Route, Relay: "mx.example.net:25"},
		`subject_prefix "[x] "`:                         {Kind: SubjectPrefix, Text: "[x] "},
		`snooze until 2026-12-24 08:00 +0000`:           {Kind: Snooze, Until: time.Date(2026, 12, 24, 8, 0, 0, 0, time.UTC)},
		`learn as spam`:                                 {Kind: Learn, Text: "spam"},
		`expire what is older than 30 days in "Trash"`:  {Kind: Expire, Folder: "Trash", For: 30 * 24 * time.Hour},
		`accept`:                                {Kind: Accept},
		`decline (busy)`:                        {Kind: Decline, Text: "busy"},
		`notify <a@example.net>, "Look", "now"`: {Kind: Notify, Notice: &Notification{To: address.MustParse("a@example.net"), Subject: "Look", Text: "now"}},
		`notify`:                                {Kind: Notify},
		`reply`:                                 {Kind: Reply},
		`vacation "Away", subject "Out", from <a@example.net>, every 7 days, for <b@example.net>, handle "h", from 2026-12-20, until 2026-12-31`: {
			Kind: Vacation, Reply: &AutoReply{Text: "Away", Subject: "Out", From: address.MustParse("a@example.net"), Days: 7,
				Addresses: []address.Address{address.MustParse("b@example.net")}, Handle: "h", Start: Date{2026, 12, 20}, Stop: Date{2026, 12, 31}}},
		`reply "` + strings.Repeat("é", 30) + `..."`: {Kind: Reply, Reply: &AutoReply{HTML: strings.Repeat("é", 31), Days: -1}},
	} {
		if got := a.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestPeriod(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 seconds", time.Second: "1 second", 90 * time.Second: "90 seconds", 5 * time.Minute: "5 minutes", 36 * time.Hour: "36 hours",
		48 * time.Hour: "2 days", 1500 * time.Millisecond: "1.5s",
	} {
		if got := Period(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// The log has what scripts logged, and not the calls and lines of a longer trace.
func TestLog(t *testing.T) {
	var out strings.Builder
	res := Result{Trace: []Line{{"a.lua", 1, "logged", TraceLog}, {"a.lua", 2, "called", TraceCalls}, {"a.lua", 3, "ran", TraceLines}},
		Failures: []Failure{{"b.lua", Deliver, errors.New("boom")}}}
	res.Log(slog.New(slog.NewTextHandler(&out, nil)))
	if got := out.String(); !strings.Contains(got, "logged") || strings.Contains(got, "called") || strings.Contains(got, "ran") || !strings.Contains(got, "boom") {
		t.Error(got)
	}
}
