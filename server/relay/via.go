package relay

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"facteur/server/address"
	"facteur/server/fault"
)

// ParseVia reads the server that a message is to leave through (Message.Via): a name or an
// IP address, and a port, "gateway.example.net:25" or "[2001:db8::1]:25".
func ParseVia(s string) (host string, port int, err error) {
	host, digits, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, fmt.Errorf("%q is not a host and a port, such as gateway.example.net:25", s)
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("%q is not a port", digits)
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return host, int(n), nil
	}
	d, err := address.ParseDomain(host)
	if err != nil {
		return "", 0, fmt.Errorf("%q is neither the name of a host nor an IP address", host)
	}
	return string(d), int(n), nil
}

// smarthost returns the server through which the message leaves, nil for those of its
// domain. The one of the settings keeps its login when the message names it. Any other one
// is told no password, and TLS is used as it offers it: which server it is the operator
// has chosen, often one of the same network.
func (a *attempt) smarthost() (*Smarthost, *fault.Fault) {
	via, own := a.t.msg.Via, a.live.Smarthost
	if via == "" {
		return own, nil
	}
	host, port, err := ParseVia(via)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "The server that this is to leave through is not one", err)
	}
	if own != nil && own.Port == port && strings.EqualFold(own.Host, host) {
		return own, nil
	}
	return &Smarthost{Host: host, Port: port, TLS: TLSOptional}, nil
}
