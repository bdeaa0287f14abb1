package report

import (
	"bytes"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n%s", name, got)
	}
}

var us = Identity{Organization: "example.org", Contact: address.MustParse("postmaster@example.org"), Hostname: "mail.example.org"}

// midday is in the middle of a day of which tests tell.
var midday = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// results are messages of one day, as intake would tell of them.
func results() []DMARCResult {
	policy := Policy{Domain: "example.net", ADKIM: "r", ASPF: "s", P: "quarantine", SP: "reject", Pct: 50, FO: "1", RUA: []string{"mailto:dmarc@example.net!10m"}}
	good := DMARCResult{
		At: midday, Policy: policy, Source: netip.MustParseAddr("192.0.2.10"), HeaderFrom: "example.net", EnvelopeFrom: "bounce.example.net",
		Disposition: "none", DKIMAligned: true,
		DKIM: []DKIMAuth{{"example.net", "s1", "pass", ""}, {"esp.example", "k", "fail", "body hash did not verify"}},
		SPF:  SPFAuth{"bounce.example.net", "mfrom", "pass"},
	}
	list := good
	list.Source, list.DKIMAligned, list.DKIM = netip.MustParseAddr("2001:db8::25"), false, nil
	list.Override = Reason{"mailing_list", `ARC of <lists.example> & "friends"`}
	forged := list
	forged.Source, forged.Override, forged.Disposition = netip.MustParseAddr("::ffff:192.0.2.9"), Reason{}, "quarantine"
	forged.EnvelopeFrom, forged.SPF = "", SPFAuth{"evil.example", "helo", "none"}
	own := good
	own.Report = true
	return []DMARCResult{good, list, good, forged, own, {Source: good.Source}, {Policy: policy}}
}

func sessions() []TLSResult {
	good := TLSResult{
		At: midday, Domain: "Example.NET", PolicyType: "sts", PolicyStrings: []string{"version: STSv1", "mode: testing", "mx: *.example.net", "max_age: 86400"},
		MXPatterns: []string{"*.example.net"}, MX: "mx1.example.net", Remote: netip.MustParseAddr("192.0.2.25"), Local: netip.MustParseAddr("192.0.2.1"),
	}
	other := good
	other.MX, other.Remote = "mx2.example.net", netip.MustParseAddr("2001:db8::26")
	expired := other
	expired.Failure, expired.Detail = "certificate-expired", "ended on 2026-11-20"
	plain := good
	plain.PolicyType, plain.PolicyStrings, plain.MXPatterns, plain.Failure = "no-policy-found", nil, nil, "starttls-not-supported"
	return []TLSResult{good, other, expired, expired, plain, {Failure: "validation-failure"}}
}

// collected makes a store of results and sessions, and opens it anew so that all is
// written.
func collected(t *testing.T) *Store {
	t.Helper()
	w := newWorld(t)
	for _, r := range results() {
		w.store.AddDMARC(r)
	}
	for _, r := range sessions() {
		w.store.AddTLS(r)
	}
	w.reopen()
	return w.store
}

// TestFormat writes reports of what was collected, compares them, and reads them
// again.
func TestFormat(t *testing.T) {
	s := collected(t)
	list, err := s.unsent(t.Context(), dayOf(midday)+1)
	if err != nil || len(list) != 2 || list[0].kind != DMARC || list[1].domain != "example.net" {
		t.Fatalf("%+v %v", list, err)
	}
	for i := range list {
		list[i].id = "abcdefgh23456723"
	}
	f, rua, err := s.feedback(t.Context(), &list[0], us)
	if err != nil || len(rua) != 1 || rua[0] != "mailto:dmarc@example.net!10m" {
		t.Fatal(rua, err)
	}
	xml, err := f.Format()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "dmarc.golden.xml", xml)
	report, err := s.tlsReport(t.Context(), &list[1], us)
	if err != nil {
		t.Fatal(err)
	}
	json, err := report.Format()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "tls.golden.json", json)

	for _, c := range []struct {
		p    pending
		file []byte
	}{{list[0], xml}, {list[1], json}} {
		l := letter{
			Identity: us, kind: c.p.kind, domain: c.p.domain, id: c.p.id, begin: c.p.begin(), end: c.p.end(), date: midday.AddDate(0, 0, 1),
			to: []address.Address{address.MustParse("a@example.net"), address.MustParse("b@example.com")}, file: c.file,
		}
		body, err := l.format()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(body)) {
			if len(line) > 200 || !strings.HasSuffix(line, "\r\n") {
				t.Errorf("%q", line)
			}
		}
		head, _, _ := bytes.Cut(body, []byte("base64\r\n\r\n")) // what gzip makes may differ from version to version
		golden(t, string(c.p.kind)+".golden.eml", head)
		golden(t, string(c.p.kind)+"-large.golden.eml", l.tooLarge(123456))
		parsed, err := ReadMessage(bodyOf(body))
		if err != nil {
			t.Fatal(err)
		}
		var again []byte
		if c.p.kind == DMARC {
			again, err = parsed.DMARC.Format()
		} else {
			again, err = parsed.TLS.Format()
		}
		if err != nil || !bytes.Equal(again, c.file) {
			t.Errorf("read again: %v\n%s", err, again)
		}
	}
}

// TestRoom: rows, and domains of a day, are bounded, and what has no room is counted.
func TestRoom(t *testing.T) {
	w := newWorld(t)
	r := results()[0]
	for i := range maxRows + 10 {
		r.Source = netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		w.store.AddDMARC(r)
		w.store.AddDMARC(r)
	}
	w.reopen()
	list, err := w.store.unsent(t.Context(), dayOf(midday)+1)
	if err != nil || len(list) != 1 || list[0].dropped != 20 {
		t.Fatalf("%+v %v", list, err)
	}
	f, _, err := w.store.feedback(t.Context(), &list[0], us)
	if err != nil || len(f.Records) != maxRows || f.Records[0].Row.Count != 2 || len(f.Metadata.Errors) != 1 {
		t.Fatal(len(f.Records), f.Metadata, err)
	}
}
