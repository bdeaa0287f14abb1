package senderauth

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"facteur/server/address"
	"facteur/server/dns"
)

// The suite of the openspf project, as it is with its licence in testdata/spf, in JSON.
type spfSuite struct {
	Description string
	Tests       map[string]struct {
		Helo, Host, MailFrom string
		Result               []string
	}
	ZoneData map[string][]map[string]any
}

// TestOpenSPF runs the public suite for RFC 7208, all of it.
func TestOpenSPF(t *testing.T) {
	raw, err := os.ReadFile("testdata/spf/rfc7208-tests.json")
	if err != nil {
		t.Fatal(err)
	}
	var suites []spfSuite
	if err := json.Unmarshal(raw, &suites); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, suite := range suites {
		zone := suite.zone(t)
		for name, c := range suite.Tests {
			ran++
			q := spfQuery{ctx: t.Context(), dns: zone, ip: netip.MustParseAddr(c.Host).Unmap(), helo: c.Helo}
			local, domain, ok := cutLast(c.MailFrom, "@")
			if !ok {
				local, domain = "", c.Helo
			}
			if local == "" {
				local = "postmaster" // RFC 7208 4.3
			}
			q.local, q.domain = local, domain
			if got, reason := q.check(domain); !slices.Contains(c.Result, string(got)) {
				t.Errorf("%s, %s: %s (%s), want %v", suite.Description, name, got, reason, c.Result)
			}
		}
	}
	if ran != 203 {
		t.Errorf("%d cases", ran)
	}
}

// zone turns the suite's records into a fake DNS. A record of type SPF stands for TXT
// where there is no TXT, as the suite's CHANGES say.
func (s spfSuite) zone(t *testing.T) *fakeDNS {
	f := newFakeDNS()
	for name, records := range s.ZoneData {
		name = fold(name)
		hasTXT, answers := false, false
		for _, r := range records {
			text, has := r["TXT"]
			hasTXT = hasTXT || has
			answers = answers || has && text != "NONE"
		}
		for _, r := range records {
			for kind, value := range r {
				switch kind {
				case "TIMEOUT": // for the types that are not listed
					if !answers {
						f.broken[name] = ""
					}
				case "CNAMELOOP":
					f.broken[name] = ""
				case "SPF", "TXT":
					if text := joined(value); text != "NONE" && (kind == "TXT" || !hasTXT) {
						f.txt[name] = append(f.txt[name], text)
					}
				case "A":
					f.a[name] = append(f.a[name], netip.MustParseAddr(value.(string)))
				case "AAAA":
					f.aaaa[name] = append(f.aaaa[name], netip.MustParseAddr(value.(string)))
				case "MX":
					pair := value.([]any)
					f.mx[name] = append(f.mx[name], dns.MX{Preference: uint16(pair[0].(float64)), Host: pair[1].(string)})
				case "PTR":
					ip := reverseAddr(t, name)
					f.ptr[ip] = append(f.ptr[ip], value.(string))
				case "CNAME":
					target := fold(value.(string))
					f.cname(name, target, s)
				default:
					t.Fatalf("record of type %s", kind)
				}
			}
		}
	}
	return f
}

// cname copies the addresses and texts of target, which is enough for the suite.
func (f *fakeDNS) cname(name, target string, s spfSuite) {
	for other, records := range s.ZoneData {
		if fold(other) != target {
			continue
		}
		for _, r := range records {
			if a, ok := r["A"].(string); ok {
				f.a[name] = append(f.a[name], netip.MustParseAddr(a))
			}
			if text, ok := r["TXT"]; ok {
				f.txt[name] = append(f.txt[name], joined(text))
			}
		}
	}
}

func joined(v any) string {
	if list, ok := v.([]any); ok {
		var all strings.Builder
		for _, s := range list {
			all.WriteString(s.(string))
		}
		return all.String()
	}
	return v.(string)
}

func reverseAddr(t *testing.T, name string) netip.Addr {
	if rest, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		parts := strings.Split(rest, ".")
		slices.Reverse(parts)
		return netip.MustParseAddr(strings.Join(parts, "."))
	}
	rest, ok := strings.CutSuffix(name, ".ip6.arpa")
	if !ok {
		t.Fatalf("%s is no reverse name", name)
	}
	nibbles := strings.Split(rest, ".")
	slices.Reverse(nibbles)
	var text strings.Builder
	for i, n := range nibbles {
		if i > 0 && i%4 == 0 {
			text.WriteByte(':')
		}
		text.WriteString(n)
	}
	return netip.MustParseAddr(text.String())
}

// TestSPFIdentity: which name is asked for, and what the results tell of it.
func TestSPFIdentity(t *testing.T) {
	f := newFakeDNS()
	f.txt["example.org"] = []string{"v=spf1 ip4:192.0.2.1 -all"}
	f.txt["mail.example.org"] = []string{"v=spf1 a -all"}
	f.a["mail.example.org"] = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	f.txt["silent.example"] = []string{"V=SPF1 -ALL"}
	f.txt["redirected.example"] = []string{"v=spf1 redirect=silent.example"}
	f.txt["included.example"] = []string{"v=spf1 include:silent.example ?all"}
	f.broken["broken.example"] = ""
	for _, c := range []struct {
		ip, helo, from string
		want           string
	}{
		{"192.0.2.1", "mail.example.org", "alice@example.org", "pass example.org mailfrom"},
		{"192.0.2.2", "mail.example.org", "alice@example.org", "fail example.org mailfrom"},
		{"::ffff:192.0.2.1", "mail.example.org", "alice@example.org", "pass example.org mailfrom"},
		{"192.0.2.1", "mail.example.org", "", "pass mail.example.org helo"},
		{"192.0.2.1", "MAIL.example.org", "", "pass mail.example.org helo"},
		{"192.0.2.9", "mail.example.org", "", "fail mail.example.org helo"},
		{"192.0.2.1", "[192.0.2.1]", "", "none [192.0.2.1] helo"},
		{"192.0.2.1", "", "", "none  helo"},
		{"192.0.2.1", "x", "bob@nowhere.example", "none nowhere.example mailfrom"},
		{"192.0.2.1", "x", "bob@broken.example", "temperror broken.example mailfrom"},
		{"192.0.2.1", "x", "bob@silent.example", "fail silent.example mailfrom nomail"},
		{"192.0.2.1", "x", "bob@redirected.example", "fail redirected.example mailfrom"},
		{"192.0.2.1", "x", "bob@included.example", "neutral included.example mailfrom"},
	} {
		facts := Facts{IP: netip.MustParseAddr(c.ip), Helo: c.helo}
		if c.from != "" {
			facts.ReversePath = address.MustParse(c.from)
		}
		s := checkSPF(t.Context(), f, facts)
		got := fmt.Sprintf("%s %s %s", s.Result, s.Domain, map[bool]string{true: "helo", false: "mailfrom"}[s.HELO])
		if s.NoMail {
			got += " nomail"
		}
		if got != c.want {
			t.Errorf("%+v: %s (%s)", c, got, s.Reason)
		}
	}
}

// TestSPFBounds: records that lead on without end.
func TestSPFBounds(t *testing.T) {
	f := newFakeDNS()
	f.txt["loop.example"] = []string{"v=spf1 include:loop.example -all"}
	f.txt["redirect.example"] = []string{"v=spf1 redirect=redirect.example"}
	f.txt["tree.example"] = []string{"v=spf1" + strings.Repeat(" include:tree.example", 400)}
	f.txt["void.example"] = []string{"v=spf1 a:x1.example.org a:x2.example.org a:x3.example.org a:x4.example.org ?all"}
	f.txt["macro.example"] = []string{"v=spf1 exists:" + strings.Repeat("%{s}", 100) + ".example.org -all"}
	f.txt["wide.example"] = []string{"v=spf1 mx -all"}
	for range 11 {
		f.mx["wide.example"] = append(f.mx["wide.example"], dns.MX{Host: "mx.example"})
	}
	for domain, questions := range map[string]int{
		"loop.example": 12, "redirect.example": 12, "tree.example": 12, "void.example": 4, "macro.example": 2, "wide.example": 2,
	} {
		f.asked = nil
		s := checkSPF(t.Context(), f, Facts{IP: netip.MustParseAddr("192.0.2.1"), ReversePath: address.MustParse(strings.Repeat("x", 60) + "@" + domain)})
		if s.Result != PermError && domain != "macro.example" || len(f.asked) > questions {
			t.Errorf("%s: %s (%s), %d questions", domain, s.Result, s.Reason, len(f.asked))
		}
	}
}

func FuzzSPF(f *testing.F) {
	for _, s := range []string{
		"v=spf1 +mx a:%{d}/24//64 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all", "v=spf1 include:%{ir}.%{v}.%{L4r+-}.example.org ?ptr redirect=%{d2}.x",
		"v=spf1 exists:%{p}.%%.%_%-.example exp=%{c}", "v=spf1 a:", "v=spf1 %{", "v=spf1 a//", "v=spf1  all ",
	} {
		f.Add(s)
	}
	zone := newFakeDNS()
	zone.a["a.example"] = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	zone.ptr[netip.MustParseAddr("192.0.2.1")] = []string{"a.example"}
	f.Fuzz(func(t *testing.T, record string) {
		zone.txt["example.org"] = []string{record}
		zone.asked = nil
		s := checkSPF(t.Context(), zone, Facts{IP: netip.MustParseAddr("192.0.2.1"), Helo: "a.example", ReversePath: address.MustParse("a.b@example.org")})
		if s.Result == "" {
			t.Error("no result")
		}
		if len(zone.asked) > 1+maxTerms*(1+maxPTR) {
			t.Errorf("%d questions", len(zone.asked))
		}
	})
}
