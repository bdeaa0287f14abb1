// Package plugintest runs scripts with a plugin, for the tests of plugins.
package plugintest

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"facteur/plugins/lua"
	"facteur/server/address"
	"facteur/server/config"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/message"
)

// Message is the message of a Call.
const Message = "From: carol@elsewhere.net\r\nTo: alice@example.org\r\nSubject: Hello\r\n\r\nHow are you?\r\n"

// Settings are those of a plugin whose table holds these values.
func Settings(t testing.TB, values map[string]any) *lua.Settings {
	return &lua.Settings{
		Values: values, Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler),
		Sizes: config.ParseSize, Durations: config.ParseDuration,
	}
}

// Open turns a plugin on, which must succeed.
func Open(t testing.TB, p lua.Plugin, s *lua.Settings) lua.Module {
	t.Helper()
	m := p.New(s)
	for _, problem := range s.Problems() {
		t.Fatalf("%s: %s", problem.Key, problem.Text)
	}
	return m
}

// Problems returns what a plugin finds wrong with its settings: "key: text", a line each.
func Problems(p lua.Plugin, s *lua.Settings) string {
	p.New(s)
	var lines []string
	for _, problem := range s.Problems() {
		lines = append(lines, problem.Key+": "+problem.Text)
	}
	return strings.Join(lines, "\n")
}

// Call is one at the stage data, of a message with that text, with everything in it.
func Call(t testing.TB, text string) hook.Call {
	t.Helper()
	content, err := message.ReadContent(envelope.Bytes(text))
	if err != nil {
		t.Fatal(err)
	}
	return hook.Call{
		Stage: hook.Data,
		Client: &hook.Client{
			IP: netip.MustParseAddr("192.0.2.7"), RDNS: "mx.elsewhere.net", Helo: "mx.elsewhere.net", Listener: "smtp",
			TLSVersion: "TLS 1.3", TLSCipher: "TLS_AES_128_GCM_SHA256", ID: "c1",
		},
		Message: &hook.Message{
			ID: "m1", ReversePath: address.MustParse("carol@elsewhere.net"), Recipients: []address.Address{address.MustParse("alice@example.org")},
			Size: int64(len(text)), Content: content,
		},
		Now: time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC), Location: time.UTC,
		Services: hook.Services{Outside: true},
	}
}

// Run runs statements at the stage of a call, and returns what they logged, a line each.
// They must not fail.
func Run(t testing.TB, m lua.Module, call hook.Call, statements string) string {
	t.Helper()
	out := Try(t, m, call, statements)
	if out.Err != nil {
		t.Fatalf("%s: %v", statements, out.Err)
	}
	return Logged(out)
}

// Logged is what a run logged, a line each.
func Logged(out hook.Outcome) string {
	var lines []string
	for _, l := range out.Trace {
		lines = append(lines, l.Text)
	}
	return strings.Join(lines, "\n")
}

// Try is Run that may fail.
func Try(t testing.TB, m lua.Module, call hook.Call, statements string) hook.Outcome {
	t.Helper()
	// How quick the machine is decides about nothing.
	limits := lua.Limits{SMTPTime: 10 * time.Second, DeliverTime: 10 * time.Second, Hourly: time.Hour}
	host := lua.New(lua.Options{Modules: []lua.Module{m}, Log: slog.New(slog.DiscardHandler), Limits: limits})
	script, err := host.Compile("test.lua", []byte("function data(c, m) "+statements+" end function rcpt(c, m, r) "+statements+" end"))
	if err != nil {
		t.Fatal(err)
	}
	return script.Run(t.Context(), call)
}

// DNS is a hook.DNS that knows a few names.
type DNS map[string][]string // "a 2.0.0.127.zen.example": answers; an answer "fail" is an error

// Lookup is that of hook.DNS.
func (d DNS) Lookup(_ context.Context, kind, name string) ([]string, error) {
	answers := d[kind+" "+name]
	if len(answers) == 1 && answers[0] == "fail" {
		return nil, io.ErrUnexpectedEOF
	}
	return answers, nil
}
