package trial

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/message"
)

const zoneText = `
; all that there is
example.net.            MX   20 b.example.net.
example.net             MX   10 a.example.net
a.example.net     3600 IN A  192.0.2.1
a.example.net           AAAA 2001:db8::1
www.example.net         CNAME a.example.net
loop.example.net        CNAME loop.example.net
example.net             TXT  "v=spf1 " "-all"
1.2.0.192.in-addr.arpa  PTR  A.example.net.
`

func TestZone(t *testing.T) {
	z, err := ParseZone("zone", zoneText)
	if err != nil {
		t.Fatal(err)
	}
	z.Fail("down.example.net")
	z.Fail("192.0.2.9")
	if err := z.Add("ptr", "2001:db8::1", "Six.example.net."); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ kind, name, want string }{
		{"mx", "Example.NET.", "[a.example.net b.example.net] <nil>"},
		{"a", "a.example.net", "[192.0.2.1] <nil>"},
		{"aaaa", "www.example.net", "[2001:db8::1] <nil>"},
		{"a", "loop.example.net", "[] <nil>"},
		{"txt", "example.net", "[v=spf1 -all] <nil>"},
		{"ptr", "192.0.2.1", "[a.example.net] <nil>"},
		{"ptr", "2001:db8::1", "[six.example.net] <nil>"},
		{"ptr", "192.0.2.9", "[] " + errDNS.Error()},
		{"a", "nobody.example", "[] <nil>"},
		{"a", "down.example.net", "[] " + errDNS.Error()},
	} {
		values, err := z.Lookup(t.Context(), c.kind, c.name)
		if got := fmt.Sprint(values, " ", err); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.kind, c.name, got, c.want)
		}
	}
	for text, want := range map[string]string{
		"a.example SRV 0 0 25 b.example": "zone: this is no record that scripts ask for",
		"a.example A":                    "zone: ",
		"$INCLUDE /etc/passwd":           "zone: ",
	} {
		if _, err := ParseZone("zone", text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, c := range [][3]string{{"a", "x.example", "2001:db8::1"}, {"aaaa", "x.example", "192.0.2.1"}, {"ptr", "x.example", "y"}, {"srv", "x.example", "y"}} {
		if z.Add(c[0], c[1], c[2]) == nil {
			t.Errorf("%v was taken", c)
		}
	}
}

func FuzzZone(f *testing.F) {
	f.Add(zoneText)
	f.Add("$GENERATE 1-3 a$.example A 192.0.2.$")
	f.Fuzz(func(t *testing.T, text string) {
		z, err := ParseZone("zone", text)
		if err != nil {
			return
		}
		for name := range z.records {
			for _, kind := range []string{"a", "aaaa", "mx", "txt", "ptr"} {
				_, _ = z.Lookup(t.Context(), kind, name)
			}
		}
	})
}

// What a run notes is there for itself, and for others once it is committed.
func TestMemory(t *testing.T) {
	m := NewMemory()
	now := Morning
	begin := func(script string) hook.State { return m.Begin(script, address.MustParse("a@example.org"), now) }
	get := func(s hook.State, key string) string {
		v, ok, err := s.Get(key)
		return fmt.Sprint(v, " ", ok, " ", err)
	}
	want := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	first := begin("a.lua")
	_ = first.Set("k", "v", time.Hour)
	_, _ = first.Incr("n", 2, 0)
	want("own", get(first, "k"), "v true <nil>")
	want("not committed", get(begin("a.lua"), "k"), " false <nil>")
	want("counted at once", get(begin("a.lua"), "n"), "2 true <nil>")
	again, _ := first.Duplicate("id", time.Hour)
	twice, _ := first.Duplicate("id", time.Hour)
	other, _ := begin("a.lua").Duplicate("id", time.Hour)
	want("duplicate", fmt.Sprint(again, twice, other), "false true false")
	if err := first.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	want("committed", get(begin("a.lua"), "k"), "v true <nil>")
	want("another script", get(begin("b.lua"), "k"), " false <nil>")
	other, _ = begin("a.lua").Duplicate("id", time.Hour)
	want("noted", fmt.Sprint(other), "true")

	gone := begin("a.lua")
	_ = gone.Delete("k")
	want("deleted", get(gone, "k"), " false <nil>")
	gone.Cancel()
	_ = gone.Commit(context.Background())
	want("cancelled", get(begin("a.lua"), "k"), "v true <nil>")

	for i := range 3 {
		n, _ := begin("a.lua").Rate("r", time.Minute)
		want("rate", fmt.Sprint(n), fmt.Sprint(i+1))
	}
	now = now.Add(time.Hour)
	want("ended", get(begin("a.lua"), "k"), " false <nil>")
	n, _ := begin("a.lua").Rate("r", time.Minute)
	other, _ = begin("a.lua").Duplicate("id", time.Hour)
	want("after the period", fmt.Sprint(n, other), "1 false")

	m.Max = 2
	full := begin("full.lua")
	for i := range 3 {
		if err := full.Set(fmt.Sprint(i), "", 0); (err != nil) != (i == 2) {
			t.Errorf("key %d: %v", i, err)
		}
	}
}

// A message that is made can be read, in each of its forms.
func TestDraft(t *testing.T) {
	for name, d := range map[string]Draft{
		"text":        {From: "Carol <carol@example.net>", Subject: "Grüße", Text: "Hello\nthere", Date: Morning, ID: "1@x"},
		"html":        {From: "carol@example.net", Subject: "Grüße", HTML: "<p>Hello\nthere</p>"},
		"both":        {From: "carol@example.net", Subject: "Grüße", Text: "Hello\nthere", HTML: "<p>Hi</p>"},
		"attachments": {From: "carol@example.net", Subject: "Grüße", Text: "Hello\nthere", Files: []File{{"Rechnung März.pdf", "application/pdf", []byte(strings.Repeat("x", 100))}}},
		"headers":     {From: "x@y", To: "a@b", Subject: "Grüße", Text: "Hello\nthere", Header: []Field{{"from", []string{"carol@example.net"}}, {"To", nil}, {"X-Two", []string{"1", "2"}}}},
	} {
		raw := d.Bytes()
		if strings.Contains(strings.ReplaceAll(string(raw), "\r\n", ""), "\n") {
			t.Errorf("%s has bare line feeds", name)
		}
		c, err := message.ReadContent(envelope.Bytes(raw))
		if err != nil {
			t.Fatal(err)
		}
		if from := c.Addresses("From"); len(from) != 1 || from[0].String() != "carol@example.net" || c.Subject() != "Grüße" {
			t.Errorf("%s: from %v, subject %q", name, from, c.Subject())
		}
		if text := strings.Join(strings.Fields(c.Text(100)), " "); text != "Hello there" {
			t.Errorf("%s: text %q", name, text)
		}
		if two := c.Values("X-Two"); name == "headers" && (len(two) != 2 || len(c.Values("To")) != 0) {
			t.Errorf("%s: %v, %v", name, two, c.Values("To"))
		}
		if all, _ := io.ReadAll(c.Raw()); string(all) != string(raw) {
			t.Errorf("%s: it comes out otherwise", name)
		}
	}
}
