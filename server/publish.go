package server

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/config"
	"facteur/server/control"
	"facteur/server/directory"
	"facteur/server/dns"
	"facteur/server/envelope"
	"facteur/server/httpd"
	"facteur/server/message"
	"facteur/server/publish"
	"facteur/server/safefile"
	"facteur/server/senderauth"
)

// Domain is that of control.Backend.
func (s *Server) Domain(ctx context.Context, name string, rotate bool) (control.DomainFacts, error) {
	live := s.live.Load()
	domain := address.Domain(name)
	if _, ours := live.directory.Primary(domain); !ours {
		return control.DomainFacts{}, fmt.Errorf("%s is no domain of mail.toml", name)
	}
	facts, err := domainFacts(ctx, s.keys, s.resolver, domain, rotate)
	facts.Certificate = live.certs.Leaf(string(live.Hostname)).Raw
	return facts, err
}

// domainFacts lists the keys of a domain, after a look at which the DNS has.
func domainFacts(ctx context.Context, keys *senderauth.Keys, r *dns.Resolver, domain address.Domain, rotate bool) (f control.DomainFacts, err error) {
	if rotate {
		if _, err := keys.Rotate(domain); err != nil {
			return f, err
		}
	}
	records, err := keys.Records(domain)
	if err != nil {
		return f, err
	}
	if keys.Refresh(ctx, r) == nil { // else the states are those of the last look
		if records, err = keys.Records(domain); err != nil {
			return f, err
		}
	}
	for _, k := range records {
		f.Keys = append(f.Keys, control.DomainKey{Name: k.Name, Value: k.Value, State: string(k.State)})
	}
	return f, nil
}

// DNSOptions are those of `facteur dns`.
type DNSOptions struct {
	Config string
	Domain string
	JSON   bool
	Zone   bool // print the lines of a zone file only
	Rotate bool // make new DKIM keys first
}

// checkTimeout bounds all look-ups of `facteur dns`.
const checkTimeout = 2 * time.Minute

// DNS prints the records that a domain needs, and compares them with the DNS. The
// returned error says how many are missing or wrong.
func DNS(ctx context.Context, w io.Writer, o DNSOptions) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	cfg, err := config.Load(o.Config)
	if err != nil {
		return err
	}
	domain, err := address.ParseDomain(o.Domain)
	if err != nil {
		return err
	}
	if _, ours := directory.New(cfg.Directory).Primary(domain); !ours {
		return fmt.Errorf("%s is no domain of %s, which has %s", domain, cfg.File, domainNames(cfg.Directory))
	}
	resolver, err := dns.New(dns.Options{Servers: dnsServers(&settings{Config: cfg})})
	if err != nil {
		return fmt.Errorf("[dns] servers: %w", err)
	}
	facts, err := factsOf(ctx, cfg, resolver, domain, o.Rotate)
	if err != nil {
		return err
	}
	wanted, err := publishOptions(cfg, resolver, domain, facts)
	if err != nil {
		return err
	}
	list := publish.Check(ctx, wanted)
	if err := printRecords(w, domain, list, o); err != nil {
		return err
	}
	if o.Zone { // it asks what to publish, not how things stand
		return nil
	}
	return verdict(domain, list)
}

// maxDomainNames is how many domains an error names.
const maxDomainNames = 10

// domainNames lists the domains that there are, for people.
func domainNames(o directory.Options) string {
	var names []string
	for _, d := range o.Domains {
		names = append(names, string(d.Name))
		for _, a := range d.Aliases {
			names = append(names, string(a))
		}
	}
	if n := len(names) - maxDomainNames; n > 0 {
		names = append(names[:maxDomainNames], fmt.Sprintf("%d more", n))
	}
	return strings.Join(names, ", ")
}

// verdict is an error when mail suffers from what the DNS has.
func verdict(domain address.Domain, list []publish.Record) error {
	bad, unknown := 0, 0
	for i := range list {
		switch {
		case list[i].State == publish.Unknown:
			unknown++
		case list[i].Bad():
			bad++
		}
	}
	switch {
	case bad > 0:
		return fmt.Errorf("%s: %s of the DNS missing or wrong", domain, counted(bad, "record"))
	case unknown > 0:
		return fmt.Errorf("%s: the DNS did not answer for %s", domain, counted(unknown, "record"))
	}
	return nil
}

// factsOf asks the running server, or looks into the data folder. Before the first
// start there is nothing in it, and nothing is made.
func factsOf(ctx context.Context, cfg *config.Config, r *dns.Resolver, domain address.Domain, rotate bool) (control.DomainFacts, error) {
	facts, err := control.NewClient(controlPath(cfg.Data)).Domain(string(domain), rotate)
	if !errors.Is(err, control.ErrNoServer) {
		return facts, err
	}
	if _, err := os.Stat(cfg.Data); errors.Is(err, fs.ErrNotExist) && !rotate {
		return control.DomainFacts{}, nil
	}
	lock, err := lockData(cfg.Data)
	if err != nil {
		return facts, err
	}
	defer lock.Close()
	keys, err := senderauth.OpenKeys(keysDir(cfg.Data), safefile.OS, nil)
	if err != nil {
		return facts, err
	}
	if facts, err = domainFacts(ctx, keys, r, domain, rotate); err != nil {
		return facts, err
	}
	bundle, err := loadCerts(&settings{Config: cfg})
	if err != nil {
		return facts, err
	}
	facts.Certificate = bundle.Leaf(string(cfg.Hostname)).Raw
	return facts, nil
}

func publishOptions(cfg *config.Config, r *dns.Resolver, domain address.Domain, facts control.DomainFacts) (publish.Options, error) {
	o := publish.Options{
		Domain: domain, Hostname: cfg.Hostname, Resolver: r, Addresses: publicAddresses(cfg), Services: clientServices(cfg),
		Via: cfg.Relay.Host, SPF: spfCheck(r, domain, cfg.Hostname),
	}
	if slices.ContainsFunc(o.Services, func(s publish.Service) bool { return s.Name == httpd.HTTPS }) { // for others, too
		o.PolicyID = policyID(cfg)
	}
	for _, k := range facts.Keys {
		o.Keys = append(o.Keys, publish.Key{Name: k.Name, Value: k.Value, Retired: k.State == string(senderauth.KeyRetired)})
	}
	if facts.Certificate != nil {
		var err error
		if o.Certificate, err = x509.ParseCertificate(facts.Certificate); err != nil {
			return o, fmt.Errorf("the certificate of the server: %w", err)
		}
	}
	return o, nil
}

// spfCheck asks what SPF says of mail of a domain from an address.
func spfCheck(r *dns.Resolver, domain, hostname address.Domain) func(context.Context, netip.Addr) (string, string) {
	v := senderauth.NewVerifier(senderauth.VerifierOptions{}, senderauth.Settings{Resolver: r})
	from := address.Address{Local: "postmaster", Domain: domain}
	text := []byte("From: <" + from.String() + ">\r\n\r\n")
	return func(ctx context.Context, ip netip.Addr) (string, string) {
		h, err := message.ParseHeader(text)
		if err != nil {
			return string(senderauth.TempError), err.Error()
		}
		res := v.Verify(ctx, senderauth.Facts{IP: ip, Helo: string(hostname), ReversePath: from}, h, envelope.Bytes(text))
		return string(res.SPF.Result), res.SPF.Reason
	}
}

// publicAddresses returns the addresses of this machine at which others find it, as far
// as they are known: behind a router they are not.
func publicAddresses(cfg *config.Config) []netip.Addr {
	var all []netip.Addr
	for _, listener := range cfg.Listen.SMTP {
		host, _, err := net.SplitHostPort(listener.Address)
		if err != nil {
			continue
		}
		if ip, err := netip.ParseAddr(host); err == nil && !ip.IsUnspecified() {
			all = append(all, ip)
			continue
		}
		interfaces, err := net.InterfaceAddrs()
		if err != nil {
			continue
		}
		for _, a := range interfaces {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				all = append(all, p.Addr())
			}
		}
	}
	return publish.Public(all)
}

// clientServices lists what mail programs elsewhere can connect to.
func clientServices(cfg *config.Config) []publish.Service {
	var all []publish.Service
	for _, s := range cfg.Listen.Services() {
		if s.Name == "smtp" || s.Name == "lmtp" {
			continue
		}
		for _, l := range s.Listeners {
			name, port := outside(s.Name, l, port(l))
			if port > 0 && name != httpd.HTTP && !slices.ContainsFunc(all, func(have publish.Service) bool { return have.Name == name }) {
				all = append(all, publish.Service{Name: name, Port: uint16(port)})
			}
		}
	}
	return all
}

// printRecords prints what was found.
func printRecords(w io.Writer, domain address.Domain, list []publish.Record, o DNSOptions) error {
	if o.JSON {
		bad := false
		for i := range list {
			bad = bad || list[i].Bad()
		}
		return printJSON(w, map[string]any{"domain": string(domain), "ok": !bad, "records": list})
	}
	for i := range list {
		r := &list[i]
		switch {
		case !o.Zone:
			printRecord(w, r)
		case r.Value != "" && r.State != publish.Note:
			fmt.Fprintln(w, r.Zone())
		}
	}
	advice := func(r publish.Record) bool {
		return !r.Bad() && (r.State == publish.Missing || r.State == publish.Wrong)
	}
	if !o.Zone && slices.ContainsFunc(list, advice) {
		fmt.Fprintln(w, "What is MISSING or WRONG in capitals hurts your mail; in small letters it is good to have.")
	}
	return nil
}

// printRecord prints one record: its state, what should be there, and why.
func printRecord(w io.Writer, r *publish.Record) {
	mark := string(r.State)
	if r.Bad() {
		mark = strings.ToUpper(mark)
	}
	fmt.Fprintf(w, "%-8s %s %s  (%s)\n", mark, r.Name, r.Type, r.For)
	if r.State == publish.OK {
		for _, f := range r.Found {
			fmt.Fprintf(w, "         %s\n", f)
		}
	} else {
		for _, f := range r.Found {
			fmt.Fprintf(w, "         found:   %s\n", f)
		}
		if r.Value != "" {
			fmt.Fprintf(w, "         publish: %s\n", r.Zone())
		}
	}
	if r.Text != "" {
		fmt.Fprintf(w, "         %s\n", r.Text)
	}
}
