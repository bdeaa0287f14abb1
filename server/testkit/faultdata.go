package testkit

import (
	"bytes"
	"strings"
)

// data serves DATA and the content.
func (s *faultSession) data(line string) error {
	if f := s.proxy.draw(Data, resetNow, closeNow, temporary, permanent, leave, nonsense, half, slow); f != "" {
		if f == half || f == slow {
			return s.reply354(line, map[string]func([]byte) error{half: s.halve, slow: s.trickle}[f])
		}
		if err := s.fail(Data, f); err != nil {
			return err
		}
		_, err := s.ask([]byte("RSET\r\n"))
		return err
	}
	return s.reply354(line, func(reply []byte) error { _, err := s.sender.Write(reply); return err })
}

// reply354 asks the receiver for a go-ahead, passes it on, and takes the content.
func (s *faultSession) reply354(line string, back func([]byte) error) error {
	reply, err := s.ask([]byte(line))
	if err != nil {
		return err
	}
	if err := back(reply); err != nil || reply[0] != '3' {
		return err
	}
	return s.content()
}

// content takes the content and passes it on, or not. The receiver never sees the
// end of what the sender is told that it was not taken.
func (s *faultSession) content() error {
	f := s.proxy.draw(Dot, cutShort, lostDot, temporary, permanent, leave, lostReply, lateReset, nonsense, half, slow, hangFirst)
	if f == cutShort {
		return s.cutShort()
	}
	text, err := s.readContent()
	if err != nil {
		return err
	}
	switch f {
	case lostDot:
		s.receiver.Write(bytes.TrimSuffix(text, []byte(".\r\n")))
		return errOver
	case temporary, permanent, leave:
		// A receiver that refuses at the end has no transaction any more.
		reset(s.receiver)
		if err := s.fail(Dot, f); err != nil {
			return err
		}
		return s.refusedOnly()
	}
	return s.handOver(f, text)
}

// cutShort breaks off within the content.
func (s *faultSession) cutShort() error {
	for left := s.proxy.number(2000); left > 0; {
		l, err := s.in.ReadBytes('\n')
		if err != nil || string(l) == ".\r\n" { // never the end
			break
		}
		s.receiver.Write(l[:min(left, len(l))])
		left -= len(l)
	}
	reset(s.receiver)
	reset(s.sender)
	return errOver
}

// readContent reads to the line that ends the content.
func (s *faultSession) readContent() ([]byte, error) {
	var text []byte
	for {
		l, err := s.in.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		text = append(text, l...)
		if string(l) == ".\r\n" {
			return text, nil
		}
	}
}

// refusedOnly goes on without a receiver: it is to be asked in a new session.
func (s *faultSession) refusedOnly() error {
	s.in.ReadString('\n') // RSET, QUIT, MAIL
	s.say("421 4.3.2 " + Weather)
	return errOver
}

// handOver gives the receiver the message.
func (s *faultSession) handOver(f string, text []byte) error {
	id := ""
	if m := s.proxy.opts.ID.FindSubmatch(text); m != nil {
		id = string(m[1])
	}
	list := s.proxy.handed(Handover{ID: id, From: s.from, Since: s.since}, s.to)
	s.to = nil
	reply, err := s.ask(text)
	if err != nil {
		return err
	}
	s.proxy.replied(list, strings.TrimRight(string(reply), "\r\n"))
	switch f {
	case lostReply:
		return errOver
	case lateReset:
		reset(s.sender)
		return errOver
	case nonsense, hangFirst:
		return s.fail(Dot, f)
	case half:
		return s.halve(reply)
	case slow:
		err = s.trickle(reply)
	default:
		_, err = s.sender.Write(reply)
	}
	if err == nil {
		s.proxy.answered(list)
	}
	return err
}
