package server

import (
	"fmt"
	"net/netip"
	"time"

	"facteur/server/control"
	"facteur/server/httpd"
)

// warnings are what is well for the server, and yet not what people want.
func (s *Server) warnings(live *settings, listeners []control.Listener) []string {
	var out []string
	if live.certs != nil {
		out = live.certs.Warnings(time.Now())
		if live.certs.SelfSigned() && reached(listeners) {
			out = append(out, "the certificate is one that facteur made itself: programs ask about it, and telephones refuse it; put another into [tls], cert and key")
		}
	}
	if s.dav.homes != nil {
		for _, a := range s.dav.homes.SharedInVain() {
			out = append(out, fmt.Sprintf("[sharing.%q] %s", a.Key, a.Why))
		}
	}
	return out
}

// reached tells whether a listener can be reached from other machines.
func reached(listeners []control.Listener) bool {
	for _, l := range listeners {
		at, err := netip.ParseAddrPort(l.Address)
		if err == nil && !at.Addr().IsLoopback() || l.Proxied && l.Service != httpd.HTTP { // of http the proxy has the TLS
			return true
		}
	}
	return false
}
