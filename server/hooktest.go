package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"facteur/plugins/lua"
	"facteur/server/address"
	"facteur/server/config"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/message"
)

// HookTestOptions are those of `facteur hook test`.
type HookTestOptions struct {
	Config string // for limits and the time zone; may be missing
	Script string
	File   string // the message
	From   string // reverse-path; "": the From of the message
	To     string // recipient; "": the first To of the message
	IP     string // of the client
}

// maxTestMessage bounds the message of a dry run, in octets.
const maxTestMessage = 64 << 20

// HookTest runs a script over a message at each stage that it handles, and
// prints what it would have done and the lines that led there. Nothing is done.
// The clock stands at the message's Date.
func HookTest(w io.Writer, o HookTestOptions) error {
	call, err := testCall(o)
	if err != nil {
		return err
	}
	source, err := os.ReadFile(o.Script)
	if err != nil {
		return err
	}
	limits, location := testSettings(o.Config)
	call.Location = location
	program, err := lua.New(lua.Options{Limits: limits}).Compile(o.Script, source)
	if err != nil {
		return err
	}
	ran, failed := 0, false
	for _, stage := range hook.Stages {
		if !program.Handles(stage) {
			continue
		}
		ran++
		call := call
		call.Stage = stage
		if stage == hook.Rcpt { // nothing has arrived yet
			before := *call.Message
			before.Content = nil
			call.Message = &before
		}
		out := program.Run(context.Background(), call)
		printOutcome(w, stage, out)
		failed = failed || out.Err != nil
	}
	if ran == 0 {
		return fmt.Errorf("%s defines none of the functions rcpt, data, submit and deliver, so it never runs", o.Script)
	}
	if failed {
		return fmt.Errorf("the script failed: mail would be kept as if it were absent")
	}
	return nil
}

// testSettings returns the limits and the time zone of the settings, or the
// defaults: a script may be tried before there are settings.
func testSettings(path string) (lua.Limits, *time.Location) {
	cfg, err := config.Load(path)
	if err != nil {
		return lua.Limits{}, time.UTC
	}
	return luaLimits(cfg.Lua), cfg.Location
}

func printOutcome(w io.Writer, stage hook.Stage, out hook.Outcome) {
	fmt.Fprintf(w, "%s (%v)\n", stage, out.Elapsed.Round(time.Microsecond))
	for _, l := range out.Trace {
		fmt.Fprintf(w, "  %s:%d  %s\n", l.Script, l.Line, l.Text)
	}
	if out.Err != nil {
		fmt.Fprintf(w, "  failed: %v\n", out.Err)
		return
	}
	for _, a := range out.Actions {
		fmt.Fprintf(w, "  => %s (line %d)\n", a, a.Line)
	}
	if len(out.Actions) == 0 {
		fmt.Fprintf(w, "  => nothing: the mail goes on\n")
	}
}

// testCall makes the facts of the dry run from the message and the options.
func testCall(o HookTestOptions) (hook.Call, error) {
	body, err := readMessage(o.File)
	if err != nil {
		return hook.Call{}, err
	}
	content, err := message.ReadContent(body)
	if err != nil {
		return hook.Call{}, fmt.Errorf("%s: %w", o.File, err)
	}
	ip, err := netip.ParseAddr(o.IP)
	if err != nil {
		return hook.Call{}, fmt.Errorf("--ip: %w", err)
	}
	from, err := addressOr(o.From, content.Addresses("From"), address.Address{})
	if err != nil {
		return hook.Call{}, fmt.Errorf("--from: %w", err)
	}
	to, err := addressOr(o.To, content.Addresses("To"), address.Address{Local: "me", Domain: "example.org"})
	if err != nil {
		return hook.Call{}, fmt.Errorf("--to: %w", err)
	}
	now := content.Date()
	if now.IsZero() {
		now = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	}
	return hook.Call{
		Client: &hook.Client{IP: ip, Helo: "client.example", Listener: "smtp", ID: "test"},
		Message: &hook.Message{
			ID: "test", ReversePath: from, Recipients: []address.Address{to}, Size: body.Size(), Content: content,
		},
		Recipient: &hook.Recipient{Address: to, Original: to, Path: []string{to.String()}},
		Box:       testBox(to),
		Now:       now,
		Trace:     hook.TraceLines,
	}, nil
}

// readMessage reads a message file; bare line feeds, as editors leave them,
// become CRLF.
func readMessage(path string) (envelope.Body, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxTestMessage+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxTestMessage {
		return nil, fmt.Errorf("%s is larger than %d MB", path, maxTestMessage>>20)
	}
	raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
	return envelope.Bytes(bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))), nil
}

func addressOr(given string, found []address.Address, otherwise address.Address) (address.Address, error) {
	switch {
	case given != "":
		return address.Parse(given)
	case len(found) > 0:
		return found[0], nil
	default:
		return otherwise, nil
	}
}

// testBox is a new mailbox, as a dry run sees it.
type testBox address.Address

func (b testBox) Address() address.Address     { return address.Address(b) }
func (b testBox) Addresses() []address.Address { return []address.Address{address.Address(b)} }
func (b testBox) Quota() (used, limit int64)   { return 0, 0 }
func (b testBox) Folders() []string {
	return []string{"INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"}
}
func (b testBox) Count(folder, query string) (int, error) { return 0, nil }
func (b testBox) Contact(address.Address) hook.Contact    { return hook.Contact{} }
func (b testBox) ThreadKnown([]string) bool               { return false }
func (b testBox) Exists(folder string) bool {
	for _, f := range b.Folders() {
		if f == folder {
			return true
		}
	}
	return false
}
