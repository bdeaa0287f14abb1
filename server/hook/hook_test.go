package hook

import (
	"context"
	"errors"
	"testing"

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
		res := Run(context.Background(), []Hook{{&fixed{"first.lua", c.first, 0}, c.required}, {second, false}}, Call{Stage: c.stage})
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
	} {
		if got := a.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
