package lua

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/hook"
)

// content is a message for tests: a header by lower-case name, and a text.
type content struct {
	header map[string][]string
	text   string
	html   string
	parts  []hook.Part
	files  []hook.Attachment
	urls   []string
	nature hook.Nature
}

var _ hook.Content = content{}

func (c content) Values(name string) []string    { return c.header[strings.ToLower(name)] }
func (c content) RawValues(name string) []string { return c.Values(name) }
func (c content) Addresses(name string) []address.Address {
	var list []address.Address
	for _, v := range c.Values(name) {
		for _, part := range strings.Split(v, ",") {
			if a, err := address.Parse(strings.TrimSpace(part)); err == nil {
				list = append(list, a)
			}
		}
	}
	return list
}
func (c content) Subject() string {
	if v := c.Values("subject"); len(v) > 0 {
		return v[0]
	}
	return ""
}
func (c content) Date() time.Time {
	if v := c.Values("date"); len(v) > 0 {
		t, _ := time.Parse(time.RFC1123Z, v[0])
		return t
	}
	return time.Time{}
}
func (c content) Text(most int) string { return c.text[:min(most, len(c.text))] }
func (c content) HTML(most int) string { return c.html[:min(most, len(c.html))] }
func (c content) Parts() []hook.Part   { return c.parts }
func (c content) PartText(part, most int) string {
	if part >= len(c.parts) {
		return ""
	}
	text := fmt.Sprintf("text of part %d", part)
	return text[:min(most, len(text))]
}
func (c content) PartHeader(part int, name string) string {
	if part >= len(c.parts) {
		return ""
	}
	return fmt.Sprintf("%s of part %d", name, part)
}
func (c content) Attachments() []hook.Attachment { return c.files }
func (c content) URLs() []string                 { return c.urls }
func (c content) Is() hook.Nature                { return c.nature }
func (c content) Raw() io.Reader                 { return strings.NewReader(c.text) }

// box is a mailbox for tests.
type box struct {
	address string
	folders []string
}

var _ hook.Box = box{}

func (b box) Address() address.Address { return address.MustParse(b.address) }
func (b box) Addresses() []address.Address {
	return []address.Address{b.Address(), address.MustParse("info@example.org")}
}
func (b box) Quota() (used, most int64) { return 1000, 5000 }
func (b box) Folders() []string         { return b.folders }
func (b box) Exists(folder string) bool {
	for _, f := range b.folders {
		if f == folder {
			return true
		}
	}
	return false
}

func (b box) Count(folder, query string) (int, error) {
	if !b.Exists(folder) {
		return 0, fmt.Errorf("there is no folder %q", folder)
	}
	return len(query), nil
}
func (b box) Contact(a address.Address) hook.Contact {
	switch a.String() {
	case "carol@elsewhere.net":
		return hook.Contact{Name: "Carol", Received: testNow.Add(-time.Hour), Written: testNow.Add(-2 * time.Hour)}
	case "dan@example.net":
		return hook.Contact{Received: testNow.Add(-time.Hour)}
	}
	return hook.Contact{}
}
func (b box) ThreadKnown(ids []string) bool {
	for _, id := range ids {
		if strings.Contains(id, "ours") {
			return true
		}
	}
	return false
}

// Busy tells of an hour from testNow, which is that of the event u1, and of one half an hour later.
func (b box) Busy(from, to time.Time, except string) (list []hook.Busy, err error) {
	if to.After(testNow.AddDate(0, 0, 30)) {
		return nil, errors.New("too far")
	}
	for i, uid := range []string{"u1", "u2"} {
		p := hook.Busy{Start: testNow.Add(time.Duration(i) * 90 * time.Minute), Kind: []hook.BusyKind{hook.Taken, hook.Tentative}[i]}
		if p.End = p.Start.Add(time.Hour); uid != except && p.Start.Before(to) && from.Before(p.End) {
			list = append(list, p)
		}
	}
	return list, nil
}

var testNow = time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)

func header(lines ...string) map[string][]string {
	h := map[string][]string{}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		h[strings.ToLower(name)] = append(h[strings.ToLower(name)], value)
	}
	return h
}

// testCall is a call with everything in it that the stage has.
func testCall(stage hook.Stage) hook.Call {
	alice := address.MustParse("alice@example.org")
	call := hook.Call{Stage: stage, Now: testNow, Location: time.FixedZone("CET", 3600)}
	if stage.HasContent() || stage == hook.Mail || stage == hook.Rcpt {
		call.Message = &hook.Message{
			ID:          "m1",
			ReversePath: address.MustParse("carol@elsewhere.net"),
			Recipients:  []address.Address{alice, address.MustParse("bob@example.org")},
			Size:        1234,
			Submitted:   stage == hook.Submit,
		}
	}
	if stage.HasContent() {
		call.Message.Content = testContent()
		call.Message.Spam = hook.Spam{Score: 6.5, Rules: []hook.Rule{{Name: "BAD_WORD", Points: 6.5, Why: "a word"}}}
		call.Message.Auth = &hook.Authenticity{SPF: "pass", DKIM: "pass", DMARC: "fail", ARC: "none", Domains: []address.Domain{"elsewhere.net"},
			Author: "elsewhere.net"} // a trusted sealer vouches for it
	}
	if stage.Live() && stage != hook.Resolve {
		call.Client = &hook.Client{IP: netip.MustParseAddr("192.0.2.7"), RDNS: "mx.elsewhere.net", Helo: "mx", TLSVersion: "TLS 1.3", TLSCipher: "AES", Listener: "smtp", ID: "c1"}
	}
	if stage.HasBox() {
		call.Box = box{address: alice.String(), folders: []string{"INBOX", "Lists/Go"}}
	}
	switch stage {
	case hook.Auth:
		call.Login = &hook.Login{Account: alice, Device: "phone", Mechanism: "PLAIN"}
	case hook.Rcpt:
		call.Recipient = &hook.Recipient{
			Address: alice, Original: address.MustParse("info+x@example.org"), Detail: "x",
			Path: []string{"info@example.org", "alice@example.org"},
		}
	case hook.Resolve:
		call.Address = address.MustParse("nobody@example.org")
	case hook.Stored:
		call.Change = &hook.Change{Kind: "move", Folder: "Junk", From: "INBOX", Flags: []string{`\Seen`, "$Junk"}, Added: []string{"$Junk"}, Removed: []string{"$NotJunk"}}
	case hook.Sent, hook.Deferred, hook.Bounced:
		call.Fate = &hook.Fate{Recipient: address.MustParse("dan@example.net"), Code: 450, Status: "4.2.0", Text: "later", Server: "mx.example.net",
			Attempts: 2, Next: testNow.Add(time.Hour)}
	case hook.Calendar:
		call.Invitation = &hook.Invitation{Method: "REQUEST", UID: "u1", Organizer: "carol@elsewhere.net", Attendees: []string{"alice@example.org"}, Summary: "Lunch",
			Location: "Kitchen", Start: testNow, End: testNow.Add(time.Hour), AllDay: true, Recurring: true, Sequence: 3}
	}
	return call
}

// testContent is a message with something of everything.
func testContent() content {
	return content{
		header: header("From: carol@elsewhere.net", "To: alice@example.org, bob@example.org", "Subject: Grüße", "List-Id: <golang-nuts.googlegroups.com>",
			"Date: Sun, 22 Nov 2026 08:00:00 +0000", "X-Two: one", "X-Two: two", "References: <a@example.net> <ours@example.org>"),
		text: "Hello Alice,\nsee you on Monday.\n",
		html: "<p>Hello Alice",
		parts: []hook.Part{
			{Type: "multipart/mixed", Size: 1000},
			{Type: "application/zip", Name: "a.zip", Disposition: "attachment", Charset: "utf-8", ContentID: "id1", Size: 500, Depth: 1},
		},
		files:  []hook.Attachment{{Part: 1, Name: "a.zip", Type: "application/zip", Size: 400, Files: []string{"x.exe"}, Encrypted: true, Opaque: true}},
		urls:   []string{"https://example.net/"},
		nature: hook.Nature{List: true, Bulk: true},
	}
}

// mustCompile leaves out what check finds: tests want to see it fail.
func mustCompile(t testing.TB, h *Host, source string) *Script {
	t.Helper()
	s, err := h.compile("test.lua", []byte(source), false)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// runScript runs a source at a stage.
func runScript(t testing.TB, h *Host, stage hook.Stage, source string) hook.Outcome {
	t.Helper()
	return mustCompile(t, h, source).Run(context.Background(), testCall(stage))
}

// logged returns the texts of a trace.
func logged(out hook.Outcome) []string {
	var texts []string
	for _, l := range out.Trace {
		texts = append(texts, l.Text)
	}
	return texts
}
