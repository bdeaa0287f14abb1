package e2e

import (
	"flag"
	"fmt"
	"strings"
)

// letter is what the verb smtp sends, and how.
type letter struct {
	service, from, login, body, options string
	to                                  []string
}

// smtp sends a message as a simple client does and prints each reply after its
// command. It wants all of them to be positive; "! smtp" wants a refusal.
func (w *world) smtp(neg bool, args []string) {
	m := w.letter(args)
	l := w.dial(m.service)
	defer l.conn.Close()
	s := &sender{link: l, out: func(line string) { fmt.Fprintln(w.ts.Stdout(), line) }}
	body := m.body
	if body == "" {
		body = fmt.Sprintf("From: <%s>\nTo: <%s>\nSubject: Test\nMessage-ID: <test@client.example>\n\nHello.\n", m.from, m.to[0])
	} else {
		body = w.expandText(w.ts.ReadFile(body))
	}
	if err := s.transact(m, crlf(body)); err != nil {
		w.ts.Fatalf("smtp: %v", err)
	}
	switch {
	case neg && len(s.refused) == 0:
		w.ts.Fatalf("nothing was refused")
	case !neg && len(s.refused) > 0:
		w.ts.Fatalf("refused: %s", strings.Join(s.refused, ", "))
	}
}

func (w *world) letter(args []string) letter {
	var m letter
	f := flag.NewFlagSet("smtp", flag.ContinueOnError)
	f.StringVar(&m.service, "service", "smtp", "")
	f.StringVar(&m.from, "from", "sender@remote.example", "")
	f.StringVar(&m.login, "login", "", "NAME:PASSWORD")
	f.StringVar(&m.body, "body", "", "FILE")
	f.StringVar(&m.options, "options", "", "parameters of MAIL")
	f.Func("to", "", func(v string) error { m.to = append(m.to, v); return nil })
	if err := f.Parse(args); err != nil || len(f.Args()) > 0 || len(m.to) == 0 {
		w.ts.Fatalf("usage: [!] smtp [-service S] [-from A] -to A... [-login NAME:PASSWORD] [-options PARAMETERS] [-body FILE]")
	}
	return m
}

// sender speaks the client's side of one SMTP or LMTP transaction.
type sender struct {
	*link
	out     func(line string)
	refused []string
}

// command sends a line and reads its reply. A negative reply is no error; it
// is noted.
func (s *sender) command(line string) (positive bool, err error) {
	if err := s.send([]byte(line + "\r\n")); err != nil {
		return false, err
	}
	return s.answer(line)
}

func (s *sender) answer(what string) (positive bool, err error) {
	for {
		reply, err := s.reply()
		if err != nil {
			return false, fmt.Errorf("%s: %w", what, err)
		}
		if s.passing(reply) {
			continue
		}
		s.out(what + " -> " + reply)
		positive = strings.HasPrefix(reply, "2") || strings.HasPrefix(reply, "3")
		if !positive {
			s.refused = append(s.refused, what+": "+reply)
		}
		return positive, nil
	}
}

func (s *sender) sendAll(lines ...string) (positive bool, err error) {
	for _, line := range lines {
		if positive, err = s.command(line); err != nil || !positive {
			return positive, err
		}
	}
	return true, nil
}

// hello greets, and logs in under TLS when a login is given.
func (s *sender) hello(m letter) (bool, error) {
	if ok, err := s.answer("connect"); err != nil || !ok {
		return ok, err
	}
	if s.service == "lmtp" {
		return s.command("LHLO client.example")
	}
	if ok, err := s.command("EHLO client.example"); err != nil || !ok {
		return ok, err
	}
	if m.login == "" {
		return true, nil
	}
	if s.service != "submissions" {
		if ok, err := s.command("STARTTLS"); err != nil || !ok {
			return ok, err
		}
		if err := s.startTLS(); err != nil {
			return false, err
		}
		if ok, err := s.command("EHLO client.example"); err != nil || !ok {
			return ok, err
		}
	}
	name, password, _ := strings.Cut(m.login, ":")
	return true, s.login(name + " " + password)
}

// transact is the whole transaction. It ends early at a refusal after which there
// is nothing left to send.
func (s *sender) transact(m letter, body string) error {
	if ok, err := s.hello(m); err != nil || !ok {
		return err
	}
	mail := "MAIL FROM:<" + m.from + ">"
	if m.options != "" {
		mail += " " + m.options
	}
	if ok, err := s.sendAll(mail); err != nil || !ok {
		return err
	}
	var taken []string
	for _, to := range m.to {
		ok, err := s.command("RCPT TO:<" + to + ">")
		if err != nil {
			return err
		}
		if ok {
			taken = append(taken, to)
		}
	}
	if len(taken) == 0 {
		return nil
	}
	if ok, err := s.sendAll("DATA"); err != nil || !ok {
		return err
	}
	return s.data(taken, body)
}

// data sends the text; LMTP answers for each recipient (RFC 2033 4.2).
func (s *sender) data(taken []string, body string) error {
	if err := s.send(dotted(body)); err != nil {
		return err
	}
	if s.service != "lmtp" {
		taken = taken[:1]
	}
	for _, to := range taken {
		what := "message"
		if s.service == "lmtp" {
			what += " for " + to
		}
		if _, err := s.answer(what); err != nil {
			return err
		}
	}
	_, err := s.command("QUIT")
	return err
}
