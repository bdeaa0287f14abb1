package report

import (
	"net/netip"
	"reflect"
	"testing"

	"facteur/server/address"
	"facteur/server/message"
	"facteur/server/senderauth"
)

func TestFromResults(t *testing.T) {
	facts := senderauth.Facts{IP: netip.MustParseAddr("192.0.2.10"), ReversePath: address.MustParse("b@bounce.example.net")}
	full := senderauth.Results{
		SPF:  senderauth.SPF{Result: senderauth.SoftFail, Domain: "bounce.example.net"},
		DKIM: []senderauth.DKIM{{Result: senderauth.Pass, Domain: "example.net", Selector: "s1"}, {Result: senderauth.Fail, Domain: "x.example", Reason: "body"}},
		DMARC: senderauth.DMARC{
			Result: senderauth.Pass, Domain: "news.example.net", DKIMAligned: true, Policy: senderauth.Reject, Disposition: senderauth.Deliver,
			Record: senderauth.Record{
				Domain: "example.net", Policy: senderauth.Reject, Subdomains: senderauth.Quarantine, StrictSPF: true, Percent: 100, RUA: []string{"mailto:a@example.net"}, FO: "1",
			},
		},
	}
	want := DMARCResult{
		Policy: Policy{Domain: "example.net", ADKIM: "r", ASPF: "s", P: "reject", SP: "quarantine", Pct: 100, FO: "1", RUA: []string{"mailto:a@example.net"}},
		Source: facts.IP, HeaderFrom: "news.example.net", EnvelopeFrom: "bounce.example.net", Disposition: "none", DKIMAligned: true,
		DKIM: []DKIMAuth{{"example.net", "s1", "pass", ""}, {"x.example", "", "fail", "body"}}, SPF: SPFAuth{"bounce.example.net", "mfrom", "softfail"},
	}
	plain, err := message.ParseHeader([]byte("Subject: hello\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	report, err := message.ParseHeader([]byte("Subject: Report domain: example.org\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := FromResults(facts, plain, full); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	want.Report = true
	if got := FromResults(facts, report, full); !reflect.DeepEqual(got, want) {
		t.Errorf("a report: %+v", got)
	}
	failed := full
	failed.SPF = senderauth.SPF{HELO: true}
	failed.DMARC.Result, failed.DMARC.Disposition, failed.DMARC.Override, failed.DMARC.Reason = senderauth.Fail, senderauth.Deliver, "mailing_list", "ARC"
	facts.ReversePath = address.Address{}
	if got := FromResults(facts, report, failed); got.Report || got.Override != (Reason{"mailing_list", "ARC"}) || got.SPF.Scope != "helo" || got.SPF.Result != "none" || got.EnvelopeFrom != "" {
		t.Errorf("%+v", got)
	}
	none := full
	none.DMARC.Policy = ""
	unsure := full
	unsure.DMARC.Result = senderauth.TempError
	for _, r := range []senderauth.Results{none, unsure} {
		if got := FromResults(facts, plain, r); !reflect.DeepEqual(got, DMARCResult{}) {
			t.Errorf("%+v", got)
		}
	}
}
