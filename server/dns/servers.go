package dns

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	wire "github.com/miekg/dns"
)

// servers is the list of recursive servers: fixed, or that of resolv.conf.
type servers struct {
	path string
	now  func() time.Time

	mu     sync.Mutex
	fixed  []server
	read   []server
	mtime  time.Time
	looked time.Time
}

// server is a recursive server.
type server struct {
	addr     string // "192.0.2.1:53"
	believed bool   // its AD bit is (RFC 7672 2.1.1)
}

// set replaces the fixed servers; it tells whether that is a change.
func (s *servers) set(fixed []server) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Equal(s.fixed, fixed) {
		return false
	}
	s.fixed = fixed
	return true
}

// lookAgain is how often resolv.conf is looked at.
const lookAgain = 5 * time.Second

// list returns the servers in the order in which to ask them.
func (s *servers) list() ([]server, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.fixed) > 0 {
		return s.fixed, nil
	}
	now := s.now()
	if s.read != nil && now.Sub(s.looked) < lookAgain {
		return s.read, nil
	}
	s.looked = now
	info, err := os.Stat(s.path)
	if err == nil && s.read != nil && info.ModTime().Equal(s.mtime) {
		return s.read, nil
	}
	read, err := readResolvConf(s.path)
	if err != nil {
		if s.read != nil {
			return s.read, nil // it is being replaced
		}
		return nil, err
	}
	s.read = read
	if info != nil {
		s.mtime = info.ModTime()
	}
	return s.read, nil
}

// readResolvConf returns the name servers of a resolv.conf; without any it is the
// local host, as resolv.conf(5) says.
//
// The AD bit of a server elsewhere is not believed: whoever gave us its address, DHCP
// as a rule, and whoever is on the way to it, could set it.
func readResolvConf(path string) ([]server, error) {
	conf, err := wire.ClientConfigFromFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the name servers: %w; set [dns] servers", err)
	}
	list := make([]server, 0, len(conf.Servers))
	for _, s := range conf.Servers {
		ip, err := netip.ParseAddr(s)
		list = append(list, server{net.JoinHostPort(s, conf.Port), err == nil && ip.IsLoopback()})
	}
	if len(list) == 0 {
		list = []server{{"127.0.0.1:53", true}}
	}
	return list, nil
}

// checkServers gives each server a port.
func checkServers(list []string) ([]server, error) {
	out := make([]server, 0, len(list))
	for _, s := range list {
		if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
			out = append(out, server{netip.AddrPortFrom(ip, 53).String(), true})
			continue
		}
		ap, err := netip.ParseAddrPort(s)
		if err != nil || ap.Port() == 0 {
			return nil, fmt.Errorf("%q is not the address of a DNS server (write \"192.0.2.1\" or \"192.0.2.1:53\")", s)
		}
		out = append(out, server{ap.String(), true})
	}
	return out, nil
}
