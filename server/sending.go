package server

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"facteur/server/config"
	"facteur/server/dns"
	"facteur/server/mtasts"
	"facteur/server/relay"
	"facteur/server/safefile"
)

// openRelay makes what mail leaves through: it lives as long as the server, for it
// keeps sessions, policies and DNS answers.
func (s *Server) openRelay(first *settings) (err error) {
	if s.resolver, err = dns.New(dns.Options{Servers: dnsServers(first)}); err != nil {
		return fmt.Errorf("[dns] servers: %w", err)
	}
	s.policies, err = mtasts.Open(mtasts.Options{
		Dir: filepath.Join(first.Data, "mtasts"), FS: safefile.OS, Resolver: s.resolver, Log: s.log,
	})
	if err != nil {
		return fmt.Errorf("opening the policies of MTA-STS: %w", err)
	}
	s.relay = relay.New(relay.Options{
		Resolver: s.resolver, STS: s.policies, Port: s.opts.RelayPort, Log: s.log, TLSResult: s.encrypted,
	}, relaySettings(first))
	return nil
}

// applyRelay puts new settings in force for mail that leaves.
func (s *Server) applyRelay(next *settings) {
	if err := s.resolver.Apply(dnsServers(next)); err != nil { // config has checked them
		s.log.Error("server.dns", "error", err, "result", "the name servers in force stay")
	}
	s.relay.Apply(relaySettings(next))
}

// closeRelay ends what openRelay made, once the spool makes no more attempts.
func (s *Server) closeRelay() {
	if s.relay != nil {
		s.relay.Close()
	}
	if s.policies != nil {
		s.policies.Close()
	}
}

func relaySettings(c *settings) relay.Settings {
	return relay.Settings{Hostname: string(c.Hostname), Smarthost: c.smarthost}
}

func dnsServers(c *settings) []string {
	var list []string
	for _, server := range c.DNSServers {
		list = append(list, server.String())
	}
	return list
}

// maxSecret is the greatest size of a file with a password, in octets.
const maxSecret = 1024

// loadSmarthost makes the server of [relay], with its password; nil when there is
// none.
func loadSmarthost(c *settings) (*relay.Smarthost, error) {
	if c.Relay.Host == "" {
		return nil, nil
	}
	made := &relay.Smarthost{Host: c.Relay.Host, Port: c.Relay.Port, Login: c.Relay.Login}
	switch c.Relay.TLS {
	case config.RelayEncrypted:
		made.TLS = relay.TLSEncrypted
	case config.RelayOptional:
		made.TLS = relay.TLSOptional
	}
	if c.Relay.PasswordFile == "" {
		return made, nil
	}
	text, err := os.ReadFile(c.Relay.PasswordFile)
	if err != nil {
		return nil, fmt.Errorf("[relay] password_file: %w", err)
	}
	made.Password = strings.TrimRight(string(text), "\r\n")
	if made.Password == "" || len(text) > maxSecret || strings.ContainsAny(made.Password, "\x00\r\n") {
		return nil, fmt.Errorf("[relay] password_file: %s must hold one line, the password", c.Relay.PasswordFile)
	}
	return made, nil
}
