package message

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"facteur/server/envelope"
)

func TestRetouch(t *testing.T) {
	const (
		trace  = "Return-Path: <a@example.net>\r\nReceived: from x\r\nDKIM-Signature: v=1; d=example.net; h=From:\r\n\tSubject : X-Mailer; b=x\r\nDKIM-Signature: d=other.example; h=from; b=y\r\n"
		header = trace + "From: a@example.net\r\nx-mailer: one\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nX-Mailer: two\r\nContent-Type: text/plain\r\n"
		body   = "\r\nHello\r\n"
	)
	for _, c := range []struct {
		name    string
		in      string
		r       Retouch
		want    string
		signers string
	}{
		{"nothing", header, Retouch{}, header, "[]"},
		{"not there", header, Retouch{Remove: []string{"X-Other"}}, header, "[]"},
		{"trace stays", header, Retouch{Remove: []string{"Received", "return-path", "DKIM-SIGNATURE", "From", "Content-Type", "ARC-Seal", "Authentication-Results"}}, header, "[]"},
		{"all of a name", header, Retouch{Remove: []string{"X-MAILER"}}, trace + "From: a@example.net\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nContent-Type: text/plain\r\n", "[example.net]"},
		{"prefix", "From: a\r\nSubject: Hi\r\nTo: b\r\n", Retouch{Prefix: "[list] "}, "From: a\r\nSubject: [list] Hi\r\nTo: b\r\n", "[]"},
		{"prefix is there", "Subject: [list] Hi\r\n", Retouch{Prefix: "[list] "}, "Subject: [list] Hi\r\n", "[]"},
		{"no subject", "From: a\r\n", Retouch{Prefix: "[x] "}, "Subject: [x]\r\nFrom: a\r\n", "[]"},
		{"two subjects", "Subject: one\r\nSubject: two\r\n", Retouch{Prefix: "[x] "}, "Subject: [x] one\r\n", "[]"},
		{"signed subject", "DKIM-Signature: d=Example.NET; h=subject; b=x\r\nSubject: a\r\n", Retouch{Prefix: "b"}, "DKIM-Signature: d=Example.NET; h=subject; b=x\r\nSubject: ba\r\n", "[example.net]"},
		{"both", "Subject: a\r\nX: y\r\n", Retouch{Prefix: "b", Remove: []string{"x"}}, "Subject: ba\r\n", "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := envelope.Bytes(c.in + body)
			h, err := ReadHeader(b)
			if err != nil {
				t.Fatal(err)
			}
			out, after, signers, err := c.r.Apply(b, h)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(envelope.NewReader(out))
			if err != nil || string(raw) != c.want+body || string(after.Bytes()) != c.want+"\r\n" {
				t.Errorf("%q, %v, header %q", raw, err, after.Bytes())
			}
			if got := fmt.Sprint(signers); got != c.signers {
				t.Errorf("signed by %s", got)
			}
		})
	}
	if _, _, _, err := (Retouch{Prefix: "a\r\nBcc: x"}).Apply(envelope.Bytes("X: y\r\n\r\n"), mustHeader(t, "X: y\r\n\r\n")); err == nil {
		t.Error("a prefix with a line end")
	}
}

// FuzzRetouch: whatever the header, the body stays, what may not go stays, and what went is
// gone.
func FuzzRetouch(f *testing.F) {
	f.Add("DKIM-Signature: d=example.net; h=subject\r\nSubject: x\r\n y\r\nX: z\r\n", "X", "[p] ")
	f.Add(" folded\r\nSubject\r\nReceived: a\r\nSUBJECT: =?utf-8?q?=00?=\r\n", "received", "")
	f.Add("DKIM-Signature: h;;=d=;h=a:b:;d=..\r\n", "a", "ü")
	f.Fuzz(func(t *testing.T, header, name, prefix string) {
		const body = "\r\nbody\r\n"
		h, err := ParseHeader([]byte(header + "\r\n"))
		if err != nil || h.Size() != int64(len(header)+2) {
			return
		}
		b := envelope.Bytes(header + body)
		out, after, _, err := Retouch{Remove: []string{name}, Prefix: prefix}.Apply(b, h)
		if err != nil {
			return
		}
		raw, err := io.ReadAll(envelope.NewReader(out))
		if err != nil || !strings.HasSuffix(string(raw), body) {
			t.Fatalf("%q, %v", raw, err)
		}
		want := 0
		if !Removable(name) {
			want = h.Count(name)
		}
		if n := after.Count(name); n != want && !strings.EqualFold(name, "Subject") {
			t.Errorf("%d of %q are left of %d", n, name, h.Count(name))
		}
	})
}
