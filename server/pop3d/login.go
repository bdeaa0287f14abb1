package pop3d

import (
	"strings"
	"unicode/utf8"

	"facteur/server/connection"
	"facteur/server/fault"
)

// encrypted refuses a login on a connection where it is not allowed.
func (s *session) encrypted() bool {
	if !s.LoginAllowed() {
		s.mistake("Encryption is required: issue an STLS command first")
		return false
	}
	return true
}

// cmdUser is RFC 1939 7. Who exists is not told.
func (s *session) cmdUser(name string) {
	switch {
	case !s.encrypted():
	case name == "" || !utf8.ValidString(name):
		s.mistake("Syntax: USER name")
	case s.Punish(connection.IdleCommand):
		s.user = name
		s.ok("And the password?")
	}
}

// cmdPass is RFC 1939 7. Spaces are part of the password.
func (s *session) cmdPass(user, password string) {
	switch {
	case !s.encrypted():
	case user == "":
		s.mistake("Send USER first")
	case !utf8.ValidString(password):
		s.mistake("A password is in UTF-8")
	default:
		s.Info.Mechanism = "USER"
		s.login("PASS", user, password)
	}
}

// mechanisms are those of AUTH.
const mechanisms = "PLAIN LOGIN"

// cmdAuth is RFC 5034 4.
func (s *session) cmdAuth(args string) {
	switch mechanism, _, _ := strings.Cut(args, " "); strings.ToUpper(mechanism) {
	case "PLAIN", "LOGIN":
		if !s.encrypted() {
			return
		}
		if name, password, ok := s.Exchange(args); ok {
			s.login("AUTH", name, password)
		}
	case "":
		s.listMechanisms()
	default:
		s.mistake("The mechanisms are PLAIN and LOGIN")
	}
}

// listMechanisms answers an AUTH without arguments, by which old clients
// (Outlook) ask what there is.
func (s *session) listMechanisms() {
	if !s.encrypted() || !s.Punish(connection.IdleCommand) {
		return
	}
	s.ok("The mechanisms follow")
	for m := range strings.SplitSeq(mechanisms, " ") {
		s.text(m)
	}
	s.endText()
}

// login checks a name and a password, opens the maildrop, and replies.
func (s *session) login(verb, name, password string) {
	cred, err := s.srv.backend.Login(s.srv.conns.Context(), s.Info, name, password)
	if err != nil {
		s.loginFailed(verb, fault.As(err))
		return
	}
	if !s.srv.lock(cred.Account) {
		s.Log.Info("pop3d.in-use", "account", cred.Account.String(), "remote", s.Info.Remote.Addr())
		s.err(inUse, "Another POP3 session has this mailbox open") // RFC 2449 8.1.2
		return
	}
	box, err := s.srv.backend.Maildrop(cred.Account)
	if err != nil {
		s.srv.unlock(cred.Account)
		s.refuse(verb, err)
		return
	}
	s.drop = newDrop(cred.Account, box)
	s.Pardon()
	s.LogIn(name, cred)
	if s.Ended() { // a reload may have come between Login and here; Recheck sees it from now on
		return
	}
	s.Log.Info("pop3d.login", "account", cred.Account.String(), "remote", s.Info.Remote.Addr(), "messages", s.drop.left)
	s.sayDrop()
}

// loginFailed tells a wrong name or password from what may pass (RFC 3206).
func (s *session) loginFailed(verb string, f *fault.Fault) {
	if f.Code < 500 {
		s.refuse(verb, f)
		return
	}
	s.LogRefusal(verb, f)
	if s.Punish(connection.FailedLogin) {
		s.err(authFailed, f.Text)
	}
}
