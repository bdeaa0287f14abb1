package e2e

import (
	"net"
	"regexp"
	"strings"
	"testing"
)

// TestParseDialog: a step that is misspelt is told, not passed over.
func TestParseDialog(t *testing.T) {
	tests := []struct{ text, wrong string }{
		{"# a comment\n\nC: EHLO x\nS<1s: 250 *\nR: *\nN: 5*\nC! \"\\r\\n\" * 3\nCLOSED<2s\n", ""},
		{"REPEAT 2\nC: NOOP {i}\nS: 250 *\nEND\n", ""},
		{"c: EHLO x\n", "line 1"},
		{"C: a\nEXPECT b\n", "line 2"},
		{"S<soon: 250 *\n", "line 1"},
		{"END\n", "END without REPEAT"},
		{"REPEAT 2\nC: a\n", "REPEAT without END"},
	}
	for _, tt := range tests {
		_, err := parseDialog(tt.text)
		if (err == nil) != (tt.wrong == "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
			t.Errorf("%q: %v", tt.text, err)
		}
	}
}

func TestRawOctets(t *testing.T) {
	tests := []struct{ arg, want string }{
		{`"a\r\n"`, "a\r\n"},
		{`"\x00" * 3`, "\x00\x00\x00"},
		{`"a" 3`, "error"},
		{`a`, "error"},
	}
	for _, tt := range tests {
		got, err := rawOctets(tt.arg)
		if err != nil {
			got = []byte("error")
		}
		if string(got) != tt.want {
			t.Errorf("%s: %q", tt.arg, got)
		}
	}
}

// TestExpect: what a server says meets the patterns, or not, as README.md tells.
func TestExpect(t *testing.T) {
	tests := []struct{ service, says, steps, wrong string }{
		{"smtp", "250-a\r\n250-b\r\n250 c\r\n", "S: 250 *", ""},
		{"smtp", "250-a\r\n250-b\r\n250 c\r\n", "S: 250-b\nS: 250 *", ""},
		{"smtp", "250-a\r\n250-b\r\n250 c\r\n", "R: *b*\nCLOSED", ""},
		{"smtp", "250-a\r\n250 c\r\n", "R: *b*", `instead of "*b*"`},
		{"smtp", "250-a\r\n250 c\r\n", "N: 250?a\nS: 250 *", "never should"},
		{"smtp", "550 no\r\n250 yes\r\n", "S: 250 *", `said "550 no"`},
		{"smtp", "250 a\n", "S: 250 *", "CRLF"},
		{"smtp", "250 a\r\n", "CLOSED", "instead of closing"},
		{"smtp", "250 a\r\n", "S: 250 *\nS: 250 *", "EOF"},
		{"imap", "* 1 EXISTS\r\n* 2 EXISTS\r\na OK done\r\n", "S: * 2 EXISTS\nS: a OK*\nCLOSED", ""},
		{"imap", "a OK done\r\n", "S: * 2 EXISTS", `said "a OK done"`},
		{"imap", "* 1 FETCH (BODY[] {4}\r\na\r\nb)\r\na OK\r\n", "S: *a*b)\nS: a OK*", ""},
	}
	for _, tt := range tests {
		err := converse(t, tt.service, tt.says, tt.steps)
		if (err == nil) != (tt.wrong == "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
			t.Errorf("%q, %q: %v", tt.says, tt.steps, err)
		}
	}
}

// converse carries out steps against a server that says something and ends.
func converse(t *testing.T, service, says, steps string) error {
	t.Helper()
	parsed, err := parseDialog(steps)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return // the client's side tells
		}
		_, _ = c.Write([]byte(says))
		c.Close()
	}()
	l, err := dial(service, ln.Addr().String(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	defer l.conn.Close()
	return new(world).talk(l, parsed, "")
}

// TestEvents: a line answers one wait, and the end of the server ends a wait.
func TestEvents(t *testing.T) {
	e := newEvents()
	gone := make(chan struct{})
	go func() {
		for _, s := range []string{"msg=o", "ne\nmsg=two\nmsg", "=one\n"} {
			_, _ = e.Write([]byte(s)) // never fails
		}
		close(gone)
	}()
	one := regexp.MustCompile("^msg=one$")
	for range 2 {
		if _, ok := e.wait(one, nil); !ok {
			t.Error("an event did not come")
		}
	}
	if line, ok := e.wait(one, gone); ok {
		t.Errorf("%s came once more", line)
	}
	if _, ok := e.wait(regexp.MustCompile("two$"), nil); !ok {
		t.Error("the order of events matters, and should not")
	}
}
