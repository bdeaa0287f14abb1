package server

import (
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/config"
	"facteur/server/spool"
)

// TestHarmless: what strangers wrote stays on its line, and is no link.
func TestHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"Hello":                           "Hello",
		"":                                "(none)",
		" \r\n\t":                         "(none)",
		"a\r\n  From: b":                  "a From: b",
		"see https://evil.example/x.html": "see https: //evil[.]example/x[.]html",
		"www.evil.example now":            "www[.]evil[.]example now",
		"3.14 is 1.5":                     "3.14 is 1.5",
		"Bob <bob@example.net>":           "Bob <bob@example.net>",
		"x\u202eevil\x00\x1b[31m":         "x evil [31m",
		strings.Repeat("ü", 500):          strings.Repeat("ü", maxShown) + " ...",
	} {
		if got := harmless(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestQuarantineText: a notice names each message, up to a bound.
func TestQuarantineText(t *testing.T) {
	live := &settings{Config: &config.Config{Location: time.UTC, Retention: config.Retention{Quarantine: 36 * time.Hour}}}
	d := spool.Detail{From: "Eve <eve@evil.example>", Subject: "Buy at http://evil.example", Summary: spool.Summary{ID: "abc", Hold: "smells", Received: time.Unix(0, 0)}}
	subject, text := quarantineText(live, address.MustParse("bob@example.org"), []spool.Detail{d})
	const want = `What follows was sent to bob@example.org and is held, because of a rule of
this mail server. It is not in the mailbox.

  From:     Eve <eve@evil.example>
  Subject:  Buy at http: //evil[.]example
  Came:     1970-01-01 00:00 UTC
  Reason:   smells
  Number:   abc

If you want to have one of these, write to postmaster@example.org
and name its number. What nobody wants is removed 36 hours after it came.

There is at most one such notice a day.
`
	if subject != "1 message in quarantine" || text != want {
		t.Errorf("%s\n%s", subject, text)
	}
	live.Retention.Quarantine = config.Never
	many := make([]spool.Detail, maxQuarantineListed+7)
	subject, text = quarantineText(live, address.MustParse("bob@example.org"), many)
	if subject != "107 messages in quarantine" || strings.Count(text, "Number:") != maxQuarantineListed || !strings.Contains(text, "and 7 more") || strings.Contains(text, "removed") {
		t.Errorf("%s\n%.300s", subject, text)
	}
}

// TestPerDay counts each address by itself, and begins anew each day.
func TestPerDay(t *testing.T) {
	var p perDay
	alice, bob := address.MustParse("alice@example.org"), address.MustParse("bob@example.org")
	now := time.Unix(86400*100, 0)
	for i, c := range []struct {
		who  address.Address
		at   time.Time
		want bool
	}{{alice, now, true}, {alice, now, true}, {alice, now, false}, {bob, now, true}, {alice, now.Add(24 * time.Hour), true}} {
		if got := p.take(c.who, 2, c.at); got != c.want {
			t.Errorf("%d: %v", i, got)
		}
	}
}
