package message

import (
	"fmt"
	"strings"
	"testing"
)

func TestAuthors(t *testing.T) {
	for _, c := range []struct{ header, want string }{
		{"Subject: x\r\n", "[]"},
		{"From: alice@example.org\r\n", "[{ alice example.org}]"},
		{"From: \"bob@bank.example\" <alice@example.org>\r\n", "[{bob@bank.example alice example.org}]"},
		{"From: bob@bank.example <alice@example.org>\r\n", "[{bob@bank.example alice example.org}]"},
		{"From: alice@example.org (bob@bank.example)\r\n", "[{bob@bank.example alice example.org}]"},
		{"From: alice@example.org,\r\n\tbob@bank.example\r\n", "[{ alice example.org} { bob bank.example}]"},
		{"From: us: alice@example.org, bob@bank.example;\r\n", "[{ alice example.org} { bob bank.example}]"},
		{"From: alice@example.org\r\nfrom : bob@bank.example\r\n", "[{ alice example.org} { bob bank.example}]"},
		{"From: us:;\r\n", "[]"},
	} {
		h, err := ParseHeader([]byte(c.header + "\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(h.Authors()); got != c.want {
			t.Errorf("%q: %s, want %s", c.header, got, c.want)
		}
	}
	h, err := ParseHeader([]byte("From: " + strings.Repeat("a@example.org, ", 1000) + "\r\n\r\n"))
	if err != nil || len(h.Authors()) != MaxAuthors {
		t.Error(err, len(h.Authors()))
	}
}
