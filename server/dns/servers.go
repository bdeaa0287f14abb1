package dns

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	wire "github.com/miekg/dns"
)

// servers is the list of recursive servers: fixed, or that of resolv.conf.
type servers struct {
	fixed []string
	path  string
	now   func() time.Time

	mu     sync.Mutex
	read   []string
	mtime  time.Time
	looked time.Time
}

// lookAgain is how often resolv.conf is looked at.
const lookAgain = 5 * time.Second

// list returns the servers in the order in which to ask them.
func (s *servers) list() ([]string, error) {
	if len(s.fixed) > 0 {
		return s.fixed, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
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
func readResolvConf(path string) ([]string, error) {
	conf, err := wire.ClientConfigFromFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the name servers: %w; set [dns] servers", err)
	}
	list := make([]string, 0, len(conf.Servers))
	for _, s := range conf.Servers {
		list = append(list, net.JoinHostPort(s, conf.Port))
	}
	if len(list) == 0 {
		list = []string{"127.0.0.1:53"}
	}
	return list, nil
}

// checkServers gives each server a port.
func checkServers(list []string) ([]string, error) {
	out := make([]string, 0, len(list))
	for _, s := range list {
		if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
			out = append(out, netip.AddrPortFrom(ip, 53).String())
			continue
		}
		ap, err := netip.ParseAddrPort(s)
		if err != nil || ap.Port() == 0 {
			return nil, fmt.Errorf("%q is not the address of a DNS server (write \"192.0.2.1\" or \"192.0.2.1:53\")", s)
		}
		out = append(out, ap.String())
	}
	return out, nil
}
