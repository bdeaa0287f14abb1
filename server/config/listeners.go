package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"facteur/server/address"
)

// demoHash is the hash in the mail.toml that ships: of the password "demo".
const demoHash = "$argon2id$v=19$m=19456,t=2,p=1$D9CgKtLdYqFjiNadkYTH4Q$JHmpgmO1ziIU4mA4WsTfcnEIUD06yCv9SRDgYpMS28k"

// DemoAccounts returns the accounts with the password that everybody knows:
// that of the mail.toml that ships.
func (c *Config) DemoAccounts() []address.Address {
	var list []address.Address
	for _, a := range c.Directory.Accounts {
		if string(a.Password) == demoHash && !a.Disabled {
			list = append(list, a.Address)
		}
	}
	return list
}

// protocols are the keys of [listen] that are supported.
func protocols() []string {
	var keys []string
	for _, s := range new(Listen).Services() {
		keys = append(keys, s.Name)
	}
	return keys
}

// placed is a listener with its place in the file.
type placed struct {
	Listener
	protocol string
	at       int
}

// placed returns the listeners of a protocol.
func (a *assembler) placed(protocol string) (found []placed) {
	n := a.root.get("listen", protocol)
	if n == nil {
		return nil
	}
	for _, element := range append([]*node{n}, n.elements...) {
		if addr, ok := element.value.(string); ok {
			found = append(found, placed{Listener{Address: addr}, protocol, element.valueAt})
		}
		if element.kind != table {
			continue
		}
		if addr := element.get("address"); addr == nil {
			a.report.add(element.valueAt, "this table does not say where to listen", `add the address: { address = ":993", proxy = ["10.0.0.1"] }`)
		} else if text, ok := addr.value.(string); ok {
			found = append(found, placed{Listener{text, all[netip.Prefix](element, "proxy")}, protocol, addr.valueAt})
		}
	}
	return found
}

// listen reads what listens.
func (a *assembler) listen() Listen {
	of := make(map[string][]Listener)
	var list []placed
	for _, protocol := range protocols() {
		for _, l := range a.placed(protocol) {
			of[protocol] = append(of[protocol], l.Listener)
			list = append(list, l)
		}
	}
	a.listeners(list)
	a.demo(list)
	return Listen{
		SMTP: of["smtp"], Submission: of["submission"], Submissions: of["submissions"], LMTP: of["lmtp"], IMAP: of["imap"],
		IMAPS: of["imaps"], POP3: of["pop3"], POP3S: of["pop3s"], HTTP: of["http"], HTTPS: of["https"],
	}
}

func (a *assembler) listeners(list []placed) {
	first := make(map[string]string)
	for _, l := range list {
		if strings.HasPrefix(l.Address, "unix:") && l.Proxies != nil && !slices.ContainsFunc(l.Proxies, local) {
			a.report.add(l.at, "who connects to a socket file is on this machine, and none of the proxies is", `write proxy = ["127.0.0.1"]`)
		}
		if port(l.Address) == "0" {
			continue // each gets one of its own
		}
		if other, taken := first[l.Address]; taken {
			a.report.add(l.at, fmt.Sprintf("%s is taken already, by %s", l.Address, other), "give each protocol a port of its own")
		}
		first[l.Address] = l.protocol
		if l.protocol == "lmtp" && port(l.Address) == "25" { // RFC 2033 5
			a.report.add(l.at, "LMTP may not be on port 25", "choose another port, or a socket: \"unix:/run/facteur/lmtp.sock\"")
		}
	}
	if listen := a.root.get("listen"); listen != nil && len(listen.children) == 0 {
		a.report.add(listen.keyAt, "nothing listens", `add a line such as smtp = ":25"`)
	}
}

// local tells whether a network has this machine's own addresses.
func local(p netip.Prefix) bool {
	return p.Contains(netip.AddrFrom4([4]byte{127, 0, 0, 1})) || p.Contains(netip.IPv6Loopback())
}

// demo refuses that a password which everybody knows can be used from elsewhere.
func (a *assembler) demo(list []placed) {
	accounts := a.config.DemoAccounts()
	if len(accounts) == 0 {
		return
	}
	for _, l := range list {
		if l.Here() {
			continue
		}
		where, instead := l.Address, "listen on 127.0.0.1"
		if len(l.Proxies) > 0 {
			where, instead = where+", for proxies,", "take proxy out"
		}
		a.report.add(l.at, fmt.Sprintf("%s listens on %s while %s has the password of the demonstration, which everybody knows", l.protocol, where, accounts[0]),
			"give every account a password of its own with facteur passwd, or "+instead)
	}
}

func port(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// Here tells whether only this machine can reach a listener: what has proxies can be reached through
// them.
func (l Listener) Here() bool {
	addr := l.Address
	if len(l.Proxies) > 0 {
		return false
	}
	if strings.HasPrefix(addr, "unix:") {
		return true
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
