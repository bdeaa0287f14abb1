package config

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"facteur/server/address"
)

// Relay is the server through which all mail leaves. Without a Host it goes to the
// servers of its domain.
type Relay struct {
	Host         string // a domain in A-label form, or an IP address
	Port         int
	Login        string
	PasswordFile string
	TLS          RelayTLS
}

// RelayTLS is what that server must show.
type RelayTLS string

// The values of RelayTLS.
const (
	RelayVerified  RelayTLS = "verified"  // encryption, with a certificate for its name
	RelayEncrypted RelayTLS = "encrypted" // encryption, with any certificate
	RelayOptional  RelayTLS = "optional"  // what there is; without a login
)

// via is a host and a port.
type via struct {
	host string
	port int
}

var viaForm = texts(`a server and its port such as "smtp.provider.net:587"`, func(s, _ string) (any, error) {
	const hint = `write "smtp.provider.net:587", or the port that the provider names`
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return nil, hinted{"this is no server with a port", hint}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return nil, hinted{fmt.Sprintf("%q is no port", port), hint}
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return via{ip.String(), int(n)}, nil
	}
	d, err := address.ParseDomain(host)
	if err != nil || strings.HasPrefix(string(d), "[") {
		return nil, hinted{fmt.Sprintf("%q is no server", host), hint}
	}
	return via{string(d), int(n)}, nil
})

// secretForm is of a file that holds a password.
var secretForm = texts("a file", func(s, dir string) (any, error) {
	path, err := absolute(s, dir)
	if err != nil {
		return nil, err
	}
	if err := readable(path, s); err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		return nil, unread{hinted{fmt.Sprintf("others may read %q, and it holds a password", s), "chmod 600 " + s}, path}
	}
	return path, nil
})

// relay reads [relay], and tells what does not go together.
func (a *assembler) relay() Relay {
	n := a.root.get("relay")
	if n == nil {
		return Relay{}
	}
	server := or(n, via{}, "via")
	r := Relay{
		Host: server.host, Port: server.port, Login: or(n, "", "login"), PasswordFile: or(n, "", "password_file"),
		TLS: RelayTLS(or(n, string(RelayVerified), "tls")),
	}
	login, password := n.get("login"), n.get("password_file")
	switch {
	case n.get("via") == nil:
		a.report.add(n.keyAt, "[relay] names no server", `add a line via = "smtp.provider.net:587"`)
	case login != nil && password == nil:
		a.report.add(login.keyAt, "the login has no password", `add a line password_file = "relay.secret", and put the password into that file`)
	case login == nil && password != nil:
		a.report.add(password.keyAt, "the password has no login", "add a line with login")
	case login != nil && r.TLS == RelayOptional:
		a.report.add(n.get("tls").valueAt, "a password needs an encrypted connection", `take the line out, or write "encrypted"`)
	}
	return r
}
