package testkit

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Weather is in the text of every 4xx and 5xx that a FaultProxy makes.
const Weather = "bad weather"

// The faults.
const (
	refuse    = "refused"                 // nobody listens for a moment
	resetNow  = "reset"                   // in place of an answer
	closeNow  = "closed"                  // in place of an answer
	hangFirst = "hung, then closed"       // in place of an answer
	temporary = "4xx"                     // not seen by the receiver
	permanent = "5xx"                     // not seen by the receiver
	leave     = "421"                     // not seen by the receiver; then it closes
	nonsense  = "nonsense"                // in place of an answer
	endless   = "a reply of 2000 lines"   // in place of an answer
	half      = "half a reply"            // of the receiver's; then it closes
	slow      = "slow"                    // the receiver's reply, octet by octet
	cutShort  = "reset in the content"    // the receiver has a part of the content
	lostDot   = "closed before the end"   // the receiver has all but the last line
	lostReply = "closed before the reply" // the receiver has all
	lateReset = "reset before the reply"  // the same
	garbled   = "garbage for a handshake"
	injected  = "a reply before TLS" // in one write with that to STARTTLS
	ancient   = "TLS 1.0 only"
	cutTLS    = "reset in the handshake"
)

const (
	hangTime  = 2 * time.Second
	mostLines = 2000
)

// errOver ends a session.
var errOver = errors.New("the session is over")

// faultSession is one connection.
type faultSession struct {
	proxy *FaultProxy
	since time.Time

	sender   net.Conn
	in       *bufio.Reader // from the sender
	receiver net.Conn
	out      *bufio.Reader // from the receiver
	tls      bool

	from string
	to   []string
}

// session serves a connection.
func (p *FaultProxy) session(c net.Conn) {
	since := time.Now()
	p.hold(c)
	defer p.drop(c)
	p.mu.Lock()
	address := p.receiver
	p.mu.Unlock()
	r, err := net.Dial("tcp", address)
	if err != nil {
		reset(c) // as a host without a listener
		return
	}
	p.hold(r)
	defer p.drop(r)
	s := &faultSession{proxy: p, since: since, sender: c, in: bufio.NewReader(c), receiver: r, out: bufio.NewReader(r)}
	defer func() { s.sender.Close() }()
	for err = s.reply(Greeting, nil); err == nil; {
		err = s.command()
	}
}

// command serves one command.
func (s *faultSession) command() error {
	line, err := s.in.ReadString('\n')
	if err != nil {
		return err
	}
	verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimRight(line, "\r\n")), " ")
	switch verb {
	case "STARTTLS":
		return s.startTLS()
	case "DATA":
		return s.data(line)
	case "EHLO":
		return s.reply(Ehlo, []byte(line))
	case "HELO":
		return s.reply(Helo, []byte(line))
	case "MAIL":
		return s.reply(Mail, []byte(line))
	case "RCPT":
		return s.reply(Rcpt, []byte(line))
	case "QUIT":
		return s.reply(Quit, []byte(line))
	}
	return s.forward([]byte(line), nil)
}

// reply answers a command, or gives the greeting, rightly or not.
func (s *faultSession) reply(stage Stage, line []byte) error {
	f := s.proxy.draw(stage, resetNow, closeNow, hangFirst, temporary, permanent, leave, nonsense, half, slow, endless)
	switch f {
	case "":
		return s.forward(line, s.seen(stage))
	case slow:
		return s.exchange(line, s.seen(stage), s.trickle)
	case half:
		return s.exchange(line, nil, s.halve)
	}
	return s.fail(stage, f)
}

// fail answers in place of the receiver.
func (s *faultSession) fail(stage Stage, f string) error {
	switch f {
	case resetNow:
		reset(s.sender)
		return errOver
	case hangFirst:
		s.proxy.wait(hangTime)
		return errOver
	case temporary:
		return s.say("451 4.3.0 " + Weather + " at " + string(stage))
	case permanent:
		return s.say("554 5.3.0 " + Weather + " at " + string(stage))
	case leave:
		s.say("421 4.3.2 " + Weather + " at " + string(stage)) // over in any case
	case nonsense:
		s.say("+OK this is something else")
	case endless:
		for range mostLines {
			if err := s.say("250-and so on"); err != nil {
				return err
			}
		}
	}
	return errOver
}

func (s *faultSession) say(line string) error {
	_, err := fmt.Fprintf(s.sender, "%s\r\n", line)
	return err
}

// seen notes what the receiver has agreed to.
func (s *faultSession) seen(stage Stage) func(line, reply []byte) {
	return func(line, reply []byte) {
		if reply[0] != '2' {
			return
		}
		switch stage {
		case Mail:
			s.from, s.to = path(line), nil
		case Rcpt:
			s.to = append(s.to, path(line))
		}
	}
}

// path is the address of a MAIL or RCPT command.
func path(line []byte) string {
	_, rest, _ := bytes.Cut(line, []byte("<"))
	address, _, _ := bytes.Cut(rest, []byte(">"))
	return string(bytes.ToLower(address))
}

// forward passes a command on and its reply back.
func (s *faultSession) forward(line []byte, seen func(line, reply []byte)) error {
	return s.exchange(line, seen, func(reply []byte) error {
		_, err := s.sender.Write(reply)
		return err
	})
}

// exchange passes a command on and the reply back in some way.
func (s *faultSession) exchange(line []byte, seen func(line, reply []byte), back func([]byte) error) error {
	reply, err := s.ask(line)
	if err != nil {
		return err
	}
	if seen != nil {
		seen(line, reply)
	}
	if bytes.HasPrefix(bytes.ToUpper(line), []byte("EHLO")) {
		reply = s.extensions(reply)
	}
	return back(reply)
}

// ask sends the receiver something and reads its reply.
func (s *faultSession) ask(line []byte) ([]byte, error) {
	if _, err := s.receiver.Write(line); err != nil {
		return nil, err
	}
	var reply []byte
	for {
		l, err := s.out.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		reply = append(reply, l...)
		if len(l) < 4 || l[3] != '-' {
			return reply, nil
		}
	}
}

// extensions offers what the proxy understands: its own STARTTLS, and no BDAT.
func (s *faultSession) extensions(reply []byte) []byte {
	if reply[0] != '2' {
		return reply
	}
	lines := []string{}
	for l := range strings.Lines(string(reply)) {
		switch strings.ToUpper(strings.TrimSpace(l[4:])) {
		case "STARTTLS", "CHUNKING", "BINARYMIME":
			continue
		}
		lines = append(lines, "250-"+l[4:])
	}
	if s.proxy.opts.TLS != nil && !s.tls {
		lines = append(lines, "250-STARTTLS\r\n")
	}
	last := len(lines) - 1
	lines[last] = "250 " + lines[last][4:]
	return []byte(strings.Join(lines, ""))
}

// trickle writes a reply octet by octet.
func (s *faultSession) trickle(reply []byte) error {
	for i := range reply {
		if _, err := s.sender.Write(reply[i : i+1]); err != nil {
			return err
		}
		if i < 40 && !s.proxy.wait(5*time.Millisecond) {
			return errOver
		}
	}
	return nil
}

// halve writes a part of a reply and ends the connection.
func (s *faultSession) halve(reply []byte) error {
	// Without the last two octets a reply is not complete.
	s.sender.Write(reply[:s.proxy.number(len(reply)-1)])
	return errOver
}

// startTLS makes the handshake, or spoils it.
func (s *faultSession) startTLS() error {
	if s.proxy.opts.TLS == nil || s.tls {
		return s.say("502 5.5.1 No")
	}
	f := s.proxy.draw(StartTLS, resetNow, closeNow, temporary, permanent, garbled, injected, ancient, cutTLS)
	config := s.proxy.opts.TLS
	switch f {
	case "":
	case garbled:
		s.say("220 2.0.0 Go on")
		s.say("What would that be?")
		s.in.ReadByte() // so that it is read before the end
		return errOver
	case injected:
		s.say("220 2.0.0 Go on\r\n250 2.0.0 All taken")
	case ancient:
		config = config.Clone()
		config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
	case cutTLS:
		s.say("220 2.0.0 Go on")
		s.in.ReadByte()
		reset(s.sender)
		return errOver
	default:
		return s.fail(StartTLS, f)
	}
	if f != injected {
		if err := s.say("220 2.0.0 Go on"); err != nil {
			return err
		}
	}
	return s.handshake(config)
}

func (s *faultSession) handshake(config *tls.Config) error {
	if s.in.Buffered() > 0 {
		return errOver // what a sender says before the handshake is not trusted
	}
	c := tls.Server(s.sender, config)
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if err := c.Handshake(); err != nil {
		return err
	}
	c.SetDeadline(time.Time{})
	s.sender, s.in, s.tls = c, bufio.NewReader(c), true
	return nil
}
