package testkit

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"
)

// TestPeer talks to the peer with another implementation.
func TestPeer(t *testing.T) {
	p := NewPeer(t, PeerOptions{
		TLS: &tls.Config{Certificates: []tls.Certificate{Certificate(t, "peer.example")}},
		Answer: func(s Stage, line string) string {
			if s == Rcpt && strings.Contains(line, "nobody") {
				return "550 5.1.1 No such user\n550 5.1.1 Really"
			}
			return ""
		},
	})
	var network Network
	network.Host("192.0.2.1:25", p.Addr())
	conn, err := network.DialContext(t.Context(), "tcp", "192.0.2.1:25")
	if err != nil {
		t.Fatal(err)
	}
	c, err := smtp.NewClientStartTLS(conn, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Mail("a@example.org", nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Rcpt("nobody@example.net", nil); err == nil || !strings.Contains(err.Error(), "Really") {
		t.Error(err)
	}
	if err := c.Rcpt("b@example.net", nil); err != nil {
		t.Fatal(err)
	}
	w, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	const content = "Subject: x\r\n\r\n.dot\r\n..\r\n"
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Quit(); err != nil {
		t.Error(err)
	}
	got := p.Messages()
	if len(got) != 1 || got[0].Data != content || !got[0].TLS || len(got[0].To) != 1 || got[0].To[0] != "TO:<b@example.net>" {
		t.Errorf("%+v", got)
	}
	if _, err := network.DialContext(t.Context(), "tcp", "192.0.2.2:25"); err == nil {
		t.Error("reached an address that is not there")
	}
}
