package server

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/relay"
	"facteur/server/report"
)

// TestReports: what was counted yesterday is reported, to another server and to this
// one itself, which files and reads it; each report once.
func TestReports(t *testing.T) {
	s := newSite(t)
	s.encrypted(relay.TLSResult{Domain: "example.net", PolicyType: relay.PolicyNone, MX: "mx.example.net", Failure: relay.FailureNoTLS})
	yesterday := time.Now().AddDate(0, 0, -1)
	for domain, rua := range map[string]string{"example.net": "mailto:dmarc@example.net", "example.org": "mailto:dmarc-reports@example.org"} {
		s.reports.store.AddDMARC(report.DMARCResult{
			At: yesterday, Policy: report.Policy{Domain: domain, P: "none", Pct: 100, RUA: []string{rua}}, Source: netip.MustParseAddr("192.0.2.66"),
			HeaderFrom: domain, Disposition: "none", SPF: report.SPFAuth{Domain: "x.example", Scope: "mfrom", Result: "pass"},
		})
	}
	s.down() // writes them
	s.up()
	for range 2 {
		if !s.reports.daily.Send(t.Context()) {
			t.Error("not all is sent")
		}
	}
	s.events.wait(t, "msg=spool.finished")
	sent := s.peer.Messages()
	if len(sent) != 1 {
		t.Fatalf("%d messages", len(sent))
	}
	if !strings.HasPrefix(sent[0].From, "FROM:<>") || !strings.Contains(sent[0].Data, "From: <postmaster@example.org>\r\n") {
		t.Errorf("%s\n%s", sent[0].From, sent[0].Data)
	}
	r, err := report.ReadMessage(envelope.Bytes(sent[0].Data))
	if err != nil || r.DMARC == nil || r.DMARC.Policy.Domain != "example.net" || r.DMARC.Records[0].Row.Count != 1 {
		t.Errorf("%+v %v", r, err)
	}
	if got := s.inbox("alice@example.org"); len(got) != 0 {
		t.Errorf("in INBOX: %q", got)
	}
	status, err := s.imap("alice@example.org").Select(report.Folder, nil).Wait()
	if err != nil || status.NumMessages != 1 {
		t.Fatalf("%+v %v", status, err)
	}
	s.sending.CloseAccount(t.Context(), address.MustParse("small@example.org"), "it sent too much", time.Now())
	d, err := s.Report(t.Context(), 7)
	if err != nil || len(d.Domains) != 1 || d.Domains[0].Domain != "example.org" || len(d.Domains[0].Failed) != 1 || d.Sent != 2 || len(d.Limits) != 1 || len(d.TLSOut) != 1 || d.TLSOut[0].Trouble[0].Type != relay.FailureNoTLS {
		t.Errorf("%+v %v", d, err)
	}
	var out bytes.Buffer
	if err := PrintReport(&out, s.opts.Config, 7, false); err != nil || !strings.Contains(out.String(), "1 message from 192.0.2.66 did not pass") {
		t.Errorf("%s %v", out.String(), err)
	}
}
