package server

import (
	"strings"
	"testing"

	"facteur/server/certs"
	"facteur/server/control"
)

// TestWarnings: a certificate that telephones refuse is told of, where telephones come.
func TestWarnings(t *testing.T) {
	bundle, err := certs.Load(certs.Options{Dir: t.TempDir(), Hostname: "mail.example.org"})
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]int{"127.0.0.1:443": 0, "[::1]:443": 0, "0.0.0.0:443": 1, "192.0.2.1:443": 1, "/run/lmtp.sock": 0} {
		got := new(Server).warnings(&settings{certs: bundle}, []control.Listener{{Service: "https", Address: address}})
		if len(got) != want || want == 1 && !strings.Contains(got[0], "made itself") {
			t.Errorf("%s: %q", address, got)
		}
	}
	for service, want := range map[string]int{"imaps": 1, "http": 0} { // of http the proxy has the certificate
		got := new(Server).warnings(&settings{certs: bundle}, []control.Listener{{Service: service, Address: "127.0.0.1:1", Proxied: true}})
		if len(got) != want {
			t.Errorf("%s behind a proxy: %q", service, got)
		}
	}
}
