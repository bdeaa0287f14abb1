package senderauth

import (
	"bytes"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/message"
	"facteur/server/safefile"
)

// TestSealRecorded: a message that was kept for a while is sealed as if it had gone on at
// once: its chain is continued, and not called broken.
func TestSealRecorded(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	keys, err := OpenKeys(t.TempDir(), safefile.Unsynced{FS: safefile.OS}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	seal := func(raw []byte, r Results) []byte {
		h, err := message.ParseHeader(raw)
		if err != nil {
			t.Fatal(err)
		}
		set, err := keys.Seal("example.org", "mail.example.org", r, h, envelope.Bytes(raw))
		if err != nil {
			t.Fatal(err)
		}
		return append(set, raw...)
	}
	raw := seal([]byte("From: a@example.net\r\n\r\nText\r\n"), Results{SPF: SPF{Result: Pass, Domain: "example.net"}, ARC: ARC{Result: None}})
	came := Results{SPF: SPF{Result: Pass, Domain: "example.com"}, ARC: ARC{Result: Pass, Instance: 1, Sealer: "example.org"}}
	kept := append(came.Field("mail.example.org"), raw...)
	h, err := message.ParseHeader(kept)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []Results{came, Recorded(h, "mail.example.org")} {
		if got := seal(kept, r); !bytes.HasPrefix(got, []byte("ARC-Seal: i=2;")) || !bytes.Contains(got, []byte("cv=pass;")) {
			t.Errorf("%+v:\n%s", r, got)
		}
	}
}

// TestAuthor: it is shown whose a message is by DMARC, or by what is aligned where there is no
// policy; the same after it was kept for a while.
func TestAuthor(t *testing.T) {
	spf := func(r Result, d string) SPF { return SPF{Result: r, Domain: address.Domain(d)} }
	dkim := func(r Result, d string) []DKIM { return []DKIM{{Result: r, Domain: address.Domain(d), Selector: "s"}} }
	for _, c := range []struct {
		name string
		r    Results
		want address.Domain
	}{
		{"DMARC", Results{SPF: spf(None, "a.example"), DMARC: DMARC{Result: Pass, Domain: "a.example"}}, "a.example"},
		{"SPF, and no policy", Results{SPF: spf(Pass, "mail.a.example"), DMARC: DMARC{Result: None, Domain: "a.example"}}, "a.example"},
		{"a signature, and no policy", Results{SPF: spf(None, "b.example"), DKIM: dkim(Pass, "a.example"), DMARC: DMARC{Result: None, Domain: "a.example"}}, "a.example"},
		{"SPF of another", Results{SPF: spf(Pass, "b.example"), DKIM: dkim(Pass, "b.example"), DMARC: DMARC{Result: None, Domain: "a.example"}}, ""},
		{"nothing", Results{SPF: spf(None, "a.example"), DMARC: DMARC{Result: None, Domain: "a.example"}}, ""},
		{"a policy that fails", Results{SPF: spf(Pass, "mail.a.example"), DMARC: DMARC{Result: Fail, Domain: "a.example", Disposition: Deliver}}, ""},
		{"no answer", Results{SPF: spf(TempError, "a.example"), DMARC: DMARC{Result: TempError, Domain: "a.example"}}, ""},
		{"not looked at", Results{}, ""},
	} {
		if got := c.r.Author(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if c.r.SPF.Result == "" {
			continue
		}
		h, err := message.ParseHeader(append(c.r.Field("mail.example.org"), "\r\n"...))
		if err != nil {
			t.Fatal(err)
		}
		if got := Recorded(h, "mail.example.org").Author(); got != c.want {
			t.Errorf("%s, read again: %q, want %q", c.name, got, c.want)
		}
	}
	sealed := Results{DMARC: DMARC{Result: Fail, Domain: "a.example"}, ARC: ARC{Result: Pass, Trusted: true}}
	if sealed.Author() != "a.example" {
		t.Error("a trusted sealer vouches for it in vain")
	}
}
