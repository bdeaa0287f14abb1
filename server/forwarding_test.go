package server

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/emersion/go-smtp"

	"facteur/server/address"
	"facteur/server/dns"
	"facteur/server/envelope"
	"facteur/server/message"
	"facteur/server/safefile"
	"facteur/server/senderauth"
	"facteur/server/testkit"
)

// authors are the domains that mail comes from: what each publishes in the DNS. Their
// mail comes from authorIP.
var authors = []struct{ domain, dmarc string }{
	{"norecord.example", ""},
	{"none.example", "v=DMARC1; p=none"},
	{"quarantine.example", "v=DMARC1; p=quarantine"},
	{"reject.example", "v=DMARC1; p=reject; aspf=s; adkim=s"},
}

const authorIP = "127.0.0.5"

// forwarders are who sends mail on, each to an address of its own at example.net.
const forwarders = `[aliases]
"alias@example.org" = "alias@example.net"
"list@example.org"  = ["alice@example.org", "list@example.net", "list2@example.net"]
"inner@example.org" = "listed@example.net"
"outer@example.org" = ["inner@example.org", "alice@example.org"]
[domains."example.edu"]
catch_all = "catchall@example.net"
[accounts."redirect@example.org"]
redirect = "redirect@example.net"
keep = false
[accounts."script@example.org"]
scripts = ["on.lua"]
`

// ways leads from the first address to what another server gets.
var ways = []struct{ name, to, target string }{
	{"alias", "alias@example.org", "alias@example.net"},
	{"alias of a list", "outer@example.org", "listed@example.net"},
	{"list", "list@example.org", "list@example.net"},
	{"catch-all", "anyone@example.edu", "catchall@example.net"},
	{"redirect", "redirect@example.org", "redirect@example.net"},
	{"Lua script", "script@example.org", "script@example.net"},
}

// arrival is what the receiver makes of a message.
type arrival struct {
	results senderauth.Results // nobody is trusted
	trusted senderauth.Results // example.org is a trusted sealer
	from    string             // the author that readers see
	body    string
	msg     testkit.Received
}

// TestForwarding sends mail through each kind of forwarder, of authors with each policy,
// signed or not, and looks at it with the eyes of a server that checks all there is. What
// could pass passes; what can't (a signature that never was) is at least sealed, so that
// who trusts this server takes it.
func TestForwarding(t *testing.T) {
	s := newForwardingSite(t)
	out := new(bytes.Buffer)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "forwarder\tpolicy\tsigned\tSPF\tDKIM of the author\tDKIM of ours\tDMARC\tARC\tfate\twith ARC trusted\tFrom")
	for _, way := range ways {
		for _, author := range authors {
			for _, signed := range []bool{true, false} {
				got := s.forward(author.domain, way.to, way.target, signed)
				row := s.judge(way.name, author.domain, signed, got)
				fmt.Fprintln(table, strings.Join(row, "\t"))
			}
		}
	}
	for _, to := range []string{"x@example.net", "list@example.org"} { // our own users
		s.send(s.smtp("submission", "alice@example.org"), "own", "alice@example.org", to)
		got := s.arrived(cmp.Or(map[string]string{"list@example.org": "list@example.net"}[to], to), "own")
		r := got.results
		if r.SPF.Result != senderauth.Pass || r.DMARC.Result != senderauth.Pass || !r.DMARC.DKIMAligned || r.ARC.Result != senderauth.None || !strings.Contains(got.from, "<alice@example.org>") && got.from != "alice@example.org" {
			t.Errorf("own mail to %s: %+v", to, r)
		}
		fmt.Fprintf(table, "own user to %s\t\t\t%s\t%s\t\t%s\t%s\t\t\t%s\n", to, r.SPF.Result, dkimOf(r, "example.org"), r.DMARC.Result, r.ARC.Result, got.from)
	}
	table.Flush()
	t.Logf("\n%s", out)
}

// judge compares an arrival with what could be had, and returns a row of the table.
func (s *forwardingSite) judge(way, author string, signed bool, got arrival) []string {
	s.Helper()
	r := got.results
	list := strings.Contains(way, "list")
	enforced := author == "quarantine.example" || author == "reject.example"
	rewritten := list && enforced && !signed
	wantFrom := "a@" + author
	wantDMARC, wantAuthor := senderauth.Fail, senderauth.None
	switch {
	case rewritten:
		wantFrom, wantDMARC = strings.Fields(map[string]string{"list": "list", "alias of a list": "outer"}[way])[0]+"@example.org", senderauth.Pass
	case author == "norecord.example":
		wantDMARC = senderauth.None
	case signed:
		wantDMARC = senderauth.Pass
	}
	if signed {
		wantAuthor = senderauth.Pass
	}
	fate, trusted := cmp.Or(string(r.DMARC.Disposition), "none"), cmp.Or(string(got.trusted.DMARC.Disposition), "none")
	if r.SPF.Result != senderauth.Pass || r.DMARC.Result != wantDMARC || dkimOf(r, author) != wantAuthor || r.ARC.Result != senderauth.Pass || r.ARC.Sealer != r.SPF.Domain ||
		!strings.Contains(got.from, wantFrom) || trusted != "none" {
		s.Errorf("%s, %s, signed %v: %+v, with trust %s, from %s", way, author, signed, r, trusted, got.from)
	}
	if wantDMARC != senderauth.Fail && fate != "none" {
		s.Errorf("%s, %s, signed %v: it could pass, and is to be %s", way, author, signed, fate)
	}
	if got.body != "Hello\r\n" {
		s.Errorf("%s: the body is %q", way, got.body)
	}
	if rewritten != strings.Contains(got.msg.Data, "\r\nList-Id:") || !rewritten && strings.Contains(got.msg.Data, "\r\nReply-To:") {
		s.Errorf("%s, %s, signed %v:\n%s", way, author, signed, got.msg.Data)
	}
	ours := dkimOf(r, "example.org")
	if rewritten && ours != senderauth.Pass {
		s.Errorf("%s, %s: not signed by the list", way, author)
	}
	policy, _, _ := strings.Cut(author, ".")
	return []string{way, policy, map[bool]string{true: "yes", false: "no"}[signed], string(r.SPF.Result), string(dkimOf(r, author)), string(ours),
		string(r.DMARC.Result), string(r.ARC.Result), fate, trusted, got.from}
}

// dkimOf is the best result of the signatures of a domain.
func dkimOf(r senderauth.Results, domain string) senderauth.Result {
	best := senderauth.None
	for _, d := range r.DKIM {
		if string(d.Domain) == domain && best != senderauth.Pass {
			best = d.Result
		}
	}
	return best
}

// forwardingSite is a site with a receiver that verifies what it gets.
type forwardingSite struct {
	*site
	keys     *senderauth.Keys // of the authors
	resolver *dns.Resolver
	sent     int
}

func newForwardingSite(t *testing.T) *forwardingSite {
	s := &forwardingSite{site: newSite(t)}
	if err := os.WriteFile(filepath.Join(s.dir, "on.lua"), []byte("function deliver(m, box)\n  box:redirect(\"script@example.net\")\nend\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.reload(s.settings(forwarders))
	var err error
	if s.keys, err = senderauth.OpenKeys(filepath.Join(t.TempDir(), "keys"), safefile.Unsynced{FS: safefile.OS}, nil); err != nil {
		t.Fatal(err)
	}
	zone := "example.net. MX 10 mx.example.net.\nmx.example.net. A 127.0.0.1\n"
	for _, d := range []address.Domain{"example.org", "example.edu", "mail.example.org"} {
		zone += fmt.Sprintf("%s. TXT \"v=spf1 ip4:127.0.0.1 -all\"\n_dmarc.%s. TXT \"v=DMARC1; p=reject\"\n", d, d) + records(t, s.Server.keys, d)
	}
	for _, a := range authors {
		zone += fmt.Sprintf("%s. TXT \"v=spf1 ip4:%s -all\"\n", a.domain, authorIP) + records(t, s.keys, address.Domain(a.domain))
		if a.dmarc != "" {
			zone += fmt.Sprintf("_dmarc.%s. TXT %q\n", a.domain, a.dmarc)
		}
	}
	s.dns.Set(t, zone)
	if s.resolver, err = dns.New(dns.Options{Servers: []string{s.dns.Addr()}}); err != nil {
		t.Fatal(err)
	}
	return s
}

// records returns the keys of a domain as lines of a zone.
func records(t *testing.T, keys *senderauth.Keys, d address.Domain) string {
	t.Helper()
	all, err := keys.Records(d)
	if err != nil {
		t.Fatal(err)
	}
	var zone strings.Builder
	for _, r := range all {
		fmt.Fprintf(&zone, "%s. TXT", strings.TrimSuffix(r.Name, "."))
		for part := range slices.Chunk([]byte(r.Value), 200) { // RFC 1035 3.3: strings of 255 octets
			fmt.Fprintf(&zone, " %q", part)
		}
		zone.WriteString("\n")
	}
	return zone.String()
}

// forward sends a message of an author, and returns what arrives at target.
func (s *forwardingSite) forward(author, to, target string, signed bool) arrival {
	s.Helper()
	s.sent++
	subject := fmt.Sprintf("n%d", s.sent)
	from := "a@" + author
	text := []byte(testkit.Message("Ann <"+from+">", to, subject, "Hello\n"))
	if signed {
		h, err := message.ParseHeader(text)
		if err != nil {
			s.Fatal(err)
		}
		fields, err := s.keys.Sign(address.Domain(author), h, envelope.Bytes(text))
		if err != nil {
			s.Fatal(err)
		}
		text = append(fields, text...)
	}
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(authorIP)}, Timeout: patience}).Dial("tcp", s.at("smtp"))
	if err != nil {
		s.Fatal(err)
	}
	c := smtp.NewClient(conn)
	defer c.Close()
	if err := c.Hello("mx." + author); err != nil {
		s.Fatal(err)
	}
	if err := c.SendMail(from, []string{to}, bytes.NewReader(text)); err != nil {
		s.Fatalf("%s to %s: %v", from, to, err)
	}
	return s.arrived(target, subject)
}

// arrived waits for a message with that subject at an address of the receiver.
func (s *forwardingSite) arrived(target, subject string) arrival {
	s.Helper()
	for range 100 {
		for _, m := range s.peer.Messages() {
			if strings.Contains(m.Data, "Subject: "+subject+"\r\n") && slices.ContainsFunc(m.To, func(to string) bool { return strings.HasPrefix(to, "TO:<"+target+">") }) {
				return s.verify(m)
			}
		}
		s.events.wait(s.T, "msg=spool.finished")
	}
	s.Fatalf("nothing arrives at %s", target)
	return arrival{}
}

// verify does what the receiver does.
func (s *forwardingSite) verify(m testkit.Received) arrival {
	s.Helper()
	body := envelope.Bytes(m.Data)
	h, err := message.ReadHeader(body)
	if err != nil {
		s.Fatal(err)
	}
	path, _, _ := strings.Cut(strings.TrimPrefix(m.From, "FROM:<"), ">")
	from, err := address.Parse(path)
	if err != nil {
		s.Fatalf("%s: %v", m.From, err)
	}
	facts := senderauth.Facts{IP: netip.MustParseAddr("127.0.0.1"), Helo: strings.TrimPrefix(m.Helo, "EHLO "), ReversePath: from}
	check := func(sealers ...address.Domain) senderauth.Results {
		v := senderauth.NewVerifier(senderauth.VerifierOptions{Log: s.log, Sample: func() int { return 0 }}, senderauth.Settings{Resolver: s.resolver, Sealers: sealers})
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		return v.Verify(ctx, facts, h, body)
	}
	a := arrival{results: check(), trusted: check("example.org", "example.edu"), from: strings.Join(h.RawValues("From"), "; "), msg: m}
	a.body = m.Data[h.Size():]
	if seal := h.RawValues("ARC-Authentication-Results"); len(seal) > 0 && !strings.Contains(seal[0], "mail.example.org") {
		s.Errorf("sealed as %q", seal)
	}
	return a
}
