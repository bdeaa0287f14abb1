package server

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"facteur/server/config"
	"facteur/server/listen"
)

// TestOutside: behind a proxy a service is found where clients look first.
func TestOutside(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	for _, c := range []struct {
		service string
		at      config.Listener
		want    string
		port    int
	}{
		{"imaps", config.Listener{Address: "127.0.0.1:1993"}, "imaps", 0},
		{"imaps", config.Listener{Address: "unix:/run/imaps"}, "imaps", 0},
		{"imaps", config.Listener{Address: ":1993"}, "imaps", 1993},
		{"imaps", config.Listener{Address: "127.0.0.1:1993", Proxies: proxies}, "imaps", 993},
		{"http", config.Listener{Address: "127.0.0.1:1081", Proxies: proxies}, "https", 443},
		{"http", config.Listener{Address: ":80"}, "http", 80},
		{"https", config.Listener{Address: "unix:/run/https", Proxies: proxies}, "https", 443},
	} {
		if service, at := outside(c.service, c.at, port(c.at)); service != c.want || at != c.port {
			t.Errorf("%s at %v: %s %d, want %s %d", c.service, c.at, service, at, c.want, c.port)
		}
	}
}

// TestSettingsListener: proxies are those of the listener and no other.
func TestSettingsListener(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	c := &settings{Config: &config.Config{Listen: config.Listen{
		SMTP: []config.Listener{{Address: ":25"}, {Address: ":2525", Proxies: proxies}},
		HTTP: []config.Listener{{Address: ":80", Proxies: proxies}},
	}}}
	s := new(Server)
	s.live.Store(c)
	for w, want := range map[listen.Wanted]listen.Proxies{
		{Service: "smtp", Address: ":25"}:   {},
		{Service: "smtp", Address: ":2525"}: {Networks: proxies},
		{Service: "imap", Address: ":2525"}: {Closed: true}, // it was, before a reload
		{Service: "http", Address: ":80"}:   {Networks: proxies, Optional: true},
	} {
		if got := s.proxies(w); len(got.Networks) != len(want.Networks) || got.Optional != want.Optional || got.Closed != want.Closed {
			t.Errorf("%v: %v", w, got)
		}
	}
	if got := clientServices(c.Config); len(got) != 1 || got[0].Name != "https" || got[0].Port != 443 {
		t.Errorf("%v", got)
	}
	if policyID(c.Config) == "" {
		t.Error("no policy of MTA-STS behind a proxy")
	}
}

// TestReadmeNginx: what README.md tells people to write is what the end-to-end case has.
func TestReadmeNginx(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	tested, err := os.ReadFile("e2e/testdata/proxies/nginx.txtar")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(readme), "```nginx\n")
	block, _, ok := strings.Cut(block, "```")
	if !ok {
		t.Fatal("there is no block for nginx")
	}
	for line := range strings.Lines(block) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(strings.ReplaceAll(line, "127.0.0.1:1081", "127.0.0.1:${HTTP_PORT}"))
		if !strings.Contains(string(tested), line) {
			t.Errorf("%q is not tested", line)
		}
	}
}
