package report

import (
	"context"

	"facteur/server/address"
	"facteur/server/hook"
	"facteur/server/message"
)

// Folder is where the postmaster's mailbox has the reports of others.
const Folder = "Reports"

// Filing is a Program for the mailbox of the postmaster at the stage deliver: it
// takes the reports of others out of the way of people. What it reads in them goes
// into the Store; that is all the acting it does, and a second run over the same
// report changes nothing.
type Filing struct {
	Store *Store
	Ours  func(address.Domain) bool // tells whether a domain is ours
}

// Name is that of hook.Program.
func (f Filing) Name() string { return "reports" }

// Hash is that of hook.Program: there is one version in a binary.
func (f Filing) Hash() string { return "" }

// Handles is that of hook.Program.
func (f Filing) Handles(s hook.Stage) bool { return s == hook.Deliver }

// Run files a report, read; what comes to the addresses for reports and is none is
// filed unread, for somebody may have something to say about reports. Forged mail is
// none of its business.
func (f Filing) Run(ctx context.Context, call hook.Call) hook.Outcome {
	content, ok := call.Message.Content.(*message.Content)
	if !ok || call.Message.Auth != nil && call.Message.Auth.DMARC == "fail" {
		return hook.Outcome{}
	}
	meant := false
	for _, r := range call.Message.Recipients {
		meant = meant || IsReportAddress(r) && f.Ours(r.Domain)
	}
	if !meant && !IsReport(content.Header) {
		return hook.Outcome{}
	}
	err := f.read(ctx, content, call.Message)
	if err != nil && !meant {
		return hook.Outcome{}
	}
	action := hook.Action{Kind: hook.FileInto, Folder: Folder, Create: true, Script: f.Name()}
	log := hook.Line{Script: f.Name(), Text: "a report, kept"}
	if err == nil {
		action.Flags = []string{`\Seen`}
	} else {
		log.Text = "not kept: " + err.Error()
	}
	return hook.Outcome{Actions: []hook.Action{action, {Kind: hook.Stop, Script: f.Name()}}, Trace: []hook.Line{log}}
}

// read reads the report in a message into the Store. One at a time: they are large
// once unpacked.
func (f Filing) read(ctx context.Context, content *message.Content, m *hook.Message) error {
	select {
	case f.Store.reading <- struct{}{}:
		defer func() { <-f.Store.reading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	parsed, err := ReadMessage(content.Body())
	if err != nil {
		return err
	}
	from := Sender{Proven: m.Auth != nil && m.Auth.DMARC == "pass"}
	if list := content.Addresses("From"); len(list) == 1 {
		from.Domain = string(list[0].Domain)
	}
	return f.Store.Keep(ctx, parsed, from, f.Ours)
}

// IsReportAddress tells whether a is one of the addresses at which every domain takes
// reports.
func IsReportAddress(a address.Address) bool {
	local := address.FoldLocal(a.Local)
	return local == DMARCLocal || local == TLSLocal
}
