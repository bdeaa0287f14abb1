package senderauth

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	msgauth "github.com/emersion/go-msgauth/dkim"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/message"
	"facteur/server/safefile"
)

var today = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return today }

const letter = "From: Alice <alice@example.org>\r\nTo: bob@example.net\r\nSubject: Fees \r\n\tof  2026\r\nDate: Sun, 22 Nov 2026 12:00:00 +0000\r\n" +
	"Message-ID: <1@example.org>\r\nX-Seen: no\r\n\r\nDear Bob,\r\n\r\nthe fees  are due. \r\n\r\nAlice\r\n\r\n\r\n"

// world has a fake DNS, keys whose records it publishes, and a Verifier.
type world struct {
	testing.TB
	dns  *fakeDNS
	keys *Keys
	*Verifier
}

func newWorld(t testing.TB, sealers ...address.Domain) *world {
	t.Helper()
	f := newFakeDNS()
	keys, err := OpenKeys(t.TempDir(), safefile.OS, clock)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t, f, keys, NewVerifier(VerifierOptions{Now: clock, Sample: func() int { return 0 }}, Settings{Resolver: f, Sealers: sealers})}
}

// publish puts the keys of a domain in the DNS.
func (w *world) publish(d address.Domain) {
	w.Helper()
	records, err := w.keys.Records(d)
	if err != nil {
		w.Fatal(err)
	}
	for _, r := range records {
		w.dns.txt[fold(r.Name)] = []string{r.Value}
	}
}

func parse(t testing.TB, m string) *message.Header {
	t.Helper()
	h, err := message.ParseHeader([]byte(m))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (w *world) verify(m string) Results {
	return w.verifyFrom(m, Facts{IP: netip.MustParseAddr("192.0.2.1"), Helo: "mail.example.org", ReversePath: address.MustParse("alice@example.org")})
}

func (w *world) verifyFrom(m string, f Facts) Results {
	w.Helper()
	return w.Verify(w.Context(), f, parse(w, m), envelope.Bytes(m))
}

func (w *world) sign(d address.Domain, m string) string {
	w.Helper()
	fields, err := w.keys.Sign(d, parse(w, m), envelope.Bytes(m))
	if err != nil {
		w.Fatal(err)
	}
	w.publish(d)
	return string(fields) + m
}

// dkimResults is "pass pass", with the reasons of what did not.
func dkimResults(r Results) string {
	var all []string
	for _, d := range r.DKIM {
		s := string(d.Result)
		if d.Reason != "" {
			s += " (" + d.Reason + ")"
		}
		all = append(all, s)
	}
	return strings.Join(all, ", ")
}

// TestRFCExamples has the signed messages of RFC 6376 appendix A and RFC 8463 appendix A.
func TestRFCExamples(t *testing.T) {
	w := newWorld(t)
	w.dns.txt["brisbane._domainkey.example.com"] = []string{"v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt" +
		"IxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"}
	w.dns.txt["brisbane._domainkey.football.example.com"] = []string{"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}
	w.dns.txt["test._domainkey.football.example.com"] = []string{"v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bd" +
		"OKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"}
	for file, want := range map[string]string{"6376.eml": "pass", "8463.eml": "pass, pass"} {
		m, err := os.ReadFile("testdata/rfc/" + file)
		if err != nil {
			t.Fatal(err)
		}
		r := w.verify(string(m))
		if got := dkimResults(r); got != want {
			t.Errorf("%s: %s", file, got)
		}
	}
}

// TestSigned signs, has the second implementation verify, and changes the message on its
// way.
func TestSigned(t *testing.T) {
	w := newWorld(t)
	signed := w.sign("example.org", letter)
	both, err := msgauth.VerifyWithOptions(strings.NewReader(signed), &msgauth.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		return w.dns.TXT(t.Context(), name)
	}})
	if err != nil || len(both) != 2 || both[0].Err != nil || both[1].Err != nil {
		t.Fatalf("the other implementation: %v, %+v", err, both)
	}
	const fail, changed = "fail (the signature does not match)", "fail (the body has changed)"
	for _, c := range []struct {
		name     string
		old, new string
		want     string
	}{
		{"as it is", "", "", "pass"},
		{"refolded", "Fees \r\n\tof  2026", "Fees of\r\n 2026", "pass"},
		{"white space at line ends", "due. \r\n", "due.\r\n", "pass"},
		{"more empty lines at the end", "\r\n\r\n\r\n", "\r\n\r\n\r\n\r\n\r\n", "pass"},
		{"a field above", "DKIM-Signature", "Received: x\r\nDKIM-Signature", "pass"},
		{"a field that is not signed", "X-Seen: no", "X-Seen: yes", "pass"},
		{"a list's fields", "X-Seen: no", "List-Id: <l.example.com>\r\nSender: l@example.com\r\nReply-To: l@example.com", "pass"},
		{"subject", "2026\r\n", "2027\r\n", fail},
		{"second From above", "From: Alice", "From: Mallory <m@example.com>\r\nFrom: Alice", fail},
		{"second Subject below", "X-Seen: no", "Subject: Win", fail},
		{"From", "alice@example.org", "alice@example.com", fail},
		{"Cc", "X-Seen: no", "Cc: x@example.com", fail},
		{"Content-Type", "X-Seen: no", "Content-Type: text/html", fail},
		{"body", "fees  are", "fees are not", changed},
		{"body, end", "Alice\r\n\r\n", "Alice\r\nP.S.\r\n", changed},
		{"body, white space", "fees  are", "fe es are", changed},
	} {
		got := dkimResults(w.verify(strings.Replace(signed, c.old, c.new, 1)))
		if got != c.want+", "+c.want {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}

// TestOthersSigned verifies what the second implementation signs, with each
// canonicalization.
func TestOthersSigned(t *testing.T) {
	w := newWorld(t)
	w.publish("example.org")
	for _, key := range inUse(w.keys.list("example.org")) {
		for _, header := range []msgauth.Canonicalization{"simple", "relaxed"} {
			for _, body := range []msgauth.Canonicalization{"simple", "relaxed"} {
				for _, m := range []string{letter, "From: a@example.org\r\n\r\n", "From: a@example.org\r\n\r\n\r\n\r\n", "From: a@example.org\r\n\r\nx  \r\n\t\r\n y"} {
					var out bytes.Buffer
					err := msgauth.Sign(&out, strings.NewReader(m), &msgauth.SignOptions{
						Domain: "example.org", Selector: key.selector, Signer: key.private, HeaderCanonicalization: header, BodyCanonicalization: body,
						Expiration: time.Now().AddDate(1, 0, 0),
					})
					if err != nil {
						t.Fatal(err)
					}
					if got := dkimResults(w.verify(out.String())); got != "pass" {
						t.Errorf("%s %s/%s: %s of %q", key.algorithm, header, body, got, m)
					}
				}
			}
		}
	}
}

// resign signs a message with a field of one's own making that ends in an empty b=.
func (w *world) resign(field string, names []string, m string) string {
	w.Helper()
	h := parse(w, m)
	hash, err := bodyHash(h, envelope.Bytes(m))
	if err != nil {
		w.Fatal(err)
	}
	w.publish("example.org")
	key := inUse(w.keys.list("example.org"))[0]
	field = strings.NewReplacer("BH", hash, "SEL", key.selector).Replace(field)
	signed, err := key.seal(placesOf(h).appendSigned(nil, h, relaxed, names), field)
	if err != nil {
		w.Fatal(err)
	}
	return signed + m
}

// TestSignatureForm has fields that are correctly signed, but ...
func TestSignatureForm(t *testing.T) {
	w := newWorld(t)
	body := letter[strings.Index(letter, "\r\n\r\n")+4:]
	length := len(canonBody(relaxed, body))
	const good = "v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=SEL; h=from; bh=BH; b="
	for _, c := range []struct{ name, old, new, want string }{
		{"good", "", "", "pass"},
		{"tags in another order", "v=1; a=rsa-sha256;", "a=rsa-sha256;v=1;", "pass"},
		{"white space", "h=from", "h = \r\n\t from", "pass"},
		{"no version", "v=1; ", "", "neutral (unknown version)"},
		{"version 2", "v=1", "v=2", "neutral (unknown version)"},
		{"SHA-1", "rsa-sha256", "rsa-sha1", "policy (SHA-1 is not safe)"},
		{"algorithm", "rsa-sha256", "rsa-md5", "neutral (unknown algorithm)"},
		{"other key", "rsa-sha256", "ed25519-sha256", "permerror (the key is for another algorithm)"},
		{"From is not signed", "h=from", "h=to", "permerror (From is not signed)"},
		{"no h", "h=from; ", "", "neutral (bad h=)"},
		{"empty name", "h=from", "h=from::x:", "pass"},
		{"bad name", "h=from", "h=from:da te", "neutral (bad h=)"},
		{"no canonicalization", "c=relaxed/relaxed", "c=", "neutral (unknown canonicalization)"},
		{"half a canonicalization", "c=relaxed/relaxed", "c=relaxed/", "neutral (unknown canonicalization)"},
		{"twice", "d=example.org;", "d=example.org; d=example.org;", "neutral (malformed list of tags)"},
		{"no value", "d=example.org;", "d;", "neutral (malformed list of tags)"},
		{"domain", "d=example.org", "d=exa mple.org", "neutral (bad d=)"},
		{"literal", "d=example.org", "d=[192.0.2.1]", "neutral (bad d=)"},
		{"selector", "s=SEL", "s=a..b", "neutral (bad s=)"},
		{"no key", "s=SEL", "s=none", "permerror (there is no key none._domainkey.example.org)"},
		{"body hash", "bh=BH", "bh=x", "neutral (bad bh=)"},
		{"canonicalization", "relaxed/relaxed", "nowsp", "neutral (unknown canonicalization)"},
		{"identity within", "s=SEL", "s=SEL; i=@sub.example.org", "pass"},
		{"identity elsewhere", "s=SEL", "s=SEL; i=@notexample.org", "permerror (i= is not within d=)"},
		{"identity without @", "s=SEL", "s=SEL; i=example.org", "permerror (i= is not within d=)"},
		{"method", "s=SEL", "s=SEL; q=dns/txt:x", "pass"},
		{"other method", "s=SEL", "s=SEL; q=x", "neutral (unknown way to the key)"},
		{"signed tomorrow", "s=SEL", "s=SEL; t=1799999999", "pass"},
		{"bad time", "s=SEL", "s=SEL; t=now", "neutral (bad t=)"},
		{"expired", "s=SEL", "s=SEL; t=1; x=2", "fail (the signature has expired)"},
		{"expires", "s=SEL", "s=SEL; x=99999999999999999999999", "pass"},
		{"expires before", "s=SEL", "s=SEL; t=1799999999; x=1799999998", "neutral (bad x=)"},
		{"all of the body", "s=SEL", fmt.Sprintf("s=SEL; l=%d", length), "pass"},
		{"more than the body", "s=SEL", fmt.Sprintf("s=SEL; l=%d", length+1), "neutral (l= is more than the body)"},
		{"bad length", "s=SEL", "s=SEL; l=-1", "neutral (bad l=)"},
		{"field names that are not there", "h=from", "h=from:from:x:x", "pass"},
		{"unknown tags", "s=SEL", "s=SEL; z=From:x|To:y; r=y", "pass"},
	} {
		field := "DKIM-Signature: " + strings.Replace(good, c.old, c.new, 1)
		if got := dkimResults(w.verify(w.resign(field, []string{"from"}, letter))); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestPartialBody: what l= leaves out could be anybody's, so the signature counts for
// nothing.
func TestPartialBody(t *testing.T) {
	w := newWorld(t)
	short := letter[:strings.Index(letter, "\r\n\r\n")+4]
	m := w.resign("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=SEL; h=from; l=0; bh=BH; b=", []string{"from"}, short)
	r := w.verify(m)
	if dkimResults(r) != "pass" || r.DKIM[0].Partial {
		t.Error(dkimResults(r))
	}
	r = w.verify(m + "Send money.\r\n")
	if dkimResults(r) != "policy (l= leaves a part of the body unsigned)" || !r.DKIM[0].Partial || r.Authenticated() || r.DMARC.DKIMAligned {
		t.Error(dkimResults(r))
	}
}

// TestKeyRecords has key records that are and are not good for the key.
func TestKeyRecords(t *testing.T) {
	w := newWorld(t)
	signed := w.resign("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=SEL; i=@sub.example.org; h=from; bh=BH; b=", []string{"from"}, letter)
	key := inUse(w.keys.list("example.org"))[0]
	name := recordName(key.selector, "example.org")
	value, err := key.value()
	if err != nil {
		t.Fatal(err)
	}
	p := value[strings.Index(value, "p="):]
	for _, c := range []struct {
		records []string
		want    string
	}{
		{[]string{value}, "pass"},
		{[]string{p}, "pass"},
		{[]string{"v=DKIM1; " + p + ";"}, "pass"},
		{[]string{"v=DKIM1; h=sha1:sha256; s=*; t=y; n=note; g=; " + p}, "pass"},
		{[]string{"v=DKIM1; s=tlsrpt:email; " + p}, "pass"},
		{[]string{"v=spf1 -all", value}, "pass"},
		{[]string{"hello", value, "a=b"}, "pass"},
		{[]string{"v=DKIM1; k=rsa"}, "permerror (the key record has no key)"},
		{[]string{"v=DKIM1; p"}, "permerror (malformed key record)"},
		{[]string{value, value}, "permerror (there are several keys " + name + ")"},
		{[]string{"v=spf1 -all"}, "permerror (there is no key " + name + ")"},
		{[]string{p + "; v=DKIM1"}, "permerror (unknown version of key record)"},
		{[]string{"v=DKIM2; " + p}, "permerror (unknown version of key record)"},
		{[]string{"v=DKIM1; h=sha1; " + p}, "permerror (the key is for other hashes)"},
		{[]string{"v=DKIM1; s=tlsrpt; " + p}, "permerror (the key is not for mail)"},
		{[]string{"v=DKIM1; t=y:s; " + p}, "permerror (the key asks for i= to be d=)"},
		{[]string{"v=DKIM1; p="}, "permerror (the key is revoked)"},
		{[]string{"v=DKIM1; k=dsa; " + p}, "permerror (unknown kind of key)"},
		{[]string{"v=DKIM1; k=ed25519; " + p}, "permerror (malformed key)"},
		{[]string{"v=DKIM1; p=***"}, "permerror (malformed key)"},
		{[]string{"v=DKIM1; p=AAAA"}, "permerror (malformed key)"},
		{[]string{"v=DKIM1; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBANmBe10IgY+u7h3enWTukkqtUD5PR52Tb/mPfjC0QJTocVBq6Za/PlzfV+Py92VaCak19F4WrbVTK5Gg5tW220MCAwEAAQ=="}, "policy (the key is too short)"},
	} {
		w.dns.txt[name] = c.records
		if got := dkimResults(w.verify(signed)); got != c.want {
			t.Errorf("%q: %s, want %s", c.records, got, c.want)
		}
	}
	giant, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 16383, 1), E: 65537})
	if err != nil {
		t.Fatal(err)
	}
	w.dns.txt[name] = []string{"v=DKIM1; p=" + base64.StdEncoding.EncodeToString(giant)}
	if got := dkimResults(w.verify(signed)); got != "policy (the key is too long)" {
		t.Errorf("16 kbit: %s", got)
	}
	w.dns.txt[name] = []string{"v=DKIM1; t=y; " + p}
	if r := w.verify(signed); !r.DKIM[0].Testing {
		t.Error("t=y is not told")
	}
	w.dns.broken[name] = ""
	r := w.verify(signed)
	if got := dkimResults(r); got != "temperror (no answer from the DNS for "+name+")" {
		t.Error(got)
	}
}

// TestManySignatures: a message can't make us work without end.
func TestManySignatures(t *testing.T) {
	w := newWorld(t)
	signed := w.sign("example.org", letter)
	field := signed[:strings.Index(signed, "DKIM-Signature: v=1; a=ed25519")]
	var many strings.Builder
	for i := range 1000 {
		many.WriteString(strings.Replace(field, "d=example.org", fmt.Sprintf("d=d%d.example.org", i), 1))
	}
	m := many.String()[:200<<10/len(field)*len(field)] + letter
	w.dns.asked = nil
	r := w.verify(m)
	keys := 0
	for _, q := range w.dns.asked {
		if strings.Contains(q, "_domainkey") {
			keys++
		}
	}
	if keys != maxSignatures || len(r.DKIM) != maxListed || r.DKIM[maxSignatures].Reason != "too many signatures" {
		t.Errorf("%d keys asked for, %d results", keys, len(r.DKIM))
	}
	if field := r.Field("mail.example.org"); len(field) > 16<<10 {
		t.Errorf("a field of %d octets", len(field))
	}
}

// TestUnreadable: our own disk is nobody's fault.
func TestUnreadable(t *testing.T) {
	w := newWorld(t)
	signed := w.sign("example.org", letter)
	r := w.Verify(t.Context(), Facts{}, parse(t, signed), unreadable{envelope.Bytes(signed)})
	if got := dkimResults(r); got != "temperror (the message could not be read), temperror (the message could not be read)" {
		t.Error(got)
	}
}

type unreadable struct{ envelope.Bytes }

func (unreadable) ReadAt([]byte, int64) (int, error) { return 0, io.ErrClosedPipe }
