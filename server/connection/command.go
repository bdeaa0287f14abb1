package connection

import (
	"bytes"
	"errors"
	"strings"

	"facteur/server/fault"
	"facteur/server/wire"
)

const (
	// maxLine is the longest command, CRLF included: the 512 octets of RFC 5321
	// 4.5.3.1.4 and what the extensions add (SIZE 26, BODY 17, AUTH 500, SMTPUTF8
	// 10, RET 8, ENVID 107, REQUIRETLS 11, HOLDUNTIL 34; NOTIFY 28, ORCPT 507). In
	// POP3 RFC 2449 4 has 255; a password may be longer (password.MaxLength).
	maxLine = 2048
	// maxAuthLine is the longest line of a SASL exchange (RFC 4954 4, RFC 5034 4).
	maxAuthLine = 12288
)

// step reads a command and carries it out.
func (c *Conn) step() {
	line, err := c.readLine(false)
	c.Settings = c.protocol.Renew()
	if err == nil && len(line)+2 > maxLine && !isAuth(line) {
		err = wire.ErrLineTooLong
	}
	if len(line) == 0 && err == nil {
		c.blanks++
	}
	if c.blanks > 1 && errors.Is(err, wire.ErrNUL) { // version 2 begins with "\r\n\r\n\0\r\n"
		c.byeProxy()
	} else if f := lineFault(err); f != nil {
		c.Mistake(f)
	} else if err != nil {
		c.broken(err)
	} else if !c.Ended() {
		c.protocol.Command(line)
	}
}

// byeProxy turns a proxy away that says whose the connection is and is not asked (package
// listen): else the client would count as being where the proxy is, which may be this machine.
func (c *Conn) byeProxy() {
	f := fault.Reply(fault.Malformed, 421, "4.5.0", "This server does not know your proxy: proxy in [listen] of mail.toml must name it, closing connection")
	c.LogRefusal("PROXY", f)
	c.Bye(f)
	c.Linger()
}

// lineFault is the reply to a line that can't be used, nil for another error.
func lineFault(err error) *fault.Fault {
	text := ""
	switch {
	case errors.Is(err, wire.ErrLineTooLong):
		text = "The line is too long" // RFC 5321 4.5.3.1.9
	case errors.Is(err, wire.ErrBareLF), errors.Is(err, wire.ErrBareCR):
		text = "A line ends in CRLF" // RFC 5321 2.3.8, RFC 1939 3
	case errors.Is(err, wire.ErrNUL):
		text = "NUL octets are not allowed"
	default:
		return nil
	}
	return fault.Reply(fault.Malformed, 500, "5.5.2", text)
}

func isAuth(line []byte) bool {
	word, _, _ := bytes.Cut(line, []byte(" "))
	return strings.EqualFold(string(word), "AUTH")
}

// Cut returns the verb of a command, in upper case, and what follows the first
// space. The verb is appended to buf as far as there is room: one that is cut
// short must not be a command then.
func Cut(buf, line []byte) (verb []byte, args string) {
	word, rest, _ := bytes.Cut(line, []byte(" "))
	for _, c := range word[:min(len(word), cap(buf))] {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		buf = append(buf, c)
	}
	return buf, string(rest)
}

// Unknown replies to a command that is none. A web client is turned away before
// what follows is taken for commands, and a proxy that is not trusted.
func (c *Conn) Unknown(verb string) {
	switch verb {
	case "GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "DELETE", "PATCH", "TRACE", "PRI":
		c.byeMalformed("4.5.0", "This is a mail server, not a web server")
		c.Linger()
	case "PROXY":
		c.byeProxy()
	default:
		c.Mistake(fault.Reply(fault.Malformed, 500, "5.5.1", "Unknown command"))
	}
}
