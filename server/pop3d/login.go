package pop3d

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"

	"facteur/server/fault"
	"facteur/server/wire"
)

// loginAllowed tells whether a password may be sent on this connection.
func (s *session) loginAllowed() bool {
	return s.info.TLS() || s.o.PlaintextLogin == "loopback" && s.info.Remote.Addr().IsLoopback()
}

// encrypted refuses a login on a connection where it is not allowed.
func (s *session) encrypted() bool {
	if !s.loginAllowed() {
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
	case s.punish(idleCommand):
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
		s.login("PASS", user, password)
	}
}

// mechanisms are those of AUTH.
const mechanisms = "PLAIN LOGIN"

// cmdAuth is RFC 5034 4.
func (s *session) cmdAuth(args string) {
	mechanism, initial, hasInitial := strings.Cut(args, " ")
	var ask func(initial string, has bool) (name, password string, err error)
	switch strings.ToUpper(mechanism) {
	case "PLAIN":
		ask = s.askPlain
	case "LOGIN":
		ask = s.askLogin
	case "":
		s.listMechanisms()
		return
	default:
		s.mistake("The mechanisms are PLAIN and LOGIN")
		return
	}
	if !s.encrypted() {
		return
	}
	name, password, err := ask(initial, hasInitial)
	if err != nil {
		s.authBroken(err)
		return
	}
	s.login("AUTH", name, password)
}

// listMechanisms answers an AUTH without arguments, by which old clients
// (Outlook) ask what there is.
func (s *session) listMechanisms() {
	if !s.encrypted() || !s.punish(idleCommand) {
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
	cred, err := s.srv.backend.Login(s.srv.ctx, s.info, name, password)
	if err != nil {
		s.loginFailed(verb, fault.As(err))
		return
	}
	if !s.srv.lock(cred.Account) {
		s.log.Info("pop3d.in-use", "account", cred.Account.String(), "remote", s.info.Remote.Addr())
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
	s.info.AuthcID, s.info.Account = name, cred.Account
	s.penalty = 0
	s.setCredential(cred)
	if s.ended() { // a reload may have come between Login and here; Recheck sees it from now on
		return
	}
	s.log.Info("pop3d.login", "account", cred.Account.String(), "remote", s.info.Remote.Addr(), "messages", s.drop.left)
	s.sayDrop()
}

// loginFailed tells a wrong name or password from what may pass (RFC 3206).
func (s *session) loginFailed(verb string, f *fault.Fault) {
	if f.Code < 500 {
		s.refuse(verb, f)
		return
	}
	s.logRefusal(verb, f)
	if s.punish(failedLogin) {
		s.err(authFailed, f.Text)
	}
}

// release gives the maildrop back.
func (s *session) release() {
	if s.drop == nil {
		return
	}
	s.drop.box.Close()
	s.srv.unlock(s.drop.account)
	s.drop = nil
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
		s.err("", "Login cancelled") // RFC 5034 4
	case err == errNotBase64:
		s.mistake("That is not base64")
	case err == errNotPlain:
		s.mistake("That is not what the mechanism asks for")
	case errors.Is(err, wire.ErrLineTooLong):
		s.mistake("The line is too long")
	case errors.Is(err, wire.ErrBareLF), errors.Is(err, wire.ErrBareCR), errors.Is(err, wire.ErrNUL):
		s.mistake("A line ends in CRLF")
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
		if initial == "=" { // RFC 5034 4: an empty initial response
			return "", nil
		}
		return decode64(initial)
	}
	s.reply("+ ", base64.StdEncoding.EncodeToString([]byte(challenge)))
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
