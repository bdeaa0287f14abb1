package smtpd

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"

	"facteur/server/fault"
	"facteur/server/wire"
)

// takesLogins tells whether the service has AUTH at all.
func (s *session) takesLogins() bool {
	return s.info.Listener == Submission || s.info.Listener == Submissions
}

// loginAllowed tells whether a password may be sent on this connection.
func (s *session) loginAllowed() bool {
	return s.info.TLS() || s.o.PlaintextLogin == "loopback" && s.info.Remote.Addr().IsLoopback()
}

// cmdAuth is RFC 4954 4.
func (s *session) cmdAuth(args string) {
	mechanism, initial, hasInitial := strings.Cut(args, " ")
	switch {
	case !s.takesLogins():
		s.mistake(502, "5.5.1", "There is no login on this port: use that of submission")
		return
	case s.loggedIn(): // also within a transaction, which needs a login
		s.mistake(503, "5.5.1", "Logged in already")
		return
	case !s.info.ESMTP:
		s.mistake(503, "5.5.1", "Send EHLO first")
		return
	case !s.loginAllowed():
		s.mistake(538, "5.7.11", "Encryption is required: issue a STARTTLS command first")
		return
	}
	var ask func(initial string, has bool) (name, password string, err error)
	switch strings.ToUpper(mechanism) {
	case "PLAIN":
		ask = s.askPlain
	case "LOGIN":
		ask = s.askLogin
	case "":
		s.mistake(501, "5.5.4", "Syntax: AUTH mechanism")
		return
	default:
		s.mistake(504, "5.5.4", "The mechanisms are PLAIN and LOGIN")
		return
	}
	name, password, err := ask(initial, hasInitial)
	if err != nil {
		s.authBroken(err)
		return
	}
	s.login(name, password)
}

// login checks a name and a password, and replies.
func (s *session) login(name, password string) {
	cred, err := s.srv.backend.Login(s.srv.ctx, s.info, name, password)
	if err != nil {
		s.loginFailed(fault.As(err))
		return
	}
	s.setCredential(cred)
	s.info.AuthcID = name
	s.info.Account = cred.Account
	s.log.Info("smtpd.login", "account", cred.Account.String(), "remote", s.info.Remote.Addr())
	s.reply(235, "2.7.0", "Logged in")
}

func (s *session) loginFailed(f *fault.Fault) {
	s.logRefusal("AUTH", f)
	if f.Code < 500 {
		s.reply(454, "4.7.0", f.Text) // RFC 4954 6: a temporary failure
		return
	}
	if s.punish(failedLogin) {
		s.reply(535, "5.7.8", f.Text)
	}
}

// What ends an AUTH dialog early.
var (
	errCancelled = errors.New("cancelled")
	errNotBase64 = errors.New("not base64")
	errNotPlain  = errors.New("not a message of PLAIN")
)

func (s *session) authBroken(err error) {
	switch {
	case err == errCancelled:
		s.reply(501, "5.7.0", "Login cancelled") // RFC 4954 4
	case err == errNotBase64:
		s.mistake(501, "5.5.2", "That is not base64")
	case err == errNotPlain:
		s.mistake(501, "5.5.2", "That is not what the mechanism asks for")
	case errors.Is(err, wire.ErrLineTooLong):
		s.mistake(500, "5.5.6", "The line is too long") // RFC 4954 4
	case errors.Is(err, wire.ErrBareLF), errors.Is(err, wire.ErrBareCR), errors.Is(err, wire.ErrNUL):
		s.mistake(501, "5.5.2", "A line ends in CRLF")
	default:
		s.broken(err)
	}
}

// askPlain is PLAIN (RFC 4616 2): authorization identity, name, password.
func (s *session) askPlain(initial string, has bool) (name, password string, err error) {
	msg, err := s.response(initial, has, "")
	if err != nil {
		return "", "", err
	}
	parts := strings.Split(msg, "\x00")
	if len(parts) != 3 || parts[1] == "" || !utf8.ValidString(msg) {
		return "", "", errNotPlain
	}
	if parts[0] != "" && !strings.EqualFold(parts[0], parts[1]) {
		return "", "", errNotPlain // nobody may act for another
	}
	return parts[1], parts[2], nil
}

// askLogin is LOGIN (draft-murchison-sasl-login): name and password, each asked for.
func (s *session) askLogin(initial string, has bool) (name, password string, err error) {
	if name, err = s.response(initial, has, "Username:"); err != nil {
		return "", "", err
	}
	if password, err = s.response("", false, "Password:"); err != nil {
		return "", "", err
	}
	if name == "" || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return "", "", errNotPlain
	}
	return name, password, nil
}

// response returns the initial response, or what the client answers to a
// challenge.
func (s *session) response(initial string, has bool, challenge string) (string, error) {
	if has && initial != "" {
		if initial == "=" { // RFC 4954 4: an empty initial response
			return "", nil
		}
		return decode64(initial)
	}
	s.reply(334, "", base64.StdEncoding.EncodeToString([]byte(challenge)))
	if err := s.w.Flush(); err != nil {
		return "", err
	}
	line, err := s.readLine(maxAuthLine, true)
	if err != nil {
		return "", err
	}
	if string(line) == "*" {
		return "", errCancelled
	}
	return decode64(string(line))
}

func decode64(s string) (string, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return "", errNotBase64
	}
	return string(b), nil
}
