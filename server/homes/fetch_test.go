package homes

import (
	"net/netip"
	"testing"
)

func TestPublic(t *testing.T) {
	for text, want := range map[string]bool{
		"192.0.2.1": true, "2001:db8::1": true, "2a00::1": true, "127.0.0.1": false, "::1": false, "10.0.0.1": false, "fd00::1": false, "fe80::1": false,
		"169.254.169.254": false, "100.64.1.1": false, "0.0.0.1": false, "192.0.0.8": false, "198.19.0.1": false, "255.255.255.255": false, "240.0.0.1": false,
		"::127.0.0.1": false, "64:ff9b::7f00:1": false, "64:ff9b::c000:201": true, "64:ff9b:1::a00:1": false, "2002:7f00:1::": false, "2001::1": false, "fec0::1": false,
	} {
		if public(netip.MustParseAddr(text)) != want {
			t.Error(text)
		}
	}
}
