package report

import (
	"fmt"
	"strings"
	"testing"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/message"
)

// TestFiling: what the postmaster's mailbox does with reports, and with other mail.
func TestFiling(t *testing.T) {
	w := newWorld(t)
	w.set(midday)
	good := attached("application/gzip", "a.xml.gz", gzipped(t, sample(t, "google.xml")))
	foreign := attached("application/gzip", "a.xml.gz", gzipped(t, []byte(strings.ReplaceAll(string(sample(t, "google.xml")), "example.org", "example.net"))))
	broken := attached("application/gzip", "a.xml.gz", []byte("no"))
	plain := []byte("From: x@example.net\r\nSubject: hello\r\n\r\nhello\r\n")
	const seen, unseen, none = `fileinto "Reports" with \Seen, made when it is not there; stop`, `fileinto "Reports", made when it is not there; stop`, ""
	for _, c := range []struct {
		name, to string
		body     []byte
		want     string
		auth     *hook.Authenticity
	}{
		{"a report", "dmarc-reports@example.org", good, seen, nil},
		{"at the other address", "TLS-Reports@example.com", good, seen, nil},
		{"at postmaster", "postmaster@example.org", good, seen, nil},
		{"at a person", "alice@example.org", good, seen, nil},
		{"about others", "dmarc-reports@example.org", foreign, unseen, nil},
		{"about others at a person", "alice@example.org", foreign, none, nil},
		{"broken", "dmarc-reports@example.org", broken, unseen, nil},
		{"broken at a person", "alice@example.org", broken, none, nil},
		{"mail", "alice@example.org", plain, none, nil},
		{"mail for the address", "tls-reports@example.org", plain, unseen, nil},
		{"the address elsewhere", "tls-reports@example.net", plain, none, nil},
		{"a TLS report in mixed", "tls-reports@example.org", mixed("multipart/mixed", "application/tlsrpt+gzip", "a", gzipped(t, sample(t, "google.json"))), seen, nil},
		{"forged", "dmarc-reports@example.org", good, none, &hook.Authenticity{DMARC: "fail"}},
		{"proven", "dmarc-reports@example.org", good, seen, &hook.Authenticity{DMARC: "pass"}},
	} {
		content, err := message.ReadContent(envelope.Bytes(c.body))
		if err != nil {
			t.Fatal(err)
		}
		res := hook.Run(t.Context(), []hook.Hook{{Program: Filing{w.store, ours}}}, hook.Call{
			Stage: hook.Deliver, Message: &hook.Message{Recipients: []address.Address{address.MustParse(c.to)}, Content: content, Auth: c.auth},
		})
		var got []string
		for _, a := range res.Actions {
			got = append(got, a.String())
		}
		if s := strings.Join(got, "; "); s != c.want || len(res.Failures) > 0 {
			t.Errorf("%s: %q", c.name, s)
		}
	}
	d, err := w.store.Digest(t.Context(), midday.AddDate(0, 0, -1), midday.AddDate(0, 0, 1))
	if err != nil || len(d.Domains) != 1 || d.Domains[0].Messages != 43 || len(d.TLSIn) != 1 {
		t.Errorf("%+v %v", d, err)
	}
	for header, want := range map[string]bool{
		"Subject: Report Domain: example.org Submitter: google.com Report-ID: <1>\r\n\r\n": true,
		"Subject: Report domain: example.org\r\n\r\n":                                      true,
		"TLS-Report-Domain: example.org\r\n\r\n":                                           true,
		"Subject: Re: Report Domain: example.org\r\n\r\n":                                  false,
		"Subject: hello\r\n\r\n":                                                           false,
	} {
		h, err := message.ParseHeader([]byte(header))
		if err != nil || IsReport(h) != want {
			t.Errorf("%q: %v", header, err)
		}
	}
}

// TestText writes digests out.
func TestText(t *testing.T) {
	full := &Digest{
		From: midday.AddDate(0, 0, -5), To: midday.AddDate(0, 0, 2), Sent: 12,
		Queue: Queue{Waiting: 3, Oldest: midday}, Limits: []string{"bob@example.org is held back: it sent too much."},
		Domains: []DomainDigest{
			{
				Domain: "example.org", Policy: "none", Orgs: []string{"google.com", "Outlook.com", "Yahoo", "GMX", "web.de", "Fastmail"}, Messages: 12345, Passed: 12300, SPFOnly: 7, MoreFrom: 4,
				Failed: []Source{
					{IP: "192.0.2.1", Name: "mail.example.org", Own: true, Messages: 20},
					{IP: "203.0.113.7", Name: "out.newsletter.example", Messages: 15, Stopped: 5, Signed: []string{"newsletter.example"}},
					{IP: "203.0.113.8", Messages: 1, Stopped: 1},
					{IP: "2001:db8::99", Messages: 9, Forwarded: 9},
				},
			},
			{Domain: "example.com", Policy: "reject", Orgs: []string{"google.com"}, Messages: 2, Failed: []Source{{IP: "203.0.113.8", Messages: 2, Stopped: 2}}},
			{Domain: "example.net", Policy: "reject", Orgs: []string{"google.com", "GMX"}, Messages: 1, Passed: 1},
		},
		TLSIn: []TLSDigest{
			{Domain: "example.com", Good: 1},
			{Domain: "example.org", Good: 1200, Bad: 4, Trouble: []Trouble{
				{Type: "certificate-expired", MX: "mail.example.org", Org: "Google Inc.", Count: 3, Detail: "it ended yesterday"}, {Type: "new-type", Count: 1},
			}},
		},
		TLSOut: []TLSDigest{{Domain: "example.net", Bad: 2, Trouble: []Trouble{{Type: "starttls-not-supported", MX: "mx.example.net", Count: 2}}}},
	}
	empty := &Digest{From: midday, To: midday.AddDate(0, 0, 1)}
	for name, d := range map[string]*Digest{"full": full, "empty": empty} {
		golden(t, name+".golden.txt", []byte(fmt.Sprintf("Subject: %s\n\n%s", d.Subject("mail.example.org"), d.Text("mail.example.org"))))
		for line := range strings.Lines(d.Text("mail.example.org")) {
			if len(line) > width+1 {
				t.Errorf("%q", line)
			}
		}
	}
	if full.Quiet() || !empty.Quiet() {
		t.Error("quiet")
	}
}
