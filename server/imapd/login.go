package imapd

import (
	"bytes"
	"encoding/base64"
	"time"

	"facteur/server/auth"
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
	return s.login(c, name, password)
}

// login is the end of LOGIN and AUTHENTICATE.
func (s *session) login(c *call, name, password string) error {
	if !s.mayLogIn() {
		return errPrivacy
	}
	opt := s.options()
	cred, err := opt.Auth.Login(s.ctx, auth.Attempt{Name: name, Password: password, Remote: s.remote, Protocol: "imap"})
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

// errResponse is the answer to a SASL response that can't be read.
var errResponse = bad("", "Malformed SASL response")

// maxResponse bounds a SASL response, in octets of base64.
const maxResponse = 4 << 10

// cmdAuthenticate is AUTHENTICATE (RFC 9051 6.2.2) with PLAIN and LOGIN, with an
// initial response (RFC 4959) or without.
func (s *session) cmdAuthenticate(c *call) error {
	c.dec.SP()
	mechanism := c.dec.Keyword()
	var initial *string
	if c.dec.TrySP() {
		word := c.dec.Atom()
		initial = &word
	}
	if err := c.end(); err != nil {
		return err
	}
	if mechanism != "PLAIN" && mechanism != "LOGIN" {
		return no("CANNOT", "This mechanism is not supported")
	}
	if !s.mayLogIn() {
		return errPrivacy
	}
	if mechanism == "PLAIN" {
		return s.authPlain(c, initial)
	}
	return s.authLogin(c, initial)
}

// authPlain is the mechanism PLAIN (RFC 4616).
func (s *session) authPlain(c *call, initial *string) error {
	response, err := s.response(initial, "")
	if err != nil {
		return err
	}
	parts := bytes.Split(response, []byte{0})
	if len(parts) != 3 {
		return errResponse
	}
	authzID, authcID := string(parts[0]), string(parts[1])
	if authzID != "" && authzID != authcID {
		return no("AUTHORIZATIONFAILED", "Logging in for someone else is not possible")
	}
	return s.login(c, authcID, string(parts[2]))
}

// authLogin is the mechanism LOGIN (draft-murchison-sasl-login).
func (s *session) authLogin(c *call, initial *string) error {
	name, err := s.response(initial, "Username:")
	if err != nil {
		return err
	}
	password, err := s.response(nil, "Password:")
	if err != nil {
		return err
	}
	return s.login(c, string(name), string(password))
}

// response returns the initial response, or asks for one with a challenge.
func (s *session) response(initial *string, challenge string) ([]byte, error) {
	var text []byte
	if initial != nil {
		if *initial == "=" { // an empty response (RFC 4959 3)
			return []byte{}, nil
		}
		text = []byte(*initial)
	} else {
		if err := s.goOn(base64.StdEncoding.EncodeToString([]byte(challenge))); err != nil {
			return nil, err
		}
		text = s.dec.Line()
		if err := s.dec.Err(); err != nil {
			return nil, err
		}
	}
	if string(text) == "*" {
		return nil, bad("", "AUTHENTICATE was cancelled") // RFC 9051 6.2.2
	}
	if len(text) > maxResponse {
		return nil, errResponse
	}
	raw, err := base64.StdEncoding.Strict().AppendDecode(nil, text)
	if err != nil {
		return nil, errResponse
	}
	return raw, nil
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
