package relay

import (
	"crypto/tls"
	"net"
	"strconv"
	"strings"
	"testing"

	"facteur/server/testkit"
)

func TestParseVia(t *testing.T) {
	for text, want := range map[string]string{
		"gateway.example.net:25": "gateway.example.net 25", "192.0.2.1:465": "192.0.2.1 465", "[2001:db8::1]:25": "2001:db8::1 25",
		"Gateway.Example:1": "gateway.example 1",
		"":                  "", "gateway.example.net": "", ":25": "", "gateway:0": "", "gateway:65536": "", "gateway:smtp": "", "gateway:+25": "",
		"2001:db8::1:25": "", "a b:25": "", "a@b:25": "", "a\r\nb:25": "", "a..b:25": "",
	} {
		host, port, err := ParseVia(text)
		got := ""
		if err == nil {
			got = host + " " + strconv.Itoa(port)
		}
		if got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// TestVia: one message leaves through another server, which is told no password; one that
// names the server of the settings has its login.
func TestVia(t *testing.T) {
	ca := testkit.NewAuthority(t)
	own := testkit.NewPeer(t, testkit.PeerOptions{
		TLS: &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, "mx1.example")}}, Logins: map[string]string{"me": secret},
	})
	other := testkit.NewPeer(t, testkit.PeerOptions{})
	w, _ := smartWorld(t, ca, Smarthost{Host: "mx1.example", Port: 587, Login: "me", Password: secret}, own)
	w.network.Host("192.0.2.9:2525", other.Addr())
	for _, c := range []struct{ via, want string }{
		{"192.0.2.9:2525", "ok"}, {"MX1.example:587", "ok"}, {"", "ok"}, {"nonsense", "451 4.3.0"},
	} {
		m := mail("two.example", "a")
		m.Via = c.via
		if got := brief(w.relay.Attempt(t.Context(), m)); got != c.want {
			t.Errorf("%q: %s, want %s", c.via, got, c.want)
		}
	}
	if n := len(own.Messages()); n != 2 || own.Messages()[0].Login != "me" {
		t.Errorf("%d at the server of the settings", n)
	}
	if n := len(other.Messages()); n != 1 || other.Messages()[0].Login != "" {
		t.Errorf("%d at the other one", n)
	}
}

// FuzzVia: what is read can be read again, and has nothing that a command could end at.
func FuzzVia(f *testing.F) {
	for _, s := range []string{"gateway.example.net:25", "[2001:db8::1]:465", "a:1", ":", "[]:25", "bücher.example:25", "a%b:2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host, port, err := ParseVia(s)
		if err != nil {
			return
		}
		if port < 1 || port > 65535 || host == "" || strings.ContainsAny(host, " \r\n\x00") {
			t.Errorf("%q: %q %d", s, host, port)
		}
		if again, n, err := ParseVia(net.JoinHostPort(host, strconv.Itoa(port))); again != host || n != port || err != nil {
			t.Errorf("%q: %q %d, then %q %d %v", s, host, port, again, n, err)
		}
	})
}
