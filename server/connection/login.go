package connection

import (
	"errors"
	"strings"

	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/fault"
	"facteur/server/wire"
)

// LoginAllowed tells whether a password may be sent on this connection.
func (c *Conn) LoginAllowed() bool {
	return c.Info.TLS() || c.Settings.PlaintextLogin == "loopback" && c.Info.Remote.Addr().IsLoopback()
}

// LogIn notes an accepted login under the name that the client gave.
func (c *Conn) LogIn(name string, cred auth.Credential) {
	c.Info.AuthcID, c.Info.Account = name, cred.Account
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cred = cred
}

// LogOut forgets the login.
func (c *Conn) LogOut() {
	c.LogIn("", auth.Credential{})
	c.Info.Account = address.Address{}
}

// LoggedIn tells whether there is a login.
func (c *Conn) LoggedIn() bool { return c.cred != (auth.Credential{}) }

// Revoked tells whether there is a login that holds no more.
func (c *Conn) Revoked() bool { return c.LoggedIn() && !c.server.config.Valid(c.cred) }

// Exchange is the SASL exchange of AUTH (RFC 4954 4, RFC 5034 4), whose
// arguments are a mechanism that there is, and maybe an initial response. ok
// tells whether it came to a name and a password; else all is said.
func (c *Conn) Exchange(args string) (name, password string, ok bool) {
	mechanism, initial, _ := strings.Cut(args, " ")
	c.Info.Mechanism = strings.ToUpper(mechanism)
	name, password, err := auth.Exchange(mechanism, initial, func(challenge string) (string, error) {
		c.protocol.Challenge(challenge)
		line, err := c.readLine(true)
		return string(line), err
	})
	switch {
	case err == nil:
		return name, password, true
	case err == auth.ErrCancelled:
		c.protocol.Reply(fault.Reply(fault.Malformed, 501, "5.7.0", "Login cancelled"))
	case err == auth.ErrBase64:
		c.Mistake(fault.Reply(fault.Malformed, 501, "5.5.2", "That is not base64"))
	case err == auth.ErrResponse, err == auth.ErrProxy:
		c.Mistake(fault.Reply(fault.Malformed, 501, "5.5.2", "That is not what the mechanism asks for"))
	case errors.Is(err, wire.ErrLineTooLong):
		c.Mistake(fault.Reply(fault.Malformed, 500, "5.5.6", "The line is too long")) // RFC 4954 4
	default:
		if f := lineFault(err); f != nil {
			c.Mistake(f)
		} else {
			c.broken(err)
		}
	}
	return "", "", false
}

// RedactAuth returns the command AUTH as it may be logged.
func RedactAuth(args string) string {
	mechanism, _, more := strings.Cut(args, " ")
	switch mechanism = strings.ToUpper(mechanism); {
	case mechanism != "PLAIN" && mechanism != "LOGIN":
		return "AUTH (secret)"
	case more:
		return "AUTH " + mechanism + " (secret)"
	}
	return "AUTH " + mechanism
}
