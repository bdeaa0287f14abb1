package relay

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/dns"
	"facteur/server/envelope"
	"facteur/server/mtasts"
	"facteur/server/safefile"
	"facteur/server/testkit"
)

// tlsCase is a domain with one server, and a message for it.
type tlsCase struct {
	name string
	zone string // "signed", "plain" or "bogus"
	// records replace the usual ones of the domain: "@" is its name, "IP" the address of
	// its server.
	records string
	cert    func(names ...string) tls.Certificate // nil: no STARTTLS
	certFor string                                // a name in place of that of the server
	ext     []string                              // more extensions
	tlsa    func(tls.Certificate) string          // for the server
	policy  string                                // the mode of a policy of MTA-STS
	mx      string                                // what it names in place of the server
	edit    func(*Message)

	want  string // in brief
	clear bool   // the message goes unencrypted
	told  string // policy type and failure, of each result
}

const usualRecords = "@. MX 10 mx.@.\nmx.@. A IP\n"

func requireTLS(m *Message) { m.Sender.RequireTLS = true }

func waiveTLS(m *Message) { m.Body = envelope.Bytes("TLS-Required: No\r\n" + content) }

// tlsa makes a record of a certificate of the chain.
func tlsa(usage, selector, matching, depth int) func(tls.Certificate) string {
	return func(c tls.Certificate) string {
		cert, err := x509.ParseCertificate(c.Certificate[depth])
		if err != nil {
			panic(err)
		}
		data := cert.Raw
		if selector == 1 {
			data = cert.RawSubjectPublicKeyInfo
		}
		switch matching {
		case 1:
			sum := sha256.Sum256(data)
			data = sum[:]
		case 2:
			sum := sha512.Sum512(data)
			data = sum[:]
		}
		return fmt.Sprintf("%d %d %d %x", usage, selector, matching, data)
	}
}

// of makes the same record for every certificate.
func of(record string) func(tls.Certificate) string {
	return func(tls.Certificate) string { return record }
}

const nobody = "0000000000000000000000000000000000000000000000000000000000000001" // a hash of no certificate

// tlsCases is the table of what domains can ask for, and what servers then show.
func tlsCases(t *testing.T, ca *testkit.Authority) []tlsCase {
	other := testkit.NewAuthority(t)
	trusted := func(names ...string) tls.Certificate { return ca.Issue(t, names...) }
	untrusted := func(names ...string) tls.Certificate { return other.Issue(t, names...) }
	self := func(names ...string) tls.Certificate { return testkit.Certificate(t, names...) }
	expired := func(names ...string) tls.Certificate {
		return ca.IssueUntil(t, time.Now().Add(-time.Hour), names...)
	}
	bare := func(names ...string) tls.Certificate { // without its authority
		c := other.Issue(t, names...)
		c.Certificate = c.Certificate[:1]
		return c
	}
	authority := func(usage, selector int) func(tls.Certificate) string {
		whole := tls.Certificate{Certificate: [][]byte{other.Certificate.Raw}}
		return of(tlsa(usage, selector, 0, 0)(whole))
	}
	requires := []string{"REQUIRETLS"}

	return []tlsCase{
		// RFC 7435: what there is.
		{name: "no policy", zone: "plain", cert: self, want: "ok", told: "no-policy-found"},
		{name: "no policy, signed", zone: "signed", cert: self, want: "ok", told: "no-policy-found"},
		{name: "no policy, no TLS", zone: "plain", want: "ok", clear: true, told: "no-policy-found starttls-not-supported"},

		// RFC 7672 3.1.1: usage 3.
		{name: "3 1 1", zone: "signed", cert: self, certFor: "other.example", tlsa: tlsa(3, 1, 1, 0), want: "ok", told: "tlsa"},
		{name: "3 0 1", zone: "signed", cert: self, tlsa: tlsa(3, 0, 1, 0), want: "ok", told: "tlsa"},
		{name: "3 0 2", zone: "signed", cert: self, tlsa: tlsa(3, 0, 2, 0), want: "ok", told: "tlsa"},
		{name: "3 1 2", zone: "signed", cert: self, tlsa: tlsa(3, 1, 2, 0), want: "ok", told: "tlsa"},
		{name: "3 0 0", zone: "signed", cert: self, tlsa: tlsa(3, 0, 0, 0), want: "ok", told: "tlsa"},
		{name: "3 1 0", zone: "signed", cert: self, tlsa: tlsa(3, 1, 0, 0), want: "ok", told: "tlsa"},
		{name: "3 1 1, out of date", zone: "signed", cert: expired, tlsa: tlsa(3, 1, 1, 0), want: "ok", told: "tlsa"},
		{name: "3 1 1, another certificate", zone: "signed", cert: trusted, tlsa: of("3 1 1 " + nobody), want: "451 4.7.5", told: "tlsa validation-failure"},
		{name: "3 1 1 of the authority", zone: "signed", cert: trusted, tlsa: tlsa(3, 1, 1, 1), want: "451 4.7.5", told: "tlsa validation-failure"},
		{name: "3 1 1, no TLS", zone: "signed", tlsa: of("3 1 1 " + nobody), want: "451 4.7.4", told: "tlsa starttls-not-supported"},
		{name: "3 1 1, no handshake", zone: "signed", cert: func(...string) tls.Certificate { return tls.Certificate{} }, tlsa: of("3 1 1 " + nobody), want: "451 4.7.5", told: "tlsa validation-failure"},
		{
			name: "3 1 1, one of two", zone: "signed", cert: self, want: "ok", told: "tlsa",
			records: usualRecords + "_25._tcp.mx.@. TLSA 3 1 1 " + nobody + "\n", tlsa: tlsa(3, 1, 1, 0),
		},

		// RFC 7672 3.1.2: usage 2.
		{name: "2 0 1", zone: "signed", cert: untrusted, tlsa: tlsa(2, 0, 1, 1), want: "ok", told: "tlsa"},
		{name: "2 1 1", zone: "signed", cert: untrusted, tlsa: tlsa(2, 1, 1, 1), want: "ok", told: "tlsa"},
		{name: "2 1 2", zone: "signed", cert: untrusted, tlsa: tlsa(2, 1, 2, 1), want: "ok", told: "tlsa"},
		{name: "2 0 0, not in the chain", zone: "signed", cert: bare, tlsa: authority(2, 0), want: "ok", told: "tlsa"},
		{name: "2 1 0, not in the chain", zone: "signed", cert: bare, tlsa: authority(2, 1), want: "ok", told: "tlsa"},
		{name: "2 0 1, for the domain", zone: "signed", cert: untrusted, certFor: "@", tlsa: tlsa(2, 0, 1, 1), want: "ok", told: "tlsa"},
		{name: "2 0 1, another name", zone: "signed", cert: untrusted, certFor: "other.example", tlsa: tlsa(2, 0, 1, 1), want: "451 4.7.5", told: "tlsa certificate-host-mismatch"},
		{name: "2 0 1, out of date", zone: "signed", cert: expired, tlsa: tlsa(2, 0, 1, 1), want: "451 4.7.5", told: "tlsa certificate-expired"},
		{name: "2 0 1, another authority", zone: "signed", cert: trusted, tlsa: of("2 0 1 " + nobody), want: "451 4.7.5", told: "tlsa validation-failure"},
		{name: "2 0 1, not in the chain", zone: "signed", cert: bare, tlsa: of(tlsa(2, 0, 1, 0)(tls.Certificate{Certificate: [][]byte{other.Certificate.Raw}})), want: "451 4.7.5", told: "tlsa validation-failure"},
		{name: "2 1 0, of another authority", zone: "signed", cert: trusted, tlsa: authority(2, 1), want: "451 4.7.5", told: "tlsa validation-failure"},
		{name: "2 0 1 of the server itself", zone: "signed", cert: self, tlsa: tlsa(2, 0, 1, 0), want: "451 4.7.5", told: "tlsa validation-failure"},

		// RFC 7672 2.2: records that can't be used still ask for encryption.
		{name: "1 1 1", zone: "signed", cert: self, certFor: "other.example", tlsa: tlsa(1, 1, 1, 0), want: "ok", told: "tlsa"},
		{name: "0 1 1, no TLS", zone: "signed", tlsa: of("0 1 1 " + nobody), want: "451 4.7.4", told: "tlsa starttls-not-supported"},
		{name: "3 1 9", zone: "signed", cert: self, tlsa: of("3 1 9 " + nobody), want: "ok", told: "tlsa"},
		{name: "3 9 1, no TLS", zone: "signed", tlsa: of("3 9 1 " + nobody), want: "451 4.7.4", told: "tlsa starttls-not-supported"},
		{name: "3 1 1, cut short", zone: "signed", cert: self, tlsa: of("3 1 1 00ff"), want: "ok", told: "tlsa"},
		{name: "2 0 0, no certificate", zone: "signed", cert: self, tlsa: of("2 0 0 00ff"), want: "ok", told: "tlsa"},

		// Zones without DNSSEC: there is no DANE.
		{name: "unsigned", zone: "plain", cert: self, tlsa: of("3 1 1 " + nobody), want: "ok", told: "no-policy-found"},
		{name: "unsigned, no TLS", zone: "plain", tlsa: of("3 1 1 " + nobody), want: "ok", clear: true, told: "no-policy-found starttls-not-supported"},
		{
			name: "signed domain, server in an unsigned zone", zone: "signed", cert: self, want: "ok", told: "no-policy-found",
			records: "@. MX 10 mx-@.plain.example.\nmx-@.plain.example. A IP\n_25._tcp.mx-@.plain.example. TLSA 3 1 1 " + nobody + "\n",
		},
		{
			name: "unsigned domain, server in a signed zone", zone: "plain", cert: self, want: "ok", told: "no-policy-found",
			records: "@. MX 10 mx-@.signed.example.\nmx-@.signed.example. A IP\n_25._tcp.mx-@.signed.example. TLSA 3 1 1 " + nobody + "\n",
		},
		{
			name: "signed domain without MX", zone: "signed", cert: self, want: "451 4.7.5", told: "tlsa validation-failure",
			records: "@. A IP\n_25._tcp.@. TLSA 3 1 1 " + nobody + "\n",
		},

		// RFC 7672 2.2.2: aliases.
		{
			name: "alias, records where it leads", zone: "signed", cert: self, want: "451 4.7.5", told: "tlsa validation-failure",
			records: "@. MX 10 mx.@.\nmx.@. CNAME real.@.\nreal.@. A IP\n_25._tcp.real.@. TLSA 3 1 1 " + nobody + "\n",
		},
		{
			name: "alias, records at its own name", zone: "signed", cert: self, want: "451 4.7.5", told: "tlsa validation-failure",
			records: "@. MX 10 mx.@.\nmx.@. CNAME real.@.\nreal.@. A IP\n_25._tcp.mx.@. TLSA 3 1 1 " + nobody + "\n",
		},
		{
			name: "alias into an unsigned zone", zone: "signed", cert: self, want: "451 4.7.5", told: "tlsa validation-failure",
			records: "@. MX 10 mx.@.\nmx.@. CNAME real-@.plain.example.\nreal-@.plain.example. A IP\n_25._tcp.mx.@. TLSA 3 1 1 " + nobody + "\n",
		},
		{
			name: "alias into an unsigned zone, records there", zone: "signed", cert: self, want: "ok", told: "no-policy-found",
			records: "@. MX 10 mx.@.\nmx.@. CNAME real-@.plain.example.\nreal-@.plain.example. A IP\n_25._tcp.real-@.plain.example. TLSA 3 1 1 " + nobody + "\n",
		},

		// RFC 7672 2.1.2: forged answers are failures for the moment.
		{name: "forged MX", zone: "bogus", cert: self, want: "451 4.4.3"},
		{
			name: "forged address", zone: "signed", cert: self, want: "451 4.4.3",
			records: "@. MX 10 mx-@.bogus.example.\nmx-@.bogus.example. A IP\n",
		},
		{
			name: "forged TLSA", zone: "signed", cert: self, want: "451 4.4.3", told: "tlsa dnssec-invalid",
			records: usualRecords + "_25._tcp.mx.@. CNAME x-@.bogus.example.\nx-@.bogus.example. TLSA 3 1 1 " + nobody + "\n",
		},

		// RFC 8461 5: the modes.
		{name: "enforce", zone: "plain", policy: "enforce", cert: trusted, want: "ok", told: "sts"},
		{name: "enforce, by pattern", zone: "plain", policy: "enforce", mx: "*.@", cert: trusted, want: "ok", told: "sts"},
		{name: "enforce, another name", zone: "plain", policy: "enforce", cert: trusted, certFor: "other.example", want: "451 4.7.5", told: "sts certificate-host-mismatch"},
		{name: "enforce, not trusted", zone: "plain", policy: "enforce", cert: untrusted, want: "451 4.7.5", told: "sts certificate-not-trusted"},
		{name: "enforce, self-signed", zone: "plain", policy: "enforce", cert: self, want: "451 4.7.5", told: "sts certificate-not-trusted"},
		{name: "enforce, out of date", zone: "plain", policy: "enforce", cert: expired, want: "451 4.7.5", told: "sts certificate-expired"},
		{name: "enforce, no TLS", zone: "plain", policy: "enforce", want: "451 4.7.4", told: "sts starttls-not-supported"},
		{name: "enforce, server not named", zone: "plain", policy: "enforce", mx: "mx.other.example", cert: trusted, want: "451 4.7.5", told: "sts validation-failure"},
		{name: "testing", zone: "plain", policy: "testing", cert: trusted, want: "ok", told: "sts"},
		{name: "testing, another name", zone: "plain", policy: "testing", cert: trusted, certFor: "other.example", want: "ok", told: "sts certificate-host-mismatch"},
		{name: "testing, out of date", zone: "plain", policy: "testing", cert: expired, want: "ok", told: "sts certificate-expired"},
		{name: "testing, no TLS", zone: "plain", policy: "testing", want: "ok", clear: true, told: "sts starttls-not-supported"},
		{name: "testing, no handshake", zone: "plain", policy: "testing", cert: func(...string) tls.Certificate { return tls.Certificate{} }, want: "ok", clear: true, told: "sts validation-failure"},
		{name: "testing, server not named", zone: "plain", policy: "testing", mx: "mx.other.example", cert: trusted, want: "ok", told: "sts validation-failure"},
		{name: "none", zone: "plain", policy: "none", cert: self, want: "ok", told: "sts"},
		{name: "none, no TLS", zone: "plain", policy: "none", want: "ok", clear: true, told: "sts starttls-not-supported"},
		{name: "no policy behind the record", zone: "plain", policy: "missing", cert: self, want: "ok", told: "sts sts-policy-fetch-error, no-policy-found"},
		{name: "nonsense behind the record", zone: "plain", policy: "nonsense", cert: self, want: "ok", told: "sts sts-policy-invalid, no-policy-found"},
		{name: "enforce, in a signed zone", zone: "signed", policy: "enforce", cert: self, want: "451 4.7.5", told: "sts certificate-not-trusted"},

		// RFC 8461 2: DANE comes first.
		{name: "DANE holds, MTA-STS does not", zone: "signed", policy: "enforce", cert: self, tlsa: tlsa(3, 1, 1, 0), want: "ok", told: "tlsa"},
		{name: "MTA-STS holds, DANE does not", zone: "signed", policy: "enforce", cert: trusted, tlsa: of("3 1 1 " + nobody), want: "451 4.7.5", told: "tlsa validation-failure"},
		{name: "useless TLSA beside MTA-STS", zone: "signed", policy: "enforce", cert: self, tlsa: of("1 1 1 " + nobody), want: "451 4.7.5", told: "tlsa certificate-not-trusted"},
		{name: "useless TLSA beside testing, no TLS", zone: "signed", policy: "testing", tlsa: of("1 1 1 " + nobody), want: "451 4.7.4", told: "tlsa starttls-not-supported"},

		// RFC 8689 4.2.1: REQUIRETLS.
		{name: "required, DANE", zone: "signed", edit: requireTLS, ext: requires, cert: self, tlsa: tlsa(3, 1, 1, 0), want: "ok", told: "tlsa"},
		{name: "required, signed MX", zone: "signed", edit: requireTLS, ext: requires, cert: trusted, want: "ok", told: "no-policy-found"},
		{name: "required, MTA-STS", zone: "plain", edit: requireTLS, ext: requires, policy: "enforce", cert: trusted, want: "ok", told: "sts"},
		{name: "required, testing", zone: "plain", edit: requireTLS, ext: requires, policy: "testing", cert: trusted, want: "ok", told: "sts"},
		{name: "required, not offered", zone: "signed", edit: requireTLS, cert: self, tlsa: tlsa(3, 1, 1, 0), want: "550 5.7.30 reached", told: "tlsa"},
		{name: "required, nothing proves the server", zone: "plain", edit: requireTLS, ext: requires, cert: trusted, want: "550 5.7.10"},
		{name: "required, policy given up", zone: "plain", edit: requireTLS, ext: requires, policy: "none", cert: trusted, want: "550 5.7.10"},
		{name: "required, not trusted", zone: "signed", edit: requireTLS, ext: requires, cert: untrusted, want: "550 5.7.10", told: "no-policy-found certificate-not-trusted"},
		{name: "required, testing, another name", zone: "plain", edit: requireTLS, ext: requires, policy: "testing", cert: trusted, certFor: "other.example", want: "550 5.7.10", told: "sts certificate-host-mismatch"},
		{name: "required, no TLS", zone: "signed", edit: requireTLS, want: "550 5.7.10", told: "no-policy-found starttls-not-supported"},
		{name: "required, and waived", zone: "plain", edit: func(m *Message) { requireTLS(m); waiveTLS(m) }, cert: trusted, want: "550 5.7.10"},

		// RFC 8689 5: TLS-Required: No.
		{name: "waived, DANE", zone: "signed", edit: waiveTLS, cert: self, tlsa: of("3 1 1 " + nobody), want: "ok", told: "no-policy-found"},
		{name: "waived, MTA-STS, no TLS", zone: "plain", edit: waiveTLS, policy: "enforce", want: "ok", clear: true, told: "no-policy-found starttls-not-supported"},
	}
}

// tlsWorld is the domains of a table, in one zone file.
type tlsWorld struct {
	*world
	ca      *testkit.Authority
	cases   []tlsCase
	domains []string
	peers   []*testkit.Peer
	zone    string
	web     *testkit.Web

	mu   sync.Mutex
	told map[address.Domain][]string
}

func newTLSWorld(t *testing.T) *tlsWorld {
	w := &tlsWorld{world: new(world), ca: testkit.NewAuthority(t), told: make(map[address.Domain][]string)}
	w.network = new(testkit.Network)
	w.cases = tlsCases(t, w.ca)
	policies := make(map[string]string) // by host
	var zone strings.Builder
	for i, c := range w.cases {
		domain := fmt.Sprintf("c%d.%s.example", i, c.zone)
		ip := fmt.Sprintf("198.51.100.%d", i+1)
		w.domains = append(w.domains, domain)
		o := testkit.PeerOptions{Name: "mx." + domain, Extensions: append([]string{"PIPELINING"}, c.ext...)}
		if c.cert != nil {
			name := strings.ReplaceAll(c.certFor, "@", domain)
			if name == "" {
				name = "mx." + domain
			}
			cert := c.cert(name)
			o.TLS = &tls.Config{}
			if cert.Certificate != nil {
				o.TLS.Certificates = []tls.Certificate{cert}
			}
			if c.tlsa != nil {
				fmt.Fprintf(&zone, "_25._tcp.mx.%s. TLSA %s\n", domain, c.tlsa(cert))
			}
		} else if c.tlsa != nil {
			fmt.Fprintf(&zone, "_25._tcp.mx.%s. TLSA %s\n", domain, c.tlsa(tls.Certificate{}))
		}
		p := testkit.NewPeer(t, o)
		w.peers = append(w.peers, p)
		w.network.Host(ip+":25", p.Addr())
		records := c.records
		if records == "" {
			records = usualRecords
		}
		zone.WriteString(strings.NewReplacer("IP", ip, "mx-@", "mx-"+fmt.Sprint(i), "real-@", "real-"+fmt.Sprint(i), "x-@", "x-"+fmt.Sprint(i), "@", domain).Replace(records))
		if c.policy != "" {
			mx := "mx." + domain
			if c.mx != "" {
				mx = strings.ReplaceAll(c.mx, "@", domain)
			}
			fmt.Fprintf(&zone, "_mta-sts.%s. TXT \"v=STSv1; id=1\"\nmta-sts.%s. A 203.0.113.1\n", domain, domain)
			policies["mta-sts."+domain] = fmt.Sprintf("version: STSv1\nmode: %s\nmx: %s\nmax_age: 86400\n", c.policy, mx)
		}
	}
	w.zone = zone.String()
	hosts := make([]string, 0, len(policies))
	for host := range policies {
		hosts = append(hosts, host)
	}
	w.web = testkit.NewWeb(t, w.ca.Issue(t, hosts...), func(rw http.ResponseWriter, r *http.Request) {
		if strings.Contains(policies[r.Host], "missing") {
			http.NotFound(rw, r)
			return
		}
		rw.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(rw, policies[r.Host])
	})
	w.network.Host("203.0.113.1:443", w.web.Addr())
	return w
}

// open makes the relay, which asks that name server.
func (w *tlsWorld) open(t *testing.T, server string) {
	t.Helper()
	resolver, err := dns.New(dns.Options{Servers: []string{server}})
	if err != nil {
		t.Fatal(err)
	}
	store, err := mtasts.Open(mtasts.Options{
		Dir: t.TempDir(), FS: safefile.OS, Resolver: resolver, Dial: w.network.DialContext, Roots: w.ca.Pool(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	w.relay = New(Options{
		Resolver: resolver, STS: store, Dial: w.network.DialContext, Roots: w.ca.Pool(),
		Timeouts: Timeouts{Connect: 5 * time.Second, Command: 5 * time.Second, Final: 5 * time.Second},
		TLSResult: func(r TLSResult) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.told[r.Domain] = append(w.told[r.Domain], strings.TrimSpace(r.PolicyType+" "+r.Failure))
		},
	}, Settings{Hostname: "mail.test"})
	t.Cleanup(w.relay.Close)
}

// run goes through the table.
func (w *tlsWorld) run(t *testing.T) {
	for i, c := range w.cases {
		t.Run(c.name, func(t *testing.T) {
			m := mail(w.domains[i], "a")
			if c.edit != nil {
				c.edit(&m)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			results := w.relay.Attempt(ctx, m)
			want := strings.ReplaceAll(c.want, "@", w.domains[i])
			if got := brief(results); got != want {
				t.Errorf("%s, want %s: %v", got, want, results[0].Fault)
			}
			if c.zone == "bogus" && !strings.Contains(results[0].Fault.Text, "DNSSEC") {
				t.Error(results[0].Fault)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			if got := strings.Join(w.told[m.Domain], ", "); got != c.told {
				t.Errorf("told %q, want %q", got, c.told)
			}
			messages := w.peers[i].Messages()
			if len(messages) > 1 || (len(messages) == 1) != (want == "ok") {
				t.Fatalf("%d messages", len(messages))
			}
			if len(messages) == 1 && (messages[0].TLS == c.clear || strings.Contains(messages[0].From, "REQUIRETLS") != m.Sender.RequireTLS) {
				t.Errorf("%+v", messages[0])
			}
			if want != "ok" && c.name != "required, not offered" {
				for _, line := range w.peers[i].Lines() {
					if strings.HasPrefix(line, "MAIL") {
						t.Errorf("%s was said to a server that fails", line)
					}
				}
			}
		})
	}
}

// TestEncryption goes through the table with a name server that plays a validating
// one.
func TestEncryption(t *testing.T) {
	w := newTLSWorld(t)
	d := testkit.NewDNS(t, w.zone)
	d.Secure("signed.example")
	for i, c := range w.cases { // whatever is asked in the zone of forgeries
		d.Bogus(w.domains[i], c.zone == "bogus")
		d.Bogus(fmt.Sprintf("mx-%d.bogus.example", i), true)
		d.Bogus(fmt.Sprintf("x-%d.bogus.example", i), true)
	}
	for i, c := range w.cases {
		if strings.Contains(c.records, "_25._tcp.mx.@. CNAME") {
			d.Bogus("_25._tcp.mx."+w.domains[i], true)
		}
	}
	w.open(t, d.Addr())
	w.run(t)
}
