package smtpd

import (
	"facteur/server/buffer"
	"facteur/server/connection"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/wire"
)

// transaction is the state from MAIL to the end of the message.
type transaction struct {
	backend Transaction
	sender  envelope.Sender
	rcpts   int // accepted

	// Of BDAT, nil before the first chunk.
	buf  *buffer.Buffer
	text *wire.Text
	pace *connection.Pace
}

// reset forgets the transaction (RFC 5321 4.1.1.5).
func (s *session) reset() {
	if s.tx != nil && s.tx.buf != nil {
		s.tx.buf.Close()
	}
	s.tx = nil
}

func (s *session) cmdRset() {
	s.reset()
	if s.idle() {
		s.reply(250, "2.0.0", "OK")
	}
}

// cmdMail is RFC 5321 4.1.1.2.
func (s *session) cmdMail(args string) {
	switch {
	case s.Info.Helo == "":
		s.mistake(503, "5.5.1", "Send EHLO first")
		return
	case s.tx != nil:
		s.mistake(503, "5.5.1", "A transaction is open already")
		return
	case s.takesLogins() && !s.LoggedIn():
		f := fault.New(fault.AuthRequired, "") // RFC 6409 4.3
		if !s.LoginAllowed() {
			f = fault.New(fault.EncryptionNeeded, "")
		}
		s.mistake(f.Code, f.Enhanced(), f.Text)
		return
	}
	sender, f := parseMail(args, s.offered())
	if f != nil {
		s.mistake(f.Code, f.Enhanced(), f.Text)
		return
	}
	s.mailed = true
	if sender.Size > s.o.MessageSize { // RFC 1870 6.1
		s.refuse("MAIL", s.tooLarge())
		return
	}
	s.tx = &transaction{sender: sender, backend: s.srv.backend.Begin(s.Info, s.Credential())}
	if err := s.tx.backend.Mail(s.srv.conns.Context(), sender); err != nil {
		f := fault.As(err)
		if f.Code < 500 || s.Punish(connection.BadCommand) {
			s.refuse("MAIL", f)
		}
		s.reset()
		return
	}
	s.reply(250, "2.1.0", "OK")
}

func (s *session) tooLarge() *fault.Fault {
	return fault.Newf(fault.TooLarge, "The message is larger than %d octets", s.o.MessageSize)
}

// cmdRcpt is RFC 5321 4.1.1.3.
func (s *session) cmdRcpt(args string) {
	switch {
	case s.tx == nil:
		s.mistake(503, "5.5.1", "Send MAIL first")
		return
	case s.tx.text != nil:
		s.mistake(503, "5.5.1", "The message is on its way already") // RFC 3030 2
		return
	case s.tx.rcpts >= s.o.Recipients:
		// RFC 5321 4.5.3.1.10: the client sends the rest in another transaction.
		s.reply(452, "4.5.3", "Too many recipients")
		return
	}
	rcpt, f := parseRcpt(args, s.tx.sender.SMTPUTF8)
	if f != nil {
		s.mistake(f.Code, f.Enhanced(), f.Text)
		return
	}
	if err := s.tx.backend.Rcpt(s.srv.conns.Context(), rcpt); err != nil {
		f := fault.As(err)
		if f.Code < 500 || s.Punish(unknownRcpt) {
			s.refuse("RCPT", f)
		}
		return
	}
	s.tx.rcpts++
	s.reply(250, "2.1.5", "OK")
}
