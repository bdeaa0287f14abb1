package relay

import (
	"bufio"
	"crypto/tls"
	"errors"
	"net"
	"strings"

	"facteur/server/fault"
)

// tlsError tells that TLS could not be had as it was needed.
type tlsError struct {
	failure string // for reports
	text    string // for people; the server is its subject
	cause   error
}

func (e *tlsError) Error() string { return e.text }

func (e *tlsError) Unwrap() error { return e.cause }

// tlsFault is the refusal to use a server whose TLS does not do.
func (h *hop) tlsFault(e *tlsError) *fault.Fault {
	text := h.host + ": " + e.text + "; " + h.need.why()
	f := fault.Reply(fault.Undeliverable, 451, "4.7.5", text)
	if e.failure == FailureNoTLS {
		f.Status = "7.4" // RFC 3463 3.8: security features not supported
	}
	if h.need.require { // RFC 8689 4.2.1
		f = fault.Reply(fault.EncryptionNeeded, 550, "5.7.10", text)
	}
	f.Cause = e.cause
	return f
}

// startTLS encrypts a session where that is offered, and verifies what is to be. It
// fails with a *tlsError when the need is strict and not met, or when what it tried
// has spoiled the connection.
func (a *attempt) startTLS(c *client, h *hop) error {
	if !c.offers("STARTTLS") {
		return a.without(c, h, "it does not offer encryption")
	}
	r, err := c.command(c.timeouts.Command, "STARTTLS")
	if err != nil || c.broken {
		return a.noTLS(c, h, "it broke off when asked to encrypt", err)
	}
	if r.code != 220 {
		return a.without(c, h, "it refused to encrypt ("+r.String()+")") // RFC 3207 4
	}
	if c.r.Buffered() > 0 {
		// Sent before the handshake: not the server's words.
		return a.noTLS(c, h, "something spoke before the encryption began", nil)
	}
	if err := a.handshake(c, h); err != nil {
		return err
	}
	c.ext = nil // RFC 3207 4.2
	if err := c.hello(a.live.Hostname); err != nil {
		c.broken = true
		if h.need.strict() {
			return err
		}
		return &tlsError{FailureValidation, "it broke off once encrypted", err}
	}
	return nil
}

// handshake encrypts the connection and verifies the certificate.
func (a *attempt) handshake(c *client, h *hop) error {
	config := &tls.Config{
		InsecureSkipVerify: true, // verify does it, below
		MinVersion:         tls.VersionTLS12,
	}
	if len(h.need.names) > 0 {
		config.ServerName = h.need.names[0] // RFC 7672 8.1, RFC 8461 4.1
	}
	conn := tls.Client(c.conn, config)
	c.deadline(c.timeouts.Command)
	if err := conn.Handshake(); err != nil {
		return a.noTLS(c, h, "no encryption could be agreed on", err)
	}
	state := conn.ConnectionState()
	c.conn, c.r = conn, bufio.NewReaderSize(conn, maxLine)
	c.tls = strings.ReplaceAll(tls.VersionName(state.Version), " ", "")
	if h.need.level < mustVerify {
		a.tell(c, h, "", "")
		return nil
	}
	err := h.need.verify(state.PeerCertificates, a.opts.Roots, a.opts.Now())
	var bad *certFault
	if !errors.As(err, &bad) {
		a.tell(c, h, "", "")
		return nil
	}
	if h.need.strict() {
		return a.spoil(c, h, &tlsError{bad.failure, bad.text, nil})
	}
	a.tell(c, h, bad.failure, bad.text)
	return nil
}

// without goes on in the clear, where that is good enough.
func (a *attempt) without(c *client, h *hop, text string) error {
	a.tell(c, h, FailureNoTLS, text)
	if h.need.strict() {
		return &tlsError{FailureNoTLS, text, nil}
	}
	return nil
}

// noTLS gives the connection up: what was said on it can't be trusted.
func (a *attempt) noTLS(c *client, h *hop, text string, cause error) error {
	return a.spoil(c, h, &tlsError{FailureValidation, text, cause})
}

func (a *attempt) spoil(c *client, h *hop, e *tlsError) error {
	detail := e.text
	if e.cause != nil {
		detail += ": " + brieflySaid(e.cause)
	}
	a.tell(c, h, e.failure, detail)
	c.broken = true
	return e
}

// tell reports the outcome of a session's encryption.
func (a *attempt) tell(c *client, h *hop, failure, detail string) {
	if !h.need.tell {
		return
	}
	told := h.need.report
	told.Failure, told.Detail = failure, detail
	told.Remote = h.at.Addr()
	if local, ok := c.conn.LocalAddr().(*net.TCPAddr); ok {
		told.Local = local.AddrPort().Addr().Unmap()
	}
	a.opts.TLSResult(told)
}
