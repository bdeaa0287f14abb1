package lua

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/hook"
)

// content is a message for tests: a header by lower-case name, and a text.
type content struct {
	hook.Content
	header map[string][]string
	text   string
}

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

// box is a mailbox for tests.
type box struct {
	hook.Box
	address string
	folders []string
}

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

var testNow = time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)

func header(lines ...string) map[string][]string {
	h := map[string][]string{}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		h[strings.ToLower(name)] = append(h[strings.ToLower(name)], value)
	}
	return h
}

// testCall is a call with everything in it.
func testCall(stage hook.Stage) hook.Call {
	call := hook.Call{
		Stage: stage,
		Message: &hook.Message{
			ID:          "m1",
			ReversePath: address.MustParse("carol@elsewhere.net"),
			Recipients:  []address.Address{address.MustParse("alice@example.org"), address.MustParse("bob@example.org")},
			Size:        1234,
		},
		Now:      testNow,
		Location: time.FixedZone("CET", 3600),
	}
	if stage != hook.Rcpt {
		call.Message.Content = content{
			header: header("From: carol@elsewhere.net", "To: alice@example.org, bob@example.org", "Subject: Grüße", "List-Id: <golang-nuts.googlegroups.com>",
				"Date: Sun, 22 Nov 2026 08:00:00 +0000", "X-Two: one", "X-Two: two"),
			text: "Hello Alice,\nsee you on Monday.\n",
		}
	}
	if stage.Live() {
		call.Client = &hook.Client{IP: netip.MustParseAddr("192.0.2.7"), RDNS: "mx.elsewhere.net", Helo: "mx", TLSVersion: "TLS 1.3", TLSCipher: "AES", Listener: "smtp", ID: "c1"}
	}
	switch stage {
	case hook.Rcpt:
		call.Recipient = &hook.Recipient{
			Address: address.MustParse("alice@example.org"), Original: address.MustParse("info+x@example.org"), Detail: "x",
			Path: []string{"info@example.org", "alice@example.org"},
		}
	case hook.Deliver:
		call.Box = box{address: "alice@example.org", folders: []string{"INBOX", "Lists/Go"}}
	}
	return call
}

func mustCompile(t testing.TB, h *Host, source string) *Script {
	t.Helper()
	s, err := h.Compile("test.lua", []byte(source))
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
