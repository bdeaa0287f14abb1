package smtpd

import (
	"strings"

	"facteur/server/connection"
	"facteur/server/fault"
)

// takesLogins tells whether the service has AUTH at all.
func (s *session) takesLogins() bool {
	return s.Info.Listener == Submission || s.Info.Listener == Submissions
}

// cmdAuth is RFC 4954 4.
func (s *session) cmdAuth(args string) {
	switch {
	case !s.takesLogins():
		s.mistake(502, "5.5.1", "There is no login on this port: use that of submission")
		return
	case s.LoggedIn(): // also within a transaction, which needs a login
		s.mistake(503, "5.5.1", "Logged in already")
		return
	case !s.Info.ESMTP:
		s.mistake(503, "5.5.1", "Send EHLO first")
		return
	case !s.LoginAllowed():
		s.mistake(538, "5.7.11", "Encryption is required: issue a STARTTLS command first")
		return
	}
	switch mechanism, _, _ := strings.Cut(args, " "); strings.ToUpper(mechanism) {
	case "PLAIN", "LOGIN":
		if name, password, ok := s.Exchange(args); ok {
			s.login(name, password)
		}
	case "":
		s.mistake(501, "5.5.4", "Syntax: AUTH mechanism")
	default:
		s.mistake(504, "5.5.4", "The mechanisms are PLAIN and LOGIN")
	}
}

// login checks a name and a password, and replies.
func (s *session) login(name, password string) {
	cred, err := s.srv.backend.Login(s.srv.conns.Context(), s.Info, name, password)
	if err != nil {
		s.loginFailed(fault.As(err))
		return
	}
	s.LogIn(name, cred)
	s.Log.Info("smtpd.login", "account", cred.Account.String(), "remote", s.Info.Remote.Addr())
	s.reply(235, "2.7.0", "Logged in")
}

func (s *session) loginFailed(f *fault.Fault) {
	s.LogRefusal("AUTH", f)
	if f.Code < 500 {
		s.reply(454, "4.7.0", f.Text) // RFC 4954 6: a temporary failure
		return
	}
	if s.Punish(connection.FailedLogin) {
		s.reply(535, "5.7.8", f.Text)
	}
}
