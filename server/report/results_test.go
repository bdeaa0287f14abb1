package report

import (
	"net/netip"
	"reflect"
	"testing"

	"facteur/server/address"
	"facteur/server/envelope"
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
	to := func(list ...string) (all []envelope.Recipient) {
		for _, a := range list {
			all = append(all, envelope.Recipient{ForwardPath: address.MustParse(a)})
		}
		return all
	}
	plain, report := to("dmarc-reports@example.org", "alice@example.org"), to("DMARC-reports@example.org", "tls-reports@example.com")
	if got := FromResults(plain, facts, full); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	want.Report = true
	if got := FromResults(report, facts, full); !reflect.DeepEqual(got, want) {
		t.Errorf("a report: %+v", got)
	}
	failed := full
	failed.SPF = senderauth.SPF{HELO: true}
	failed.DMARC.Result, failed.DMARC.Disposition, failed.DMARC.Override, failed.DMARC.Reason = senderauth.Fail, senderauth.Deliver, "mailing_list", "ARC"
	facts.ReversePath = address.Address{}
	if got := FromResults(report, facts, failed); got.Report || got.Override != (Reason{"mailing_list", "ARC"}) || got.SPF.Scope != "helo" || got.SPF.Result != "none" || got.EnvelopeFrom != "" {
		t.Errorf("%+v", got)
	}
	facts.Exempt = true
	if got := FromResults(plain, facts, full); !reflect.DeepEqual(got, DMARCResult{}) {
		t.Errorf("%+v", got)
	}
	facts.Exempt = false
	none := full
	none.DMARC.Policy = ""
	unsure := full
	unsure.DMARC.Result = senderauth.TempError
	for _, r := range []senderauth.Results{none, unsure} {
		if got := FromResults(plain, facts, r); !reflect.DeepEqual(got, DMARCResult{}) {
			t.Errorf("%+v", got)
		}
	}
}
