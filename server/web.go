package server

import (
	"net"
	"slices"
	"time"

	"facteur/server/address"
	"facteur/server/config"
	"facteur/server/connection"
	"facteur/server/httpd"
	"facteur/server/mtasts"
)

func (s *Server) webOptions(c *settings) httpd.Options {
	return httpd.Options{
		Auth: s.auth, DAV: s.dav.handler.Serve, Published: s.dav.handler.Published, Log: s.log, Hostname: string(c.Hostname),
		TLS: s.certs.Config(), PlaintextLogin: c.TLS.PlaintextLogin == config.PlaintextLoopback,
		SecurePort: s.securePort, Certified: s.certified, Directory: s.newestDirectory, Services: s.clientServices,
		Policy: func(domain address.Domain) string {
			if _, ours := c.directory.Primary(domain); !ours || policyID(c.Config) == "" {
				return ""
			}
			return policyOf(c.Config).Text()
		},
		Limits: connection.Limits{Trusted: c.Trusted},
	}
}

// certified tells whether the certificate is good for a name.
func (s *Server) certified(name string) bool {
	return s.certs.Bundle().Leaf(name).VerifyHostname(name) == nil
}

// clientServices lists what programs can connect to, with the ports that are really open;
// here is for one on this machine.
func (s *Server) clientServices(here bool) (all []httpd.Service) {
	live := s.live.Load()
	for _, b := range s.sockets.Bound() {
		bound := 0
		if tcp, ok := b.Addr.(*net.TCPAddr); ok {
			bound = tcp.Port
		}
		name, port := b.Service, bound
		if !here {
			l, _ := live.listener(b.Wanted)
			name, port = outside(b.Service, l, bound)
		}
		if port != 0 {
			all = append(all, httpd.Service{Name: name, Port: port})
		}
	}
	return all
}

// securePort is where https listens, 0 when it does not.
func (s *Server) securePort() int {
	for _, service := range s.clientServices(true) {
		if service.Name == httpd.HTTPS {
			return service.Port
		}
	}
	return 0
}

// policyAge is how long others keep our policy of MTA-STS without asking anew.
const policyAge = 7 * 24 * time.Hour

// policyOf is the policy of each of our domains: mail for them comes to this server.
func policyOf(c *config.Config) mtasts.Policy {
	return mtasts.Policy{Mode: mtasts.Mode(c.TLS.MTASTS), MX: []string{string(c.Hostname)}, MaxAge: policyAge}
}

// policyID is the id of the policy that is served, "" when none is.
func policyID(c *config.Config) string {
	ended := func(l config.Listener) bool { return len(l.Proxies) > 0 } // a proxy has the TLS
	if len(c.Listen.HTTPS) == 0 && !slices.ContainsFunc(c.Listen.HTTP, ended) {
		return ""
	}
	return policyOf(c).TextID()
}
