package message

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
)

func TestFormatField(t *testing.T) {
	long := strings.Repeat("word ", 30) + "end"
	for _, c := range []struct{ name, value, want string }{
		{"X-Spam", "yes", "X-Spam: yes\r\n"},
		{"X", "", "X: \r\n"},
		{"X", " a  b\t", "X: a  b\r\n"},
		{"X", "Jörg", "X: =?utf-8?q?J=C3=B6rg?=\r\n"},
		{"X", "a Jörg Müller b", "X: a =?utf-8?q?J=C3=B6rg_M=C3=BCller?= b\r\n"},
		{"X", "a" + strings.Repeat(" ", 2000) + "b", "X: a b\r\n"},
		{"X", "日本", "X: =?utf-8?b?5pel5pys?=\r\n"},
		{"X", "a\xff", "X: =?utf-8?q?a=EF=BF=BD?=\r\n"},
		{"X", long, "X: " + strings.Repeat("word ", 14) + "word\r\n" + strings.Repeat(" word", 15) + "\r\n end\r\n"},
	} {
		got, err := FormatField(c.name, c.value)
		if err != nil || string(got) != c.want {
			t.Errorf("%q: %q, %v; want %q", c.value, got, err, c.want)
		}
	}
	for _, c := range []struct{ name, value string }{
		{"", "v"}, {"A B", "v"}, {"A:", "v"}, {"Ä", "v"}, {"A\r\nB", "v"}, {strings.Repeat("a", 77), "v"},
		{"A", "a\r\nB: c"}, {"A", "a\nb"}, {"A", "a\rb"}, {"A", "\x00"}, {"A", "\x7f"}, {"A", strings.Repeat("a", maxValue+1)},
	} {
		if got, err := FormatField(c.name, c.value); err == nil {
			t.Errorf("%q %q: %q", c.name, c.value, got)
		}
	}
}

func FuzzFormatField(f *testing.F) {
	f.Add("Subject", "a long value with ünicode "+strings.Repeat("x", 3000))
	f.Add("X", strings.Repeat("ä ", 500))
	f.Fuzz(func(t *testing.T, name, value string) {
		field, err := FormatField(name, value)
		if err != nil {
			return
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(string(field), "\r\n"), "\r\n") {
			if len(line) > hardLine || strings.ContainsAny(line, "\r\n\x00") {
				t.Fatalf("%q", line)
			}
		}
		h := mustHeader(t, string(field)+"\r\n")
		if h.Len() != 1 || h.Count(name) != 1 {
			t.Fatalf("%q is %d fields", field, h.Len())
		}
		if got := h.RawValues(name)[0]; plain(value) && !slices.Equal(strings.Fields(got), strings.Fields(value)) {
			t.Fatalf("%q, want %q", got, value)
		}
	})
}

func TestReceived(t *testing.T) {
	date := time.Date(2026, 10, 1, 12, 0, 0, 0, time.FixedZone("", 7200))
	session := envelope.Session{
		Listener: "smtp", Remote: netip.MustParseAddrPort("192.0.2.1:4000"), RDNS: "mail.example.net", Helo: "mail.example.net", ESMTP: true,
		TLSVersion: "TLS1.3", TLSCipher: "TLS_AES_128_GCM_SHA256",
	}
	alice := address.MustParse("alice@example.org")
	want := "Received: from mail.example.net (mail.example.net [192.0.2.1])\r\n" +
		"\tby mx.example.org with ESMTPS id abc\r\n" +
		"\t(TLS1.3 TLS_AES_128_GCM_SHA256)\r\n" +
		"\tfor <alice@example.org>;\r\n" +
		"\tThu, 01 Oct 2026 12:00:00 +0200\r\n"
	if got := Received(ReceivedInfo{From: session, By: "mx.example.org", ID: "abc", For: alice, Date: date}); string(got) != want {
		t.Errorf("%s", got)
	}

	hostile := envelope.Session{
		Remote: netip.MustParseAddrPort("[2001:db8::1%eth0]:1"), Listener: "smtp",
		Helo: "x\r\nSubject: (y", RDNS: "a)\n[b" + strings.Repeat("c", 1000),
	}
	got := string(Received(ReceivedInfo{From: hostile, By: "mx.example.org", ID: "a\r\nb", Date: date}))
	if !strings.HasPrefix(got, "Received: from x??Subject:??y (a??[bccc") || !strings.Contains(got, "c [IPv6:2001:db8::1])\r\n\tby mx.example.org with SMTP id a??b;\r\n") || len(got) > 500 {
		t.Errorf("%s", got)
	}
	local := envelope.Session{Listener: "lmtp", Helo: ""}
	jörg := address.MustParse("jörg@example.org")
	got = string(Received(ReceivedInfo{From: local, By: "mx", ID: "i", For: jörg, Date: date}))
	if !strings.HasPrefix(got, "Received: from unknown (local)\r\n\tby mx with LMTP id i;") {
		t.Errorf("%s", got)
	}
	if got := string(Received(ReceivedInfo{By: "mx", ID: "i", For: alice, Date: date})); !strings.HasPrefix(got, "Received: by mx id i\r\n\tfor <alice@example.org>;\r\n\tThu, ") {
		t.Errorf("%s", got)
	}
	got = string(Received(ReceivedInfo{From: local, By: "mx", ID: "i", For: jörg, UTF8: true, Date: date}))
	if !strings.Contains(got, "with UTF8LMTP id i\r\n\tfor <jörg@example.org>;") {
		t.Errorf("%s", got)
	}
}

func TestTraceFields(t *testing.T) {
	if got := string(ReturnPath(address.Address{})); got != "Return-Path: <>\r\n" {
		t.Error(got)
	}
	if got := string(ReturnPath(address.MustParse(`"a b"@example.org`))); got != "Return-Path: <\"a b\"@example.org>\r\n" {
		t.Error(got)
	}
	for _, c := range []struct {
		to   string
		utf8 bool
		want string
	}{
		{"alice@example.org", false, "alice@example.org"},
		{"jörg@bücher.example", true, "jörg@xn--bcher-kva.example"},
		{"jörg@bücher.example", false, "=?utf-8?q?j=C3=B6rg@xn--bcher-kva.example?="},
		{`"a: b"@example.org`, false, `"a: b"@example.org`},
	} {
		if got := string(DeliveredTo(address.MustParse(c.to), c.utf8)); got != "Delivered-To: "+c.want+"\r\n" {
			t.Error(got)
		}
	}
}
