package imapd

import (
	"crypto/tls"
	"net/netip"
	"strings"
	"time"

	"facteur/server/auth"
	"facteur/server/connection"
	"facteur/server/envelope"
	"facteur/server/fault"
)

// mayLogIn tells whether passwords may be sent over this connection.
func (s *session) mayLogIn() bool {
	return s.tls != nil || s.conn.PlaintextLogin && s.remote.IsLoopback()
}

// errPrivacy refuses a login without TLS (RFC 9051 6.2.3).
var errPrivacy = no("PRIVACYREQUIRED", "Login needs TLS: use STARTTLS first")

// cmdLogin is LOGIN (RFC 9051 6.2.3).
func (s *session) cmdLogin(c *call) error {
	if !s.mayLogIn() { // before a literal is asked for: it would be in the clear
		return errPrivacy
	}
	c.dec.SP()
	name := c.dec.AString()
	c.dec.SP()
	password := c.dec.AString()
	if err := c.end(); err != nil {
		return err
	}
	return s.login(c, "LOGIN", name, password)
}

// login is the end of LOGIN and AUTHENTICATE.
func (s *session) login(c *call, mechanism, name, password string) error {
	if !s.mayLogIn() {
		return errPrivacy
	}
	opt := s.options()
	cred, err := opt.Auth.Login(s.ctx, auth.Attempt{
		Name: name, Password: password, Remote: s.remote, Protocol: "imap", Session: s.facts(mechanism),
	})
	if err != nil {
		return err
	}
	home, err := opt.Store.Home(cred.Account)
	if err != nil {
		return err
	}
	s.cred.Store(&cred)
	// A reload may have come between the two; Recheck sees it from here on.
	if !opt.Auth.Valid(cred) {
		s.cred.Store(nil)
		return fault.New(fault.AuthFailed, "")
	}
	s.account, s.home, s.state = cred.Account, home, authenticated
	s.log = s.log.With("account", cred.Account.String())
	s.log.Debug("imapd.login") // auth tells the operator
	s.link.setLimit(time.Time{})
	s.dec.SetLimits(maxLine, maxLiteral, 2*opt.AppendLimit)
	s.done(c, s.capabilityCode(), "Logged in")
	return nil
}

// facts are what scripts are told of a client that logs in.
func (s *session) facts(mechanism string) envelope.Session {
	f := envelope.Session{ID: s.id, Listener: "imap", Remote: netip.AddrPortFrom(s.remote, 0), Mechanism: mechanism}
	if s.tlsFirst {
		f.Listener = "imaps"
	}
	if s.tls != nil {
		state := s.tls.ConnectionState()
		f.TLSVersion, f.TLSCipher = connection.TLSVersion(state.Version), tls.CipherSuiteName(state.CipherSuite)
	}
	return f
}

// maxResponse bounds a SASL response, in octets of base64.
const maxResponse = 4 << 10

// saslFailure is the answer to what ends a SASL exchange early.
func saslFailure(err error) error {
	switch err {
	case auth.ErrMechanism:
		return no("CANNOT", "This mechanism is not supported")
	case auth.ErrProxy:
		return no("AUTHORIZATIONFAILED", "Logging in for someone else is not possible")
	case auth.ErrCancelled: // RFC 9051 6.2.2
		return bad("", "AUTHENTICATE was cancelled")
	case auth.ErrBase64, auth.ErrResponse:
		return bad("", "Malformed SASL response")
	}
	return err
}

// cmdAuthenticate is AUTHENTICATE (RFC 9051 6.2.2) with PLAIN and LOGIN, with an
// initial response (RFC 4959) or without.
func (s *session) cmdAuthenticate(c *call) error {
	c.dec.SP()
	mechanism := c.dec.Keyword()
	initial := ""
	if c.dec.TrySP() {
		initial = c.dec.Atom()
	}
	if err := c.end(); err != nil {
		return err
	}
	name, password, err := auth.Exchange(mechanism, initial, s.challenge)
	if err != nil {
		return saslFailure(err)
	}
	return s.login(c, strings.ToUpper(mechanism), name, password)
}

// challenge sends a SASL challenge and returns the response.
func (s *session) challenge(base64 string) (string, error) {
	if !s.mayLogIn() {
		return "", errPrivacy
	}
	if err := s.goOn(base64); err != nil {
		return "", err
	}
	text := s.dec.Line()
	if err := s.dec.Err(); err != nil {
		return "", err
	}
	if len(text) > maxResponse {
		return "", auth.ErrResponse
	}
	return string(text), nil
}

// cmdUnauthenticate is UNAUTHENTICATE (RFC 8437): all is as before the login,
// but TLS and compression stay.
func (s *session) cmdUnauthenticate(c *call) error {
	if err := c.end(); err != nil {
		return err
	}
	s.unselect()
	s.unobserve()
	s.cred.Store(nil)
	s.home, s.shared, s.state, s.enabled = nil, nil, notAuthenticated, 0
	s.enable(0)
	s.log = s.conn.Log.With("id", s.id, "remote", s.remote.String())
	s.link.setLimit(time.Now().Add(s.conn.PreAuthTimeout))
	s.dec.SetLimits(preAuthLine, preAuthLiteral, preAuthSkip)
	s.done(c, s.capabilityCode(), "Logged out")
	return nil
}
