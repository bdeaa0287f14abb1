package testkit

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// DNS is a name server over UDP and TCP on 127.0.0.1. It knows what its zone text
// says, and answers NXDOMAIN to all else, so that no test asks the world.
type DNS struct {
	addr string

	mu      sync.Mutex
	zone    map[string][]dns.RR // by name
	failing map[string]bool
	queries []string
	plain   bool // does not follow CNAMEs
	noEDNS  bool
	bogus   map[string]bool
	secure  []string           // domains for which it sets AD
	signed  map[string]*signer // by zone
}

// NewDNS starts a name server that answers from a zone file (RFC 1035 5); names in
// it are absolute also without the final dot. It ends with the test.
func NewDNS(t testing.TB, zone string) *DNS {
	t.Helper()
	d := &DNS{failing: make(map[string]bool), bogus: make(map[string]bool), signed: make(map[string]*signer)}
	d.Set(t, zone)
	udp, tcp := listenPair(t)
	d.addr = tcp.Addr().String()
	var running sync.WaitGroup
	t.Cleanup(running.Wait) // after the shutdowns
	for _, s := range []*dns.Server{{PacketConn: udp}, {Listener: tcp}} {
		s.Handler = dns.HandlerFunc(d.answer)
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		running.Go(func() { s.ActivateAndServe() }) // ends with the Shutdown below
		<-started
		t.Cleanup(func() { s.Shutdown() })
	}
	return d
}

// listenPair listens with UDP and TCP on the same port.
func listenPair(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err == nil {
			return udp, tcp
		}
		tcp.Close()
	}
	t.Fatal("no port that is free for UDP and TCP")
	return nil, nil
}

// Addr is the server's address, "127.0.0.1:port".
func (d *DNS) Addr() string { return d.addr }

// Set replaces the zone.
func (d *DNS) Set(t testing.TB, zone string) {
	t.Helper()
	names := make(map[string][]dns.RR)
	parser := dns.NewZoneParser(strings.NewReader("$TTL 300\n"+zone+"\n"), ".", "zone")
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		name := strings.ToLower(rr.Header().Name)
		names[name] = append(names[name], rr)
	}
	if err := parser.Err(); err != nil {
		t.Fatalf("zone: %v", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.zone = names
}

// Fail makes the server answer SERVFAIL for a name from now on, or no longer.
func (d *DNS) Fail(name string, on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failing[strings.ToLower(dns.Fqdn(name))] = on
}

// Bogus is Fail, with the reason that a validating server gives (RFC 8914).
func (d *DNS) Bogus(name string, on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bogus[strings.ToLower(dns.Fqdn(name))] = on
}

// Secure makes the server play a validating one: to queries that ask for it, it sets
// AD in answers that stay within these domains and what is below them ("." is all).
func (d *DNS) Secure(domains ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.secure = nil
	for _, name := range domains {
		d.secure = append(d.secure, strings.ToLower(dns.Fqdn(name)))
	}
}

// Plain makes the server leave it to the client to follow CNAMEs.
func (d *DNS) Plain(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plain = on
}

// NoEDNS makes the server answer FORMERR to queries with EDNS, as old ones do.
func (d *DNS) NoEDNS(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.noEDNS = on
}

// Queries returns what was asked so far: "MX example.org. udp".
func (d *DNS) Queries() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.queries)
}

func (d *DNS) answer(w dns.ResponseWriter, query *dns.Msg) {
	network := w.LocalAddr().Network()
	reply := d.reply(query, network)
	if network == "udp" {
		size := dns.MinMsgSize
		if opt := query.IsEdns0(); opt != nil {
			size = int(opt.UDPSize())
		}
		reply.Truncate(size)
	}
	w.WriteMsg(reply) // a client that is gone asks no more
}

func (d *DNS) reply(query *dns.Msg, network string) *dns.Msg {
	reply := new(dns.Msg)
	reply.SetReply(query)
	reply.RecursionAvailable = true
	if len(query.Question) != 1 {
		reply.Rcode = dns.RcodeFormatError
		return reply
	}
	q := query.Question[0]
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queries = append(d.queries, dns.TypeToString[q.Qtype]+" "+strings.ToLower(q.Name)+" "+network)
	switch {
	case d.noEDNS && query.IsEdns0() != nil:
		reply.Rcode = dns.RcodeFormatError
	case d.failing[strings.ToLower(q.Name)]:
		reply.Rcode = dns.RcodeServerFailure
	case d.bogus[strings.ToLower(q.Name)]:
		reply.Rcode = dns.RcodeServerFailure
		if query.IsEdns0() != nil {
			reply.SetEdns0(dns.DefaultMsgSize, false)
			reply.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeDNSBogus}}
		}
	default:
		d.fill(reply, strings.ToLower(q.Name), q.Qtype)
		if opt := query.IsEdns0(); opt != nil && opt.Do() {
			reply.Authoritative = true
			reply.SetEdns0(dns.DefaultMsgSize, true)
			d.sign(reply, q)
		}
		reply.AuthenticatedData = query.AuthenticatedData && d.vouchesFor(reply, q)
	}
	return reply
}

// vouchesFor tells whether all names of an answer are in secure domains.
func (d *DNS) vouchesFor(reply *dns.Msg, q dns.Question) bool {
	names := []string{strings.ToLower(q.Name)}
	for _, rr := range reply.Answer {
		names = append(names, strings.ToLower(rr.Header().Name))
		if c, ok := rr.(*dns.CNAME); ok && !d.plain && q.Qtype != dns.TypeCNAME {
			names = append(names, strings.ToLower(c.Target))
		}
	}
	for _, n := range names {
		if !slices.ContainsFunc(d.secure, func(zone string) bool { return dns.IsSubDomain(zone, n) }) {
			return false
		}
	}
	return true
}

// fill answers from the zone, following CNAMEs.
func (d *DNS) fill(reply *dns.Msg, name string, kind uint16) {
	for range 16 {
		rrs, ok := d.zone[name]
		if !ok {
			reply.Rcode = dns.RcodeNameError
			break
		}
		next := ""
		for _, rr := range rrs {
			if rr.Header().Rrtype == kind {
				reply.Answer = append(reply.Answer, rr)
			} else if c, ok := rr.(*dns.CNAME); ok {
				reply.Answer = append(reply.Answer, rr)
				next = strings.ToLower(c.Target)
			}
		}
		if next == "" || d.plain {
			break
		}
		name = next
	}
	if len(reply.Answer) == 0 || reply.Rcode != dns.RcodeSuccess {
		reply.Ns = append(reply.Ns, &dns.SOA{
			Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 60}, Ns: "ns.", Mbox: "hostmaster.", Minttl: 60,
		})
	}
}
