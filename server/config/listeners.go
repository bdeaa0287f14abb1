package config

import (
	"fmt"
	"net"
	"net/netip"
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
var protocols = []string{"smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s", "http", "https"}

// eachListener calls f with every address that can be listened on.
func (a *assembler) eachListener(f func(protocol, addr string, at int)) {
	for _, protocol := range protocols {
		n := a.root.get("listen", protocol)
		if n == nil {
			continue
		}
		for _, element := range append([]*node{n}, n.elements...) {
			if addr, ok := element.value.(string); ok {
				f(protocol, addr, element.valueAt)
			}
		}
	}
}

func (a *assembler) listeners() {
	first := make(map[string]string)
	a.eachListener(func(protocol, addr string, at int) {
		if port(addr) == "0" {
			return // each gets one of its own
		}
		if other, taken := first[addr]; taken {
			a.report.add(at, fmt.Sprintf("%s is taken already, by %s", addr, other), "give each protocol a port of its own")
		}
		first[addr] = protocol
		if protocol == "lmtp" && port(addr) == "25" { // RFC 2033 5
			a.report.add(at, "LMTP may not be on port 25", "choose another port, or a socket: \"unix:/run/facteur/lmtp.sock\"")
		}
	})
	if listen := a.root.get("listen"); listen != nil && len(listen.children) == 0 {
		a.report.add(listen.keyAt, "nothing listens", `add a line such as smtp = ":25"`)
	}
}

// demo refuses that a password which everybody knows can be used from elsewhere.
func (a *assembler) demo() {
	accounts := a.config.DemoAccounts()
	if len(accounts) == 0 {
		return
	}
	a.eachListener(func(protocol, addr string, at int) {
		if !loopback(addr) {
			a.report.add(at, fmt.Sprintf("%s listens on %s while %s has the password of the demonstration, which everybody knows", protocol, addr, accounts[0]),
				"give every account a password of its own with facteur passwd, or listen on 127.0.0.1")
		}
	})
}

func port(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// loopback tells whether only this machine can reach an address.
func loopback(addr string) bool {
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
