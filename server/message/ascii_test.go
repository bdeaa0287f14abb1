package message

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestASCIIField(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Subject: Grüße\r\n", "Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n"},
		{"SUBJECT : Grüße\r\n aus Köln\r\n", "SUBJECT: =?utf-8?b?R3LDvMOfZQ==?= aus =?utf-8?q?K=C3=B6ln?=\r\n"},
		{"X-Note: é\r\n", "X-Note: =?utf-8?b?w6k=?=\r\n"},
		{"Subject: plain\r\n", ""},
		{"Subject: \xe9\r\n", ""},
		{"Content-Type: text/plain; name=\"é\"\r\n", ""},
		{"Message-ID: <é@example.org>\r\n", ""},
		{"From: Zoé Müller <zoe@example.org>\r\n", "From: =?utf-8?b?Wm/DqSBNw7xsbGVy?= <zoe@example.org>\r\n"},
		{"To: \"Zoé, M\" <zoe@example.org>, Bob <bob@example.net>,\r\n eve@example.net\r\n", "To: =?utf-8?b?Wm/DqSwgTQ==?= <zoe@example.org>,\r\n \"Bob\" <bob@example.net>,\r\n eve@example.net\r\n"},
		{"Cc: Böard: a@example.org, =?utf-8?q?=C3=A9?= <b@example.org>;, c@example.org\r\n", "Cc: =?utf-8?b?QsO2YXJk?=: a@example.org,\r\n =?utf-8?b?w6k=?= <b@example.org>;,\r\n c@example.org\r\n"},
		{"To: x@bücher.example\r\n", "To: x@xn--bcher-kva.example\r\n"},
		{"To: jörg@example.org\r\n", ""},
		{"To: Zoé <zoe@example.org> x\r\n", ""},
		{"To: Zoé <a@example.org> (see b@example.org)\r\n", ""},
		{"Resent-To: \"é\\\"\" <\"a b\"@example.org>\r\n", "Resent-To: =?utf-8?b?w6ki?= <\"a b\"@example.org>\r\n"},
	} {
		name, _, _ := strings.Cut(c.in, ":")
		got, ok := ASCIIField(strings.TrimSpace(name), []byte(c.in))
		if ok != (c.want != "") || ok && string(got) != c.want {
			t.Errorf("%q: %q, %v, want %q", c.in, got, ok, c.want)
		}
	}
}

// FuzzASCIIField: what comes out is one field in ASCII, in lines that may be sent, with
// the same addresses.
func FuzzASCIIField(f *testing.F) {
	for _, s := range []string{"é", "é <a@b>", "\"é\" <a@b>, g: x@y;", "é (c) <a@b>\r\n\t, d@e", "=?utf-8?q?=0D=0A?= é <a@b>", strings.Repeat("é", 600)} {
		f.Add("Subject", s)
		f.Add("From", s)
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		h, err := ParseHeader([]byte(name + ": " + value + "\r\n"))
		if err != nil || h.Len() != 1 || h.Malformed() {
			t.Skip()
		}
		name, raw := h.Field(0)
		field, ok := ASCIIField(name, raw)
		if !ok {
			return
		}
		after, err := ParseHeader(field)
		if err != nil || after.Len() != 1 || after.Count(name) != 1 || !ascii(field) || !utf8.Valid(field) || strings.ContainsAny(strings.ReplaceAll(string(field), "\r\n", ""), "\r\n") {
			t.Fatalf("%q becomes %q", raw, field)
		}
		for line := range strings.SplitSeq(string(field), "\r\n") {
			if len(line) > 998 && len(line) > len(raw) {
				t.Fatalf("a line of %d octets", len(line))
			}
		}
		if strings.EqualFold(name, "From") {
			was, _ := h.Addresses("From")
			is, ok := after.Addresses("From")
			if !ok || !slices.Equal(was, is) {
				t.Fatalf("%q becomes %q: %v, not %v", raw, field, is, was)
			}
		}
	})
}
