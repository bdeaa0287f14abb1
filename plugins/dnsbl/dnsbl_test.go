package dnsbl

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"facteur/plugins/plugintest"
	"facteur/server/hook"
)

func TestLists(t *testing.T) {
	m := plugintest.Open(t, Plugin, plugintest.Settings(t, map[string]any{
		"ip": []any{"zen.example", "other.example", "down.example"}, "domain": "dbl.example",
	}))
	call := plugintest.Call(t, plugintest.Message)
	call.Services.DNS = plugintest.DNS{
		"a 7.2.0.192.zen.example":       {"127.0.0.2"},
		"a 7.2.0.192.down.example":      {"fail"},
		"a 8.2.0.192.zen.example":       {"127.255.255.254"}, // it does not answer who asks through this resolver
		"a 9.2.0.192.zen.example":       {"192.0.2.1"},       // a domain that somebody has parked
		"a 10.2.0.192.down.example":     {"fail"},
		"a bad.example.net.dbl.example": {"127.0.1.2"},
		"a 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.other.example": {"10.0.0.1", "127.0.0.4"},
	}
	for statement, want := range map[string]string{
		`log(unpack(blocklists.ip()))`:                             "zen.example",
		`log(unpack(blocklists.ip("192.0.2.7")))`:                  "zen.example",
		`log(unpack(blocklists.ip("::ffff:192.0.2.7")))`:           "zen.example",
		`log(#blocklists.ip("192.0.2.8"))`:                         "0",
		`log(#blocklists.ip("192.0.2.9"))`:                         "0",
		`log(blocklists.ip("192.0.2.10"))`:                         "nil\tunexpected EOF",
		`log(unpack(blocklists.ip("2001:db8::1")))`:                "other.example",
		`log(unpack(blocklists.domain("Bad.Example.NET")))`:        "dbl.example",
		`log(#blocklists.domain("good.example.net"))`:              "0",
		`log(select(2, pcall(blocklists.domain, "a b")))`:          `test.lua:1: bad argument #1 to (anonymous) ("a b" is not a domain)`,
		`log(select(2, pcall(function() blocklists.ip("x") end)))`: `test.lua:1: bad argument #1 to ip ("x" is not an IP address)`,
	} {
		if got := plugintest.Run(t, m, call, statement); got != want {
			t.Errorf("%s: %q, want %q", statement, got, want)
		}
	}
	call.Client = &hook.Client{} // a Unix socket
	if got := plugintest.Run(t, m, call, "log(#blocklists.ip())"); got != "0" {
		t.Error(got)
	}
	call.Services.DNS = nil
	if got := plugintest.Run(t, m, call, `log(blocklists.ip("192.0.2.7"))`); got != "nil\tthere are no look-ups in the DNS here" {
		t.Error(got)
	}
}

func TestSettings(t *testing.T) {
	got := plugintest.Problems(Plugin, plugintest.Settings(t, nil))
	if !strings.HasPrefix(got, ": name a list") {
		t.Error(got)
	}
	got = plugintest.Problems(Plugin, plugintest.Settings(t, map[string]any{
		"ip": []any{"a b", int64(1)}, "domain": []any{"a.example", "b.example", "-"}, "zones": true,
	}))
	for _, want := range []string{"ip: ip must be a list of texts", "domain: ", "zones: unknown key"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

// TestLookups: what a script asks is bounded, and one that asks too much goes on.
func TestLookups(t *testing.T) {
	m := plugintest.Open(t, Plugin, plugintest.Settings(t, map[string]any{"domain": []any{"a.example", "b.example"}}))
	call := plugintest.Call(t, plugintest.Message)
	var asked atomic.Int64
	call.Services.DNS = counter{&asked}
	got := plugintest.Run(t, m, call, `local n = 0 for i = 1, 100 do if blocklists.domain("x" .. i .. ".example") then n = n + 1 end end
		log(n, (select(2, blocklists.domain("y.example"))))`)
	if want := "10\tit asked for more than 20 DNS look-ups"; got != want || asked.Load() != 20 {
		t.Errorf("%q after %d look-ups", got, asked.Load())
	}
}

type counter struct{ n *atomic.Int64 }

func (c counter) Lookup(context.Context, string, string) ([]string, error) {
	c.n.Add(1)
	return nil, nil
}
