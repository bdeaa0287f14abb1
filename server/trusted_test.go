package server

import (
	"log/slog"
	"net/netip"
	"testing"

	"facteur/server/config"
)

// [trust] networks holds for logins too, and follows a reload.
func TestTrusts(t *testing.T) {
	s := &Server{log: slog.New(slog.DiscardHandler)}
	client := netip.MustParseAddr("192.168.1.7")
	s.live.Store(&settings{Config: &config.Config{}})
	if s.trusts(client) {
		t.Error("trusted without [trust]")
	}
	s.live.Store(&settings{Config: &config.Config{Trusted: []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24")}}})
	if !s.trusts(client) || s.trusts(netip.MustParseAddr("192.168.2.7")) {
		t.Error("not those in the networks")
	}
}
